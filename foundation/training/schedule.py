"""How far a run is, and the learning rate there.

Source:
    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017.
"""

import math
from dataclasses import dataclass

from freeavatar.foundation.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may use: pictures or time, whichever ends first."""

    samples: int | None = None
    """Pictures seen by all processes together."""
    minutes: float | None = None
    """Wall-clock time of training, validation included, over all resumed parts."""

    def __post_init__(self) -> None:
        """Refuse a run without end."""
        if not any(limit is not None and limit > 0 for limit in (self.samples, self.minutes)):
            raise TrainingError("say how long to train: --minutes M or --samples N, above 0")

    def progress(self, *, samples: int, seconds: float) -> float:
        """Part of the run that is done, 0..1."""
        parts = [0.0]
        if self.samples:
            parts.append(samples / self.samples)
        if self.minutes:
            parts.append(seconds / 60 / self.minutes)
        return min(max(parts), 1.0)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Learning rate: a short rise, then half a cosine down."""

    peak: float = 1e-3
    warm_up: float = 0.03
    """Part of the run in which the rate rises from zero."""
    floor: float = 0.01
    """Rate at the end in peaks."""

    def rate(self, progress: float) -> float:
        """The learning rate when ``progress`` (0..1) of the run is done."""
        if progress < self.warm_up:
            return self.peak * max(progress / self.warm_up, 0.01)
        rest = (progress - self.warm_up) / max(1.0 - self.warm_up, 1e-9)
        return self.peak * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * rest)))
