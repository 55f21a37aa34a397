"""How a live performance goes: rates and latencies."""

import itertools
import threading
import time
from collections import deque
from typing import Any

import numpy as np

KEPT = 36_000
"""Frames whose latencies are kept: ten minutes at 60 a second."""
RECENT = 2.0
"""Seconds over which the status line's rates are taken."""
STAGES = ("total", "waiting", "reading", "passing", "posing", "sending")
"""Latencies of a frame: the whole, then its parts in order: lying in the slot, in the reader, in
the second slot, in the animator, in the senders."""


class Latencies:
    """Milliseconds of the last frames, stage by stage; fed by one thread, read by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Of one size from the start: memory must not grow while a run goes on.
        self._rows = np.zeros((KEPT, len(STAGES)), np.float32)
        self._count = 0

    def add(self, *moments: float) -> None:
        """Note a frame: `time.perf_counter` captured, taken, read, passed on, posed, sent."""
        row = [1e3 * (b - a) for a, b in itertools.pairwise((moments[-1], *moments))]
        row[0] = 1e3 * (moments[-1] - moments[0])
        with self._lock:
            self._rows[self._count % KEPT] = row
            self._count += 1

    def table(self, newest: int = KEPT) -> dict[str, dict[str, float]]:
        """p50, p95, p99 of each of `STAGES`; empty before the first frame.

        Args:
            newest: how many frames to look at; few are quick to sort while others wait.
        """
        with self._lock:
            places = np.arange(max(self._count - min(newest, KEPT), 0), self._count) % KEPT
            rows = self._rows[places]
        if not len(rows):
            return {}
        found = np.percentile(rows, [50, 95, 99], axis=0).T.round(3)
        names = ("p50", "p95", "p99")
        return {
            stage: dict(zip(names, values.tolist(), strict=True))
            for stage, values in zip(STAGES, found, strict=True)
        }


class Rate:
    """Frames per second of a counter that only grows."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, count: int) -> float:
        """Rate over the last `RECENT` seconds, as of now."""
        now = time.perf_counter()
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= RECENT:
            self._seen.popleft()
        then, before = self._seen[0]
        span = now - then
        return (count - before) / span if span > 0 else 0.0


def rounded(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers with at most three places, for JSON."""
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in values.items()}
