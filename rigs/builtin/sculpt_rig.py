"""From a character's pieces and recipes for its controls to a rig."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from freeavatar.rigs.normals import vertex_normals
from freeavatar.rigs.spec import Control, Joint, JointRole, Mesh, Region, Rig

from .sculpt_fields import Array
from .sculpt_motion import Motion
from .sculpt_pieces import Assembly, parts

STILL = 4e-5
"""Metres; smaller motion is not seen and would only fill the file."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to make a control, or a pair of them."""

    shape: Callable[[Motion], Array]
    """Displacement (V, 3) at the control's maximum; of the left one where there are two."""
    region: Region
    twin: str = ""
    """Name of the right one of a pair; "" where the control moves both sides."""
    hub: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Meaning in ARKit's names; of the left one where there are two."""


def finished(
    name: str,
    motion: Motion,
    recipes: Mapping[str, Recipe],
    looks: Mapping[str, Mapping[str, Any]],
    neck: Array,
) -> Rig:
    """The rig of a sculpted character.

    Args:
        name: of the rig.
        motion: its vertices and what they mean.
        recipes: left or central controls by name, in the rig's order.
        looks: the other fields of `Part` by material.
        neck: (3,) where the head turns.
    """
    whole = motion.assembly
    controls: list[Control] = []
    deltas: list[Array] = []
    for own_name, recipe in recipes.items():
        for control, moved in _made(own_name, recipe, motion):
            controls.append(control)
            deltas.append(np.where(np.linalg.norm(moved, axis=1)[:, None] < STILL, 0.0, moved))
    vertices = whole.vertices.astype(np.float32)
    mesh = Mesh(
        vertices=vertices,
        triangles=whole.triangles,
        deltas=np.stack(deltas).astype(np.float32),
        parts=parts(whole, looks),
        uvs=whole.uvs.astype(np.float32),
        normals=vertex_normals(vertices, whole.triangles),
        joints=_joints(whole, motion.eye.centre, neck),
    )
    return Rig(name=name, controls=tuple(controls), mesh=mesh, source="built-in", licence="MIT")


def _made(name: str, recipe: Recipe, motion: Motion) -> list[tuple[Control, Array]]:
    """One control, or two whose displacements are exact mirror images."""
    moved = recipe.shape(motion)
    mirror = motion.assembly.mirrored(moved)
    if not recipe.twin:
        control = Control(name=name, region=recipe.region, hub=recipe.hub)
        return [(control, 0.5 * (moved + mirror))]
    other = {k.replace("Left", "Right"): v for k, v in recipe.hub.items()}
    left = Control(name=name, region=recipe.region, side="left", hub=recipe.hub)
    right = Control(
        name=recipe.twin, region=recipe.region, side="right", hub=MappingProxyType(other)
    )
    return [(left, moved), (right, mirror)]


def _joints(whole: Assembly, eye: Array, neck: Array) -> tuple[Joint, ...]:
    head = np.where(whole.get("body") > 0, whole.get("neck"), 1.0)
    ball, x = whole.get("eye"), whole.vertices[:, 0]
    rows: tuple[tuple[JointRole, Array, Array], ...] = (
        ("head", neck, head),
        ("left_eye", eye, ball * (x > 0)),
        ("right_eye", eye * np.array([-1.0, 1.0, 1.0]), ball * (x < 0)),
    )
    return tuple(
        Joint(role=role, pivot=pivot.astype(np.float32), weights=weights.astype(np.float32))
        for role, pivot, weights in rows
    )
