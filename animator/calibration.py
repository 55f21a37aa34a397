"""What a resting actor looks like, taken out of the performance; and a studio's own gains.

No face rests at zero: lids hang, brows sit low, a lip line is pressed. With a resting value n of a
blendshape, ``(x − n) / (1 − n)``, clipped to 0..1, is 0 at rest and still reaches 1.

Two ways to know n. *Measured*: a range of the take in which the actor rests; everything in it is
taken as rest, the head's rotation and the gaze too, so that an actor who looks up at a camera plays
straight. *Automatic*, the default: a slow estimate of what a face never falls below, which must not
take a smile for rest; it is therefore limited (`LIMITS`), falls at once, rises by no more than 0.02
a second and not at all while a shape is clearly acted, and leaves head and gaze as they are seen.
More of the brows is taken for rest while an otherwise quiet face is met, and less again once they
have come down for a while.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import BLENDSHAPES, Expression

Values = NDArray[np.float64]

RISE = 0.02
"""How fast the automatic estimate may rise, per second."""
FALL_TIME = 0.2
"""Time constant in seconds with which it falls toward a lower value."""
CLEARLY_ACTED = 1.5
"""In limits: the estimate does not rise toward a value beyond this, so a held brow stays held."""
HIGHEST_REST = 0.8
"""Resting values are cut here, so that the rescaling never magnifies more than fivefold."""


def _limits() -> Values:
    """(52,) how much the automatic estimate may call rest.

    Readers report an offset for lids, squint and brows on many resting faces; jaw, smile and the
    rest are expressions when they are large, so little may be taken away.
    """
    hanging = ("eyeBlink", "eyeSquint", "eyeLookDown", "eyeLookUp", "browDown", "browInnerUp",
               "browOuterUp", "eyeLookIn", "eyeLookOut")  # fmt: skip
    small = ("jawOpen", "tongueOut", "cheekPuff")
    limits = np.full(len(BLENDSHAPES), 0.1)
    for i, name in enumerate(BLENDSHAPES):
        if name.startswith(hanging):
            limits[i] = 0.1 if name.startswith("eyeLook") else 0.3
        if name.startswith(small):
            limits[i] = 0.03
    return limits


LIMITS = _limits()
MEETING = 0.4
"""Seconds at the start in which the estimate is the mean of what is seen."""
HIGH_BROWS = 0.5
"""Raised brows of a quiet face that may be called rest at the start, beyond `LIMITS`: some people's
are high, which one picture cannot tell from raised ones."""
HIGH_TIME = 10.0
"""Time constant in seconds with which brows that come down are no longer taken for high ones."""
RETURN = 0.5
"""How fast the estimate of high brows may rise again after a frown, per second."""
QUIET, ACTING = 0.3, 0.45
"""Largest value of what else a face does up to which it is quiet, and from which it acts."""
_BROWS = np.array([n.startswith(("browInnerUp", "browOuterUp")) for n in BLENDSHAPES])
_AT_REST = ("eyeBlink", "eyeSquint", "eyeLook", "browInnerUp", "browOuterUp")
_TELLING = np.array([not n.startswith(_AT_REST) for n in BLENDSHAPES])
"""Channels by which a face acts; lids and gaze move at rest, too."""


@dataclass(frozen=True, kw_only=True)
class Neutral:
    """One resting face."""

    blendshapes: Values = field(default_factory=lambda: np.zeros(52))
    """(52,) values at rest."""
    head: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    """(3, 3) rotation of the resting head in camera space."""
    eyes: Values = field(default_factory=lambda: np.zeros((2, 3)))
    """(2, 3) resting gaze, radians."""

    def subtract(self, blendshapes: NDArray[Any]) -> Values:
        """Blendshapes (52,) with the rest taken out, 0..1."""
        rest = np.minimum(self.blendshapes, HIGHEST_REST)
        return np.clip((np.asarray(blendshapes, np.float64) - rest) / (1.0 - rest), 0.0, 1.0)

    def straighten(self, head: NDArray[Any]) -> NDArray[np.float64]:
        """(3, 3) head rotation as seen by a camera that the resting head looks straight into."""
        return np.asarray(self.head.T @ np.asarray(head, np.float64))


def measure_neutral(expressions: Iterable[Expression], start: float, end: float) -> Neutral:
    """The mean face between two times.

    Args:
        expressions: of the take; those outside the range are ignored.
        start: seconds, inclusive.
        end: seconds, inclusive.

    Returns:
        Mean blendshapes, mean head rotation and mean gaze.

    Raises:
        SourceError: the range is empty or no face was found in it.
    """
    if not 0.0 <= start < end:
        raise SourceError(f"neutral range {start:g}-{end:g} s is empty: give START-END in seconds")
    resting = [e for e in expressions if e.found and start <= e.time <= end]
    if not resting:
        raise SourceError(
            f"no face between {start:g} and {end:g} s: choose another range for --neutral"
        )
    return Neutral(
        blendshapes=np.mean([e.blendshapes for e in resting], axis=0, dtype=np.float64),
        head=Rotation.from_matrix(np.stack([e.head for e in resting])).mean().as_matrix(),
        eyes=np.mean([e.eyes for e in resting], axis=0, dtype=np.float64),
    )


@dataclass
class AutomaticNeutral:
    """Estimates a resting face frame by frame; see the module's text for what keeps it careful."""

    _rest: Values | None = None
    _high: Values = field(default_factory=lambda: LIMITS)
    """(52,) how much may be called rest: `LIMITS`, and more of high brows."""
    _time: float = 0.0
    _start: float = 0.0
    _met: int = 0

    def update(self, blendshapes: NDArray[Any], time: float) -> Neutral:
        """The estimate after one more frame (52,) at ``time`` seconds."""
        seen = np.asarray(blendshapes, np.float64)
        if self._rest is None:
            self._rest, self._start, self._met = np.zeros(len(BLENDSHAPES)), time, 0
        step, self._time = max(time - self._time, 0.0), time
        if time - self._start <= MEETING:
            self._met += 1
            first = np.minimum(seen, _first_limits(seen))
            self._rest = self._rest + (first - self._rest) / self._met
            self._high = np.maximum(LIMITS, self._rest)
            return Neutral(blendshapes=self._rest)
        # Brows that were raised when we met, and not high, come down for longer than a frown.
        lower = np.maximum(np.minimum(seen, self._high), LIMITS)
        self._high = lower + (self._high - lower) * np.exp(-step / HIGH_TIME)
        x = np.minimum(seen, self._high)
        fallen = self._rest + (1.0 - np.exp(-step / FALL_TIME)) * (x - self._rest)
        speed = np.where(self._high > LIMITS, RETURN, RISE)
        rise = np.where(seen <= CLEARLY_ACTED * self._high, speed * min(step, 1.0), 0.0)
        risen = np.minimum(x, self._rest + rise)
        self._rest = np.where(x < self._rest, fallen, risen)
        return Neutral(blendshapes=self._rest)

    def reset(self) -> None:
        """Forget the actor."""
        self._rest = None

    def copy(self) -> Self:
        """An independent copy in the same state (its array is never written in place)."""
        return replace(self)


def _first_limits(seen: Values) -> Values:
    """`LIMITS` of a face just met, with more for the brows the less it acts otherwise."""
    acted = float(seen[_TELLING].max())
    quiet = np.clip((ACTING - acted) / (ACTING - QUIET), 0.0, 1.0)
    return np.asarray(LIMITS + HIGH_BROWS * quiet * _BROWS)
