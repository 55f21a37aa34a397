"""The loop that turns an input into moving rigs, timed stage by stage."""

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from freeavatar.animator.performer import Performer
from freeavatar.foundation.expression import Expression, Frame, Reader
from freeavatar.rigs.spec import RigFrame

from .outlets import Outlets

STAGES = ("decode", "find", "solve", "send", "draw")


@dataclass
class Timings:
    """Seconds that each frame spent in each stage."""

    spent: "dict[str, array[float]]" = field(
        default_factory=lambda: {stage: array("f") for stage in STAGES}
    )

    def add(self, stage: str, since: float) -> float:
        """Note the time a stage took since ``since``; returns now."""
        now = time.perf_counter()
        self.spent[stage].append(now - since)
        return now

    def table(self) -> dict[str, dict[str, float]]:
        """Mean, median and 95th percentile of each stage that ran, milliseconds."""
        return {
            stage: {
                "mean_ms": round(float(np.mean(seconds)) * 1e3, 3),
                "p50_ms": round(float(np.percentile(seconds, 50)) * 1e3, 3),
                "p95_ms": round(float(np.percentile(seconds, 95)) * 1e3, 3),
            }
            for stage, seconds in self.spent.items()
            if len(seconds)
        }


class Stage(Protocol):
    """Where the performance is shown while it runs (a preview film)."""

    def show(self, frame: Frame | None, expression: Expression, poses: Sequence[RigFrame]) -> None:
        """Draw one moment."""
        ...


@dataclass
class Result:
    """What a run did."""

    frames: int = 0
    found: int = 0
    seconds: float = 0.0
    """Wall time of the whole loop."""
    last_time: float = 0.0
    error: str = ""
    """Why the input ended early; empty when it was read to its end."""
    interrupted: bool = False
    timings: Timings = field(default_factory=Timings)


def read_expressions(
    frames: Iterator[Frame], reader: Reader, timings: Timings
) -> Iterator[tuple[Frame, Expression]]:
    """Frames with what they express, timing decode and find."""
    while True:
        since = time.perf_counter()
        try:
            frame = next(frames)
        except StopIteration:
            return
        since = timings.add("decode", since)
        expression = reader.read(frame)
        timings.add("find", since)
        yield frame, expression


def perform(
    moments: Iterator[tuple[Frame | None, Expression]],
    performers: Sequence[Performer],
    outlets: Outlets,
    *,
    result: Result,
    stage: Stage | None = None,
    pace: bool = False,
    tick: Callable[[Result], Any] = lambda _: None,
) -> None:
    """Drive every rig through an input, moment by moment.

    Args:
        moments: frames and expressions in order of time; the frame is None for recorded curves.
        performers: one for each rig.
        outlets: sinks of every rig.
        result: filled as the run goes, so that it is right also after an interruption.
        stage: shows each moment, if given.
        pace: hold frames back to their own time, for receivers that play what arrives.
        tick: called after each frame, for progress.
    """
    timings = result.timings
    started = time.perf_counter()
    first_time: float | None = None
    for frame, expression in moments:
        first_time = expression.time if first_time is None else first_time
        since = time.perf_counter()
        poses = [performer.perform(expression) for performer in performers]
        timings.add("solve", since)
        if pace:
            _wait_until(started + expression.time - first_time)
        since = time.perf_counter()
        for performer, pose in zip(performers, poses, strict=True):
            outlets.send(performer.rig.name, pose)
        since = timings.add("send", since)
        if stage is not None:
            stage.show(frame, expression, poses)
            timings.add("draw", since)
        result.frames += 1
        result.found += expression.found
        result.last_time = expression.time
        result.seconds = time.perf_counter() - started
        tick(result)


def _wait_until(moment: float) -> None:
    ahead = moment - time.perf_counter()
    if ahead > 0:
        time.sleep(ahead)
