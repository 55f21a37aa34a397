"""The aligned square a network sees, and the way back to the frame."""

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from .expression import FloatArray
from .landmarks import LANDMARKS, LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

NETWORK_SIZE = 128
"""Side of the crop the expression network sees, pixels."""
STORED_SIZE = 160
"""Side of a stored training crop: the network's crop at the same scale and a margin for jitter."""
MARGIN = 1.25
"""Side of the network's crop in longer sides of the landmarks' upright box."""
LONGEST_SIDE = 32_000
"""Pixels; OpenCV's warp takes no longer picture."""
_ACROSS = np.zeros(len(LANDMARKS))
"""Weights that make of a face's points the way from its right eye to its left one."""
_ACROSS[list(LEFT_EYE_CORNERS)] = 1.0 / len(LEFT_EYE_CORNERS)
_ACROSS[list(RIGHT_EYE_CORNERS)] = -1.0 / len(RIGHT_EYE_CORNERS)


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A square of a frame, turned so that the eyes are level."""

    centre: tuple[float, float]
    """Pixels of the frame, x right, y down."""
    side: float
    """Pixels of the frame."""
    roll: float
    """Radians by which the square is turned in the frame, clockwise as seen (from x to y)."""
    size: int = NETWORK_SIZE
    """Side of the picture that is cut, pixels."""

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3) similarity from frame pixels to crop pixels; pixel (0, 0) has its middle at
        (0.5, 0.5) on both sides."""
        scale = self.size / self.side
        cos, sin = math.cos(self.roll) * scale, math.sin(self.roll) * scale
        (x, y), half = self.centre, self.size / 2
        shift = (half - cos * x - sin * y, half + sin * x - cos * y)
        return np.array([[cos, sin, shift[0]], [-sin, cos, shift[1]]])

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The square as a picture (size, size, 3); the frame's border is repeated outside it.

        Args:
            picture: (H, W, 3) RGB.
        """
        matrix = self.matrix
        factor = int(self.side / self.size)
        if factor > 1 or max(picture.shape) > LONGEST_SIDE:
            picture, matrix = self._shrunk(picture, max(factor, 1))
        # OpenCV counts from the middle of the first pixel.
        counted = matrix.copy()
        counted[:, 2] += 0.5 * (matrix[:, 0] + matrix[:, 1]) - 0.5
        return np.asarray(
            cv2.warpAffine(
                picture,
                counted,
                (self.size, self.size),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )

    def from_frame(self, points: FloatArray) -> FloatArray:
        """Frame pixels (..., 2) to crop pixels."""
        matrix = self.matrix
        return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)

    def to_frame(self, points: FloatArray) -> FloatArray:
        """Crop pixels (..., 2) to frame pixels."""
        matrix = self.matrix
        # A turn times a scale is undone by its transpose over the scale squared.
        back = matrix[:, :2] * (self.side / self.size) ** 2
        return ((points - matrix[:, 2]) @ back).astype(np.float32)

    def _shrunk(
        self, picture: NDArray[np.uint8], factor: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Average pixels of the part that is wanted, where sampling would skip them.

        Whole blocks of ``factor`` by ``factor``, for which OpenCV has a fast path.
        """
        turned = abs(math.cos(self.roll)) + abs(math.sin(self.roll))
        reach = self.side / 2 * turned + 2 * factor
        height, width = picture.shape[:2]
        x, y = self.centre
        left, top = (int(min(max(v - reach, 0), n - 1)) for v, n in ((x, width), (y, height)))
        right = int(min(max(x + reach + 1, left + 1), width))
        bottom = int(min(max(y + reach + 1, top + 1), height))
        wide, high = max((right - left) // factor, 1), max((bottom - top) // factor, 1)
        part = picture[top : top + high * factor, left : left + wide * factor]
        small = part
        if factor > 1:
            small = np.asarray(
                cv2.resize(part, (wide, high), interpolation=cv2.INTER_AREA), np.uint8
            )
        grow = np.array([part.shape[1] / wide, part.shape[0] / high])
        matrix = self.matrix
        shift = matrix[:, :2] @ (left, top) + matrix[:, 2]
        return small, np.concatenate([matrix[:, :2] * grow, shift[:, None]], axis=1)


def crop_around(landmarks: FloatArray, *, size: int = NETWORK_SIZE, margin: float = MARGIN) -> Crop:
    """The crop of a face from its points.

    Args:
        landmarks: (156, 2) frame pixels in the order of `freeavatar.foundation.landmarks`.
        size: side of the picture that will be cut, pixels.
        margin: side of the crop in longer sides of the upright box around the points.
    """
    points = landmarks.astype(np.float64)
    x, y = (_ACROSS @ points).tolist()
    roll = math.atan2(y, x)
    cos, sin = math.cos(roll), math.sin(roll)
    turn = np.array([[cos, sin], [-sin, cos]])
    level = turn @ points.T
    (left, top), (right, bottom) = level.min(axis=1).tolist(), level.max(axis=1).tolist()
    x, y = (left + right) / 2, (top + bottom) / 2
    side = max(right - left, bottom - top) * margin
    centre = (x * cos - y * sin, x * sin + y * cos)
    return Crop(centre=centre, side=max(side, 1.0), roll=roll, size=size)
