"""What a reader should not do: tremble, prefer a side, move the face when the head turns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES, SWAPPED, Expression, Frame, Reader

Values = NDArray[np.float64]
Picture = NDArray[np.uint8]

NOISE = 3.0
"""Standard deviation of the still face's sensor noise, steps of 255: a webcam in a lit room."""
STILL_FRAMES, SETTLING = 50, 10
"""Pictures of the still face, and those at the start in which a tracking reader may settle."""
TURN = 25
"""Degrees to each side, in steps of one degree a frame."""
GAZE = np.array([name.startswith("eyeLook") for name in BLENDSHAPES])
"""(52,) the channels that follow the direction of the eyes."""


def mirror_difference(curves: Values, mirrored: Values) -> float:
    """Mean absolute difference of curves (T, 52) and those of the mirrored clip, swapped back.

    Frames in which either side has no face (NaN) are left out; NaN if none remain.
    """
    apart = np.abs(curves - mirrored[:, SWAPPED])
    known = np.isfinite(apart).all(axis=1)
    return float(apart[known].mean()) if known.any() else float("nan")


@dataclass(frozen=True, kw_only=True)
class Movement:
    """How far channels move that should rest."""

    mean: float
    largest: float
    channel: str
    """The one that moves most."""


def trembling(curves: Values) -> Movement:
    """Standard deviation of each channel over curves (T, 52) of a still face; NaN rows left out.

    Raises:
        ValueError: no row has a face.
    """
    seen = _known(curves)
    return _movement(seen.std(axis=0), np.ones(len(BLENDSHAPES), bool))


def cross_talk(curves: Values, rest: int) -> Movement:
    """Largest move of each channel but gaze away from frame ``rest`` of curves (T, 52) of a face
    that only turns.

    Raises:
        ValueError: no face in frame ``rest``.
    """
    if not np.isfinite(curves[rest]).all():
        raise ValueError("no face was found in the frame that looks straight ahead")
    return _movement(np.abs(_known(curves) - curves[rest]).max(axis=0), ~GAZE)


def _known(curves: Values) -> Values:
    seen = curves[np.isfinite(curves).all(axis=1)]
    if not len(seen):
        raise ValueError("no face was found in any frame")
    return seen


def _movement(moved: Values, counted: NDArray[np.bool_]) -> Movement:
    most = int(np.argmax(np.where(counted, moved, -1.0)))
    return Movement(
        mean=float(moved[counted].mean()), largest=float(moved[most]), channel=BLENDSHAPES[most]
    )


def with_noise(picture: Picture, frames: int = STILL_FRAMES, seed: int = 0) -> Iterator[Frame]:
    """One picture again and again, each time with new sensor noise (`NOISE`)."""
    make = np.random.default_rng(seed)
    for i in range(frames):
        noise = make.normal(0.0, NOISE, picture.shape)
        noisy = np.clip(np.round(picture + noise), 0, 255).astype(np.uint8)
        yield Frame(picture=noisy, index=i, time=i / 30.0)


def read_curves(frames: Iterator[Frame], open_one: Callable[[], Reader]) -> Values:
    """(T, 52) curves that a fresh reader finds; rows of NaN without a face."""
    reader = open_one()
    try:
        return np.stack([curves_of(reader.read(frame)) for frame in frames])
    finally:
        reader.close()


def curves_of(expression: Expression) -> Values:
    """(52,) curves, NaN without a face."""
    if not expression.found:
        return np.full(len(BLENDSHAPES), np.nan)
    return expression.blendshapes.astype(np.float64)
