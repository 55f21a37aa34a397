"""What a rig does in its reference pictures: one control, pairs, a few, and whole expressions."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from freeavatar.animator.performer import expressions_from_take
from freeavatar.animator.solver import ExpressionSolver
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import read_take
from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import FloatArray, Rig

from .errors import DataError
from .expressions import expression, eyes_of
from .splits import SPLITS, Split

KINDS = {"one": 0.12, "two": 0.15, "some": 0.25, "expression": 0.48}
"""Share of poses that set one control, two, three to eight, or show an actor's expression."""
HELD_OUT = {"train": 0, "validation": 1_000_000, "test": 2_000_000}
"""Where the numbers of each split's expressions begin."""
NUMBERS = 500_000
"""Expressions of each split."""
FROM_CURVES = 0.5
"""Share of expressions that are an actor's recorded ones, where there are some."""
CUTS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
"""Part of each recording that a split shows. One run of time: neighbouring frames are alike."""
TRIES = 200
"""Sets of controls drawn until one is of the split. A rig with so few controls that none is shows
one of another split."""


class RigPoses:
    """Draws poses of a rig.

    Pairs and larger sets of controls, numbered expressions and recorded ones each belong to one
    split; single controls are in all of them, at other strengths.

    Args:
        rig: whose controls are set.
        split: whose combinations are shown.
        curves: recorded ARKit takes.

    Raises:
        DataError: a recording cannot be read or is no take of ARKit curves.
    """

    def __init__(self, rig: Rig, split: Split, curves: Sequence[Path] = ()) -> None:
        self._rig, self._split = rig, split
        self._solver = _solver(rig)
        self._recorded = [shapes for path in curves for shapes in _part(recorded(path), split)]
        self._lowest = unit_weights(rig, np.array([c.minimum for c in rig.controls]))

    def draw(self, make: Generator) -> tuple[FloatArray, FloatArray]:
        """A pose.

        Args:
            make: decides everything.

        Returns:
            (K,) unit weights and (2, 3) yaw, pitch, roll of left and right eye, radians.
        """
        kind = str(make.choice(list(KINDS), p=list(KINDS.values())))
        eyes = np.zeros((2, 3), np.float32)
        if kind == "expression" and self._solver is not None:
            shapes, gaze = self._expression(make)
            if make.random() < 0.5:
                eyes[:, :2] = gaze
            return unit_weights(self._rig, self._solver.solve(shapes)), eyes
        count = {"one": 1, "two": 2}.get(kind) or int(make.integers(3, 9))
        if make.random() < 0.3:
            eyes[:, :2] = make.uniform(-0.4, 0.4, 2)
        return self._set(self._which(count, make), make), eyes

    def _expression(self, make: Generator) -> tuple[FloatArray, FloatArray]:
        """(52,) ARKit shapes and (2, 2) gaze."""
        if self._recorded and make.random() < FROM_CURVES:
            shapes = self._recorded[int(make.integers(len(self._recorded)))]
            return shapes, eyes_of(shapes)
        return expression(HELD_OUT[self._split] + int(make.integers(NUMBERS)))

    def _which(self, count: int, make: Generator) -> NDArray[np.int64]:
        controls = len(self._rig.controls)
        for _ in range(TRIES):
            which = np.sort(make.choice(controls, min(count, controls), replace=False))
            if len(which) < 2 or split_of_set(which) == self._split:
                break
        return which

    def _set(self, which: NDArray[np.int64], make: Generator) -> FloatArray:
        weights = np.zeros(len(self._rig.controls), np.float32)
        weights[which] = make.random(len(which)) ** 0.7
        down = which[(self._lowest[which] < 0) & (make.random(len(which)) < 0.5)]
        weights[down] = self._lowest[down] * make.random(len(down))
        return weights


def split_of_set(which: NDArray[np.integer]) -> Split:
    """The split of a set of controls, by their places in the rig, ascending: train has 8 in 10."""
    share = zlib.crc32(which.astype("<i4").tobytes()) % 10
    return SPLITS[max(0, share - 7)]


def recorded(path: Path) -> FloatArray:
    """(T, 52) ARKit shapes of a take file.

    Raises:
        DataError: it cannot be read, or has no ARKit curves.
    """
    try:
        found = [e.blendshapes for e in expressions_from_take(read_take(path)) if e.found]
    except (BridgeError, RigError) as error:
        raise DataError(f"{path}: {error}") from error
    if not found:
        raise DataError(f"{path} has no frame with a face")
    return np.stack(found).astype(np.float32)


def _part(frames: FloatArray, split: Split) -> FloatArray:
    first, last = (round(cut * len(frames)) for cut in CUTS[split])
    return frames[first:last]


def _solver(rig: Rig) -> ExpressionSolver | None:
    """None where nothing tells what the rig's controls do."""
    try:
        return ExpressionSolver(rig)
    except RigError:
        return None
