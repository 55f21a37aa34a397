"""The rows of the least squares: what counts as the same motion on two heads, and how much."""

import numpy as np
from numpy.typing import NDArray

from .anchor_table import ANCHOR_INDEX, ANCHORS, SLITS

Values = NDArray[np.float64]

REGION_WEIGHTS = {
    "lids": 1.0,
    "brows": 2.0,
    "nose": 0.4,
    "cheeks": 0.4,
    "corners": 1.5,
    "lips": 1.5,
    "jaw": 1.0,
    "forehead": 0.2,
}
"""What a region's points count together, whatever their number."""
OPENING_WEIGHT = 1.0
"""What the openings of the eyes count together, and those of the mouth: whether an eye or a mouth
is shut matters more than where."""
AXIS_WEIGHTS = np.array([1.0, 1.0, 0.5])
"""Depth differs most between heads and is seen least."""


def features(motion: Values, found: NDArray[np.bool_]) -> Values:
    """Weighted rows of anchor motion.

    Args:
        motion: (N, A, 3) displacements divided by `feature_sizes`.
        found: (A,) anchors that count.

    Returns:
        (N, F): the found points, then how far each slit opens; each times its weight.
    """
    points = motion * (_point_weights(found)[:, None] * AXIS_WEIGHTS)
    upper, lower = (np.array([ANCHOR_INDEX[s[i]] for s in SLITS]) for i in (1, 2))
    both = found[upper] & found[lower]
    opened = motion[:, upper] - motion[:, lower]
    opened = opened * (_slit_weights(both)[:, None] * AXIS_WEIGHTS)
    return np.concatenate(
        [points.reshape(len(motion), -1), opened.reshape(len(motion), -1)], axis=1
    )


def _point_weights(found: NDArray[np.bool_]) -> Values:
    regions = np.array([a.region for a in ANCHORS])
    weights = np.zeros(len(ANCHORS))
    for region, weight in REGION_WEIGHTS.items():
        members = (regions == region) & found
        weights[members] = np.sqrt(weight / max(int(members.sum()), 1))
    return weights


def _slit_weights(both: NDArray[np.bool_]) -> Values:
    of_eye = np.array([s[1].startswith("lid") for s in SLITS])
    weights = np.zeros(len(SLITS))
    for members in (of_eye & both, ~of_eye & both):
        weights[members] = np.sqrt(OPENING_WEIGHT / max(int(members.sum()), 1))
    return weights
