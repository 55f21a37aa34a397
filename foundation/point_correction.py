"""Lets curves follow what the face's own points show, once the person is known.

From one picture nobody can tell high brows from raised ones, so a network says something between.
In a video what stays is the person and what changes is the expression: the mean of what the points
show beyond what the curves say is the person's own, and the rest corrects the curves, as a
measurement corrects a prediction.

Source:
    Kalman, A New Approach to Linear Filtering and Prediction Problems, 1960 (the update).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .apertures import APERTURES, DEPTH, SLOPE, straightened
from .errors import ReaderError
from .expression import BLENDSHAPES, FloatArray

Values = NDArray[np.float64]

MEMORY = 30.0
"""Seconds over which a person is remembered; what is held longer counts as theirs."""
MEETING = 0.3
"""Seconds at the start whose mean is taken for the person's own."""
HELD = 10.0
"""Seconds that this first mean counts for: less, and a smile that follows would be learnt as the
person's own before it is over."""
LONGEST_STEP = 0.2
"""Seconds that one frame counts for at most."""
PARTS = ((0, 1), (2, 3), (4, 5))
"""Apertures of mouth, lids and brows: those of a part are corrected together."""
REACH = ((15.0, 40.0),) * len(PARTS)
"""Degrees of the head's turn up to which points correct a part in full, and from which not."""


_DEPTH, _SLOPE = np.array(DEPTH), np.array(SLOPE)


@dataclass(frozen=True, kw_only=True)
class PointGains:
    """How apertures and curves go together; belongs to one network."""

    change: Values
    """(52, 6) what each curve at 1 adds to each aperture, in eye distances."""
    correct: Values
    """(6, 52) what is added to the curves for each eye distance that an aperture is off."""

    def following(self, trust: Sequence[float]) -> "PointGains":
        """Gains for points that are more exact than the network's own.

        Args:
            trust: (3,) how far the apertures of mouth, lids and brows follow the points; with 1
                they are afterwards what the points show.
        """
        correct = self.correct.copy()
        for part, share in zip(PARTS, trust, strict=True):
            rows = list(part)
            followed = self.correct[rows] @ self.change[:, rows]
            correct[rows] = share * np.linalg.pinv(followed) @ self.correct[rows]
        return PointGains(change=self.change, correct=correct)

    def to_json(self) -> str:
        """As kept in the network's file."""
        return json.dumps(
            {"change": self.change.round(5).tolist(), "correct": self.correct.round(4).tolist()}
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote.

        Raises:
            ReaderError: it is not of these sizes.
        """
        shape = (len(BLENDSHAPES), len(APERTURES))
        try:
            data = json.loads(text)
            change, correct = (np.array(data[k], np.float64) for k in ("change", "correct"))
        except (ValueError, KeyError, TypeError) as error:
            raise ReaderError(f"the network's gains cannot be read ({error})") from error
        if change.shape != shape or correct.shape != shape[::-1]:
            raise ReaderError(
                f"the network's gains should be {shape} and {shape[::-1]}, they are "
                f"{change.shape} and {correct.shape}"
            )
        return cls(change=change, correct=correct)


class PointCorrection:
    """Corrects the curves of one person in a video, frame by frame.

    Args:
        gains: of the network that says the curves.
        reach: (3, 2) degrees as `REACH`.
    """

    def __init__(self, gains: PointGains, *, reach: Sequence[tuple[float, float]] = REACH) -> None:
        self._gains = gains
        self._full, self._away = np.repeat(np.cos(np.radians(reach)), 2, axis=0).T
        self.forget()

    def forget(self) -> None:
        """Another person, or another shot."""
        self._own = np.zeros(len(APERTURES))
        self._known = np.zeros(len(APERTURES))
        self._time: float | None = None

    def corrected(
        self, curves: FloatArray, landmarks: FloatArray, head: NDArray[np.floating], time: float
    ) -> FloatArray:
        """The curves (52,) of the next frame, 0..1.

        Args:
            curves: (52,) as the network says them.
            landmarks: (156, 2) pixels.
            head: (3, 3) rotation as in `Expression`.
            time: seconds.
        """
        straight = np.clip((head[2, 2] - self._away) / (self._full - self._away), 0.0, 1.0)
        step = 0.0 if self._time is None else time - self._time
        self._time = time
        if not (straight > 0.0).any():
            return curves
        seen = straightened(landmarks[None], head[None], _DEPTH, _SLOPE)[0]
        beyond = seen - curves @ self._gains.change
        if not np.isfinite(beyond).all():
            return curves
        weight = straight * min(max(step, 1e-3), LONGEST_STEP)
        self._known = np.minimum(self._known + weight, MEMORY)
        counted = np.where(self._known < MEETING, self._known, np.maximum(self._known, HELD))
        self._own += (beyond - self._own) * weight / np.maximum(counted, 1e-9)
        more = (straight * (beyond - self._own)) @ self._gains.correct
        return np.asarray(np.clip(curves + more, 0.0, 1.0), np.float32)
