"""One network for all rigs: from pictures of points to finished pictures.

It fills what the points leave open, draws edges, lids and the inside of the mouth, and lights it.
What enters is nearly right already; the network starts as the identity and adds what is missing.

Sources:
    Ronneberger et al., U-Net, MICCAI 2015.
    Perez et al., FiLM, AAAI 2018 (light and rig act on every block).
    Shi et al., Sub-Pixel Convolutional Neural Network, CVPR 2016.
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from .appearance import Appearance
from .dots import CODE, COVERAGE, LIGHT, MAPS
from .splatting import Points


@dataclass(frozen=True, kw_only=True)
class RendererConfig:
    """Sizes of a `RendererNet`."""

    widths: tuple[int, ...] = (32, 64, 112)
    """Channels at half the picture's size, a quarter, an eighth."""
    condition_dim: int = 32

    def to_dict(self) -> dict[str, Any]:
        """As kept in files."""
        return {**asdict(self), "widths": list(self.widths)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What `to_dict` gave."""
        return cls(widths=tuple(data["widths"]), condition_dim=int(data["condition_dim"]))


class Block(nn.Module):
    """Two convolutions beside the identity, scaled and shifted by the condition."""

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)
        self.modulation = nn.Linear(condition, 2 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(N, W, h, w) and (N, D) to (N, W, h, w)."""
        scale, shift = self.modulation(condition)[..., None, None].chunk(2, dim=1)
        inner = functional.silu(self.first(x)) * (1.0 + scale) + shift
        out: Tensor = x + self.second(inner)
        return out


class RendererNet(nn.Module):
    """Maps of points to colour and mask.

    Args:
        config: sizes.
    """

    def __init__(self, config: RendererConfig) -> None:
        super().__init__()
        self.config = config
        widths, inner = config.widths, config.condition_dim
        self.condition = nn.Sequential(nn.Linear(LIGHT + CODE, inner), nn.SiLU())
        self.enter = nn.Conv2d(4 * MAPS, widths[0], 3, 1, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(widths))
        self.before = nn.ModuleList(Block(w, inner) for w in widths)
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.after = nn.ModuleList(Block(w, inner) for w in widths[:-1])
        self.leave = nn.Conv2d(widths[0], 4 * 4, 3, 1, 1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def forward(self, maps: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Draw.

        Args:
            maps: (N, `MAPS`, S, S) of `Points.maps`; S a multiple of 8.
            condition: (N, 24) light, then the rig's code (zeros for a rig that has none).

        Returns:
            (N, 3, S, S) sRGB 0..1 and (N, 1, S, S) 0..1 where the rig is.
        """
        told = self.condition(condition)
        x = functional.silu(self.enter(functional.pixel_unshuffle(maps, 2)))
        kept = []
        for level, block in enumerate(self.before):
            x = block(x, told)
            if level < len(self.down):
                kept.append(x)
                x = functional.silu(self.down[level](x))
        for level in reversed(range(len(self.up))):
            x = functional.pixel_shuffle(self.up[level](x), 2) + kept[level]
            x = self.after[level](x, told)
        added = functional.pixel_shuffle(self.leave(x), 2)
        colour = (maps[:, :3] + added[:, :3]).clamp(0.0, 1.0)
        covered = maps[:, COVERAGE : COVERAGE + 1].clamp(0.02, 0.98)
        mask = torch.sigmoid(torch.log(covered / (1.0 - covered)) + added[:, 3:])
        return colour, mask


class TorchRenderer(nn.Module):
    """Several rigs and the network they share; differentiable in what the rigs do.

    Args:
        net: shared.
        appearances: of the rigs.
        size: pixels a side.
    """

    def __init__(self, net: RendererNet, appearances: list[Appearance], *, size: int = 128) -> None:
        super().__init__()
        self.net, self.size = net, size
        self.rigs = nn.ModuleList(Points(a) for a in appearances)
        self.codes = nn.Parameter(torch.zeros(len(appearances), CODE))

    def render(
        self,
        rig: int,
        weights: Tensor,
        head: Tensor,
        eyes: Tensor,
        light: Tensor,
        lens: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw one rig.

        Args:
            rig: which one.
            weights: (N, K) unit weights of its controls.
            head: (N, 3) yaw, pitch, roll, radians.
            eyes: (N, 2, 3) of the left and the right eye.
            light: (N, 8).
            lens: (N,) fields of view, radians; None for that of the reference pictures.

        Returns:
            (N, 3, S, S) sRGB 0..1 and (N, 1, S, S) mask.
        """
        points = self.rigs[rig]
        assert isinstance(points, Points)
        maps = points.maps(weights, head, eyes, light, self.size, lens)
        condition = torch.cat((light, self.codes[rig].expand(len(weights), -1)), dim=1)
        colour, mask = self.net(maps, condition)
        return colour, mask
