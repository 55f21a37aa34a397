"""The network that finds faces; its runtime is `freeavatar.foundation.face_finder`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import Config
from .errors import ConfigError
from .finder_grid import NUMBERS_PER_CELL, STRIDES


@dataclass(frozen=True, kw_only=True)
class FinderConfig(Config):
    """Rebuilds the network from a checkpoint."""

    kind: ClassVar[str] = "face-finder-network/1"

    stem: int = 32
    """Channels of the first layer, which sees windows of 6 x 6 pixels at every fourth."""
    widths: tuple[int, ...] = (48, 64, 96, 96)
    """Channels at strides 8, 16, 32 and 64; multiples of 16 run best."""
    blocks: tuple[int, ...] = (0, 2, 2, 1)
    """Residual blocks at each stride. One at stride 8 costs as much as four at 16."""
    neck: int = 32
    """Channels where the strides meet and of the heads."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if len(self.widths) != len(STRIDES) + 1 or len(self.blocks) != len(self.widths):
            raise ConfigError("a face finder has four widths and four counts of blocks")


def _layer(inputs: int, outputs: int, size: int = 3, stride: int = 1, border: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, border, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _layer(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class FinderNet(nn.Module):
    """Fully convolutional; one head for small, middle and large faces each (`STRIDES`).

    What the coarse strides see is added to the finer ones from above, so that a small face is
    judged by what is around it.

    Source:
        heads as centres of objects: Zhou et al., Objects as Points, 2019; strides that meet: Lin et
        al., Feature Pyramid Networks for Object Detection, CVPR 2017.
    """

    def __init__(self, config: FinderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FinderConfig()
        self.stem = _layer(3, config.stem, size=6, stride=4)
        widths = (config.stem, *config.widths)
        self.stages = nn.ModuleList(
            nn.Sequential(
                _layer(widths[i], widths[i + 1], stride=2),
                *(_Residual(widths[i + 1]) for _ in range(count)),
            )
            for i, count in enumerate(config.blocks)
        )
        self.across = nn.ModuleList(nn.Conv2d(w, config.neck, 1) for w in config.widths)
        self.heads = nn.ModuleList(_head(config.neck) for _ in STRIDES)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Logits and numbers of every cell.

        Args:
            pictures: (N, H, W, 3) uint8 RGB; H and W multiples of 32.

        Returns:
            For each of `STRIDES` (N, H / stride, W / stride, 11): logit of "a face has its middle
            here", then ten numbers as `freeavatar.foundation.finder_grid` defines them.
        """
        x = self.stem(pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return self._heads(features)

    def _heads(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        above = self.across[-1](features[-1])
        found = []
        for i in reversed(range(len(STRIDES))):
            here = self.across[i](features[i])
            above = here + functional.interpolate(
                functional.relu(above), size=here.shape[2:], mode="nearest"
            )
            found.append(self.heads[i](functional.relu(above)).permute(0, 2, 3, 1))
        return tuple(reversed(found))


class FinderPeaks(nn.Module):
    """The network as it is exported: scores 0..1 that are 0 beside a higher one of their stride."""

    def __init__(self, net: FinderNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """As `FinderNet.forward`, with the peaks' scores in place of logits."""
        out = []
        for cells in self.net(pictures):
            logits = cells[..., :1].permute(0, 3, 1, 2)
            peak = (functional.max_pool2d(logits, 3, 1, 1) == logits).float()
            scores = (torch.sigmoid(logits) * peak).permute(0, 2, 3, 1)
            out.append(torch.cat([scores, cells[..., 1:]], dim=-1))
        return tuple(out)


def _head(width: int) -> nn.Module:
    last = nn.Conv2d(width, NUMBERS_PER_CELL, 1)
    nn.init.normal_(last.weight, std=0.01)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    with torch.no_grad():
        last.bias[0] = -4.6  # most cells hold no face: a score of 1 % to begin with
    return nn.Sequential(_layer(width, width), last)
