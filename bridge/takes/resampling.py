"""Takes on a constant grid of times, whatever times the source's frames have."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from freeavatar.bridge.sink import BridgeError, Sink
from freeavatar.rigs.spec import RigFrame

from .timecode import exact_rate

SNAP = 0.0006
"""Seconds; a frame so near the grid lies on it. Matroska rounds times to thousandths."""
LARGEST_SNAP = 0.15
"""Of the time between two frames that are written."""
GAP = 0.5
"""Seconds; over a longer hole the frame before is held, and nothing is blended across."""
LONGEST_GAP = 600.0
"""Seconds; a source that stops for longer is damaged, and filling it would fill the disk."""
AVERAGE_FROM = 1.5
"""Source frames per frame written from which they are averaged: fewer, and fast motion would come
out as slow motion that never was."""
ANGLES = 9
"""Head and eyes."""

Row = NDArray[np.float64]


@dataclass(frozen=True)
class _Pose:
    """A source frame, kept while frames are made of it."""

    frame: RigFrame
    time: float
    row: Row
    """(K + 9,) values, then head and eyes; what is no number is 0."""


class ResamplingSink:
    """Writes frames at ``start + k / rate`` into another sink; a `Sink`.

    Frames on the grid pass unchanged. Others are linearly interpolated between their neighbours;
    where the source has many more frames than are written, they are averaged under a triangle one
    written frame wide to both sides. Angles go the short way, `found` is the nearest frame's. The
    first and the last frame written are the source's first and last. A frame is made as soon as
    one source frame past all that it is made of has come, and written when the next is made.

    Args:
        sink: gets the frames; closed and discarded with this one.
        rate: frames per second to write; 29.97 stands for 30000/1001.
        source_rate: nominal frames per second of the source.
    """

    def __init__(self, sink: Sink, rate: float | Fraction, *, source_rate: float) -> None:
        self._sink = sink
        self._rate = exact_rate(rate)
        self._source_rate = source_rate
        averages = source_rate > AVERAGE_FROM * self._rate
        self._reach = float(1 / self._rate) if averages else 0.0
        self._snap = min(SNAP, LARGEST_SNAP / float(self._rate))
        self._near: list[_Pose] = []
        self._start = 0.0
        self._next = 0
        self._due = 0.0
        self._waiting: RigFrame | None = None

    def send(self, frame: RigFrame) -> None:
        """Take in one frame; one not later than the last is left out.

        Raises:
            BridgeError: the source jumps ahead by more than ten minutes, or the sink refuses.
        """
        if not np.isfinite(frame.time):
            return
        if not self._near:
            self._start = self._due = frame.time
        else:
            last = self._near[-1].time
            if frame.time <= last:
                return
            if frame.time - last > LONGEST_GAP:
                raise BridgeError(
                    f"the source jumps from {last:.1f} s to {frame.time:.1f} s; "
                    f"choose one side with --start and --end"
                )
        self._near.append(_kept(frame))
        while self._due + self._reach <= frame.time + self._snap:
            self._step()

    def close(self) -> None:
        """Write up to the end of the source's last frame, and close the sink."""
        if self._near:
            last = self._near[-1]
            length = last.time - self._start + 1 / self._source_rate
            count = round(length * self._rate)
            while self._next < count or self._due <= last.time + self._snap:
                self._step()
            if self._waiting is not None:
                final = self._waiting
                self._sink.send(_moved(last.frame, final.index, final.time))
            self._near, self._waiting = [], None
        self._sink.close()

    def discard(self) -> None:
        """Leave no file."""
        self._near, self._waiting = [], None
        getattr(self._sink, "discard", self._sink.close)()

    def _step(self) -> None:
        """Make the next frame and send the one before: the last of all is known only at the end."""
        before, self._waiting = self._waiting, self._made(self._due)
        self._next += 1
        # Whole numbers until the last division, so that no rounding adds up.
        after = self._next * self._rate.denominator / self._rate.numerator
        self._due = self._start + after
        needed = self._due - self._reach - self._snap
        while len(self._near) > 2 and self._near[2].time <= needed:
            self._near.pop(0)
        if before is not None:
            self._sink.send(before)

    def _made(self, time: float) -> RigFrame:
        near = self._near
        after = bisect_left(near, time - self._snap, key=lambda pose: pose.time)
        if after == len(near):
            return _moved(near[-1].frame, self._next, time)
        hit = near[after].time <= time + self._snap
        if self._next == 0 or (hit and not self._reach):
            return _moved(near[after].frame, self._next, time)
        before = near[after - 1]
        hole = 0.0 if hit else near[after].time - before.time
        if hole > GAP:
            return _moved(before.frame, self._next, time)
        later = hit or near[after].time - time < time - before.time
        middle = after if later else after - 1
        if self._reach and hole <= self._reach:
            used = self._around(middle)
            weights = _triangle([pose.time for pose in used], time, self._reach)
        else:
            used = near[after - 1 : after + 1]
            share = (time - before.time) / (near[after].time - before.time)
            weights = np.array([1 - share, share])
        row = _mean([pose.row for pose in used], weights, near[middle].row)
        return _frame(row, self._next, time, near[middle].frame.found)

    def _around(self, middle: int) -> list[_Pose]:
        """Poses near by with no gap between."""
        first, last, near = middle, middle + 1, self._near
        while first > 0 and near[first].time - near[first - 1].time <= GAP:
            first -= 1
        while last < len(near) and near[last].time - near[last - 1].time <= GAP:
            last += 1
        return near[first:last]


def _kept(frame: RigFrame) -> _Pose:
    """A copy, since senders may fill the same arrays again."""
    own = RigFrame(
        index=frame.index,
        time=frame.time,
        values=frame.values.copy(),
        found=frame.found,
        head=frame.head.copy(),
        eyes=frame.eyes.copy(),
    )
    row = np.concatenate([own.values, own.head, own.eyes.reshape(6)], dtype=np.float64)
    return _Pose(own, frame.time, np.where(np.isfinite(row), row, 0.0))


def _moved(frame: RigFrame, index: int, time: float) -> RigFrame:
    """The same pose at another time."""
    return RigFrame(
        index=index,
        time=time,
        values=frame.values,
        found=frame.found,
        head=frame.head,
        eyes=frame.eyes,
    )


def _frame(row: Row, index: int, time: float, found: bool) -> RigFrame:
    numbers = row.astype(np.float32)
    return RigFrame(
        index=index,
        time=time,
        values=numbers[:-ANGLES],
        found=found,
        head=numbers[-ANGLES:-6],
        eyes=numbers[-6:].reshape(2, 3),
    )


def _triangle(times: Sequence[float], time: float, reach: float) -> Row:
    """Weights of frames around a time: a triangle, and the time that each frame stands for."""
    at = np.array(times)
    weights = np.maximum(1 - np.abs(at - time) / reach, 0.0)
    if len(at) > 1:
        weights *= np.gradient(at)
    return np.asarray(weights / weights.sum())


def _mean(rows: Sequence[Row], weights: Row, middle: Row) -> Row:
    """Weighted mean; angles are taken on the side of the circle that ``middle`` is on."""
    ways = np.array(rows) - middle
    ways[:, -ANGLES:] = _short_way(ways[:, -ANGLES:])
    mean = middle + weights @ ways
    angles = mean[-ANGLES:]
    mean[-ANGLES:] = np.where(np.abs(angles) > np.pi, _short_way(angles), angles)
    return mean


def _short_way(angles: Row) -> Row:
    return np.asarray((angles + np.pi) % (2 * np.pi) - np.pi)
