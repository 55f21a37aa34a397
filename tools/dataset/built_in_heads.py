"""The built-in rigs as people to draw: the mannequin and the cartoon child, in many colours."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.solver import ExpressionSolver
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.rigs.registry import load
from freeavatar.rigs.spec import Mesh, Part, Rig

from .drawing import GLOSSY, MATT, SKIN
from .head_anchors import CHEEKS
from .heads import ControlsOf, Head, Motion, Person

SHEET = 512
"""Side of each part's square in the sheet of all textures."""
EYES = ("left_eye", "right_eye")


def built_in_person(name: str, known: NDArray[np.bool_]) -> Person:
    """A built-in rig as it ships.

    Args:
        name: of the rig.
        known: (52,) coefficients that it shows.

    Raises:
        ValueError: it lacks what a face needs.
    """
    rig = load(name)
    mesh = rig.mesh
    joints = [mesh.joint(role) for role in EYES] if mesh else []  # type: ignore[arg-type]
    if mesh is None or rig.anchors is None or any(j is None for j in joints):
        raise ValueError(f"the built-in rig {name} has no mesh, eyes or face points")
    texture, coordinates, colours, kinds = _sheet(mesh)
    inside = np.zeros(len(mesh.vertices), bool)
    for part in mesh.parts:
        if any(word in part.name for word in ("mouth", "teeth", "gums", "tongue")):
            inside[_vertices(mesh, part)] = True
    head = Head(
        name=name,
        triangles=mesh.triangles.astype(np.int32),
        kinds=kinds,
        coordinates=coordinates,
        eyes=tuple(np.flatnonzero(j.weights > 0.5).astype(np.int32) for j in joints if j),  # type: ignore[arg-type]
        inside=inside,
        skin=~inside,
        anchors=rig.anchors,
    )
    marked = np.ones(len(LANDMARKS), bool)
    # Under the eyes, their anchors go by the opening of the eye.
    marked[list(CHEEKS)] = False
    return Person(
        name=f"rigs/{name}",
        head=head,
        vertices=mesh.vertices.astype(np.float32),
        motion=Motion.of(list(mesh.deltas)),
        controls_of=_controls(rig),
        pivots=np.stack([j.pivot for j in joints if j]).astype(np.float32),
        colours=colours,
        texture=texture,
        known=known,
        marked=marked,
        cartoon=name != "mannequin",
    )


def varied(person: Person, make: np.random.Generator) -> Person:
    """The person in other colours and proportions."""
    stretch = np.exp(make.normal(0, [0.07, 0.07, 0.05])).astype(np.float32)
    scale = stretch * np.float32(np.exp(make.normal(0, 0.05)))
    colours = person.colours.copy()
    looks = np.unique(person.colours, axis=0)
    for look in looks:
        rows = (person.colours == look).all(axis=1)
        plain = look.min() >= 0.99
        spread = 0.12 if plain else 0.45
        colours[rows] = look * np.exp(make.normal(0, spread) + make.normal(0, spread, 3))
    turned = cv2.cvtColor(person.texture, cv2.COLOR_RGB2HSV)
    turned[..., 0] = (turned[..., 0].astype(int) + int(make.normal(0, 6))) % 180
    saturated = turned[..., 1] * float(np.clip(make.normal(0.9, 0.25), 0.2, 1.4))
    turned[..., 1] = np.minimum(saturated, 255).astype(np.uint8)
    motion = replace(person.motion, offsets=person.motion.offsets * scale)
    return replace(
        person,
        vertices=person.vertices * scale,
        pivots=person.pivots * scale,
        motion=motion,
        colours=np.minimum(colours, 1.2).astype(np.float32),
        texture=np.asarray(cv2.cvtColor(turned, cv2.COLOR_HSV2RGB), np.uint8),
    )


def _controls(rig: Rig) -> ControlsOf:
    if rig.names == BLENDSHAPES:
        return lambda blendshapes: blendshapes
    solver = ExpressionSolver(rig)

    def controls_of(blendshapes: FloatArray) -> FloatArray:
        return solver.solve(blendshapes).astype(np.float32)

    return controls_of


def _vertices(mesh: Mesh, part: Part) -> NDArray[np.int32]:
    run = slice(part.first_triangle, part.first_triangle + part.triangle_count)
    return np.unique(mesh.triangles[run])


def _sheet(
    mesh: Mesh,
) -> tuple[NDArray[np.uint8], FloatArray, FloatArray, NDArray[np.uint8]]:
    """All parts' textures side by side; coordinates, colours of vertices and kinds of triangles."""
    textures: list[NDArray[np.uint8]] = []
    coordinates = np.zeros((len(mesh.vertices), 3), np.float32)
    coordinates[:, 2] = -1.0
    colours = np.ones((len(mesh.vertices), 3), np.float32)
    kinds = np.zeros(len(mesh.triangles), np.uint8)
    pictured = [p for p in mesh.parts if p.texture is not None]
    for part in mesh.parts:
        rows = _vertices(mesh, part)
        run = slice(part.first_triangle, part.first_triangle + part.triangle_count)
        colours[rows] = part.colour[:3]
        soft = any(word in part.name for word in ("skin", "lid", "neck", "ear", "lips"))
        kinds[run] = SKIN if soft else GLOSSY if part.roughness < 0.45 else MATT
        kinds[run] |= 16 if part.double_sided else 0
        if part.texture is not None and mesh.uvs is not None:
            small = cv2.resize(part.texture[..., :3], (SHEET, SHEET), interpolation=cv2.INTER_AREA)
            # Half a texel inside, so that neighbours in the sheet do not bleed.
            inner = np.clip(mesh.uvs[rows], 0.5 / SHEET, 1 - 0.5 / SHEET)
            coordinates[rows, 0] = (len(textures) + inner[:, 0]) / len(pictured)
            coordinates[rows, 1] = inner[:, 1]
            coordinates[rows, 2] = 1.0
            textures.append(np.asarray(small, np.uint8))
    return np.concatenate(textures, axis=1), coordinates, colours, kinds
