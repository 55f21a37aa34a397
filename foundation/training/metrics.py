"""Figures of a validation: how near the read expression is to the true one."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.contrastive import KNOWN
from freeavatar.foundation.crops import NETWORK_SIZE
from freeavatar.foundation.expression import BLENDSHAPES, GROUPS

Array = NDArray[np.float32]

LIVE = 0.01
"""Deviation below which a channel's truth says nothing, so that no correlation is taken."""


def correlations(found: Array, wanted: Array) -> NDArray[np.float64]:
    """Pearson correlation of each channel; NaN where the truth does not move or is unknown.

    Args:
        found: (N, C).
        wanted: (N, C), NaN where unknown.

    Returns:
        (C,); zero where only the truth moves.
    """
    known = np.isfinite(wanted)
    a, b = (_centred(values, known) for values in (found, np.nan_to_num(wanted)))
    together = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    out = (a * b).sum(axis=0) / np.maximum(together, 1e-9)
    return np.where(_spread(wanted, known) > LIVE, out, np.nan)


def _centred(values: Array, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Differences from each channel's mean, zero where unknown."""
    count = np.maximum(known.sum(axis=0), 1)
    mean = (values * known).sum(axis=0, dtype=np.float64) / count
    return np.asarray((values - mean) * known, np.float64)


def _spread(values: Array, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Standard deviation of each channel where known."""
    squares = (_centred(np.nan_to_num(values), known) ** 2).sum(axis=0)
    return np.asarray(np.sqrt(squares / np.maximum(known.sum(axis=0), 1)), np.float64)


def expression_figures(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> dict[str, float]:
    """All figures of the heads.

    Args:
        found: arrays named as the fields of `ExpressionOutput`, one row for each picture.
        wanted: named as the fields of `Targets`, NaN where unknown.
    """
    out: dict[str, float] = {}
    a, b = found["blendshapes"], wanted["blendshapes"]
    each, errors = correlations(a, b), np.abs(a - b)
    out["mean absolute error"] = _mean(errors)
    out["correlation"] = _mean(each)
    for name, channels in GROUPS.items():
        out[f"error of {name}"] = _mean(errors[:, list(channels)])
        out[f"correlation of {name}"] = _mean(each[list(channels)])
    out["amplitude"] = _amplitude(a, b)
    error = np.abs(found["landmarks"] - wanted["landmarks"]) * NETWORK_SIZE
    out["landmarks, px"] = _mean(np.sqrt((error**2).sum(axis=-1)))
    out["gaze, degrees"] = _mean(np.degrees(np.abs(found["eyes"] - wanted["eyes"])))
    out["head, degrees"] = _mean(_angles(found["head"], wanted["head"]))
    out["place, px"] = _mean(np.abs(found["place"] - wanted["place"])[:, :2] * NETWORK_SIZE)
    right = (found["confidence"] > 0.5) == (wanted["face"] > 0.5)
    out["faces told"] = float(right.mean())
    return {name: value for name, value in out.items() if np.isfinite(value)}


def channel_correlations(found: Array, wanted: Array) -> dict[str, float]:
    """Correlation of each live channel by its name."""
    each = correlations(found, wanted)
    return {n: round(float(v), 4) for n, v in zip(BLENDSHAPES, each, strict=True) if np.isfinite(v)}


def triplet_accuracy(
    embeddings: Array, blendshapes: Array, identities: NDArray[np.int64], *, count: int = 4000
) -> float:
    """How often the embedding finds the odd one out of three people's expressions.

    Triplets are drawn at random (always the same ones); kept are those of three identities whose
    order is clear: the two similar ones are at most 0.6 as far apart, in controls, as each of
    them is from the third. An answer is right when the third is farthest from both.

    Args:
        embeddings: (N, D).
        blendshapes: (N, 52), NaN where unknown.
        identities: (N,) equal numbers are one person.
        count: triplets at most.

    Returns:
        0..1, NaN where no triplet has a clear order.
    """
    rows = np.flatnonzero(np.isfinite(blendshapes).mean(axis=1) > KNOWN)
    blendshapes = np.nan_to_num(blendshapes)
    if len(rows) < 3:
        return float("nan")
    draws = np.random.default_rng(0).choice(rows, (count * 20, 3))
    a, b, c = (identities[draws[:, i]] for i in range(3))
    draws = draws[(a != b) & (b != c) & (a != c)]
    x, y, z = (blendshapes[draws[:, i]] for i in range(3))
    near, far = _apart(x, y), np.minimum(_apart(x, z), _apart(y, z))
    draws = draws[(near < 0.6 * far) & (far > 0.3)][:count]
    if not len(draws):
        return float("nan")
    x, y, z = (embeddings[draws[:, i]] for i in range(3))
    return float((_apart(x, y) < np.minimum(_apart(x, z), _apart(y, z))).mean())


def _apart(a: Array, b: Array) -> Array:
    return np.asarray(np.linalg.norm(a - b, axis=-1), np.float32)


def _angles(found: Array, wanted: Array) -> NDArray[np.float64]:
    trace = (found.astype(np.float64) * wanted).sum(axis=(1, 2))
    return np.asarray(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))), np.float64)


def _amplitude(found: Array, wanted: Array) -> float:
    """Median over live channels of how far the read values swing in swings of the true ones."""
    known = np.isfinite(wanted)
    true = _spread(wanted, known)
    live = true > LIVE
    if not live.any():
        return float("nan")
    return float(np.median(_spread(found, known)[live] / true[live]))


def _mean(values: NDArray[np.floating]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
