"""Which samples come into a batch together.

Most come in shuffled passes through their folder. Some bring a partner: another picture of the same
expression, or another expression of the same person, so that the contrastive losses find within
each batch what they have to bring together and what they must tell apart in spite of its likeness.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .shard_index import Groups, ShardIndex

Rows = NDArray[np.int64]

OTHER_POSE = 0.75
"""Share of second views that show another pose, where there is one."""


class BatchPlan:
    """Draws rows of an index.

    Args:
        index: the samples.
        weights: how often each folder is drawn from, relative to the others.
        make: decides.
        partners: part of a batch that is drawn to fit to another part.
    """

    def __init__(
        self,
        index: ShardIndex,
        weights: Sequence[float],
        make: np.random.Generator,
        *,
        partners: float = 0.25,
    ) -> None:
        self._index, self._make, self._partners = index, make, partners
        self._chances = np.array(weights) / np.sum(weights)
        self._waiting = [np.zeros(0, np.int64) for _ in weights]
        self.refresh()

    def refresh(self) -> None:
        """Take up what the index has got meanwhile."""
        self._expressions = Groups(self._index.expressions)
        self._people = Groups(self._index.people)
        self._face = self._index.faces
        self._faces = Groups(self._face)

    def again(self, rows: Rows) -> Rows:
        """Pictures that show what ``rows`` show: often the same person's same expression in another
        pose and light, where there is one, else the very same pictures."""
        out = rows.copy()
        known = self._face[rows] >= 0
        for i in np.flatnonzero(known & (self._make.random(len(rows)) < OTHER_POSE)):
            same = self._faces.of(int(self._face[rows[i]]))
            out[i] = self._make.choice(same[same != rows[i]]) if len(same) > 1 else rows[i]
        return out

    def draw(self, count: int) -> Rows:
        """Rows of a batch of ``count``."""
        folders = self._make.choice(len(self._chances), count, p=self._chances)
        wanted = min(round(count * self._partners), count // 2)
        rows = [self._next(int(folder)) for folder in folders[: count - wanted]]
        for i in range(wanted):
            partner = self._partner(rows[i], same_expression=i % 2 == 0)
            rows.append(self._next(int(folders[-1 - i])) if partner is None else partner)
        return np.array(rows, np.int64)

    def _next(self, folder: int) -> int:
        """The next sample of a folder; after the last a new pass begins, shuffled anew."""
        if not len(self._waiting[folder]):
            rows = np.flatnonzero(self._index.folders == folder)
            self._waiting[folder] = self._make.permutation(rows)
        row, self._waiting[folder] = int(self._waiting[folder][0]), self._waiting[folder][1:]
        return row

    def _partner(self, row: int, *, same_expression: bool) -> int | None:
        """Another sample with this one's expression or person; None where there is none."""
        number = int(self._index.expressions[row])
        if number < 0:
            return None
        if same_expression:
            others = self._expressions.of(number)
        else:
            others = self._people.of(int(self._index.people[row]))
        others = others[others != row]
        return int(self._make.choice(others)) if len(others) else None
