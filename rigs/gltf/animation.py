"""Performances inside glTF files: puts a take into a rig's own GLB or VRM, and reads one back.

The take becomes one animation: a "weights" channel for every node whose mesh has morph targets,
and rotation channels for the head and the eyes. A joint that no node stands for, or whose node
does not lie at the pivot, gets two nodes around what it turns: one at the pivot, which rotates,
and one that undoes the pivot's offset. The animation's `extras` name the rotating nodes.

Source: glTF 2.0 specification, section 3.11 (animations).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.loaders.gltf import (
    JAW_CONTROL,
    Source,
    jaw_bone_control,
    own_hints,
    understand,
)
from freeavatar.rigs.loaders.joints import JAW_OPENING, FoundJoint
from freeavatar.rigs.loaders.morph_targets import morph_target_names
from freeavatar.rigs.loaders.vrm import (
    control_binds,
    is_vrm,
    read_expressions,
    used_clips,
    vrm_hints,
)
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import JointRole, Rig
from freeavatar.rigs.vrm_expressions import resolve_expressions

from .animation_reader import read_animation
from .builder import GlbBuilder
from .document import Document, parse_document
from .repair import repair
from .scene import local_matrix
from .writer import NODE_NAMES

__all__ = ["add_animation", "continuous", "read_animation"]

Values = NDArray[np.float32]


def add_animation(
    source: bytes,
    rig: Rig,
    *,
    times: NDArray[Any],
    values: NDArray[Any],
    head: NDArray[Any],
    eyes: NDArray[Any],
    name: str = "take",
) -> bytes:
    """Put a take into a rig's file.

    Args:
        source: bytes of the GLB, VRM or self-contained .gltf the rig was read from, or of
            `freeavatar.rigs.gltf.writer.write_glb`.
        rig: the rig read from it.
        times: (F,) seconds from 0 on, increasing; frames that do not increase are left out.
        values: (F, K) control values in the order of `Rig.controls`.
        head: (F, 3) yaw, pitch, roll in radians.
        eyes: (F, 2, 3) the same of the left and the right eye.
        name: of the animation.

    Returns:
        A GLB; animations that the file had are gone, so that a player plays this one.

    Raises:
        RigError: the file is damaged or has none of the rig's controls, or there is no frame.
    """
    document = parse_document(source, rig.source or rig.name)
    found = understand(document, vrm_hints(document) if is_vrm(document) else own_hints(document))
    kept = _increasing(times)
    builder = GlbBuilder(document.json, document.buffers[0] or b"" if document.buffers else b"")
    repair(document, builder)
    animation = _Animation(builder, np.asarray(times, np.float32)[kept])
    weights = _morph_weights(document, found, rig, np.asarray(values, np.float32)[kept])
    _weight_channels(animation, document, weights)
    turned: dict[JointRole, NDArray[Any]] = {
        "head": np.asarray(head)[kept],
        "left_eye": np.asarray(eyes)[kept, 0],
        "right_eye": np.asarray(eyes)[kept, 1],
    }
    if jaw_bone_control(found) is not None and JAW_CONTROL in rig.index:
        opening = unit_weights(rig, values)[kept, rig.index[JAW_CONTROL]]
        turned["jaw"] = np.outer(opening, [0.0, JAW_OPENING, 0.0])
    joints = {f.joint.role: f for f in found.joints}
    nodes = {
        role: _turn_channel(animation, found, joints[role], angles)
        for role, angles in turned.items()
        if role in joints
    }
    builder.content["animations"] = [
        {
            "name": name,
            "channels": animation.channels,
            "samplers": animation.samplers,
            "extras": {"rig": rig.name, "joints": nodes},
        }
    ]
    return builder.to_bytes()


class _Animation:
    """Channels and samplers that share one row of times."""

    def __init__(self, builder: GlbBuilder, times: Values) -> None:
        self.builder = builder
        self.channels: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []
        self._input = builder.accessor(times, bounds=True)

    def add(self, node: int, path: str, output: Values) -> None:
        sampler = {
            "input": self._input,
            "interpolation": "LINEAR",
            "output": self.builder.accessor(output),
        }
        target = {"node": node, "path": path}
        self.channels.append({"sampler": len(self.samplers), "target": target})
        self.samplers.append(sampler)


def _increasing(times: NDArray[Any]) -> NDArray[np.int64]:
    """Indices of frames whose times, as stored, increase from 0 on."""
    kept: list[int] = []
    last = -1.0
    for index, time in enumerate(np.asarray(times, np.float32)):
        if np.isfinite(time) and time >= 0 and time > last:
            kept.append(index)
            last = float(time)
    if not kept:
        raise RigError("the take has no frame, so there is nothing to put into a GLB")
    return np.array(kept)


def _morph_weights(
    document: Document, found: Source, rig: Rig, values: Values
) -> dict[str, Values]:
    """(F,) weights of each morph target name of the file."""
    shown = unit_weights(rig, resolve_expressions(rig, values))
    morphs = found.assembly.names
    binds = {name: {name: 1.0} for name in morphs}
    if is_vrm(document):
        jaw = (JAW_CONTROL,) if jaw_bone_control(found) else ()
        clips = used_clips(read_expressions(document))
        binds = {n: dict(b) for n, b in control_binds(clips, (*morphs, *jaw)).items()}
    known = [n for n in rig.names if n in binds]
    if not known and JAW_CONTROL not in rig.index:
        raise RigError(
            f"{document.file} has none of the controls of rig {rig.name}: it is another file than "
            "the rig was read from"
        )
    weights: dict[str, Values] = {}
    for name in known:
        for morph, weight in binds[name].items():
            share = np.float32(weight) * shown[:, rig.index[name]]
            weights[morph] = weights.get(morph, np.zeros(len(values), np.float32)) + share
    return weights


def _weight_channels(animation: _Animation, document: Document, weights: dict[str, Values]) -> None:
    names = morph_target_names(document)
    outputs: dict[int, Values] = {}
    count = len(next(iter(weights.values()))) if weights else 0
    for index, node in enumerate(document.items("nodes")):
        mesh = node.optional("mesh")
        if mesh is None or not names[mesh] or not weights:
            continue
        if mesh not in outputs:
            zero = np.zeros(count, np.float32)
            outputs[mesh] = np.column_stack([weights.get(n, zero) for n in names[mesh]])
        animation.add(index, "weights", outputs[mesh].astype(np.float32).ravel())


def _turn_channel(
    animation: _Animation, found: Source, joint: FoundJoint, angles: NDArray[Any]
) -> int:
    """Rotate a joint; returns the node that turns."""
    placement, tree = found.placement, found.tree
    pivot = placement.rotation.T @ joint.joint.pivot.astype(np.float64) / placement.scale
    node, content = joint.node, animation.builder.content
    above = tree.parents[node] if node >= 0 else -1
    parent = tree.matrices[above] if above >= 0 else np.eye(4)
    size = max(float(np.ptp(found.assembly.vertices, axis=0).max()), 1e-9)
    at_pivot = node >= 0 and bool(np.abs(tree.matrices[node][:3, 3] - pivot).max() < 1e-5 * size)
    if at_pivot and "matrix" not in content["nodes"][node]:
        rest = local_matrix(found.document.item("nodes", node))[:3, :3]
        turning = node
    else:
        rest = np.eye(3)
        turning = _wrap(animation.builder, found, joint, np.linalg.solve(parent, [*pivot, 1])[:3])
    turn = placement.rotation.T @ matrix_from_angles(angles) @ placement.rotation
    local = np.linalg.inv(parent[:3, :3]) @ turn @ parent[:3, :3]
    start = Rotation.from_matrix(rest / np.linalg.norm(rest, axis=0))
    rotations = (Rotation.from_matrix(local) * start).as_quat()
    animation.add(turning, "rotation", continuous(rotations))
    return turning


def _wrap(builder: GlbBuilder, found: Source, joint: FoundJoint, pivot: NDArray[np.float64]) -> int:
    """Put a node at the pivot (in the parent's space) around a joint's node, or all of a scene."""
    inside = [joint.node] if joint.node >= 0 else list(found.tree.roots)
    places = _places(builder.content, found.tree.roots)
    back = builder.append("nodes", {"translation": (-pivot).tolist(), "children": inside})
    turning = builder.append(
        "nodes",
        {
            "name": NODE_NAMES[joint.joint.role],
            "translation": pivot.tolist(),
            "children": [back],
        },
    )
    for siblings in places:
        if set(siblings) & set(inside):
            first = next(i for i, n in enumerate(siblings) if n in inside)
            siblings[first] = turning
            siblings[:] = [n for n in siblings if n not in inside]
    return turning


def _places(content: dict[str, Any], roots: Sequence[int]) -> list[list[int]]:
    """All lists of nodes that a node may be in: children, and the roots of scenes."""
    scenes = content.setdefault("scenes", [{"nodes": list(roots)}])
    content.setdefault("scene", 0)
    holders = [(n, "children") for n in content["nodes"]] + [(s, "nodes") for s in scenes]
    return [holder[key] for holder, key in holders if key in holder]


def continuous(rotations: NDArray[np.float64]) -> Values:
    """(F, 4) quaternions with signs such that each lies nearest to the one before it."""
    dots = np.sum(rotations[1:] * rotations[:-1], axis=1)
    signs = np.concatenate([[1.0], np.cumprod(np.where(dots < 0, -1.0, 1.0))])
    return np.asarray(rotations * signs[:, None], np.float32)
