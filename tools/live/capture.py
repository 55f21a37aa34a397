"""The first thread: pictures of a camera or a recording, at their own pace, the newest one kept."""

import contextlib
import gc
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import Frame
from freeavatar.foundation.sources.source import Source

from .slot import Slot
from .worker import Worker

log = logging.getLogger(__name__)

PAUSE, LONGEST_PAUSE = 0.25, 2.0
"""Seconds until a camera that is gone is sought again: at first, and at most."""
MARGIN, FADING = 1.5, 0.95
"""Decoding begins by this much more than the slowest picture took before the next is due; how much
of that is left with each picture since."""


@dataclass(frozen=True, kw_only=True)
class Captured:
    """One picture and when it was taken."""

    frame: Frame
    """Its time is in seconds since the run began, whatever happened to the camera since."""
    moment: float
    """`time.perf_counter` when it had been captured and decoded."""


class Capture(Worker):
    """Puts the pictures of a source into a slot.

    A camera that is unplugged is opened again as soon as it is back. A recording is played in real
    time; what nobody takes in time is dropped, as a camera's picture would be.

    Args:
        open_source: opens the source; called again after a camera was lost.
        pictures: gets the newest picture.
        loop: play a recording again and again.

    Raises:
        SourceError: it cannot be opened at the start.
    """

    def __init__(
        self, open_source: Callable[[], Source], pictures: Slot[Captured], *, loop: bool = False
    ) -> None:
        super().__init__("capture")
        self.captured = 0
        self.reopened = 0
        """How often a lost camera was there again."""
        self.gone = False
        """Whether the camera is missing now."""
        self.ended = ""
        """Why a recording ended before its end; empty otherwise."""
        self._open, self._pictures, self._loop = open_source, pictures, loop
        self._source: Source | None = open_source()
        self.description = self._source.description
        self.rate = self._source.rate
        self.is_camera = self._source.count is None
        self.timecode = self._source.timecode
        self._began = time.perf_counter()
        self._decoding = 0.0

    def work(self) -> None:
        """Capture until asked to stop or the recording is over."""
        self._began = time.perf_counter()
        if self.is_camera:
            self._watch_camera()
        else:
            self._play()

    def finish(self) -> None:
        """Give the source back; nothing more comes."""
        self._let_go()
        self._pictures.close()

    def _watch_camera(self) -> None:
        while not self.stopping.is_set():
            try:
                self._look()
                return
            except SourceError as error:
                log.warning("%s; it is sought again", error)
            self.gone = True
            self._let_go()
            self._seek()

    def _look(self) -> None:
        """Pass pictures on until the camera's end or the run's."""
        assert self._source is not None
        for frame in self._source:
            if self.stopping.is_set():
                return
            # A camera counts from its own first picture, and that anew each time it is opened.
            moment = time.perf_counter()
            self._pass_on(replace(frame, time=moment - self._began), moment)

    def _seek(self) -> None:
        pause = PAUSE
        while not self.stopping.wait(pause):
            try:
                self._source = self._open()
            except (SourceError, OSError):
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            self.gone = False
            self.reopened += 1
            log.warning("%s is back", self._source.description)
            return

    def _play(self) -> None:
        """Play a recording in real time, its own times kept."""
        assert self._source is not None
        offset, step = 0.0, 1.0 / self.rate
        while not self.stopping.is_set():
            last: float | None = None
            frames = iter(self._source)
            try:
                while (frame := self._decoded(frames)) is not None:
                    last = frame.time if last is None else max(frame.time, last)
                    due = self._began + offset + last
                    if self._waits_until(due):
                        return
                    self._pass_on(replace(frame, time=offset + last), time.perf_counter())
                    if self._waits_until(due + step - min(self._decoding, step)):
                        return
            except SourceError as error:
                self.ended = str(error)
            if last is None or self.ended or not self._loop:
                return
            offset += last + step
            # The decoder's objects refer to each other; left to chance, a megabyte of them stays
            # each time round, until memory is short.
            gc.collect()

    def _decoded(self, frames: Iterator[Frame]) -> Frame | None:
        """The next picture of a recording; None at its end.

        Called shortly before the picture is due: a camera's picture is decoded as it comes, and
        cores that decode what is not needed yet are missed by the reader of the one that is.
        """
        began = time.perf_counter()
        frame = next(frames, None)
        spent = MARGIN * (time.perf_counter() - began)
        self._decoding = max(spent, FADING * self._decoding)
        return frame

    def _waits_until(self, moment: float) -> bool:
        """Wait until a time of `time.perf_counter`; True where the end was asked for meanwhile."""
        return self.stopping.wait(max(moment - time.perf_counter(), 0.0))

    def _pass_on(self, frame: Frame, moment: float) -> None:
        frame = replace(frame, index=self.captured)
        self.captured += 1
        self._pictures.put(Captured(frame=frame, moment=moment))

    def _let_go(self) -> None:
        if self._source is not None:
            # A camera that was torn out may fail once more while it is closed.
            with contextlib.suppress(Exception):
                self._source.close()
            self._source = None
