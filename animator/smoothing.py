"""One-Euro smoothing of many channels at once, with explicit streaming state.

Source: Casiez, Roussel, Vogel, "1€ Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems", CHI 2012.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

STILL_CUTOFF = 4.0
"""Cutoff in Hz of a still channel at the lightest smoothing (strength just above 0)."""
HEAVY_CUTOFF = 0.5
"""Cutoff in Hz of a still channel at strength 1."""
LONGEST_STEP = 0.25
"""Seconds; a longer gap between frames counts as this long, so that a pause is no jump."""


def still_cutoff(strength: float) -> float:
    """Cutoff in Hz of a channel at rest, ``4 · (1/8)^strength``: 1.41 Hz at the default 0.5.

    Strength 0 does not filter at all; callers skip the filter.

    Raises:
        ValueError: the strength is outside 0..1.
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"smoothing strength {strength} is outside 0..1")
    return float(STILL_CUTOFF * (HEAVY_CUTOFF / STILL_CUTOFF) ** strength)


@dataclass
class OneEuro:
    """Filters N channels in step; a channel follows quickly while it moves fast.

    The cutoff of a channel is ``still + follow · |speed|``; the speed itself is smoothed by a
    low-pass of ``speed_cutoff``.
    """

    still: float
    """Cutoff at rest, Hz."""
    follow: Values
    """(N,) rise of the cutoff, Hz per (unit per second)."""
    speed_cutoff: Values
    """(N,) cutoff of the speed estimate, Hz."""
    wrap: float = 0.0
    """Period of the channels (2π for angles), 0 for none."""
    _time: float | None = None
    _value: Values | None = None
    _speed: Values | None = None

    def filter(self, values: NDArray[Any], time: float) -> Values:
        """The next frame, smoothed.

        Args:
            values: (N,) at ``time``.
            time: seconds, not before the previous frame's; a repeated time holds the value.

        Returns:
            (N,) smoothed values; the first frame passes unchanged.
        """
        x = np.asarray(values, np.float64)
        if self._time is None or self._value is None or self._speed is None:
            self._time, self._value, self._speed = time, x.copy(), np.zeros_like(x)
            return x.copy()
        step = min(time - self._time, LONGEST_STEP)
        if step <= 0.0:
            return self._value.copy()
        ahead = x - self._value
        if self.wrap:
            ahead -= self.wrap * np.round(ahead / self.wrap)
        speed = self._speed + _share(self.speed_cutoff, step) * (ahead / step - self._speed)
        moved = self._value + _share(self.still + self.follow * np.abs(speed), step) * ahead
        if self.wrap:
            moved -= self.wrap * np.round(moved / self.wrap)
        self._time, self._value, self._speed = time, moved, speed
        return moved.copy()

    def reset(self) -> None:
        """Forget the past: the next frame passes unchanged."""
        self._time = self._value = self._speed = None

    def copy(self) -> Self:
        """An independent filter in the same state."""
        return replace(
            self,
            _value=None if self._value is None else self._value.copy(),
            _speed=None if self._speed is None else self._speed.copy(),
        )


def _share(cutoff: Values, step: float) -> Values:
    """Exponential smoothing weight of a new sample, ``1 / (1 + 1 / (2π·cutoff·step))``."""
    turn = 2.0 * np.pi * cutoff * step
    return np.asarray(turn / (1.0 + turn))


def _lightness(strength: float) -> float:
    """Factor of how readily motion raises the cutoff: 2 at strength 0, 1 at 0.5, 0.5 at 1."""
    return float(4.0 ** (0.5 - strength))


def value_filter(quick: NDArray[np.bool_], strength: float) -> OneEuro:
    """Filter of control values, as fractions of their range.

    Args:
        quick: (K,) True for lids and gaze, whose fast motion must not be damped visibly: at 30
            frames per second and the default strength a blink of 0.1 s still closes beyond 90 %.
        strength: above 0, up to 1.
    """
    return OneEuro(
        still=still_cutoff(strength),
        follow=np.where(quick, 8.0, 2.0) * _lightness(strength),
        speed_cutoff=np.where(quick, 5.0, 2.0),
    )


def angle_filter(channels: int, strength: float) -> OneEuro:
    """Filter of rotation angles in radians, across ±π without a jump."""
    return OneEuro(
        still=still_cutoff(strength),
        follow=np.full(channels, 4.0) * _lightness(strength),
        speed_cutoff=np.full(channels, 2.0),
        wrap=2.0 * np.pi,
    )
