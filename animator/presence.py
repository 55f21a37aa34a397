"""What an avatar does while the actor's face is out of sight.

The last expression is held for 0.5 s (a hand passing by must not wipe the face), then eases to
neutral over 1.0 s; when the face returns, the avatar eases back in over 0.2 s. All by the frames'
own times, so any and varying frame rates behave alike.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass
class Presence:
    """Holds, eases out and eases in a vector of values whose neutral is known."""

    neutral: Values
    """(N,) values of a resting face."""
    hold: float = 0.5
    """Seconds the last values stay after the face was lost."""
    ease_out: float = 1.0
    """Seconds from the held values to neutral."""
    ease_in: float = 0.2
    """Seconds from what was shown to what is seen, when the face returns."""
    _seen: Values | None = None
    _shown: Values | None = None
    _lost_at: float | None = None
    _back_at: float | None = None
    _from: Values | None = None

    def update(self, values: NDArray[Any], found: bool, time: float) -> Values:
        """The values to show.

        Args:
            values: (N,) as solved; ignored where no face was found.
            found: whether a face was seen.
            time: seconds.

        Returns:
            (N,) values.
        """
        if found:
            self._shown = self._return(np.asarray(values, np.float64), time)
            self._seen = self._shown
        else:
            self._shown = self._leave(time)
        return self._shown.copy()

    def reset(self) -> None:
        """Forget everything seen."""
        self._seen = self._shown = self._from = None
        self._lost_at = self._back_at = None

    def copy(self) -> Self:
        """An independent copy in the same state (its arrays are never written in place)."""
        return replace(self)

    def _leave(self, time: float) -> Values:
        if self._seen is None:
            self._seen = self.neutral
        if self._lost_at is None:
            self._lost_at = time
        gone = _smooth_step((time - self._lost_at - self.hold) / self.ease_out)
        return self._seen + gone * (self.neutral - self._seen)

    def _return(self, values: Values, time: float) -> Values:
        if self._lost_at is not None:
            self._back_at, self._from, self._lost_at = time, self._shown, None
        if self._back_at is None or self._from is None:
            return values
        back = _smooth_step((time - self._back_at) / self.ease_in)
        if back >= 1.0:
            self._back_at = self._from = None
            return values
        return self._from + back * (values - self._from)


def _smooth_step(share: float) -> float:
    """0..1 with zero slope at both ends."""
    s = min(max(share, 0.0), 1.0)
    return s * s * (3.0 - 2.0 * s)
