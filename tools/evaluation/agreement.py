"""How well one signal follows another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.apertures import APERTURES

from .apertures import GROUPS

Values = NDArray[np.float64]

FEWEST = 20
"""Frames that both signals must have; a correlation of fewer says nothing."""
STILL: dict[str, float] = {"mouth open": 0.01, "mouth wide": 0.01, "lids": 0.08, "brows": 0.004}
"""Standard deviation of a measured aperture below which it is taken for the noise of the landmarks
and the clip for one in which this part of the face rests; such rows stay out of the means."""


@dataclass(frozen=True, kw_only=True)
class Follow:
    """One aperture of one clip, as followed by one reader; left and right averaged."""

    correlation: float
    """-1..1; 0 where the reader does not move at all."""
    amplitude: float
    """Standard deviation of the performed aperture over that of the measured one. A constant
    resting offset of either side changes neither figure."""
    spread: float
    """Standard deviation of the measured aperture, in its unit."""
    frames: int
    still: bool
    """The actor's part rests (`STILL`): the correlation is one with noise."""


def follow(measured: Values, performed: Values) -> dict[str, Follow]:
    """Compare apertures frame by frame.

    Args:
        measured: (T, 6) see `freeavatar.tools.evaluation.apertures.measured`.
        performed: (T, 6) of one reader.

    Returns:
        Row of `GROUPS` to figures; empty where fewer than `FEWEST` frames have both.
    """
    both = np.isfinite(measured).all(axis=1) & np.isfinite(performed).all(axis=1)
    count = int(both.sum())
    if count < FEWEST:
        return {}
    rows = {}
    for name, columns in GROUPS.items():
        pairs = [_alike(measured[both, c], performed[both, c]) for c in columns]
        correlation, amplitude, spread = np.mean(pairs, axis=0)
        rows[name] = Follow(
            correlation=float(correlation),
            amplitude=float(amplitude),
            spread=float(spread),
            frames=count,
            still=bool(spread < STILL[name]),
        )
    return rows


def mean_of(rows: dict[str, Follow]) -> Follow | None:
    """Mean of the rows in which the actor moves; None where none does."""
    moving = [row for row in rows.values() if not row.still]
    if not moving:
        return None
    return Follow(
        correlation=float(np.mean([r.correlation for r in moving])),
        amplitude=float(np.mean([r.amplitude for r in moving])),
        spread=float(np.mean([r.spread for r in moving])),
        frames=moving[0].frames,
        still=False,
    )


def correlation(a: Values, b: Values) -> float:
    """Pearson's r of two signals (T,); 0 where one of them is constant."""
    return float(_alike(a, b)[0])


def _alike(measured: Values, performed: Values) -> tuple[float, float, float]:
    """Correlation, ratio of standard deviations, standard deviation of the first."""
    a, b = measured - measured.mean(), performed - performed.mean()
    size_a, size_b = float(np.sqrt(np.mean(a * a))), float(np.sqrt(np.mean(b * b)))
    if size_a < 1e-9 or size_b < 1e-9:
        return 0.0, size_b / size_a if size_a >= 1e-9 else 0.0, size_a
    return float(np.mean(a * b)) / (size_a * size_b), size_b / size_a, size_a


assert set(STILL) == set(GROUPS) and sum(map(len, GROUPS.values())) == len(APERTURES)
