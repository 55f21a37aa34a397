"""The rows of the least squares: what counts as the same motion on two heads, and how much."""

import numpy as np
from numpy.typing import NDArray

from .anchor_table import ANCHOR_INDEX, ANCHORS, SLITS

Values = NDArray[np.float64]

REGION_WEIGHTS = {
    "lids": 0.8,
    "eyes": 0.3,
    "brows": 2.0,
    "nose": 0.4,
    "cheeks": 0.4,
    "corners": 1.5,
    "lips": 1.5,
    "jaw": 1.0,
    "forehead": 0.2,
}
"""What a region's points count together, whatever their number."""
EYE_OPENING, MOUTH_OPENING = 3.0, 2.0
"""What the openings of the eyes count together, and those of the mouth: whether an eye or a mouth
is shut matters more than where."""
AXES = np.array([1.0, 1.0, 0.5])
"""Weights of x, y and z: depth differs most between heads and is seen least."""
LID_AXES = np.array([1.0, 1.0, 0.1])
"""Lids slide over balls of very different curvature."""
EYE_OPENING_AXES = np.array([0.0, 1.0, 0.0])
MOUTH_OPENING_AXES = np.array([0.5, 1.0, 0.25])


def features(motion: Values, found: NDArray[np.bool_]) -> Values:
    """Weighted rows of anchor motion.

    Args:
        motion: (N, A, 3) displacements divided by `feature_sizes`.
        found: (A,) anchors that count.

    Returns:
        (N, F): the found points, then how far each slit opens; each times its weight.
    """
    points = motion * _point_weights(found)
    upper, lower = (np.array([ANCHOR_INDEX[s[i]] for s in SLITS]) for i in (1, 2))
    both = found[upper] & found[lower]
    opened = motion[:, upper] - motion[:, lower]
    opened = opened * _slit_weights(both)
    return np.concatenate(
        [points.reshape(len(motion), -1), opened.reshape(len(motion), -1)], axis=1
    )


def _point_weights(found: NDArray[np.bool_]) -> Values:
    """(A, 3)"""
    regions = np.array([a.region for a in ANCHORS])
    weights = np.zeros(len(ANCHORS))
    for region, weight in REGION_WEIGHTS.items():
        members = (regions == region) & found
        weights[members] = np.sqrt(weight / max(int(members.sum()), 1))
    return weights[:, None] * np.where((regions == "lids")[:, None], LID_AXES, AXES)


def _slit_weights(both: NDArray[np.bool_]) -> Values:
    """(S, 3)"""
    of_eye = np.array([s[1].startswith("lid") for s in SLITS])
    weights = np.zeros(len(SLITS))
    for members, weight in ((of_eye & both, EYE_OPENING), (~of_eye & both, MOUTH_OPENING)):
        weights[members] = np.sqrt(weight / max(int(members.sum()), 1))
    return weights[:, None] * np.where(of_eye[:, None], EYE_OPENING_AXES, MOUTH_OPENING_AXES)
