"""How a stored crop is moved, turned and mirrored, and what that does to what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.crops import NETWORK_SIZE, STORED_SIZE
from freeavatar.foundation.expression import SWAPPED, FloatArray
from freeavatar.foundation.landmarks import MIRRORED

ROUGH = 0.10
"""Share of crops as a detector's first guess is: placed by a box alone."""
_FINE = (0.08, 0.04, 0.15)
_COARSE = (0.25, 0.12, 0.35)


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """One way to cut the network's crop from a stored one; the default cuts its middle."""

    scale: float = 1.0
    """Network pixels per stored pixel."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Of the picture, sides of the network's crop, x right, y down."""
    roll: float = 0.0
    """Radians by which the picture is turned, clockwise as seen."""
    mirrored: bool = False

    def matrix(self, size: int = STORED_SIZE) -> FloatArray:
        """(2, 3) from stored pixels to network pixels, pixel (0, 0) has its middle at (.5, .5)."""
        cos, sin = np.cos(self.roll) * self.scale, np.sin(self.roll) * self.scale
        turn = np.array([[cos, -sin], [sin, cos]])
        if self.mirrored:
            turn = turn * (-1.0, 1.0)
        target = NETWORK_SIZE * (0.5 + np.asarray(self.shift))
        shift = target - turn @ np.full(2, size / 2)
        return np.concatenate([turn, shift[:, None]], axis=1).astype(np.float32)


def random_jitter(rng: np.random.Generator) -> Jitter:
    """Mostly as the tracker's crops lie, some as a detector's do; half of them mirrored."""
    scale, shift, roll = _COARSE if rng.random() < ROUGH else _FINE
    a, x, y, b = rng.uniform(-1, 1, 4)
    return Jitter(
        scale=float(np.exp(a * np.log1p(scale))),
        shift=(float(x * shift), float(y * shift)),
        roll=float(b * roll),
        mirrored=bool(rng.random() < 0.5),
    )


def warp(picture: NDArray[np.uint8], jitter: Jitter) -> NDArray[np.uint8]:
    """The network's crop (128, 128, 3) of a stored one (S, S, 3), whose border is repeated."""
    matrix = jitter.matrix(picture.shape[0])
    # OpenCV counts from the middle of the first pixel.
    shift = matrix[:, :2] @ np.array([0.5, 0.5], np.float32) + matrix[:, 2] - 0.5
    return np.asarray(
        cv2.warpAffine(
            picture,
            np.concatenate([matrix[:, :2], shift[:, None]], axis=1),
            (NETWORK_SIZE, NETWORK_SIZE),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def moved(
    numbers: Mapping[str, FloatArray], jitter: Jitter, size: int = STORED_SIZE
) -> dict[str, FloatArray]:
    """What is known of a stored crop, of the network's crop and in its units.

    Args:
        numbers: ``blendshapes``, ``eyes``, ``head``, ``place``, ``landmarks`` as in
            `freeavatar.foundation.samples.Sample`; NaN stays NaN.
        jitter: how it is cut.
        size: side of the stored crop, pixels.

    Returns:
        The same names; places and landmarks in sides of the network's crop, metres that its side
        spans.
    """
    matrix = jitter.matrix(size)
    landmarks = (numbers["landmarks"] @ matrix[:, :2].T + matrix[:, 2]) / NETWORK_SIZE
    place = numbers["place"].copy()
    place[:2] = (matrix[:, :2] @ place[:2] + matrix[:, 2]) / NETWORK_SIZE
    place[2] *= NETWORK_SIZE / (jitter.scale * size)
    head, eyes, blendshapes = numbers["head"], numbers["eyes"], numbers["blendshapes"]
    if jitter.mirrored:
        landmarks = landmarks[list(MIRRORED)]
        blendshapes = blendshapes[SWAPPED]
        eyes = eyes[::-1] * np.array([-1, 1], np.float32)
        flip = np.array([-1, 1, 1], np.float32)
        head = head * flip * flip[:, None]
    # Clockwise as seen turns from up to right: against the sense of camera space.
    cos, sin = np.cos(jitter.roll), np.sin(jitter.roll)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]], np.float32)
    return {
        "blendshapes": blendshapes,
        "eyes": eyes,
        "head": turn @ head,
        "place": place,
        "landmarks": landmarks.astype(np.float32),
    }
