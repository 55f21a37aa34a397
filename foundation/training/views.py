"""Turns drawn samples into a batch: cut, mirrored and varied, some without a face."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.samples import Sample

from .augment import TARGETS, Augmenter, View, plain_view
from .feeding import Pictures
from .geometry import moved, random_jitter, warp
from .losses import Targets
from .photometry import Photometry

WITHOUT_FACE = 0.08
"""Part of the pictures from which the face is taken away."""
MIRRORED_NUMBER = 1_000_000_000
"""Added to an expression's number where its picture is mirrored: it is another expression then."""


class Viewer:
    """Makes random batches.

    Args:
        seed: of what does not change from batch to batch.
    """

    def __init__(self, seed: int) -> None:
        self._augmenter = Augmenter(seed)
        self._photometry = Photometry(seed)
        self._last: NDArray[np.uint8] | None = None

    def batch(
        self,
        samples: Sequence[Sample],
        people: NDArray[np.int64],
        make: np.random.Generator,
        *,
        second_views: int = 0,
    ) -> Pictures:
        """A random view of each sample.

        Args:
            samples: the last ``second_views`` show the same as the first ones.
            people: (N,) equal for one identity.
            make: decides everything.
        """
        mirrored = _mirrored(samples, make, second_views)
        views = [self._view(s, bool(m), make) for s, m in zip(samples, mirrored, strict=True)]
        numbers = np.array([s.expression for s in samples], np.int64)
        numbers = np.where(mirrored & (numbers >= 0), numbers + MIRRORED_NUMBER, numbers)
        # What is compared with something else keeps its face.
        middle = range(second_views, len(samples) - second_views)
        for i in middle:
            if samples[i].face and make.random() < WITHOUT_FACE:
                views[i] = self._augmenter.without_face(samples[i].picture, make)
                numbers[i] = -1
        again = len(samples) - second_views
        opposite = torch.from_numpy(mirrored[:second_views] != mirrored[again:])
        return pictures(views, numbers, people, opposite=opposite)

    def triplets(
        self, samples: Sequence[Sample], margins: NDArray[np.float32], make: np.random.Generator
    ) -> Pictures:
        """A random view of each face of triplets, those of one triplet mirrored alike.

        Args:
            samples: (3 T) anchor, positive, negative of each in turn; labels are not used.
            margins: (T,).
            make: decides everything.
        """
        mirrored = np.repeat(make.random(len(margins)) < 0.5, 3)
        views = [self._view(s, bool(m), make) for s, m in zip(samples, mirrored, strict=True)]
        nobody = np.full(len(views), -1, np.int64)
        batch = pictures(views, nobody, nobody)
        nothing = {k: torch.full_like(v, torch.nan) for k, v in vars(batch.targets).items()
                   if k != "expressions"}  # fmt: skip
        targets = dataclasses.replace(batch.targets, **nothing)
        return dataclasses.replace(batch, targets=targets, margins=torch.from_numpy(margins))

    def _view(self, sample: Sample, mirrored: bool, make: np.random.Generator) -> View:
        jitter = dataclasses.replace(random_jitter(make), mirrored=mirrored)
        crop = self._photometry(warp(sample.picture, jitter), make, donor=self._last)
        self._last = crop
        targets = moved(known(sample), jitter, sample.picture.shape[0])
        return View(crop=crop, targets=targets, face=sample.face)


def _mirrored(
    samples: Sequence[Sample], make: np.random.Generator, second_views: int
) -> NDArray[np.bool_]:
    """Half are mirrored; pictures that will be compared are mirrored alike.

    These are one expression's and its neighbour's in the sequence (numbers 2 n and 2 n + 1). Of two
    views of one picture, half are each other's mirror images.
    """
    out = make.random(len(samples)) < 0.5
    chosen: dict[int, bool] = {}
    for i, sample in enumerate(samples):
        if sample.expression >= 0:
            out[i] = chosen.setdefault(sample.expression // 2, bool(out[i]))
    if second_views:
        out[-second_views:] = out[:second_views] ^ (make.random(second_views) < 0.5)
    return out


def known(sample: Sample) -> Mapping[str, FloatArray]:
    """The numbers of a sample by name."""
    return {name: getattr(sample, name) for name in TARGETS}


def plain_batch(samples: Sequence[Sample], people: NDArray[np.int64]) -> Pictures:
    """The middle of each sample as it is, for validation."""
    views = [plain_view(s.picture, known(s), face=s.face) for s in samples]
    return pictures(views, np.array([s.expression for s in samples], np.int64), people)


def pictures(
    views: Sequence[View],
    expressions: NDArray[np.int64],
    people: NDArray[np.int64],
    *,
    opposite: Tensor | None = None,
) -> Pictures:
    """Views as one batch of tensors.

    Args:
        opposite: of second views, see `Pictures`.
    """
    opposite = torch.zeros(0, dtype=torch.bool) if opposite is None else opposite
    stacked = {
        name: torch.from_numpy(np.stack([v.targets[name] for v in views]).astype(np.float32))
        for name in TARGETS
    }
    return Pictures(
        crops=torch.from_numpy(np.stack([v.crop for v in views])),
        targets=Targets(
            **stacked,
            face=torch.tensor([float(v.face) for v in views]),
            expressions=torch.from_numpy(expressions),
        ),
        people=torch.from_numpy(people),
        opposite=opposite,
    )
