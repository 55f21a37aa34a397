"""The second thread: reads the newest picture; what came meanwhile is left out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from freeavatar.foundation.expression import Expression, Reader

from .capture import Captured
from .cores import CALLER, on_core
from .slot import Slot
from .worker import Worker


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What one picture shows of every actor."""

    expressions: Sequence[Expression]
    """One for each actor."""
    moment: float
    """`time.perf_counter` when the picture had been captured; likewise the next two."""
    taken: float
    """When reading began."""
    read: float
    """When reading ended."""


class Tracking(Worker):
    """Reads pictures from one slot into another.

    Args:
        readers: one for each actor; closed at the end.
        pictures: of the capture.
        moments: gets what was read.
    """

    def __init__(
        self, readers: Sequence[Reader], pictures: Slot[Captured], moments: Slot[Tracked]
    ) -> None:
        super().__init__("tracking")
        self.tracked = 0
        self.found = 0
        """Pictures that showed a face of some actor."""
        self._readers, self._pictures, self._moments = readers, pictures, moments

    def work(self) -> None:
        """Read until the capture is over."""
        with on_core(CALLER):
            self._read()

    def _read(self) -> None:
        while not self.stopping.is_set() and (captured := self._pictures.take()) is not None:
            taken = time.perf_counter()
            expressions = [reader.read(captured.frame) for reader in self._readers]
            self.tracked += 1
            self.found += any(e.found for e in expressions)
            self._moments.put(
                Tracked(
                    expressions=expressions,
                    moment=captured.moment,
                    taken=taken,
                    read=time.perf_counter(),
                )
            )

    def finish(self) -> None:
        """Close the readers; nothing more comes."""
        self._moments.close()
        for reader in self._readers:
            reader.close()
