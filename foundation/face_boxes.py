"""Boxes of faces in a picture: where to look and which is which."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from .expression import FloatArray

Window = tuple[int, int, int, int]
"""Left, top, width and height of a part of a picture, pixels."""

SAME_FACE = 0.25
"""Overlap from which two boxes are taken for the same face."""
MARGIN = 2.2
"""Side of a face's own window in sizes of the face: the detector likes a face this large, and the
face may move by half its size before the window has to follow."""
TILES = (0.75, 0.5)
"""Sides of the tiles of a sweep, in shorter sides of the picture; they overlap by half."""


class Boxed(Protocol):
    """A face that some detector found."""

    @property
    def box(self) -> FloatArray:
        """(4,) left, top, right, bottom in pixels."""
        ...


Face = TypeVar("Face", bound=Boxed)


def box_size(box: FloatArray) -> float:
    """Longer side of a box, pixels."""
    return float(max(box[2] - box[0], box[3] - box[1]))


def area(face: Boxed) -> float:
    """Area of a face's box, square pixels."""
    left, top, right, bottom = face.box
    return float((right - left) * (bottom - top))


def overlap(a: FloatArray, b: FloatArray) -> float:
    """Intersection over union of two boxes, 0..1."""
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    both = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared
    return shared / both if both > 0 else 0.0


def distance(a: FloatArray, b: FloatArray) -> float:
    """Distance of the centres of two boxes in sizes of the larger one."""
    apart = np.linalg.norm((a[:2] + a[2:]) - (b[:2] + b[2:])) / 2
    return float(apart) / max(box_size(a), box_size(b), 1e-6)


def window_around(box: FloatArray, width: int, height: int) -> Window:
    """Square window around a face, kept inside the picture where it fits."""
    side = max(round(MARGIN * box_size(box)), 32)
    wide, high = min(side, width), min(side, height)
    left = round(float(box[0] + box[2]) / 2 - wide / 2)
    top = round(float(box[1] + box[3]) / 2 - high / 2)
    return (min(max(left, 0), width - wide), min(max(top, 0), height - high), wide, high)


def suits(window: Window, box: FloatArray, width: int, height: int) -> bool:
    """True while a window still shows its face well: near the middle and of the right size."""
    fresh = window_around(box, width, height)
    grown = fresh[2] / window[2]
    moved = max(
        abs(fresh[0] + fresh[2] / 2 - window[0] - window[2] / 2),
        abs(fresh[1] + fresh[3] / 2 - window[1] - window[3] / 2),
    )
    return moved < 0.35 * box_size(box) and 0.7 < grown < 1.4


def tiles(width: int, height: int) -> Iterator[Window]:
    """Overlapping square parts that cover a picture, large ones first."""
    for share in TILES:
        side = max(round(share * min(width, height)), 1)
        for top in _places(height, side):
            for left in _places(width, side):
                yield (left, top, side, side)


def whole_in(face: Boxed, tile: Window, width: int, height: int) -> bool:
    """False for a face that a tile's edge may have cut (the picture's own edge does not count)."""
    left, top, right, bottom = (float(v) for v in face.box)
    gap = 0.02 * tile[2]
    return (
        (left > tile[0] + gap or tile[0] == 0)
        and (top > tile[1] + gap or tile[1] == 0)
        and (right < tile[0] + tile[2] - gap or tile[0] + tile[2] == width)
        and (bottom < tile[1] + tile[3] - gap or tile[1] + tile[3] == height)
    )


def without_repeats(faces: Sequence[Face]) -> list[Face]:
    """Each face once; of several finds of one face the first stays."""
    kept: list[Face] = []
    for face in faces:
        if all(overlap(face.box, other.box) < SAME_FACE for other in kept):
            kept.append(face)
    return kept


def _places(length: int, side: int) -> list[int]:
    steps = int(np.ceil((length - side) / (side / 2)))
    return [round(i * (length - side) / max(steps, 1)) for i in range(steps + 1)]
