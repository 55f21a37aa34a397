"""How near predictions are to the truth: curves, head, eyes, landmarks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.crops import NETWORK_SIZE, STORED_SIZE
from freeavatar.foundation.expression import BLENDSHAPES, GROUPS
from freeavatar.foundation.landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

from .predictions import Predictions
from .shards import Truth

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

LIVE = 0.02
"""Standard deviation of a channel's truth from which it counts as moving in the test pictures."""
SHUT = 0.5
"""eyeBlink from which nothing is to be seen of where an eye looks."""
FEWEST = 10
"""Pictures below which a channel has no figures."""

SINGLED_OUT: dict[str, tuple[str, ...]] = {
    "jaw open": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
}


@dataclass(frozen=True, kw_only=True)
class Channels:
    """Figures of each of the 52 channels."""

    error: Values
    """(52,) mean absolute error; NaN where the truth is unknown."""
    correlation: Values
    """(52,) over all people and pictures; 0 where the prediction never moves."""
    never_moving: Values
    """(52,) error of predicting 0 always: the floor."""
    live: Mask
    """(52,) channels that move in these pictures; only they count in means."""
    pictures: int

    def row(self, channels: list[int]) -> "Row":
        """Mean of the live ones among some channels."""
        live = [c for c in channels if self.live[c]]
        if not live:
            return Row(error=np.nan, correlation=np.nan, never_moving=np.nan, channels=0)
        return Row(
            error=float(self.error[live].mean()),
            correlation=float(self.correlation[live].mean()),
            never_moving=float(self.never_moving[live].mean()),
            channels=len(live),
        )

    def table(self) -> dict[str, "Row"]:
        """All live channels, the groups, and the channels that are singled out."""
        rows = {"all": self.row(list(range(len(BLENDSHAPES))))}
        for group, channels in GROUPS.items():
            rows[group] = self.row(list(channels))
        for name, singled in SINGLED_OUT.items():
            rows[name] = self.row([BLENDSHAPES.index(c) for c in singled])
        return rows


@dataclass(frozen=True, kw_only=True)
class Row:
    """Means over some channels; NaN where none of them moves."""

    error: float
    correlation: float
    never_moving: float
    channels: int


def channel_figures(truth: Values, given: Values) -> Channels:
    """Compare curves (N, 52); values that either side does not know (NaN) are left out."""
    known = np.isfinite(truth) & np.isfinite(given)
    count = known.sum(axis=0)
    enough = count >= FEWEST

    def mean(values: Values) -> Values:
        total = np.where(known, values, 0.0).sum(axis=0)
        return np.where(enough, total / np.maximum(count, 1), np.nan)

    a, b = truth - mean(truth), given - mean(given)
    size_a, size_b = np.sqrt(mean(a * a)), np.sqrt(mean(b * b))
    moves = (size_a > 1e-9) & (size_b > 1e-9)
    product = np.where(moves, size_a * size_b, 1.0)
    return Channels(
        error=mean(np.abs(truth - given)),
        correlation=np.where(moves, mean(a * b) / product, np.where(enough, 0.0, np.nan)),
        never_moving=mean(np.abs(truth)),
        live=enough & (np.nan_to_num(size_a) > LIVE),
        pictures=int(known.any(axis=1).sum()),
    )


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Mean errors of what is not a curve; NaN where the truth is unknown."""

    landmarks: float
    """Pixels of the network's crop."""
    landmarks_share: float
    """The same in distances between the eyes, per cent."""
    head: float
    """Degrees between the rotations."""
    gaze: float
    """Degrees between the directions of each eye that is at least half open."""


def geometry_figures(truth: Truth, given: Predictions, counted: Mask) -> Geometry:
    """Errors of landmarks, head and gaze over the pictures that ``counted`` (N,) marks."""
    apart = np.linalg.norm(given.landmarks - truth.landmarks, axis=2).mean(axis=1)
    eyes = truth.landmarks[:, [*RIGHT_EYE_CORNERS]].mean(1)
    between = np.linalg.norm(truth.landmarks[:, [*LEFT_EYE_CORNERS]].mean(1) - eyes, axis=1)
    # A stored crop and the network's middle of it have the same scale.
    assert STORED_SIZE > NETWORK_SIZE
    return Geometry(
        landmarks=_mean(apart, counted),
        landmarks_share=100 * _mean(apart / between, counted),
        head=_mean(rotation_between(truth.head, given.head), counted),
        gaze=_mean(_open_eyes(truth, gaze_between(truth.eyes, given.eyes)), counted),
    )


def _open_eyes(truth: Truth, errors: Values) -> Values:
    """(N,) mean of the errors (N, 2) of left and right eye, closed eyes left out."""
    lids = [BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")]
    seen = (truth.blendshapes[:, lids] < SHUT) & np.isfinite(errors)
    total = np.where(seen, errors, 0.0).sum(axis=1)
    return np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), np.nan)


def rotation_between(a: Values, b: Values) -> Values:
    """(N,) degrees between rotations (N, 3, 3)."""
    trace = np.einsum("nij,nij->n", a, b)
    return np.asarray(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))))


def gaze_between(a: Values, b: Values) -> Values:
    """(...) degrees between directions given as yaw and pitch (..., 2), radians."""
    cosine = np.sum(_direction(a) * _direction(b), axis=-1)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _direction(angles: Values) -> Values:
    yaw, pitch = angles[..., 0], angles[..., 1]
    return np.stack(
        [np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=-1
    )


def _mean(values: Values, counted: Mask) -> float:
    known = counted & np.isfinite(values)
    return float(values[known].mean()) if known.any() else float("nan")


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """One reader on one set of pictures."""

    pictures: int
    channels: Channels
    geometry: Geometry


def accuracy(truth: Truth, given: Predictions, counted: Mask) -> Accuracy:
    """All figures over the pictures that ``counted`` (N,) marks."""
    rows = counted & given.found
    return Accuracy(
        pictures=int(rows.sum()),
        channels=channel_figures(truth.blendshapes[rows], given.blendshapes[rows]),
        geometry=geometry_figures(truth, given, rows),
    )
