"""Pictures on their way into a network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
    opposite: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.bool))
    """(S,) The last S pictures before the triplets are the first ones again, jittered otherwise;
    True where such a second view is also mirrored against the first."""
    margins: Tensor = field(default_factory=lambda: torch.zeros(0))
    """(T,) of the triplets; the last 3 T pictures are anchor, positive, negative of each in turn,
    without labels."""

    def __len__(self) -> int:
        """Pictures."""
        return len(self.crops)

    def with_triplets(self, triplets: "Pictures") -> "Pictures":
        """One batch of this one, which has no triplets, and of nothing but triplets."""
        mine, theirs = vars(self.targets), vars(triplets.targets)
        return Pictures(
            crops=torch.cat([self.crops, triplets.crops]),
            targets=Targets(**{k: torch.cat([v, theirs[k]]) for k, v in mine.items()}),
            people=torch.cat([self.people, triplets.people]),
            opposite=self.opposite,
            margins=triplets.margins,
        )

    def to(self, device: torch.device) -> "Pictures":
        """The same batch on a device."""
        if device.type == "cpu":
            return self
        moved = {k: v.to(device, non_blocking=True) for k, v in vars(self.targets).items()}
        return Pictures(
            crops=self.crops.to(device, non_blocking=True),
            targets=Targets(**moved),
            people=self.people,
            opposite=self.opposite.to(device, non_blocking=True),
            margins=self.margins.to(device, non_blocking=True),
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
