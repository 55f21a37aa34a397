"""A thread of a live performance, whose failure is told and not lost."""

import logging
import threading
from abc import abstractmethod

log = logging.getLogger(__name__)


class Worker(threading.Thread):
    """Runs `work`; what that raises is kept, and ends the thread alone.

    Args:
        name: shown by debuggers and process lists.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()
        """Set to ask for the end."""
        self.failure: BaseException | None = None
        """What ended the thread early, or None."""

    def run(self) -> None:
        """Call `work`, then `finish`."""
        try:
            self.work()
        except Exception as error:
            # A thread's exception would otherwise end in a traceback that nobody sees.
            log.debug("%s failed", self.name, exc_info=True)
            self.failure = error
        finally:
            self.finish()

    @abstractmethod
    def work(self) -> None:
        """What the thread does until it is done or asked to stop."""

    def finish(self) -> None:
        """Always called at the end of the thread; lets the next one know."""

    def stop(self) -> None:
        """Ask for the end, and wait for it a while."""
        self.stopping.set()
        if self.is_alive():
            self.join(PATIENCE)


PATIENCE = 5.0
"""Seconds that a thread may take to end; after that it is left to the end of the process."""
