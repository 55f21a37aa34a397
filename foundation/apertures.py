"""How far mouth, lids and brows stand open: measured on a face's points, freed from its turn.

What a picture shows is freed from the head's turn under parallel projection: a segment (x, y, z)
of the head appears as the first two rows of the rotation times it; how its depth z goes with its
length (the lower lip swings back as the jaw opens) is taken from a reference head, and x and y
follow. Perspective and the person's own depth are left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .landmarks import LANDMARKS, places

Values = NDArray[np.float64]

APERTURES = (
    "mouth open", "mouth wide", "lids right", "lids left", "brow right", "brow left",
)  # fmt: skip
"""Lips' inner edges, mouth corners, lids, and brows above the eye corners."""
DEPTH = (0.0044, -0.0136, 0.0, 0.0061, 0.0061, -0.0040, -0.0046)
"""Forward extent of each segment when it has no length, eye distance first, in distances between
the outer eye corners; of the built-in mannequin."""
SLOPE = (-0.0044, 0.8004, 0.0, -0.0157, -0.0157, -0.1137, -0.1138)
"""Forward extent for each unit of length; of the built-in mannequin."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """From the mean of some points to the mean of others, along one axis of the head."""

    start: tuple[int, ...]
    """Indices among `freeavatar.foundation.landmarks.LANDMARKS`."""
    end: tuple[int, ...]
    axis: int
    """0 toward the head's left, 1 up."""


def _segment(start: tuple[int, ...], end: tuple[int, ...], axis: int) -> Segment:
    return Segment(start=tuple(places(*start)), end=tuple(places(*end)), axis=axis)


SEGMENTS = (
    _segment((33,), (263,), 0),
    _segment((14, 87, 317), (13, 82, 312), 1),
    _segment((61,), (291,), 0),
    _segment((144, 145, 153), (160, 159, 158), 1),
    _segment((373, 374, 380), (387, 386, 385), 1),
    _segment((33, 133), (107, 55, 66, 65, 105, 52, 63, 53, 70, 46), 1),
    _segment((263, 362), (336, 285, 296, 295, 334, 282, 293, 283, 300, 276), 1),
)
"""Eye distance first, then those of `APERTURES`, by canonical numbers."""
AXES = np.array([s.axis for s in SEGMENTS])
ALONG = np.array([axis == AXES for axis in (0, 1)], np.float64)
"""(2, 7) which segments lie along each axis."""
IRISES = 2
"""Points at the end of a face's that no segment uses and that some sources lack."""


def _shares() -> Values:
    """(7, 154) what each point adds to each segment."""
    shares = np.zeros((len(SEGMENTS), len(LANDMARKS) - IRISES))
    for row, segment in zip(shares, SEGMENTS, strict=True):
        row[list(segment.end)] = 1.0 / len(segment.end)
        row[list(segment.start)] = -1.0 / len(segment.start)
    return shares


SHARES = _shares()


def ends(points: NDArray[np.floating]) -> Values:
    """(..., 7, d) segments of points (..., 154 or more, d)."""
    out: Values = SHARES @ np.asarray(points, np.float64)[..., : SHARES.shape[1], :]
    return out


def straightened(
    landmarks: NDArray[np.floating],
    head: NDArray[np.floating],
    depth: NDArray[np.floating],
    slope: NDArray[np.floating],
) -> Values:
    """Apertures of faces, as seen from straight ahead.

    Args:
        landmarks: (T, 154 or more, 2) pixels, x right, y down, in the order of
            `freeavatar.foundation.landmarks.LANDMARKS`.
        head: (T, 3, 3) rotation as in `Expression`, not turned to the side by 90 degrees.
        depth: (7,) as `DEPTH`.
        slope: (7,) as `SLOPE`.

    Returns:
        (T, 6) in distances between the outer eye corners; not finite where a head is turned so
        far that they cannot be told.
    """
    seen = ends(landmarks)
    x, y = seen[..., 0], -seen[..., 1]
    turn = np.asarray(head, np.float64)[..., None]
    ahead_x, ahead_y = turn[:, 0, 2], turn[:, 1, 2]
    # How a segment along each axis of the head appears; the inverse of that is written out.
    longer = np.asarray(slope) * ALONG
    left_x, left_y = turn[:, 0, 0] + ahead_x * longer[0], turn[:, 1, 0] + ahead_y * longer[0]
    up_x, up_y = turn[:, 0, 1] + ahead_x * longer[1], turn[:, 1, 1] + ahead_y * longer[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = left_x * up_y - up_x * left_y
        apart = ((up_y * x - up_x * y) / whole)[:, :1]
        forth = np.asarray(depth) * apart
        x, y = x - ahead_x * forth, y - ahead_y * forth
        along = np.where(ALONG[0] > 0, up_y * x - up_x * y, left_x * y - left_y * x)
        out: Values = (along / (whole * apart))[:, 1:]
    return out
