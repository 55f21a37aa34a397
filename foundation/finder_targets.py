"""What the face finder should have said of a picture, and how wrong it was."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .expression import FloatArray
from .finder_grid import NUMBERS_PER_CELL, STRIDES, UNIT

FACE_NUMBERS = 11
"""Of a face in training data: box (left, top, right, bottom), right eye, left eye, middle of the
mouth (x, y each), all in pixels, and 1, or 0 for what is neither face nor not (ignored)."""
RANGES = ((0.0, 44.0), (28.0, 120.0), (84.0, 1e9))
"""Longer sides of boxes, pixels, that each stride answers for; they overlap, so that a face on the
border is found by either."""
SPREAD = 0.10
"""Standard deviation of the target around a face's middle, in longer sides of its box."""
LEAST_SPREAD = 0.6
"""Cells."""


def targets(
    faces: FloatArray, size: tuple[int, int]
) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Wanted output of each stride for one picture.

    Args:
        faces: (F, `FACE_NUMBERS`).
        size: height and width of the picture, multiples of 32.

    Returns:
        For each stride: heat (H, W), 1 in the cell of a face's middle; weight (H, W), 0 where
        nothing is asked; numbers (H, W, 11): how much this cell's ten numbers count, then the
        numbers.
    """
    out = []
    for stride, (low, high) in zip(STRIDES, RANGES, strict=True):
        shape = (size[0] // stride, size[1] // stride)
        heat = np.zeros(shape, np.float32)
        weight = np.ones(shape, np.float32)
        numbers = np.zeros((*shape, NUMBERS_PER_CELL), np.float32)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) + 0.5
        for face in sorted(faces, key=lambda f: -float(f[2] - f[0])):
            sides = face[2:4] - face[:2]
            longer = float(sides.max())
            middle = (face[:2] + face[2:4]) / 2 / stride
            away = (x - middle[0]) ** 2 + (y - middle[1]) ** 2
            if face[-1] == 0 or not low <= longer < high:
                # Of a face that another stride answers for nothing is said here.
                weight[away < (0.3 * longer / stride) ** 2 + 0.5] = 0.0
                continue
            spread = max(SPREAD * longer / stride, LEAST_SPREAD)
            bump = np.exp(-away / (2 * spread**2))
            row, column = int(middle[1]), int(middle[0])
            if not (0 <= row < shape[0] and 0 <= column < shape[1]):
                weight[away < (0.3 * longer / stride) ** 2 + 0.5] = 0.0
                continue
            bump[row, column] = 1.0
            weight[row, column] = 1.0
            heat = np.maximum(heat, bump)
            near = (bump > 0.3) & (bump > numbers[..., 0])
            numbers[near] = _numbers(face, x[near], y[near], stride)
            numbers[near, 0] = bump[near]
        out.append((heat, weight, numbers))
    return out


def _numbers(face: FloatArray, x: FloatArray, y: FloatArray, stride: int) -> FloatArray:
    unit = UNIT * stride
    here = np.stack([x, y], axis=1) * stride
    sides = np.maximum(face[2:4] - face[:2], 1.0)
    rows = np.zeros((len(here), NUMBERS_PER_CELL), np.float32)
    rows[:, 1:3] = ((face[:2] + face[2:4]) / 2 - here) / unit
    rows[:, 3:5] = np.log(sides / unit)
    rows[:, 5:] = (np.tile(face[4:10], (len(here), 1)) - np.tile(here, 3)) / unit
    return rows


def loss(
    found: Sequence[Tensor], wanted: Sequence[tuple[Tensor, Tensor, Tensor]]
) -> dict[str, Tensor]:
    """Losses of a batch: ``heat`` (penalty-reduced focal loss) and ``numbers`` (L1, all lengths in
    sizes of the face), each per face.

    Args:
        found: outputs of `freeavatar.foundation.finder_net.FinderNet`.
        wanted: for each stride the `targets` of the pictures, stacked.

    Source:
        focal loss with soft negatives: Law and Deng, CornerNet, ECCV 2018.
    """
    heat_sum = found[0].new_zeros((), dtype=torch.float32)
    numbers_sum = torch.zeros_like(heat_sum)
    for cells, (heat, weight, numbers) in zip(found, wanted, strict=True):
        cells = cells.float()
        heat_sum = heat_sum + _focal(cells[..., 0], heat, weight)
        numbers_sum = numbers_sum + _distance(cells, numbers)
    return {"heat": heat_sum, "numbers": numbers_sum}


def _focal(logits: Tensor, heat: Tensor, weight: Tensor) -> Tensor:
    score = torch.sigmoid(logits)
    faces = (heat == 1.0).float()
    hit = faces * (1 - score) ** 2 * functional.softplus(-logits)
    miss = (1 - faces) * (1 - heat) ** 4 * score**2 * functional.softplus(logits)
    return ((hit + miss) * weight).sum() / faces.sum().clamp(min=1.0)


def _distance(cells: Tensor, numbers: Tensor) -> Tensor:
    counted = numbers[..., 0] > 0
    wanted, got = numbers[counted], cells[counted]
    if len(wanted) == 0:
        return cells[..., 1:].sum() * 0.0
    share = wanted[:, :1]
    # Ways count in sizes of the face, so that large and small faces are placed equally well.
    size = torch.exp(wanted[:, 3:5].amax(dim=1, keepdim=True))
    apart = functional.smooth_l1_loss(got[:, 1:], wanted[:, 1:], reduction="none", beta=0.02)
    lengths = torch.cat([apart[:, :2] / size, apart[:, 2:4], apart[:, 4:] / size], dim=1)
    return (lengths * share).sum() / share.sum()
