"""Batches of performances, padded to the widest rig in them."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from freeavatar.animator.animator_batch import AnimatorBatch, batch_rigs
from freeavatar.animator.solver_matrices import SolverMatrices, solver_matrices
from freeavatar.animator.unrolled_solver import EyeLimit, Problem, unrolled
from freeavatar.foundation.expression import FloatArray

from .expression_views import ExpressionViews
from .performances import Performance
from .sequences import Sequences, tokens_of

Rows = NDArray[np.int64]

EXACT = 60
"""Steps of the unrolled solver that leave less than 0.3 % of the motion out."""
MIXING = 20.0
"""Columns by which rigs of one batch differ at random; rigs of one size waste no padding."""


@dataclass(frozen=True, kw_only=True)
class TrainingBatch:
    """N sequences, each followed by its mirror image, and what is right for them."""

    given: AnimatorBatch
    ideal: Tensor
    """(N, T, C) the column weights nearest to what the head's own ARKit shapes would show; 0 in
    padding, as all that follow."""
    followed: Tensor
    """(N, T, C) the column weights whose face points move most as those of the known head do."""
    solver: Tensor
    """(N, T, C) what the nameless solver makes of what was read."""
    truth: Tensor
    """(N, T, 52) blendshapes that are shown."""
    calm: Tensor
    """(N, T) bool: frames that show a face at rest."""
    mirrored: Tensor
    """(R, C) int64 column that does on the other side what each does."""
    symmetric: Tensor
    """(R,) bool: rigs of which that is known."""
    numbers: Tensor
    """(R,) int64 which of the performances each rig is."""

    def __len__(self) -> int:
        """Frames."""
        return int(self.ideal.shape[0] * self.ideal.shape[1])

    def to(self, device: torch.device | str) -> "TrainingBatch":
        """The same on another device."""
        moved = {k: v.to(device) for k, v in vars(self).items()}
        return TrainingBatch(**moved)


class Performances:
    """Rigs and what they are shown.

    Args:
        performances: of the rigs.
        views: that their sequences are made of.
    """

    def __init__(self, performances: Sequence[Performance], views: ExpressionViews) -> None:
        self.performances, self.views = performances, views
        self._matrices = [solver_matrices(p.columns) for p in performances]
        pairs = zip(performances, self._matrices, strict=True)
        self._followed = [_followed(p, matrices) for p, matrices in pairs]

    def training(
        self, rigs: int, pairs: int, *, seed: int = 0, start: int = 0
    ) -> Iterator[TrainingBatch]:
        """Batches without end.

        Args:
            rigs: in a batch.
            pairs: of a sequence and its mirror image, of each rig.
            seed: of the order.
            start: batches that were taken before.
        """
        sizes = np.array([len(p.columns.upper) for p in self.performances])
        each = min(rigs, len(sizes))
        taken = 0
        for epoch in itertools.count():
            make = np.random.default_rng([seed, epoch])
            order = np.argsort(sizes + MIXING * make.standard_normal(len(sizes)), kind="stable")
            count = max(len(order) // each, 1)
            parts = [order[i * each : (i + 1) * each] for i in range(count)]
            for i in make.permutation(count):
                chosen = [self._some(int(n), pairs, make) for n in parts[i]]
                taken += 1
                if taken > start:
                    yield self.batch(parts[i].tolist(), chosen)

    def all_in_turn(self, rigs: int, pairs: int) -> Iterator[TrainingBatch]:
        """Every rig once, with its first sequences."""
        for first in range(0, len(self.performances), rigs):
            numbers = list(range(first, min(first + rigs, len(self.performances))))
            rows = [np.arange(min(2 * pairs, len(self._of(n).pictures))) for n in numbers]
            yield self.batch(numbers, rows)

    def batch(self, numbers: Sequence[int], rows: Sequence[Rows]) -> TrainingBatch:
        """Some sequences of some rigs.

        Args:
            numbers: of the rigs.
            rows: sequences of each rig, in pairs.
        """
        chosen = [self.performances[n] for n in numbers]
        which = np.repeat(np.arange(len(chosen)), [len(r) for r in rows])
        together = batch_rigs(
            [p.columns for p in chosen], matrices=[self._matrices[n] for n in numbers]
        )
        most = together.upper.shape[1]
        shown = [_rows(p.sequences, r) for p, r in zip(chosen, rows, strict=True)]
        tokens = np.concatenate([tokens_of(self.views, s) for s in shown])
        given = AnimatorBatch(
            tokens=torch.from_numpy(tokens),
            shapes=torch.from_numpy(np.concatenate([s.shapes for s in shown])),
            rig=torch.from_numpy(which),
            rigs=together,
        )
        partners = [
            np.arange(most) if p.mirrored is None else np.r_[p.mirrored, len(p.mirrored) : most]
            for p in chosen
        ]

        def widened(rigs: Sequence[FloatArray]) -> Tensor:
            return _widened([array[r] for array, r in zip(rigs, rows, strict=True)], most)

        return TrainingBatch(
            given=given,
            ideal=widened([p.ideal for p in chosen]),
            followed=widened([self._followed[n] for n in numbers]),
            solver=widened([p.solver for p in chosen]),
            truth=torch.from_numpy(np.concatenate([s.truth for s in shown])),
            calm=torch.from_numpy(np.concatenate([s.calm for s in shown])),
            mirrored=torch.from_numpy(np.stack(partners).astype(np.int64)),
            symmetric=torch.tensor([p.mirrored is not None for p in chosen]),
            numbers=torch.tensor(numbers),
        )

    def _some(self, number: int, pairs: int, make: np.random.Generator) -> Rows:
        """(2 · pairs,) sequences of a rig, each with its mirror image behind it."""
        there = len(self._of(number).pictures) // 2
        first = 2 * make.choice(there, min(pairs, there), replace=False)
        return np.stack([first, first + 1], axis=1).ravel()

    def _of(self, number: int) -> Sequences:
        return self.performances[number].sequences


def _followed(performance: Performance, matrices: SolverMatrices) -> FloatArray:
    """(S, T, C) the nameless solver's column weights for what is shown, all but exactly."""
    truth = torch.from_numpy(performance.sequences.truth)
    problem = Problem(*(torch.from_numpy(getattr(matrices, n))[None] for n in Problem._fields))
    shares = unrolled(problem, EyeLimit()(truth).flatten(0, 1)[None], EXACT).clamp(max=1.0)
    shares = shares.reshape(*truth.shape[:2], -1)
    return np.asarray(shares.numpy() * performance.columns.upper, np.float32)


def _rows(sequences: Sequences, rows: Rows) -> Sequences:
    return Sequences(**{name: array[rows] for name, array in vars(sequences).items()})


def _widened(weights: Sequence[FloatArray], most: int) -> Tensor:
    """(N, T, most) of (N_i, T, C_i), zeros behind."""
    out = [np.pad(w, ((0, 0), (0, 0), (0, most - w.shape[2]))) for w in weights]
    return torch.from_numpy(np.concatenate(out).astype(np.float32))
