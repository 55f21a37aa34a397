"""Keeps a camera's noise out of a video's curves: small changes pass slowly, moves at once.

On a still face a network's curves tremble, those of a small or dark face more than others. How far
is measured while the video runs: faces move smoothly, so that the sixth difference of a curve is
mostly noise, even of a speaking mouth's, and a low quantile of it tells how much; the first second
is taken as it is, later frames change slowly what is known. The smaller a change is beside that,
the smaller a part of it is taken over; a change as large as a move's passes whole, without delay.
"""

from math import comb

import numpy as np
from numpy.typing import NDArray

from .expression import BLENDSHAPES, FloatArray

NOISES = 7.5
"""A change by so many standard deviations of the noise is a move."""
LEAST, MOST = 0.02, 0.12
"""Change of a curve from one frame to the next that is a move: at least and at most."""
GLANCE = 1.5
"""The same of gaze curves, whose moves are leaps, in that of the others."""
SLOWEST = 0.05
"""Part of the smallest changes that is taken over, so that what drifts arrives in some frames."""
RESTING = 0.25
"""Share of the frames in which a face rests at least; the quantile that is taken for noise."""
LEARNING = 0.05
"""How far one frame changes what is known of the noise."""
ENOUGH, FIRST = 6, 30
"""Differences from which the quantile is taken at the start: from so many on, up to so many."""
APART = 0.2
"""Seconds between frames from which on they say nothing of each other: a face may do anything
meanwhile, so that nothing is held back and nothing is learnt."""
EXPECTED = 0.005
"""Standard deviation of the noise before anything is known."""

_SIXTH = np.array([(-1) ** i * comb(6, i) for i in range(7)])
"""Weights of seven frames in the sixth difference."""
_SPREAD = 0.3186 * np.sqrt(np.square(_SIXTH).sum())
"""That quantile of its size, of noise with a standard deviation of 1: a quarter of all normal
values are within .3186."""
_QUIETEST, _LOUDEST = LEAST / NOISES * _SPREAD, MOST / NOISES * _SPREAD
_MOVES = (
    NOISES / _SPREAD * np.array([GLANCE if n.startswith("eyeLook") else 1.0 for n in BLENDSHAPES])
)
"""Change that is a move, for each unit of that quantile."""


class Steadiness:
    """Steadies the curves of one person in a video, frame by frame."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another person, or another shot."""
        self._shown: FloatArray | None = None
        self._time = 0.0
        self._before: list[FloatArray] = []
        self._first: list[NDArray[np.floating]] = []
        self._quantile: NDArray[np.floating] = np.full(len(BLENDSHAPES), EXPECTED * _SPREAD)

    def steadied(self, curves: FloatArray, time: float) -> FloatArray:
        """The next frame's curves (52,), 0..1.

        Args:
            curves: (52,) as read.
            time: seconds, of the frame.
        """
        apart = abs(time - self._time) > APART
        self._time = time
        if self._shown is None or apart or not np.isfinite(curves).all():
            self._shown = np.nan_to_num(curves)
            self._before = [self._shown]
            return curves
        self._learn(curves)
        moves = _MOVES * self._quantile
        change = curves - self._shown
        part = np.clip(np.square(change / moves), SLOWEST, 1.0)
        self._shown = np.asarray(self._shown + part * change, np.float32)
        return self._shown

    def _learn(self, curves: FloatArray) -> None:
        """The quantile of the first differences, then steps toward it: up where a value lies above
        it, down where below."""
        self._before = [*self._before[1 - len(_SIXTH) :], curves]
        if len(self._before) < len(_SIXTH):
            return
        sizes: NDArray[np.floating] = np.abs(_SIXTH @ np.stack(self._before))
        if len(self._first) < FIRST:
            self._first.append(sizes)
            if len(self._first) < ENOUGH:
                return
            # np.quantile takes three times as long, and six milliseconds more the first time.
            place = round(RESTING * (len(self._first) - 1))
            quantile = np.partition(np.stack(self._first), place, axis=0)[place]
        else:
            step = np.where(sizes > self._quantile, RESTING, RESTING - 1.0)
            quantile = self._quantile * (1.0 + LEARNING * step)
        self._quantile = np.clip(quantile, _QUIETEST, _LOUDEST)
