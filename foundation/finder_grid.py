"""What the numbers of a cell of the face finder's output mean; numpy only, for the runtime too.

A cell at column x and row y of a stride stands for the pixel ((x + 0.5) s, (y + 0.5) s) of the
network's picture. Behind its score it holds, with u = 4 s as the unit: the way to the middle of the
face's box (x, y), in u; the logarithms of the box's width and height in u; the ways to the right
eye, the left eye and the middle of the mouth, in u.
"""

import numpy as np
from numpy.typing import NDArray

from .expression import FloatArray

STRIDES = (8, 16, 32)
UNIT = 4.0
"""Strides per unit of a cell's numbers."""
NUMBERS_PER_CELL = 11
MOST_PER_STRIDE = 256
"""Cells looked at further; a crowd, or noise that must not cost time."""


def faces_of_cells(
    cells: FloatArray, stride: int, threshold: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Faces that the cells of one stride speak of.

    Args:
        cells: (H, W, 11), the first number a score 0..1.
        stride: pixels of the network's picture per cell.
        threshold: lowest score that counts.

    Returns:
        scores (F,), boxes (F, 4) left, top, right, bottom, and points (F, 3, 2), all in pixels of
        the network's picture.
    """
    rows, columns = np.nonzero(cells[..., 0] >= threshold)
    chosen = cells[rows, columns]
    if len(chosen) > MOST_PER_STRIDE:
        best = np.argsort(-chosen[:, 0], kind="stable")[:MOST_PER_STRIDE]
        rows, columns, chosen = rows[best], columns[best], chosen[best]
    here = (np.stack([columns, rows], axis=1) + 0.5) * stride
    unit = UNIT * stride
    middle = here + chosen[:, 1:3] * unit
    half = np.exp(np.clip(chosen[:, 3:5], -4.0, 4.0)) * (unit / 2)
    points = here[:, None] + chosen[:, 5:].reshape(-1, 3, 2) * unit
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    return chosen[:, 0], boxes.astype(np.float32), points.astype(np.float32)


def without_overlaps(boxes: FloatArray, scores: FloatArray, most: float) -> NDArray[np.int64]:
    """Indices of the boxes to keep, best first: none overlaps a better one by more than ``most``
    (intersection over union), or lies almost wholly inside a better one."""
    kept: list[int] = []
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    for i in np.argsort(-scores, kind="stable"):
        others = np.array(kept, np.int64)
        low = np.maximum(boxes[others, :2], boxes[i, :2])
        high = np.minimum(boxes[others, 2:], boxes[i, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        both = areas[others] + areas[i] - shared
        inside = shared > 0.8 * np.minimum(areas[others], areas[i])
        if not (inside | (shared > most * both)).any():
            kept.append(int(i))
    return np.array(kept, np.int64)
