"""Figures of a validation: how near the read expression is to the true one."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.crops import NETWORK_SIZE
from freeavatar.foundation.expression import BLENDSHAPES

Array = NDArray[np.float32]

GROUPS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        name: tuple(i for i, channel in enumerate(BLENDSHAPES) if channel.startswith(starts))
        for name, starts in {
            "mouth and jaw": ("jaw", "mouth"),
            "lids": ("eyeBlink", "eyeSquint", "eyeWide"),
            "brows": ("brow",),
            "gaze": ("eyeLook",),
            "cheeks and nose": ("cheek", "nose"),
            "tongue": ("tongue",),
        }.items()
    }
)
"""Channels by region of the face."""
LIVE = 0.01
"""Deviation below which a channel's truth says nothing, so that no correlation is taken."""


def correlations(found: Array, wanted: Array) -> NDArray[np.float64]:
    """Pearson correlation of each channel; NaN where the truth does not move.

    Args:
        found: (N, C).
        wanted: (N, C), no NaN.

    Returns:
        (C,); zero where only the truth moves.
    """
    a = found.astype(np.float64) - found.mean(axis=0, dtype=np.float64)
    b = wanted.astype(np.float64) - wanted.mean(axis=0, dtype=np.float64)
    spread = np.sqrt((a**2).mean(axis=0) * (b**2).mean(axis=0))
    live = np.sqrt((b**2).mean(axis=0)) > LIVE
    out = (a * b).mean(axis=0) / np.maximum(spread, 1e-9)
    return np.where(live, out, np.nan)


def expression_figures(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> dict[str, float]:
    """All figures of the heads.

    Args:
        found: arrays named as the fields of `ExpressionOutput`, one row for each picture.
        wanted: named as the fields of `Targets`, NaN where unknown.
    """
    out: dict[str, float] = {}
    known = np.isfinite(wanted["blendshapes"]).all(axis=1)
    if known.sum() >= 2:
        a, b = found["blendshapes"][known], wanted["blendshapes"][known]
        each, errors = correlations(a, b), np.abs(a - b).mean(axis=0)
        out["mean absolute error"] = float(errors.mean())
        out["correlation"] = _mean(each)
        for name, channels in GROUPS.items():
            out[f"error of {name}"] = float(errors[list(channels)].mean())
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
    known = np.isfinite(wanted).all(axis=1)
    if known.sum() < 2:
        return {}
    each = correlations(found[known], wanted[known])
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
    rows = np.flatnonzero(np.isfinite(blendshapes).all(axis=1))
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
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def _amplitude(found: Array, wanted: Array) -> float:
    """Median over live channels of how far the read values swing in swings of the true ones."""
    live = wanted.std(axis=0) > LIVE
    if not live.any():
        return float("nan")
    return float(np.median(found.std(axis=0)[live] / wanted.std(axis=0)[live]))


def _mean(values: NDArray[np.floating]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
