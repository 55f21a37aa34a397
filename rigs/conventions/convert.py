"""Values: from ARKit's 52 to any controls and back, by what their names say."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Control, FloatArray

from .arkit import ARKIT
from .describe import CONVENTIONS, control_named
from .table import Convention

_INDEX: Mapping[str, int] = MappingProxyType({name: i for i, name in enumerate(ARKIT)})
_RIDGE = 0.01
"""Weight of the squared values in the least squares for whole expressions: keeps two presets that
look alike from trading places between frames, at the price of a few percent."""
_FULL = 1 - 1e-6
_SEALED = 0.1
"""Jaw opening below which MetaHuman's lips-together fades out, where the ratio is only noise."""


def hub_matrix(controls: Sequence[Control]) -> FloatArray:
    """(K, 52) ARKit values that each control stands for at its maximum.

    Raises:
        RigError: a mapping names something that is not one of ARKit's 52.
    """
    matrix = np.zeros((len(controls), len(ARKIT)), np.float32)
    for k, control in enumerate(controls):
        for name, value in control.hub.items():
            if name not in _INDEX:
                raise RigError(f"control {control.name} is mapped to {name}, not an ARKit name")
            matrix[k, _INDEX[name]] = value
    return matrix


def controls_from_arkit(controls: Sequence[Control], arkit: NDArray[Any]) -> FloatArray:
    """Control values for ARKit values, by names alone.

    A control that stands for one ARKit shape, or for its left and right together, takes that
    value; parts of a split shape (weights adding up to 1) each take it whole. Whole expressions
    (visemes, emotions) share what is left: the non-negative combination closest to it in least
    squares. Controls without a mapping stay neutral. Where no control closes the lips over the
    jaw (`mouthClose`), the jaw opens by that much less.

    Args:
        controls: of one rig.
        arkit: (52,) or (N, 52) in the order of `ARKIT`, 0..1.

    Returns:
        (K,) or (N, K) within each control's range.

    Raises:
        RigError: a mapping names something that is not one of ARKit's 52.
        ValueError: arkit has not 52 values a row.
    """
    rows = np.asarray(arkit, np.float64)
    if rows.shape[-1] != len(ARKIT):
        raise ValueError(f"expected {len(ARKIT)} ARKit values a row, got {rows.shape}")
    shares = _shares(hub_matrix(controls), rows.reshape(-1, len(ARKIT)))
    low = np.array([c.neutral for c in controls], np.float64)
    span = np.array([c.maximum - c.neutral for c in controls], np.float64)
    out = low + span * np.clip(shares, 0.0, 1.0)
    return np.asarray(out.reshape(*rows.shape[:-1], len(controls)), np.float32)


def arkit_from_controls(controls: Sequence[Control], values: NDArray[Any]) -> FloatArray:
    """ARKit values that control values stand for: the sum of the mappings, clipped to 0..1.

    Args:
        controls: of one rig.
        values: (K,) or (N, K) in the controls' own ranges.

    Returns:
        (52,) or (N, 52) in the order of `ARKIT`.
    """
    neutral = np.array([c.neutral for c in controls], np.float32)
    span = np.array([c.maximum - c.neutral for c in controls], np.float32)
    shares = (np.asarray(values, np.float32) - neutral) / np.where(span == 0, 1, span)
    return np.asarray(np.clip(shares @ hub_matrix(controls), 0.0, 1.0), np.float32)


def _shares(hub: FloatArray, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) how much of each control's maximum; the rules of `controls_from_arkit`."""
    single, whole = _kinds(hub)
    if not hub[:, _INDEX["mouthClose"]].any():
        rows = rows.copy()
        jaw = _INDEX["jawOpen"]
        rows[:, jaw] = np.maximum(rows[:, jaw] - rows[:, _INDEX["mouthClose"]], 0.0)
    shares = np.zeros((len(rows), len(hub)))
    total = np.minimum(hub[single].sum(axis=0), 1.0)
    for k in single:
        named = np.flatnonzero(hub[k])
        full = np.maximum(hub[k, named], total[named])
        shares[:, k] = (rows[:, named] / full).mean(axis=1)
    if whole:
        left = ~hub[single].any(axis=0)
        shares[:, whole] = _closest(hub[whole][:, left].T, rows[:, left])
    return shares


def _kinds(hub: FloatArray) -> tuple[list[int], list[int]]:
    """Controls that take an ARKit value as it is, and whole expressions that must be solved for.

    One that only repeats what finer controls do already (blink beside blink_L and blink_R) is
    neither.
    """
    named: list[list[int]] = [np.flatnonzero(row).tolist() for row in hub]
    lone = [k for k, n in enumerate(named) if len(n) == 1]
    strong = {named[k][0] for k in lone if hub[k].max() > _FULL}
    summed = hub[lone].sum(axis=0) > _FULL
    # A weak lone shape (the vowel aa opens the jaw by 0.7) is a whole expression like its peers,
    # unless it and others make up one shape between them.
    single = [
        k
        for k in lone
        if hub[k].max() > _FULL or (named[k][0] not in strong and summed[named[k][0]])
    ]
    done = {named[k][0] for k in single}
    for k, n in enumerate(named):
        stems = {ARKIT[i].removesuffix("Left").removesuffix("Right") for i in n}
        pair = len(n) == 2 and len(stems) == 1 and hub[k, n].min() > _FULL
        if pair and done.isdisjoint(n):
            single.append(k)
    done = {i for k in single for i in named[k]}
    whole = [k for k, n in enumerate(named) if k not in single and not done.issuperset(n)]
    return sorted(single), whole


