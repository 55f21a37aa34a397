"""The third thread: turns what was read into the frames of every rig, sends and records them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from freeavatar.animator.calibration import Neutral, measure_neutral
from freeavatar.animator.performer import Performer
from freeavatar.foundation.expression import Expression
from freeavatar.rigs.spec import RigFrame
from freeavatar.tools.outlets import Outlets

from .recording import Recorder
from .slot import Slot
from .statistics import Latencies
from .tracking import Tracked
from .worker import Worker

NEUTRAL_SECONDS = 0.5
"""How long a face is watched for its neutral."""
PATIENT_SECONDS = 3.0
"""Longest wait for a face to show for that."""


@dataclass
class Actor:
    """One person before the camera and the rigs they play."""

    name: str
    performers: Sequence[Performer]
    neutral: Neutral | None = None
    """Measured while the run goes; None before."""
    _watched: list[Expression] = field(default_factory=list)
    _watch_until: float | None = None
    _held: dict[str, RigFrame] = field(default_factory=dict)

    def watch(self, now: float) -> None:
        """Measure the neutral from the frames that follow ``now`` seconds."""
        self._watched, self._watch_until = [], now + PATIENT_SECONDS

    def set_neutral(self, neutral: Neutral | None) -> None:
        """Take a neutral on, for every rig."""
        self.neutral = neutral
        for performer in self.performers:
            performer.set_neutral(neutral)

    def notice(self, expression: Expression) -> bool:
        """Take a frame in; whether a new neutral has just been found."""
        if self._watch_until is None:
            return False
        if expression.found:
            self._watched.append(expression)
        if not self._watched:
            if expression.time > self._watch_until:
                self._watch_until = None
            return False
        first = self._watched[0].time
        if expression.time - first < NEUTRAL_SECONDS:
            return False
        self.set_neutral(measure_neutral(self._watched, first, expression.time))
        self._watch_until = None
        return True

    def perform(self, expression: Expression, *, paused: bool) -> list[RigFrame]:
        """A frame for each rig; while paused the last one again, at this one's time."""
        frames = []
        for performer in self.performers:
            held = self._held.get(performer.rig.name)
            if not paused or held is None:
                held = performer.perform(expression)
                self._held[performer.rig.name] = held
            frames.append(replace(held, index=expression.index, time=expression.time))
        return frames


class Sending(Worker):
    """Poses the rigs of every actor and gives their frames away.

    Args:
        actors: in the order of the expressions.
        moments: of the tracking.
        outlets: live receivers.
        recorder: takes.
        latencies: noted here.
    """

    def __init__(
        self,
        actors: Sequence[Actor],
        moments: Slot[Tracked],
        outlets: Outlets,
        recorder: Recorder,
        latencies: Latencies,
    ) -> None:
        super().__init__("sending")
        self.sent = 0
        self.paused = False
        self.time = 0.0
        """Of the newest frame, seconds."""
        self.recalibrated = 0
        """How often a new neutral was found."""
        self._actors, self._moments = actors, moments
        self._outlets, self._recorder, self._latencies = outlets, recorder, latencies

    def work(self) -> None:
        """Send until the tracking is over."""
        while not self.stopping.is_set() and (moment := self._moments.take()) is not None:
            self._send(moment)

    def _send(self, moment: Tracked) -> None:
        passed = time.perf_counter()
        frames: list[tuple[str, RigFrame]] = []
        for actor, expression in zip(self._actors, moment.expressions, strict=True):
            self.recalibrated += actor.notice(expression)
            posed = actor.perform(expression, paused=self.paused)
            frames += [(p.rig.name, f) for p, f in zip(actor.performers, posed, strict=True)]
        posed_at = time.perf_counter()
        for rig, frame in frames:
            self._outlets.send(rig, frame)
        sent_at = time.perf_counter()
        self._recorder.put(frames)
        self.time = moment.expressions[0].time
        self.sent += 1
        self._latencies.add(moment.moment, moment.taken, moment.read, passed, posed_at, sent_at)
