"""Reads VRM animations, ours and others': expressions, the head's rotation and the gaze."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.vmc import PERFECT_SYNC
from freeavatar.rigs.conventions.arkit import ARKIT
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.accessors import read_floats
from freeavatar.rigs.gltf.document import Document, parse_document, read_bytes
from freeavatar.rigs.gltf.fields import Fields
from freeavatar.rigs.gltf.scene import NodeTree, read_nodes
from freeavatar.rigs.rotation import angles_from_matrix
from freeavatar.rigs.spec import Take

from .arrays import FrameArrays, nominal_rate
from .vrma import EXTENSION

WIDTHS = {"translation": 3, "rotation": 4}
NECK_BONES = ("neck", "head")
"""Bones whose rotations together are the head's; those below them turn the body."""
_ARKIT_BY_EXPRESSION = dict(zip(PERFECT_SYNC, ARKIT, strict=True))
LONGEST_NAME = 200


@dataclass(frozen=True)
class _Curve:
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    """(F, width)"""
    stepped: bool


def read_vrma(path: Path) -> Take:
    """Read the first animation of a VRM animation file.

    Columns are the expressions, under the names of the controls they were written from, ARKit's
    under ARKit's names; weights, and the times of the longest curve. Both eyes follow the one
    gaze, so without their roll. Bones other than neck and head are left out.

    Raises:
        BridgeError: the file is damaged, or animates no expression.
    """
    try:
        return _read(parse_document(read_bytes(path), path.name, path.parent))
    except RigError as error:
        raise BridgeError(str(error)) from error


def _read(document: Document) -> Take:
    extension = document.root.object("extensions").object(EXTENSION)
    animations = document.items("animations")
    if not extension.values or not animations:
        raise BridgeError(
            f"{document.file} is no VRM animation: it has no {EXTENSION} or no motion"
        )
    curves = _curves(document, animations[0])
    shown = {
        name: curves[node, "translation"]
        for name, node in _expression_nodes(extension).items()
        if (node, "translation") in curves
    }
    if not shown:
        raise BridgeError(f"{document.file} is a VRM animation of bones alone: no expression moves")
    times = max((curve.times for curve in curves.values()), key=len)
    extras = animations[0].values.get("extras")
    extras = extras if isinstance(extras, dict) else {}
    written = _written_controls(extras.get("controls"))
    names = _names(document, tuple(shown), written)
    columns = [_column(curve, times, written.get(name)) for name, curve in shown.items()]
    gaze = _gaze(extension, curves, times)
    rig = extras.get("rig")
    return Take(
        names=names,
        frames=FrameArrays(
            indices=np.arange(len(times)),
            times=times,
            values=np.column_stack(columns).astype(np.float32),
            head=_head(document, extension, curves, times),
            eyes=np.repeat(gaze[:, None], 2, axis=1),
            found=np.ones(len(times), bool),
        ),
        rate=nominal_rate(times),
        rig=rig if isinstance(rig, str) else "",
    )


def _expression_nodes(extension: Fields) -> dict[str, int]:
    nodes: dict[str, int] = {}
    for kind in ("preset", "custom"):
        group = extension.object("expressions").object(kind)
        for name in group.values:
            nodes.setdefault(name[:LONGEST_NAME], group.object(name).integer("node"))
    return nodes


def _curves(document: Document, animation: Fields) -> dict[tuple[int, str], _Curve]:
    samplers = animation.objects("samplers")
    curves: dict[tuple[int, str], _Curve] = {}
    for channel in animation.objects("channels"):
        target = channel.object("target")
        path = target.text("path")
        if path not in WIDTHS or not target.has("node"):
            continue
        number = channel.integer("sampler")
        if number >= len(samplers):
            raise channel.fail("sampler", f"a number below {len(samplers)}")
        curves[target.integer("node"), path] = _curve(document, samplers[number], WIDTHS[path])
    return curves


