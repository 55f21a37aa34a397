"""What lies between two threads of a live performance: the newest moment, never a queue."""

import threading
from typing import Generic, TypeVar

Moment = TypeVar("Moment")


class Slot(Generic[Moment]):
    """Holds one moment; a newer one replaces it, so whoever takes is never behind."""

    def __init__(self) -> None:
        self.dropped = 0
        """Moments that were replaced before anyone took them."""
        self._changed = threading.Condition()
        self._moment: Moment | None = None
        self._closed = False

    def put(self, moment: Moment) -> None:
        """Leave the newest moment; does nothing after `close`."""
        with self._changed:
            if self._closed:
                return
            self.dropped += self._moment is not None
            self._moment = moment
            self._changed.notify()

    def take(self) -> Moment | None:
        """Wait for a moment; None when the slot is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._moment is not None or self._closed)
            moment, self._moment = self._moment, None
            return moment

    def close(self) -> None:
        """Let waiting threads go, once what lies here is taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
