"""Log lines that strangers can cause, kept few."""

import logging
import time

LONGEST = 300


class Seldom:
    """Says at most one line every few seconds, and how many it left out since."""

    def __init__(self, log: logging.Logger, *, every: float = 5.0) -> None:
        """Begin with nothing said.

        Args:
            log: where lines go, as warnings.
            every: seconds between two lines.
        """
        self._log, self._every = log, every
        self._next = 0.0
        self._left_out = 0

    def say(self, text: str) -> None:
        """Say one line, unless one was said a moment ago; control characters are replaced."""
        now = time.monotonic()
        if now < self._next:
            self._left_out += 1
            return
        self._next = now + self._every
        line = "".join(c if c.isprintable() else "?" for c in text[:LONGEST])
        more = f" (and {self._left_out} more like this)" if self._left_out else ""
        self._left_out = 0
        self._log.warning("%s%s", line, more)
