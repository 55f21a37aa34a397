"""Pictures on their way into a network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from .losses import Targets


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A batch: crops and what is known of them."""

    crops: Tensor
    """(N, 128, 128, 3) uint8 RGB."""
    targets: Targets
    people: Tensor
    """(N,) int64, equal for one identity."""
    second_views: int = 0
    """How many of the last pictures are the first ones again, jittered otherwise."""

    def __len__(self) -> int:
        """Pictures."""
        return len(self.crops)

    def to(self, device: torch.device) -> "Pictures":
        """The same batch on a device."""
        if device.type == "cpu":
            return self
        moved = {k: v.to(device, non_blocking=True) for k, v in vars(self.targets).items()}
        return Pictures(
            crops=self.crops.to(device, non_blocking=True),
            targets=Targets(**moved),
            people=self.people,
            second_views=self.second_views,
        )


class Feed(Protocol):
    """Where batches come from."""

    def training(self, start: int) -> Iterator[Pictures]:
        """Batches without end; ``start`` were taken before, so that none comes again."""
        ...

    def blendshapes(self, count: int) -> Tensor:
        """(M, 52) of about ``count`` training samples, equal in every process; NaN unknown."""
        ...

    def validation(self) -> Sequence[Pictures]:
        """The same pictures each time, without augmentation."""
        ...

    def facts(self) -> dict[str, Any]:
        """What the data is, for ``run.json``."""
        ...
