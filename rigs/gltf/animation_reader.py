"""Reads a take out of the first animation of a glTF file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.loaders.gltf import Source, own_hints, understand, with_ranges
from freeavatar.rigs.loaders.morph_targets import morph_target_names
from freeavatar.rigs.loaders.vrm import is_vrm, vrm_hints
from freeavatar.rigs.rotation import angles_from_matrix
from freeavatar.rigs.spec import Control, RigFrame, Take

from .accessors import read_floats
from .document import Document, parse_document, read_bytes
from .fields import Fields
from .scene import local_matrix

ROLES = ("head", "left_eye", "right_eye")


@dataclass(frozen=True)
class _Channel:
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    """(F, width)"""


def read_animation(path: Path) -> Take:
    """Read the morph target weights and the head's and eyes' rotation of a glTF animation.

    Columns are the file's morph targets; those of a VRM are its targets, not its expressions,
    because several expressions can make one shape.

    Raises:
        RigError: the file is damaged, or has no animation of morph targets.
    """
    document = parse_document(read_bytes(path), path.name, path.parent)
    animations = document.items("animations")
    if not animations:
        raise RigError(f"{path.name} has no animation")
    source = understand(document, vrm_hints(document) if is_vrm(document) else own_hints(document))
    channels = _channels(document, animations[0])
    weights = _weights(document, channels)
    if not weights:
        raise RigError(f"{path.name} has an animation, but it moves no morph target")
    times = max((w.times for w in weights.values()), key=len)
    names = tuple(n for n in source.assembly.names if n in weights)
    controls = with_ranges(document, [Control(name=n) for n in names])
    columns = [
        c.neutral + np.interp(times, weights[c.name].times, weights[c.name].values[:, 0])
        * (c.maximum - c.neutral)
        for c in controls
    ]  # fmt: skip
    turns = _turns(document, animations[0], source, channels, times)
    values = np.column_stack(columns).astype(np.float32)
    frames = [
        RigFrame(
            index=i,
            time=float(t),
            values=values[i],
            head=turns["head"][i],
            eyes=np.stack([turns["left_eye"][i], turns["right_eye"][i]]),
        )
        for i, t in enumerate(times)
    ]
    steps = np.diff(times)
    extras = animations[0].values.get("extras")
    rig = extras.get("rig", "") if isinstance(extras, dict) else ""
    return Take(
        names=names,
        frames=frames,
        rate=float(1 / np.median(steps)) if len(steps) else 30.0,
        rig=rig if isinstance(rig, str) else "",
    )


def _channels(document: Document, animation: Fields) -> dict[tuple[int, str], _Channel]:
    samplers = animation.objects("samplers")
    names = morph_target_names(document)
    out: dict[tuple[int, str], _Channel] = {}
    for channel in animation.objects("channels"):
        target = channel.object("target")
        path = target.text("path")
        if path not in ("weights", "rotation") or not target.has("node"):
            continue
        node = target.integer("node")
        mesh = document.item("nodes", node).optional("mesh")
        width = 4 if path == "rotation" else 0 if mesh is None else len(names[mesh])
        number = channel.integer("sampler")
        if number >= len(samplers):
            raise channel.fail("sampler", f"a number below {len(samplers)}")
        if width:
            out[node, path] = _channel(document, samplers[number], path, width)
    return out


def _channel(document: Document, sampler: Fields, path: str, width: int) -> _Channel:
    what = f"{path} of {sampler.where}"
    times = read_floats(document, sampler.integer("input"), 1, what)[:, 0].astype(np.float64)
    stored = 4 if path == "rotation" else 1
    output = read_floats(document, sampler.integer("output"), stored, what).astype(np.float64)
    table = output.reshape(-1, width) if output.size % width == 0 else output[:0]
    if sampler.text("interpolation", "LINEAR") == "CUBICSPLINE":
        # Each key is in-tangent, value, out-tangent.
        table = table[1::3]
    if len(table) != len(times) or (np.diff(times) <= 0).any():
        raise RigError(
            f"{document.file}: {what} has {output.size} numbers for {len(times)} increasing times"
        )
    return _Channel(times, table)


def _weights(document: Document, channels: dict[tuple[int, str], _Channel]) -> dict[str, _Channel]:
    """Weights by target name; the first mesh that has a name gives its weights."""
    names = morph_target_names(document)
    out: dict[str, _Channel] = {}
    for (node, path), channel in sorted(channels.items()):
        if path == "weights":
            mesh = document.item("nodes", node).integer("mesh")
            for column, name in enumerate(names[mesh]):
                out.setdefault(name, _Channel(channel.times, channel.values[:, [column]]))
    return out


def _turns(
    document: Document,
    animation: Fields,
    source: Source,
    channels: dict[tuple[int, str], _Channel],
    times: NDArray[np.float64],
) -> dict[str, NDArray[np.float32]]:
    """(F, 3) yaw, pitch, roll of head and eyes; zeros where the animation does not turn them."""
    nodes: dict[str, Any] = {f.joint.role: f.node for f in source.joints}
    extras = animation.values.get("extras")
    if isinstance(extras, dict) and isinstance(extras.get("joints"), dict):
        nodes |= extras["joints"]
    out = {}
    for role in ROLES:
        channel = channels.get((nodes.get(role, -1), "rotation"))
        if channel is None:
            out[role] = np.zeros((len(times), 3), np.float32)
        else:
            out[role] = _angles(document, source, nodes[role], channel, times)
    return out


def _angles(
    document: Document,
    source: Source,
    node: int,
    channel: _Channel,
    times: NDArray[np.float64],
) -> NDArray[np.float32]:
    if (np.linalg.norm(channel.values, axis=1) < 1e-6).any():
        raise RigError(f"{document.file}: a rotation of {source.tree.names[node]} is all zeros")
    rotations = Rotation.from_quat(channel.values)
    if len(channel.times) > 1:
        rotations = Slerp(channel.times, rotations)(
            np.clip(times, channel.times[0], channel.times[-1])
        )
    rest = local_matrix(document.item("nodes", node))[:3, :3]
    start = Rotation.from_matrix(rest / np.linalg.norm(rest, axis=0))
    above = source.tree.parents[node]
    parent = source.tree.matrices[above][:3, :3] if above >= 0 else np.eye(3)
    turn = source.placement.rotation
    local = (rotations * start.inv()).as_matrix()
    world = turn @ parent @ local @ np.linalg.inv(parent) @ turn.T
    angles = angles_from_matrix(np.broadcast_to(world, (len(times), 3, 3)))
    return np.asarray(angles, np.float32)
