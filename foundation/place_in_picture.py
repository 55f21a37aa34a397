"""From what the network says in a crop to the axes of `Expression`."""

import math

import numpy as np
from numpy.typing import NDArray

from .crops import Crop
from .expression import FloatArray

HALF_VIEW = float(np.tan(np.radians(63.0 / 2)))
"""Every picture is taken to be 63° high, as MediaPipe does, so that both readers agree."""
EYES_IN_HEAD = np.array((0.0, 0.0262, 0.0347))
"""Metres from the origin of MediaPipe's canonical face, whose place `Expression.translation` is, to
the mean of the four eye corners; left, up, forward."""


def head_in_picture(head: FloatArray, roll: float) -> NDArray[np.float64]:
    """Turn a head from the axes of its crop to those of the camera.

    What a crop shows is the rotation against the line of sight to the face, which is also what
    `Expression.head` means; only the turn of the crop has to be put back.

    Args:
        head: (3, 3) rotation in the crop's axes, y up, z toward the camera.
        roll: of the crop, radians, clockwise as seen.
    """
    cos, sin = math.cos(roll), math.sin(roll)
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(turn @ head.astype(np.float64))


def translation(
    place: FloatArray, crop: Crop, head: NDArray[np.float64], size: tuple[int, int]
) -> FloatArray:
    """Where the head is, metres, with the camera at 0, y up and z toward the camera.

    Args:
        place: (3,) x, y of the eyes' middle in sides of the crop, metres that the side spans there.
        crop: in which that was seen.
        head: (3, 3) rotation in camera space.
        size: width and height of the picture, pixels.
    """
    x, y, metres = place.tolist()
    cos, sin = math.cos(crop.roll) * crop.side, math.sin(crop.roll) * crop.side
    column = crop.centre[0] + (x - 0.5) * cos - (y - 0.5) * sin
    row = crop.centre[1] + (x - 0.5) * sin + (y - 0.5) * cos
    pixel = max(metres, 1e-3) / crop.side
    eyes = (
        (column - size[0] / 2) * pixel,
        (size[1] / 2 - row) * pixel,
        -pixel * size[1] / (2 * HALF_VIEW),
    )
    return np.asarray(np.array(eyes) - head @ EYES_IN_HEAD, np.float32)