def _curve(document: Document, sampler: Fields, width: int) -> _Curve:
    times = read_floats(document, sampler.integer("input"), 1, f"times of {sampler.where}")[:, 0]
    output = sampler.integer("output")
    values = read_floats(document, output, width, f"values of {sampler.where}")
    kind = sampler.text("interpolation", "LINEAR")
    if kind == "CUBICSPLINE":
        # Each key is in-tangent, value, out-tangent.
        values = values[1::3]
    if len(values) != len(times) or (np.diff(times) <= 0).any():
        raise RigError(
            f"{document.file}: {sampler.where} has {len(values)} values for {len(times)} times, or "
            f"its times do not rise"
        )
    return _Curve(times.astype(np.float64), values.astype(np.float64), stepped=kind == "STEP")


def _written_controls(said: Any) -> Mapping[str, tuple[str, float, float]]:
    """Control name, neutral and maximum by expression, as our writer notes them."""
    found: dict[str, tuple[str, float, float]] = {}
    for name, entry in said.items() if isinstance(said, dict) else ():
        match entry:
            case [str(control), float() | int() as neutral, float() | int() as maximum]:
                if max(abs(neutral), abs(maximum)) < 1e6:
                    found[name] = (control[:LONGEST_NAME], float(neutral), float(maximum))
    return found


def _names(
    document: Document, shown: tuple[str, ...], written: Mapping[str, tuple[str, float, float]]
) -> tuple[str, ...]:
    names = tuple(
        written[name][0] if name in written else _ARKIT_BY_EXPRESSION.get(name, name)
        for name in shown
    )
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RigError(f"{document.file}: two of its expressions are called {twice!r}")
    return names


def _column(
    curve: _Curve, times: NDArray[np.float64], control: tuple[str, float, float] | None
) -> NDArray[np.float64]:
    x = np.clip(curve.values[:, 0], 0, 1)
    if curve.stepped:
        latest = np.searchsorted(curve.times, times, side="right") - 1
        weights = x[np.maximum(latest, 0)]
    else:
        weights = np.interp(times, curve.times, x)
    _, neutral, maximum = control or ("", 0.0, 1.0)
    return np.asarray(neutral + weights * (maximum - neutral))


def _gaze(
    extension: Fields, curves: Mapping[tuple[int, str], _Curve], times: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(F, 3) yaw, pitch, roll of the gaze."""
    curve = curves.get((extension.object("lookAt").optional("node") or 0, "rotation"))
    if curve is None or not extension.object("lookAt").has("node"):
        return np.zeros((len(times), 3), np.float32)
    return _angles(_turned(curve, times))


def _head(
    document: Document,
    extension: Fields,
    curves: Mapping[tuple[int, str], _Curve],
    times: NDArray[np.float64],
) -> NDArray[np.float32]:
    """(F, 3) yaw, pitch, roll of the head against the body."""
    tree = read_nodes(document)
    bones = extension.object("humanoid").object("humanBones")
    turn = Rotation.identity(len(times))
    for bone in NECK_BONES:
        node = bones.object(bone).optional("node") if bones.has(bone) else None
        curve = None if node is None else curves.get((node, "rotation"))
        if node is None or curve is None:
            continue
        document.item("nodes", node)
        above = tree.parents[node]
        rest = _world(tree, node)
        turn = turn * (_world(tree, above) * _turned(curve, times) * rest.inv())
    return _angles(turn)


def _world(tree: NodeTree, node: int) -> Rotation:
    """Rotation of a node at rest in the file's world; of the world itself for no node."""
    matrix = np.eye(3) if node < 0 else tree.matrices[node][:3, :3]
    lengths = np.maximum(np.linalg.norm(matrix, axis=0), 1e-12)
    return Rotation.from_matrix(matrix / lengths)


def _turned(curve: _Curve, times: NDArray[np.float64]) -> Rotation:
    """Rotations of a curve at the times; a quaternion of zeros does not turn."""
    values = curve.values.copy()
    values[np.linalg.norm(values, axis=1) < 1e-6] = (0, 0, 0, 1)
    rotations = Rotation.from_quat(values)
    if curve.stepped or len(values) == 1:
        return rotations[np.maximum(np.searchsorted(curve.times, times, side="right") - 1, 0)]
    return Slerp(curve.times, rotations)(np.clip(times, curve.times[0], curve.times[-1]))


def _angles(turn: Rotation) -> NDArray[np.float32]:
    return np.asarray(angles_from_matrix(turn.as_matrix()), np.float32)
