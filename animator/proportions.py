"""How large a head's features are, so that motion carries over between heads.

A displacement is divided by the size of the feature it moves: that of a lid's margin by the height
of the open eye there, so that a lid closes fully on a head with eyes of any size; that of brows by
half the eye's width, of lips and chin by half the mouth's width and half the distance from mouth to
chin. The halves make one unit about equally visible everywhere.
"""

import numpy as np
from numpy.typing import NDArray

from .anchor_table import ANCHOR_INDEX, ANCHORS

Values = NDArray[np.float64]

SMALLEST = 0.01
"""Least size of a feature, as a share of the face's height: an eye drawn shut is no division by
zero."""


def feature_sizes(positions: Values) -> Values:
    """Sizes that displacements are divided by.

    Args:
        positions: (A, 3) anchors on the neutral, in the order of `ANCHORS`.

    Returns:
        (A, 3) along x, y and z, in the unit of ``positions``, above 0.
    """
    measure = _Measure(positions)
    eye, mouth, chin = measure.eye_width / 2, measure.mouth_width / 2, measure.mouth_to_chin / 2
    around_mouth = (mouth, chin, mouth)
    sizes = {
        "eyes": (eye, eye, eye),
        "brows": (eye, eye, eye),
        "forehead": (eye, eye, eye),
        "nose": (measure.nose_width / 2, measure.nose_height / 2, measure.nose_width / 2),
        "cheeks": (mouth, measure.mouth_to_eye / 2, mouth),
        "corners": around_mouth,
        "lips": around_mouth,
        "jaw": around_mouth,
    }
    rows = [
        (eye, measure.eye_height(a.name), eye) if a.region == "lids" else sizes[a.region]
        for a in ANCHORS
    ]
    least = SMALLEST * max(measure.face_height, 1e-9)
    return np.maximum(np.array(rows, np.float64), least)


class _Measure:
    """Distances between anchors, means of both sides where there are two."""

    def __init__(self, positions: Values) -> None:
        self._at = positions
        self.face_height = self._between("nose_root", "chin", 1)
        self.eye_width = self._both("eye_corner_outer", "eye_corner_inner", 0)
        self.nose_width = self._between("nose_wing_left", "nose_wing_right", 0)
        self.nose_height = self._between("nose_root", "nose_base", 1)
        self.mouth_width = self._between("mouth_corner_left", "mouth_corner_right", 0)
        self.mouth_to_chin = self._between("upper_lip_line", "chin", 1)
        self.mouth_to_eye = self._both("mouth_corner", "under_eye_mid", 1)

    def eye_height(self, margin: str) -> float:
        """Height of the open eye where a lid anchor lies: corners are less open than the middle."""
        place = margin.split("_")[2]
        return self._both(f"lid_upper_{place}", f"lid_lower_{place}", 1)

    def _between(self, first: str, second: str, axis: int) -> float:
        a, b = self._at[ANCHOR_INDEX[first]], self._at[ANCHOR_INDEX[second]]
        return float(abs(a[axis] - b[axis]))

    def _both(self, first: str, second: str, axis: int) -> float:
        return (
            self._between(f"{first}_left", f"{second}_left", axis)
            + self._between(f"{first}_right", f"{second}_right", axis)
        ) / 2
