"""Times that only go forward, whatever a recording claims."""

JUMP = 1.0
"""Seconds; a time that steps back further than this begins a new clock (joined recordings)."""
STEP = 0.001
"""Seconds added where a time repeats or steps back a little."""


class Clock:
    """Turns a recording's timestamps into strictly increasing seconds since its start.

    Args:
        origin: timestamp of the start, seconds.
        frame: nominal duration of a frame, seconds; bridges what has no usable timestamp.
    """

    def __init__(self, origin: float, frame: float) -> None:
        self._origin = origin
        self._frame = frame
        self._last: float | None = None

    def time(self, stamp: float | None) -> float:
        """Seconds since the start, later than all before.

        Args:
            stamp: timestamp in seconds on the recording's own clock, None where it has none.
        """
        last = self._last
        if stamp is None:
            now = 0.0 if last is None else last + self._frame
        else:
            now = stamp - self._origin
        if last is None:
            now = max(now, 0.0)
        elif now < last - JUMP:
            self._origin -= last + self._frame - now
            now = last + self._frame
        elif now <= last:
            now = last + STEP
        self._last = now
        return now
