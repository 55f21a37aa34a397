"""Short sequences out of single pictures: a face that rests, one that changes, a cut.

What lies between two pictures of one person is mixed from both, features and coefficients alike; a
face that rests is seen anew by the camera in every frame, and the answer must not follow that.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from freeavatar.animator.calibration import HIGHEST_REST
from freeavatar.foundation.expression import FloatArray

from .expression_views import CALM, MIRRORED, ExpressionViews

FRAMES = 4
STILL, CHANGING = 0.4, 0.45
"""Shares of sequences that show one picture again and again, and that lead from one to another of
the same person; the rest cuts to somebody else."""
RESTED = 0.5
"""Share from which what the foundation reads in resting faces was taken away, as calibration does.
"""
BLIND = 0.15
"""Share without finer features: recorded curves, which come from no picture."""
CURVE_NOISE = 0.02


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """S sequences of `FRAMES` frames; every odd one is the mirror image of the one before it."""

    pictures: NDArray[np.int64]
    """(S, 2) what is shown first and last."""
    view: NDArray[np.int64]
    """(S, T) which view of them."""
    share: FloatArray
    """(S, T) of the second picture, 0..1."""
    blind: NDArray[np.bool_]
    """(S,) shown without tokens."""
    shapes: FloatArray
    """(S, T, 52) blendshapes after calibration."""
    truth: FloatArray
    """(S, T, 52) what is shown."""

    @property
    def calm(self) -> NDArray[np.bool_]:
        """(S, T) frames that show a face at rest."""
        return np.asarray(self.truth.max(axis=2) < CALM)


def random_sequences(views: ExpressionViews, count: int, make: Generator) -> Sequences:
    """Make ``count`` pairs of a sequence and its mirror image.

    Args:
        views: to make them of.
        count: half the sequences.
        make: decides everything.
    """
    pictures = np.stack([_chosen(views, make) for _ in range(count)])
    view = make.integers(0, MIRRORED, (count, FRAMES))
    cut = make.random(count) < 0.5
    ramp = np.linspace(0.0, 1.0, FRAMES, dtype=np.float32)
    share = np.where(cut[:, None] & (pictures[:, :1] != pictures[:, 1:]), ramp > 0.5, ramp)
    same_person = views.people[pictures[:, 0]] == views.people[pictures[:, 1]]
    share = np.where(same_person[:, None], share, ramp > 0.5).astype(np.float32)
    rested, blind = make.random(count) < RESTED, make.random(count) < BLIND
    # The mirror image follows its sequence.
    both = {"pictures": pictures, "view": view, "share": share}
    twice = {name: np.repeat(array, 2, axis=0) for name, array in both.items()}
    twice["view"][1::2] = MIRRORED
    blind = np.repeat(blind, 2)
    read, truth = (_mixed(array, **twice) for array in (views.shapes, views.truth))
    rest = np.minimum(views.resting, HIGHEST_REST) * np.repeat(rested, 2)[:, None, None]
    shapes = np.clip((read - rest) / (1.0 - rest), 0.0, 1.0)
    noisy = truth + CURVE_NOISE * make.standard_normal(truth.shape)
    shapes = np.where(blind[:, None, None], np.clip(noisy, 0.0, 1.0), shapes)
    return Sequences(**twice, blind=blind, shapes=shapes.astype(np.float32), truth=truth)


def tokens_of(views: ExpressionViews, sequences: Sequences) -> FloatArray:
    """(S, T, 64, 192) finer features; zeros where a sequence is shown without."""
    count, frames = sequences.view.shape
    view = sequences.view.ravel()
    first, second = (np.repeat(sequences.pictures[:, i], frames) for i in (0, 1))
    share = sequences.share.reshape(-1, 1, 1)
    mixed = views.tokens_of(first, view)
    later = np.flatnonzero(share.ravel() > 0)
    part = share[later]
    mixed[later] += part * (views.tokens_of(second[later], view[later]) - mixed[later])
    mixed = mixed.reshape(count, frames, *mixed.shape[1:])
    mixed[sequences.blind] = 0.0
    return mixed


def _chosen(views: ExpressionViews, make: Generator) -> NDArray[np.int64]:
    """(2,) the first and the last picture of a sequence."""
    first = int(make.integers(len(views)))
    draw = make.random()
    if draw < STILL:
        return np.array([first, first])
    if draw < STILL + CHANGING:
        same = np.flatnonzero(views.people == views.people[first])
        return np.array([first, int(make.choice(same))])
    return np.array([first, int(make.integers(len(views)))])


def _mixed(
    values: FloatArray,
    pictures: NDArray[np.int64],
    view: NDArray[np.int64],
    share: FloatArray,
) -> FloatArray:
    """(S, T, n) of values (M, `VIEWS`, n)."""
    first, second = (values[pictures[:, i, None], view] for i in (0, 1))
    return np.asarray(first + share[..., None] * (second - first), np.float32)
