"""A live performance put together: threads, what lies between them, and how they end."""

import argparse
import gc
import logging
import sys
import threading
from collections.abc import Sequence

from freeavatar.animator.performer import PerformerOptions, performers_of
from freeavatar.foundation.expression import Reader
from freeavatar.foundation.readers import open_reader
from freeavatar.foundation.sources import open_source
from freeavatar.rigs.spec import Rig
from freeavatar.tools.animator_options import with_animator
from freeavatar.tools.outlets import Outlets
from freeavatar.tools.take_options import start_timecode

from .capture import Capture, Captured
from .cores import HELPER, most_threads, on_core
from .recording import Recorder
from .sending import Actor, Sending
from .session import Session
from .slot import Slot
from .statistics import Latencies
from .status import Status
from .tracking import Tracked, Tracking
from .worker import Worker

log = logging.getLogger(__name__)

SWITCH = 0.0005
"""Seconds after which a running thread lets a waiting one go on."""
READING = 2
"""Cores that reading one picture may take: a frame is out sooner, the rest of the machine stays
for the engine."""
GLANCE = 0.1
"""Seconds between two looks at the threads."""


class Performance:
    """Capture, tracking and sending, each at its own pace.

    Args:
        args: of the command line.
        parts: the face of each actor, counted from 1 at the left (None: the largest), their rigs.

    Raises:
        SourceError, ReaderError, BridgeError, RigError: a part cannot be opened; none is left open.
    """

    def __init__(
        self, args: argparse.Namespace, parts: Sequence[tuple[int | None, Sequence[Rig]]]
    ) -> None:
        rigs = [rig for _, of_one in parts for rig in of_one]
        pictures: Slot[Captured] = Slot()
        moments: Slot[Tracked] = Slot()
        latencies = Latencies()
        options = PerformerOptions(smooth=args.smooth, gain_file=args.gain)
        options = with_animator(options, args)
        actors = [
            Actor(str(0 if face is None else face - 1), performers_of(of_one, options))
            for face, of_one in parts
        ]
        self.capture = Capture(
            lambda: open_source(args.input, skip_damaged=True), pictures, loop=args.loop
        )
        self._started: list[Worker] = []
        self._outlets: Outlets | None = None
        readers: list[Reader] = []
        try:
            self._outlets = outlets = Outlets.open(
                rigs,
                [],
                list(dict.fromkeys(args.to)),
                rate=self.capture.rate,
                subject="",
                timecode="",
            )
            for face, _ in parts:
                readers.append(_opened_reader(args, face))
            self.recorder = Recorder(
                rigs,
                args.record or args.takes,
                rate=self.capture.rate,
                subject=args.subject,
                timecode=start_timecode(args.timecode, self.capture.timecode, self.capture.rate),
                options={k: getattr(args, k) for k in ("take_rate", "blender", "renderer")},
            )
            self.tracking = Tracking(readers, pictures, moments)
            self.sending = Sending(actors, moments, outlets, self.recorder, latencies)
            self.session = Session(actors, self.sending, self.recorder, args.session)
        except BaseException:
            self.capture.finish()
            for reader in readers:
                reader.close()
            if self._outlets is not None:
                self._outlets.close()
            raise
        self.status = Status(
            capture=self.capture,
            tracking=self.tracking,
            sending=self.sending,
            outlets=outlets,
            recorder=self.recorder,
            session=self.session,
            latencies=latencies,
            slots=(pictures, moments),
            as_json=args.json,
        )
        self._record_now = bool(args.record)
        self.description = f"{self.capture.description}; " + ", ".join(r.name for r in rigs)

    def start(self) -> None:
        """Start every thread, the last in line first."""
        # A thread that has something to send must not wait 5 ms for one that computes, nor for the
        # collection of what was loaded and stays.
        sys.setswitchinterval(SWITCH)
        gc.collect()
        gc.freeze()
        self.status.begin()
        for worker in (self.recorder, self.sending, self.tracking, self.capture):
            worker.start()
            self._started.append(worker)
        if self._record_now:
            self.session.record()

    def watch(self, over: threading.Event, seconds: float | None) -> None:
        """Show the status until the end was asked for, a thread ends, or time is up."""
        waited = 0.0
        while not (over.is_set() or self.session.over):
            self.status.show()
            self.session.keep_if_changed()
            if not all(worker.is_alive() for worker in (self.sending, self.tracking)):
                return
            if seconds is not None and waited >= seconds:
                return
            over.wait(GLANCE)
            waited += GLANCE

    def end(self) -> list[str]:
        """Stop every thread in order, close takes, tell receivers; what failed, one line each."""
        for worker in reversed(self._started):
            worker.stop()
        if self._outlets is not None:
            self._outlets.close()
        self.session.keep()
        failures = [
            f"{worker.name}: {worker.failure or 'does not end'}"
            for worker in self._started
            if worker.failure is not None or worker.is_alive()
        ]
        if self.capture.ended:
            failures.append(f"the input ended early: {self.capture.ended}")
        return failures + self.recorder.errors


def _opened_reader(args: argparse.Namespace, face: int | None) -> Reader:
    # Its helping threads are started here; the tracking thread calls it from the other core.
    threads = most_threads(READING)
    with on_core(HELPER):
        return open_reader(
            args.reader, bundle=args.mediapipe_bundle, face=face, threads=threads, live=True
        )
