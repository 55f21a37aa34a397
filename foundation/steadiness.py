"""Keeps a camera's noise out of a video's curves: small changes pass slowly, moves at once.

A network's curves tremble by less than a hundredth on a still face; an actor's move by more than
that from frame to frame, or go on in one direction. So the smaller a change is, the smaller a part
of it is taken over; a change as large as a move's passes whole, without any delay.
"""

import numpy as np

from .expression import BLENDSHAPES, FloatArray

MOVE, GLANCE = 0.04, 0.12
"""Change of a curve from one frame to the next that is a move and no noise; of a gaze curve, which
trembles more, and whose moves are leaps."""
SLOWEST = 0.1
"""Part of the smallest changes that is taken over, so that what drifts arrives in some frames."""


_MOVES = np.array([GLANCE if n.startswith("eyeLook") else MOVE for n in BLENDSHAPES], np.float32)


class Steadiness:
    """Steadies the curves of one person in a video, frame by frame."""

    def __init__(self) -> None:
        self._shown: FloatArray | None = None

    def forget(self) -> None:
        """Another person, or another shot."""
        self._shown = None

    def steadied(self, curves: FloatArray) -> FloatArray:
        """The next frame's curves (52,), 0..1."""
        if self._shown is None or not np.isfinite(curves).all():
            self._shown = np.nan_to_num(curves)
            return curves
        change = curves - self._shown
        part = np.clip(np.abs(change) / _MOVES, SLOWEST, 1.0)
        self._shown = np.asarray(self._shown + part * change, np.float32)
        return self._shown
