"""VRM animations (``.vrma``): head, gaze and expressions, playable on any VRM avatar.

A glTF file without a mesh: the bones every VRM must have, standing in T-pose, of which the head
turns; one node per expression, whose x is its weight; one node that turns as the gaze does (the
mean of both eyes: VRM knows one gaze). Every frame is kept, at the take's own times; the
specification's 30 frames a second are advice.

Source: VRMC_vrm_animation 1.0; VRMC_vrm 1.0, humanoid (required bones).
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.vmc import EYE_REST
from freeavatar.rigs.gltf.animation import continuous
from freeavatar.rigs.gltf.builder import GlbBuilder
from freeavatar.rigs.gltf.writer import GENERATOR
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Rig, Take

from .arrays import FrameArrays, rising_from_zero
from .vrma_expressions import PRESETS, Expressions
from .whole import WholeWriter, recover_whole, write_whole

EXTENSION = "VRMC_vrm_animation"

Place = tuple[float, float, float]

_LIMBS: Mapping[str, tuple[str, Place]] = MappingProxyType(
    {
        "UpperArm": ("spine", (0.16, 1.40, 0.0)),
        "LowerArm": ("UpperArm", (0.42, 1.40, 0.0)),
        "Hand": ("LowerArm", (0.66, 1.40, 0.0)),
        "UpperLeg": ("hips", (0.09, 0.90, 0.0)),
        "LowerLeg": ("UpperLeg", (0.09, 0.50, 0.0)),
        "Foot": ("LowerLeg", (0.09, 0.08, 0.0)),
    }
)


def _skeleton() -> dict[str, tuple[str, Place]]:
    """The bones a VRM must have: name to parent and place in the world, metres."""
    bones: dict[str, tuple[str, Place]] = {
        "hips": ("", (0.0, 0.95, 0.0)),
        "spine": ("hips", (0.0, 1.05, 0.0)),
        "head": ("spine", (0.0, 1.50, 0.0)),
    }
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for limb, (above, (x, y, z)) in _LIMBS.items():
            parent = above if above in bones else f"{side}{above}"
            bones[f"{side}{limb}"] = (parent, (sign * x, y, z))
    return bones


BONES: Mapping[str, tuple[str, Place]] = MappingProxyType(_skeleton())


class VrmaWriter(WholeWriter):
    """Keeps frames in a journal and writes the VRM animation when closed; a `Sink`."""

    def __init__(self, path: Path, rig: Rig, *, rate: float, subject: str = "") -> None:
        """Start the journal.

        Raises:
            BridgeError: the rig has no controls, or the journal cannot be written.
        """
        if not rig.controls:
            raise BridgeError(
                f"{path}: rig {rig.name} has no controls, so there is nothing to keep"
            )
        Expressions(rig).warn_of_halves()
        super().__init__(path, rig, write_vrma, rate=rate, subject=subject)


def recover_vrma(path: Path, rig: Rig) -> Path | None:
    """Turn the journal an interrupted run left into ``take.recovered.vrma``; see `recover_whole`.

    Raises:
        BridgeError: another run is writing the take, or it cannot be written.
    """
    return recover_whole(path, rig, write_vrma)


def write_vrma(path: Path, rig: Rig, take: Take) -> None:
    """Write a take of a rig as VRM animation, whole or not at all; it begins at 0 s.

    Raises:
        BridgeError: the disk is full or the folder cannot be written.
    """
    write_whole(path, vrma_bytes(rig, take))


def vrma_bytes(rig: Rig, take: Take) -> bytes:
    """The bytes of `write_vrma`.

    Args:
        rig: the take is of.
        take: with at least one frame; frames whose times do not rise are left out.
    """
    frames = rising_from_zero(FrameArrays.of(take.frames))
    expressions = Expressions(rig)
    builder = GlbBuilder(_content())
    bones = _add_bones(builder)
    gaze = _add_node(builder, "lookAt")
    shown = {name: _add_node(builder, name) for name in expressions.names}
    builder.content["extensions"] = {EXTENSION: _extension(rig, bones, gaze, shown)}
    channels = _Channels(builder, frames.times)
    channels.add(bones["head"], "rotation", _rotations(frames.head))
    channels.add(gaze, "rotation", _rotations(gaze_angles(frames.eyes)))
    weights = expressions.weights(frames.values)
    for column, node in enumerate(shown.values()):
        moved = np.zeros((len(frames), 3), np.float32)
        moved[:, 0] = weights[:, column]
        channels.add(node, "translation", moved)
    builder.content["animations"] = [
        {
            "name": take.subject or "take",
            "channels": channels.channels,
            "samplers": channels.samplers,
            "extras": {"rig": rig.name, "controls": _controls(expressions)},
        }
    ]
    return builder.to_bytes()


def gaze_angles(eyes: NDArray[np.floating]) -> NDArray[np.float64]:
    """(F, 2, 3) angles of both eyes to the (F, 3) of one gaze: the mean, without roll."""
    return np.asarray(np.mean(eyes, axis=1) * np.array([1.0, 1.0, 0.0]), np.float64)


class _Channels:
    """Channels and samplers that share one row of times."""

    def __init__(self, builder: GlbBuilder, times: NDArray[np.float64]) -> None:
        self.channels: list[dict[str, Any]] = []
        self.samplers: list[dict[str, Any]] = []
        self._builder = builder
        self._input = builder.accessor(times.astype(np.float32), bounds=True)

    def add(self, node: int, path: str, output: NDArray[np.float32]) -> None:
        sampler = {
            "input": self._input,
            "interpolation": "LINEAR",
            "output": self._builder.accessor(output),
        }
        target = {"node": node, "path": path}
        self.channels.append({"sampler": len(self.samplers), "target": target})
        self.samplers.append(sampler)


def _content() -> dict[str, Any]:
    return {
        "asset": {"version": "2.0", "generator": GENERATOR},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": []}],
        "nodes": [],
    }


def _add_node(builder: GlbBuilder, name: str) -> int:
    """A node at the root of the scene."""
    node = builder.append("nodes", {"name": name})
    builder.content["scenes"][0]["nodes"].append(node)
    return node


def _add_bones(builder: GlbBuilder) -> dict[str, int]:
    """The skeleton; node of each bone."""
    nodes: dict[str, int] = {}
    for bone, (parent, place) in BONES.items():
        above = np.array(BONES[parent][1]) if parent else np.zeros(3)
        nodes[bone] = builder.append("nodes", {"name": bone})
        builder.content["nodes"][nodes[bone]]["translation"] = np.subtract(place, above).tolist()
        if parent:
            builder.content["nodes"][nodes[parent]].setdefault("children", []).append(nodes[bone])
    builder.content["scenes"][0]["nodes"].append(nodes["hips"])
    return nodes


def _extension(
    rig: Rig, bones: Mapping[str, int], gaze: int, shown: Mapping[str, int]
) -> dict[str, Any]:
    kinds: dict[str, dict[str, dict[str, int]]] = {"preset": {}, "custom": {}}
    for name, node in shown.items():
        kinds["preset" if name in PRESETS else "custom"][name] = {"node": node}
    return {
        "specVersion": "1.0",
        "humanoid": {"humanBones": {bone: {"node": node} for bone, node in bones.items()}},
        "expressions": {kind: nodes for kind, nodes in kinds.items() if nodes},
        "lookAt": {"node": gaze, "offsetFromHeadBone": _between_eyes(rig)},
    }


def _between_eyes(rig: Rig) -> list[float]:
    """(3,) where the gaze begins, metres from the head's pivot."""
    joints = {} if rig.mesh is None else {j.role: j.pivot for j in rig.mesh.joints}
    places = [
        joints[role] - joints["head"] if role in joints and "head" in joints else EYE_REST[role]
        for role in ("left_eye", "right_eye")
    ]
    return [round(float(value), 6) for value in np.mean(places, axis=0)]


def _rotations(angles: NDArray[Any]) -> NDArray[np.float32]:
    """(F, 3) yaw, pitch, roll to (F, 4) quaternions x, y, z, w."""
    return continuous(Rotation.from_matrix(matrix_from_angles(angles)).as_quat())


def _controls(expressions: Expressions) -> dict[str, list[Any]]:
    """What reading back needs where an expression's name or range is not its control's own."""
    return {
        name: [c.name, c.neutral, c.maximum]
        for name, c in expressions.controls.items()
        if (name, 0.0, 1.0) != (c.name, c.neutral, c.maximum)
    }
