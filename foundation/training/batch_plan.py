"""Which samples come into a batch together.

Most are drawn at random. Some bring a partner: another picture of the same expression, or another
expression of the same person, so that the contrastive losses find within each batch what they have
to bring together and what they must tell apart in spite of its likeness.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .shard_index import ShardIndex

Rows = NDArray[np.int64]


class BatchPlan:
    """Draws rows of an index.

    Args:
        index: the samples.
        weights: how often each folder is drawn from, relative to the others.
        partners: part of a batch that is drawn to fit to another part.
    """

    def __init__(
        self, index: ShardIndex, weights: Sequence[float], *, partners: float = 0.25
    ) -> None:
        self._index = index
        self._rows = [np.flatnonzero(index.folders == i) for i in range(len(weights))]
        self._chances = np.array(weights) / np.sum(weights)
        self._partners = partners
        self._expressions = _Groups(index.expressions)
        self._people = _Groups(index.people)

    def draw(self, count: int, make: np.random.Generator) -> Rows:
        """Rows of a batch of ``count``."""
        folders = make.choice(len(self._rows), count, p=self._chances)
        rows = np.array([make.choice(self._rows[f]) for f in folders], np.int64)
        wanted = min(round(count * self._partners), count // 2)
        for i in range(wanted):
            groups, numbers = (
                (self._expressions, self._index.expressions)
                if i % 2
                else (self._people, self._index.people)
            )
            others = groups.of(numbers[rows[i]]) if numbers[rows[i]] >= 0 else rows[:0]
            others = others[others != rows[i]]
            if len(others):
                rows[count - 1 - i] = make.choice(others)
        return rows


class _Groups:
    """Rows with equal numbers."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]

    def of(self, number: int) -> Rows:
        low, high = np.searchsorted(self._sorted, (number, number + 1))
        return np.asarray(self._order[low:high], np.int64)
