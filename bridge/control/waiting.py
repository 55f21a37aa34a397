"""Commands that wait for the performance to take them: few, and the newest gain of each control."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from .commands import Command, Gain, Stop, StopRecording

MOST = 64
"""Commands that wait at once; further ones are refused, so none is carried out long after."""


@dataclass(frozen=True)
class Job:
    """One command and who is told how it went."""

    command: Command
    answer: Callable[[str], None]
    """Called with "" or the reason why it was not carried out."""


class Waiting:
    """A short queue between the thread that hears commands and the one that carries them out.

    A fader sends more gains than anyone needs: one that waits gives way to a newer one of the same
    control, unanswered. `Stop` goes first, and it and `StopRecording` find room in a full queue.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._jobs: list[Job] = []
        self._changed = threading.Condition()
        self._closed = False

    def put(self, job: Job) -> bool:
        """Let a command wait; False when too many do already."""
        with self._changed:
            self._jobs = [other for other in self._jobs if not _overtakes(job, other)]
            if self._closed or len(self._jobs) >= _room(job.command):
                return False
            at = 0 if isinstance(job.command, Stop) else len(self._jobs)
            self._jobs.insert(at, job)
            self._changed.notify()
            return True

    def get(self) -> Job | None:
        """The next command, as soon as there is one; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            return None if self._closed else self._jobs.pop(0)

    def close(self) -> None:
        """Forget what waits and let `get` return None."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()


def _overtakes(job: Job, other: Job) -> bool:
    new, old = job.command, other.command
    if isinstance(new, Gain) and isinstance(old, Gain):
        return new.control == old.control or (new.is_for_all and old.is_for_all)
    return isinstance(new, Stop) and isinstance(old, Stop)


def _room(command: Command) -> int:
    if isinstance(command, Stop):
        return 3 * MOST
    return 2 * MOST if isinstance(command, StopRecording) else MOST
