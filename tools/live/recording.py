"""Takes recorded while live: started and ended at any time, on a thread of their own.

A slow disk holds nobody up: frames wait in a queue. Each frame reaches the operating system at once
(see `freeavatar.bridge.takes.partfile`), so a killed run loses what was in the queue, some
milliseconds. A take that cannot go on is ended and kept; the performance does not notice.
"""

import csv
import logging
import queue
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes.timecode import timecode_after
from freeavatar.rigs.spec import Rig, RigFrame
from freeavatar.tools.outlets import Outlets, plan_takes

from .worker import Worker

log = logging.getLogger(__name__)

DEFAULT_PATTERN = "{slate}_{take}_{rig}.csv"
LONGEST_QUEUE = 3600
"""Moments that may wait for the disk, a minute at 60 a second; more are left out and counted."""


@dataclass(frozen=True, kw_only=True)
class _Start:
    slate: str
    take: int
    paths: Sequence[tuple[Path, Rig]]


@dataclass(frozen=True, kw_only=True)
class _Mark:
    time: float
    text: str


_END = object()


@dataclass
class _Recording:
    """The takes that are being written."""

    outlets: Outlets
    marks: Path
    began: float
    """Time of the first frame, seconds of the run."""
    frames: int = 0


class Recorder(Worker):
    """Writes takes of all rigs.

    Args:
        rigs: whose frames come.
        patterns: names of the files; ``{rig}``, ``{slate}`` and ``{take}`` stand for the rig's
            name, what the take is of, and its number.
        rate: nominal frames per second.
        subject: whom the takes show.
        timecode: of the run's time 0; "" for the time of day.
        options: further arguments of `Outlets.open`.

    Raises:
        BridgeError: a pattern cannot be a take; see `plan_takes`.
    """

    def __init__(
        self,
        rigs: Sequence[Rig],
        patterns: Sequence[str],
        *,
        rate: float,
        subject: str,
        timecode: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__("recording")
        self.written: list[str] = []
        """Finished takes."""
        self.errors: list[str] = []
        self.left_out = 0
        """Moments that the disk was too slow for."""
        self.frames = 0
        """Moments recorded."""
        self.recording = False
        self.number = 0
        """Of the last take."""
        self._rigs, self._rate, self._subject = rigs, rate, subject
        self._patterns = list(patterns) or [DEFAULT_PATTERN]
        self._timecode, self._options = timecode, dict(options or {})
        self._queue: queue.Queue[Any] = queue.Queue(LONGEST_QUEUE)
        self._now: _Recording | None = None
        self._pending: _Start | None = None
        self._early: list[_Mark] = []
        self._paths: list[str] = []
        plan_takes([self._path(p, slate="take", number=1) for p in self._patterns], rigs)

    def begin(self, slate: str = "", number: int | None = None) -> str:
        """Start a take; "" or why not.

        Args:
            slate: what it is of; letters, digits, ``-``, ``_`` and ``.`` are kept of it.
            number: of the take; None counts on. A name that is taken is never written over.
        """
        if self.recording:
            return "a take is being recorded already"
        chosen = re.sub(r"[^\w.-]+", "_", slate).strip("._")[:80] or "take"
        number = max(number if number is not None else self.number + 1, 0)
        try:
            while True:
                patterns = [self._path(p, slate=chosen, number=number) for p in self._patterns]
                paths = plan_takes(patterns, self._rigs)
                if not any(path.exists() for path, _ in paths):
                    break
                number += 1
        except BridgeError as error:
            return str(error)
        self.number, self.recording = number, True
        self._paths = [str(path.resolve()) for path, _ in paths]
        self._queue.put(_Start(slate=chosen, take=number, paths=paths))
        return ""

    def end(self) -> str:
        """End the take; "" or why not."""
        if not self.recording:
            return "nothing is being recorded"
        self.recording = False
        self._queue.put(_END)
        return ""

    def newest(self) -> tuple[str, str]:
        """The files of the newest take: its CSV, or else its first file, and a film, which there is
        none of."""
        csvs = [path for path in self._paths if path.endswith(".csv")]
        return ((csvs or self._paths or [""])[0], "")

    def set_subject(self, name: str) -> str:
        """Whom the takes from the next one on show; "" or why not."""
        self._subject = name[:128]
        return ""

    def mark(self, time: float, text: str) -> str:
        """Note a moment of the take in its ``.marks.csv``; "" or why not.

        Args:
            time: seconds of the run.
            text: what it is.
        """
        if not self.recording:
            return "a mark needs a take that is being recorded"
        self._queue.put(_Mark(time=time, text=text))
        return ""

    def put(self, frames: Sequence[tuple[str, RigFrame]]) -> None:
        """One moment: the frame of each rig by its name. Never waits."""
        if not self.recording:
            return
        try:
            self._queue.put_nowait(frames)
        except queue.Full:
            self.left_out += 1

    def work(self) -> None:
        """Write until asked to stop."""
        while not (self.stopping.is_set() and self._queue.empty()):
            try:
                given = self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
            self._take_in(given)

    def finish(self) -> None:
        """Close what is open."""
        self.recording = False
        self._close()

    def _take_in(self, given: Any) -> None:
        if isinstance(given, _Start):
            self._close()
            self._pending, self._early = given, []
        elif given is _END:
            self._pending = None
            self._close()
        elif isinstance(given, _Mark):
            self._write_mark(given) if self._now is not None else self._early.append(given)
        else:
            if self._pending is not None:
                self._open(self._pending, given[0][1].time)
            if self._now is not None:
                self._write(given)

    def _open(self, start: _Start, began: float) -> None:
        """Open the files at the first frame, whose time they have to know."""
        self._pending = None
        at = timecode_after(self._timecode, self._rate, began) if self._timecode else ""
        try:
            outlets = Outlets.open(
                self._rigs,
                start.paths,
                [],
                rate=self._rate,
                subject=self._subject or start.slate,
                timecode=at,
                **self._options,
            )
        except (BridgeError, OSError) as error:
            self._tell(str(error))
            self.recording = False
            return
        marks = start.paths[0][0]
        marks = marks.with_suffix(".marks.csv")
        self._now = _Recording(outlets=outlets, marks=marks, began=began)
        for mark in self._early:
            self._write_mark(mark)
        log.warning("recording %s", ", ".join(path.name for path, _ in start.paths))

    def _write(self, frames: Sequence[tuple[str, RigFrame]]) -> None:
        assert self._now is not None
        now = self._now
        for rig, frame in frames:
            frame = replace(frame, index=now.frames, time=frame.time - now.began)
            now.outlets.send(rig, frame)
        now.frames += 1
        self.frames += 1
        if all(outlet.error for outlet in now.outlets.all):
            # Nothing can be written any more; what was is whole.
            self.recording = False
            self._close()

    def _write_mark(self, mark: _Mark) -> None:
        assert self._now is not None
        seconds = mark.time - self._now.began
        new = not self._now.marks.exists()
        try:
            with self._now.marks.open("a", newline="", encoding="utf-8") as file:
                rows = csv.writer(file, lineterminator="\n")
                if new:
                    rows.writerow(["Seconds", "Clock", "Text"])
                clock = datetime.now().astimezone().isoformat(timespec="milliseconds")
                rows.writerow([f"{max(seconds, 0.0):.3f}", clock, mark.text])
        except OSError as error:
            self._tell(f"{self._now.marks}: the mark is lost: {error.strerror}")

    def _close(self) -> None:
        now, self._now = self._now, None
        if now is None:
            return
        if not now.frames:
            now.outlets.discard()
            return
        now.outlets.close()
        for outlet in now.outlets.all:
            if outlet.error:
                self.errors.append(f"{outlet.label}: {outlet.error}")
            if outlet.path is not None and outlet.path.exists():
                self.written.append(str(outlet.path))

    def _tell(self, error: str) -> None:
        self.errors.append(error)
        log.error("%s", error)

    def _path(self, pattern: str, *, slate: str, number: int) -> Path:
        """A pattern's file; without ``{take}`` a second take gets its number at the end."""
        path = Path(pattern)
        if "{take}" not in path.name and number > 1:
            path = path.with_stem(f"{path.stem}_{number}")
        name = path.name.replace("{slate}", slate).replace("{take}", str(number))
        return path.with_name(name)
