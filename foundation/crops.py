"""The aligned square a network sees, and the way back to the frame."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from .expression import FloatArray
from .landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

NETWORK_SIZE = 128
"""Side of the crop the expression network sees, pixels."""
STORED_SIZE = 160
"""Side of a stored training crop: the network's crop at the same scale and a margin for jitter."""
MARGIN = 1.25
"""Side of the network's crop in longer sides of the landmarks' upright box."""
LONGEST_SIDE = 32_000
"""Pixels; OpenCV's warp takes no longer picture."""


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
        cos, sin = np.cos(self.roll) * scale, np.sin(self.roll) * scale
        turn = np.array([[cos, sin], [-sin, cos]])
        shift = np.full(2, self.size / 2) - turn @ np.asarray(self.centre)
        return np.concatenate([turn, shift[:, None]], axis=1)

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
        half = matrix[:, :2] @ (0.5, 0.5) + matrix[:, 2] - 0.5
        return np.asarray(
            cv2.warpAffine(
                picture,
                np.concatenate([matrix[:, :2], half[:, None]], axis=1),
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
        reach = self.side / 2 * (abs(np.cos(self.roll)) + abs(np.sin(self.roll))) + 2 * factor
        height, width = picture.shape[:2]
        x, y = self.centre
        left, top = (int(np.clip(v - reach, 0, n - 1)) for v, n in ((x, width), (y, height)))
        right = int(np.clip(x + reach + 1, left + 1, width))
        bottom = int(np.clip(y + reach + 1, top + 1, height))
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
    across = points[list(LEFT_EYE_CORNERS)].mean(0) - points[list(RIGHT_EYE_CORNERS)].mean(0)
    roll = float(np.arctan2(across[1], across[0]))
    cos, sin = np.cos(roll), np.sin(roll)
    turn = np.array([[cos, sin], [-sin, cos]])
    level = points @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    x, y = (low + high) / 2 @ turn
    side = max(float((high - low).max()) * margin, 1.0)
    return Crop(centre=(float(x), float(y)), side=side, roll=roll, size=size)
