"""Toy faces: grey squares in which a bright blob's place is the expression."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from freeavatar.foundation.training.feeding import Pictures
from freeavatar.foundation.training.losses import Targets


def toy_pictures(count: int, *, seed: int, size: int = 128, second_views: int = 0) -> Pictures:
    """A batch whose truth can be read from its pixels.

    The blob's x says the first 26 blendshapes, its y the others; landmarks lie on the blob.
    """
    make = torch.Generator().manual_seed(seed)
    spots = torch.rand(count, 2, generator=make)
    if second_views:
        spots[-second_views:] = spots[:second_views]
    axis = (torch.arange(size) + 0.5) / size
    x = torch.exp(-((axis[None] - 0.2 - 0.6 * spots[:, :1]) ** 2) / 0.01)
    y = torch.exp(-((axis[None] - 0.2 - 0.6 * spots[:, 1:]) ** 2) / 0.01)
    grey = 60 + 150 * y[:, :, None] * x[:, None, :] + 20 * torch.rand(count, 1, 1, generator=make)
    noisy = grey[..., None] + 10 * torch.rand(count, size, size, 3, generator=make)
    return Pictures(
        crops=noisy.clamp(0, 255).to(torch.uint8),
        targets=Targets(
            blendshapes=spots.repeat_interleave(26, dim=1),
            eyes=(spots - 0.5)[:, None].repeat(1, 2, 1),
            head=torch.eye(3).repeat(count, 1, 1),
            place=torch.cat([0.2 + 0.6 * spots, torch.full((count, 1), 0.25)], dim=1),
            landmarks=(0.2 + 0.6 * spots)[:, None].repeat(1, 156, 1),
            face=torch.ones(count),
            expressions=torch.arange(count) // 2,
        ),
        people=torch.arange(count) % 7,
        opposite=torch.zeros(second_views, dtype=torch.bool),
    )


class ToyFeed:
    """Endless toy faces."""

    def __init__(self, *, batch: int = 32, size: int = 128, second_views: int = 0) -> None:
        self.batch, self.size, self.second_views = batch, size, second_views

    def training(self, start: int) -> Iterator[Pictures]:
        """Each batch new."""
        seed = 1000 + start
        while True:
            seed += 1
            yield toy_pictures(
                self.batch, seed=seed, size=self.size, second_views=self.second_views
            )

    def blendshapes(self, count: int) -> torch.Tensor:
        """Those of one batch."""
        return toy_pictures(count, seed=3, size=16).targets.blendshapes

    def validation(self) -> Sequence[Pictures]:
        """Two batches."""
        return [toy_pictures(self.batch, seed=seed, size=self.size) for seed in (1, 2)]

    def facts(self) -> dict[str, Any]:
        """No real data."""
        return {"data": {"toy": {"samples": 32, "weight": 1.0, "manifest": None}}}
