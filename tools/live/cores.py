"""Which of two cores a thread runs on, where there are no more than two.

A network that computes on two threads waits for the slower one. Linux wakes a thread on the core of
the one that woke it and moves it only at its next tick, up to 10 ms later; with two cores that
happens every few frames. With more, it finds an idle core at once and is better left alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

CALLER, HELPER = 0, 1
"""Places among the two cores: of the thread that calls a network, of the one that helps it."""


def most_threads(wanted: int) -> int:
    """Threads that a network may use: as many as wanted, no more than there are cores."""
    return min(wanted, len(_cores()) or os.cpu_count() or 1)


@contextmanager
def on_core(place: int) -> Iterator[None]:
    """This thread, and those it starts meanwhile, on one of two cores.

    Nothing happens where there are more cores or fewer, or the system leaves no choice.

    Args:
        place: `CALLER` or `HELPER`.
    """
    cores = _cores()
    if len(cores) != 2:
        yield
        return
    os.sched_setaffinity(0, {cores[place]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _cores() -> list[int]:
    """Numbers of the cores that this thread may use; empty where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
