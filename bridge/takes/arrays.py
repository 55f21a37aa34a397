"""Frames of a take held as arrays, so that long takes stay small."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import FloatArray, RigFrame


@dataclass(frozen=True, kw_only=True)
class FrameArrays(Sequence[RigFrame]):
    """N frames; indexing builds the frame asked for."""

    indices: NDArray[np.int64]
    """(N,)"""
    times: NDArray[np.float64]
    """(N,) seconds since the take began, never falling."""
    values: FloatArray
    """(N, K)"""
    head: FloatArray
    """(N, 3) yaw, pitch, roll, radians."""
    eyes: FloatArray
    """(N, 2, 3)"""
    found: NDArray[np.bool_]
    """(N,)"""

    @classmethod
    def of(cls, frames: Sequence[RigFrame]) -> "FrameArrays":
        """The same frames as arrays.

        Raises:
            ValueError: there are none.
        """
        if isinstance(frames, FrameArrays):
            return frames
        return cls(
            indices=np.array([f.index for f in frames], np.int64),
            times=np.array([f.time for f in frames], np.float64),
            values=np.stack([f.values for f in frames]).astype(np.float32),
            head=np.stack([f.head for f in frames]).astype(np.float32),
            eyes=np.stack([f.eyes for f in frames]).astype(np.float32),
            found=np.array([f.found for f in frames], bool),
        )

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, at: int) -> RigFrame: ...
    @overload
    def __getitem__(self, at: slice) -> "FrameArrays": ...
    def __getitem__(self, at: int | slice) -> "RigFrame | FrameArrays":
        if isinstance(at, slice):
            return FrameArrays(
                indices=self.indices[at],
                times=self.times[at],
                values=self.values[at],
                head=self.head[at],
                eyes=self.eyes[at],
                found=self.found[at],
            )
        return RigFrame(
            index=int(self.indices[at]),
            time=float(self.times[at]),
            values=self.values[at],
            found=bool(self.found[at]),
            head=self.head[at],
            eyes=self.eyes[at],
        )


def nominal_rate(times: NDArray[np.float64]) -> float:
    """Frames per second of (N,) times: the median's, brought to a common rate within 1 %."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    if not len(steps):
        return 60.0
    rate = 1 / float(np.median(steps))
    common = np.array([24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60, 90, 120])
    closest = float(common[np.argmin(np.abs(common - rate))])
    return closest if abs(closest / rate - 1) < 0.01 else rate


def rising_from_zero(frames: FrameArrays) -> FrameArrays:
    """The frames with times from 0 on, as curves need them.

    Frames whose time, in the 32 bits most files store, does not rise are left out.
    """
    times = frames.times - frames.times[0]
    stored = times.astype(np.float32)
    rises = np.concatenate([[True], stored[1:] > np.maximum.accumulate(stored)[:-1]])
    kept = {name: getattr(frames, name)[rises] for name in vars(frames)}
    return FrameArrays(**kept | {"times": times[rises]})