def _closest(basis: NDArray[Any], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) non-negative combinations of the basis's columns closest to each row."""
    count = basis.shape[1]
    system = np.vstack([basis, np.sqrt(_RIDGE * (basis**2).sum(axis=0)) * np.eye(count)])
    padded = np.hstack([rows, np.zeros((len(rows), count))])
    return np.array([nnls(system, row)[0] for row in padded]).reshape(len(rows), count)


def from_arkit(convention: str, arkit: NDArray[Any]) -> dict[str, Any]:
    """A performance in another convention's names, for senders and exports.

    One-to-one and split shapes take ARKit's value; whole expressions (VRM vowels and emotions,
    visemes) are the non-negative combination closest to the performance; weighted sums are those
    in the convention's table. Beyond that: Unified's MouthClosed never exceeds JawOpen; MetaHuman's
    lips-together is mouthClose as a part of jawOpen; VRM's blink holds what both eyes share and
    blinkLeft/Right the rest, so that their sum is right; viseme sil is what the others leave.

    Args:
        convention: key of `CONVENTIONS`.
        arkit: (52,) or (N, 52) in the order of `ARKIT`, 0..1.

    Returns:
        Every control of the convention with a float, or an array (N,) of floats for (N, 52).

    Raises:
        RigError: no such convention.
        ValueError: arkit has not 52 values a row.
    """
    if convention not in CONVENTIONS:
        raise RigError(f"unknown convention {convention}; known: {', '.join(CONVENTIONS)}")
    rows = np.asarray(arkit, np.float64)
    if rows.shape[-1] != len(ARKIT):
        raise ValueError(f"expected {len(ARKIT)} ARKit values a row, got {rows.shape}")
    flat = rows.reshape(-1, len(ARKIT))
    table = CONVENTIONS[convention]
    values = dict(zip(table.controls, _plain(table, flat).T, strict=True))
    for name, weights in table.sent.items():
        total = sum((w * flat[:, _INDEX[a]] for a, w in weights.items()), np.zeros(len(flat)))
        values[name] = np.clip(total, table.minimum.get(name, 0.0), 1.0)
    if convention in _FINISH:
        _FINISH[convention](values, flat)
    if rows.ndim == 1:
        return {name: float(v[0]) for name, v in values.items()}
    return {name: np.asarray(v, np.float32) for name, v in values.items()}


@lru_cache(maxsize=32)
def _controls_of(convention: str) -> tuple[Control, ...]:
    return tuple(control_named(convention, name) for name in CONVENTIONS[convention].controls)


def _plain(table: Convention, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) as `controls_from_arkit` has it, leaving out what the table sends as weighted sums."""
    controls = _controls_of(table.name)
    solved = [c for c in controls if c.name not in table.sent]
    out = np.zeros((len(rows), len(controls)))
    kept = [i for i, c in enumerate(controls) if c.name not in table.sent]
    out[:, kept] = np.clip(_shares(hub_matrix(solved), rows), 0.0, 1.0)
    return out


Values = dict[str, NDArray[Any]]


def _finish_unified(values: Values, _rows: NDArray[Any]) -> None:
    values["MouthClosed"] = np.minimum(values["MouthClosed"], values["JawOpen"])


def _finish_metahuman(values: Values, rows: NDArray[Any]) -> None:
    close, jaw = rows[:, _INDEX["mouthClose"]], rows[:, _INDEX["jawOpen"]]
    together = np.clip(close / np.maximum(jaw, _SEALED), 0.0, 1.0)
    for quadrant in ("UL", "UR", "DL", "DR"):
        values[f"mouthLipsTogether{quadrant}"] = together


def _finish_blink(both: str, left: str, right: str) -> Callable[[Values, NDArray[Any]], None]:
    def finish(values: Values, _rows: NDArray[Any]) -> None:
        shared = np.minimum(values[left], values[right])
        values[both] = shared
        values[left] = values[left] - shared
        values[right] = values[right] - shared

    return finish


def _finish_visemes(silent: str) -> Callable[[Values, NDArray[Any]], None]:
    def finish(values: Values, _rows: NDArray[Any]) -> None:
        said = sum(v for name, v in values.items() if name != silent)
        values[silent] = np.clip(1.0 - np.asarray(said), 0.0, 1.0)

    return finish


_FINISH: Mapping[str, Callable[[Values, NDArray[Any]], None]] = MappingProxyType(
    {
        "unified": _finish_unified,
        "metahuman": _finish_metahuman,
        "vrm1": _finish_blink("blink", "blinkLeft", "blinkRight"),
        "vrm0": _finish_blink("blink", "blink_l", "blink_r"),
        "mmd": _finish_blink("まばたき", "ウィンク", "ウィンク右"),
        "oculus": _finish_visemes("sil"),
        "rpm": _finish_visemes("viseme_sil"),
    }
)
