"""Reads a take out of a USD file, from the layer itself: nothing it refers to is opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pxr import Sdf, Vt
from scipy.spatial.transform import Rotation

from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.rotation import angles_from_matrix
from freeavatar.rigs.spec import Take

from .arrays import FrameArrays
from .usd_stage import DATA, FOUND, FRAME

Number = TypeVar("Number", np.float32, np.float64)
OWN: Mapping[str, type] = MappingProxyType(
    {
        "rig": str,
        "subject": str,
        "timecode": str,
        "names": Vt.StringArray,
        "neutral": Vt.FloatArray,
        "maximum": Vt.FloatArray,
    }
)
"""Our custom data of an animation, and of what type it is."""


@dataclass(frozen=True)
class _Source:
    file: Path
    layer: Any
    animation: Any
    """Path of the SkelAnimation."""
    codes: tuple[float, ...]
    """Time codes at which it has weights, rising."""


def take_of_layer(path: Path) -> Take:
    """The first animation of blend shapes in a file, as a take; its times begin at 0.

    Raises:
        BridgeError: the file is damaged or has none.
        Tf.ErrorException: it is no USD file.
    """
    source = _open(path)
    rate = float(source.layer.timeCodesPerSecond)
    if not 0 < rate < float("inf"):
        raise BridgeError(f"{path}: timeCodesPerSecond is {rate}, no frame rate")
    ours = _own_data(source)
    shapes = _names(source)
    names = tuple(ours.get("names", shapes))
    values = _weights(source, len(shapes))
    if len(names) != len(shapes) or len(set(names)) != len(names):
        raise BridgeError(f"{path}: {source.animation} does not name its blend shapes one by one")
    neutral = np.array(ours.get("neutral", np.zeros(len(names))), np.float32)
    maximum = np.array(ours.get("maximum", np.ones(len(names))), np.float32)
    if not len(neutral) == len(maximum) == len(names):
        raise BridgeError(f"{path}: the ranges of {source.animation} are damaged")
    head, eyes = _turns(source) if ours else _no_turns(len(source.codes))
    codes = _finite(source, "time codes", np.array(source.codes, np.float64))
    frames = FrameArrays(
        indices=_sampled(source, FRAME, np.arange(len(codes)), int).astype(np.int64),
        times=(codes - codes[0]) / rate,
        values=(neutral + values * (maximum - neutral)).astype(np.float32),
        head=head,
        eyes=eyes,
        found=_sampled(source, FOUND, np.ones(len(codes), bool), bool),
    )
    text = {key: ours.get(key, "") for key in ("rig", "subject", "timecode")}
    return Take(names=names, frames=frames, rate=rate, **text)


def _open(path: Path) -> _Source:
    if not path.is_file():
        raise BridgeError(f"cannot read {path}: there is no such file")
    layer = Sdf.Layer.OpenAsAnonymous(str(path))
    if layer is None:
        raise BridgeError(f"{path}: no USD file, or a damaged one")
    found: list[Any] = []
    layer.Traverse(Sdf.Path.absoluteRootPath, found.append)
    for at in found:
        prim = layer.GetPrimAtPath(at) if at.IsPrimPath() else None
        if prim is not None and prim.typeName == "SkelAnimation":
            codes = layer.ListTimeSamplesForPath(at.AppendProperty("blendShapeWeights"))
            if codes:
                return _Source(path, layer, at, tuple(codes))
    raise BridgeError(
        f"{path}: no SkelAnimation in it moves blend shapes; a file that refers to others must "
        f"be flattened first (usdcat --flatten)"
    )


def _own_data(source: _Source) -> dict[str, Any]:
    """What `usd_stage` keeps beside the animation; empty in files by others."""
    data = source.layer.GetPrimAtPath(source.animation).customData.get(DATA, {})
    ours = {key: data[key] for key in OWN if isinstance(data, dict) and key in data}
    for key, value in ours.items():
        if not isinstance(value, OWN[key]):
            raise BridgeError(f"{source.file}: {DATA}:{key} of {source.animation} is damaged")
    return ours


def _names(source: _Source) -> tuple[str, ...]:
    """Identifiers of the animation's blend shapes."""
    attribute = source.layer.GetAttributeAtPath(source.animation.AppendProperty("blendShapes"))
    names = None if attribute is None else attribute.default
    return tuple(names) if isinstance(names, Vt.TokenArray) else ()


def _samples(source: _Source, name: str) -> list[Any]:
    """Values of an attribute at the codes; None where it has no sample."""
    path = source.animation.AppendProperty(name)
    return [source.layer.QueryTimeSample(path, code) for code in source.codes]


def _weights(source: _Source, count: int) -> NDArray[np.float32]:
    rows = _samples(source, "blendShapeWeights")
    for code, row in zip(source.codes, rows, strict=True):
        if not isinstance(row, Vt.FloatArray) or len(row) != count:
            have = len(row) if isinstance(row, Vt.FloatArray) else "no"
            raise BridgeError(
                f"{source.file}: {source.animation} has {count} blend shapes but {have} weights "
                f"at time code {code:g}"
            )
    return _finite(source, "weights", np.array(rows, np.float32))


def _turns(source: _Source) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Head (F, 3) and eyes (F, 2, 3), yaw, pitch, roll, radians."""
    rows = _samples(source, "rotations")
    if any(not isinstance(row, Vt.QuatfArray) or len(row) != 3 for row in rows):
        raise BridgeError(f"{source.file}: the rotations of {source.animation} are damaged")
    turns = np.array([[(*q.imaginary, q.real) for q in row] for row in rows], np.float64)
    if not (np.linalg.norm(turns, axis=2) > 1e-6).all():
        raise BridgeError(f"{source.file}: a rotation of {source.animation} is all zeros")
    matrices = Rotation.from_quat(turns.reshape(-1, 4)).as_matrix().reshape(-1, 3, 3, 3)
    angles = _finite(source, "rotations", angles_from_matrix(matrices).astype(np.float32))
    return angles[:, 0], angles[:, 1:]


def _no_turns(count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return np.zeros((count, 3), np.float32), np.zeros((count, 2, 3), np.float32)


def _sampled(source: _Source, name: str, otherwise: NDArray[Any], kind: type) -> NDArray[Any]:
    """(F,) samples of one of our own attributes, or what stands for it in files by others."""
    values = _samples(source, name)
    return np.array(values) if all(type(v) is kind for v in values) else otherwise


def _finite(source: _Source, what: str, values: NDArray[Number]) -> NDArray[Number]:
    if not np.isfinite(values).all():
        raise BridgeError(f"{source.file}: the {what} of {source.animation} are not all numbers")
    return values
