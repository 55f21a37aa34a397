"""Looks again at each face point, in finer features than the tokens.

A token stands for 16 px; where a lid's edge lies, and how tightly lips are pressed, is a matter of
less than one. So each point, once it is roughly placed, is looked up in the stem's finer features:
that moves it by a few pixels at most, and tells the layers that read the expression how it looks
there.

Source:
    Sun et al., Deep Convolutional Network Cascade for Facial Point Detection, CVPR 2013 (the order:
    all points from the whole face, then each one from its surroundings).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import EncoderConfig, HeadsConfig
from .errors import ConfigError

FINE, MIDDLE = 1, 2
"""Stages of the stem that are looked into: squares of 4 px and of 8 px."""
AROUND = ((0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
"""Where around a point the fine features are taken, in their squares."""
REACH = 1 / 32
"""Sides of the crop by which a point is moved for each unit of what the last layer says."""


class PointDetail(nn.Module):
    """Moves points and tells how the face looks there.

    Args:
        config: of the heads.
        encoder: whose stem is looked into.

    Raises:
        ConfigError: the stem has fewer than three stages.
    """

    around: Tensor

    def __init__(self, config: HeadsConfig, encoder: EncoderConfig) -> None:
        super().__init__()
        widths = encoder.stem_widths
        if len(widths) <= MIDDLE:
            raise ConfigError(f"the stem needs {MIDDLE + 1} stages or more, it has {len(widths)}")
        self.landmarks = config.landmarks
        self.fine = nn.Conv2d(widths[FINE], config.fine_dim, 1)
        self.middle = nn.Conv2d(widths[MIDDLE], config.middle_dim, 1)
        seen = len(AROUND) * config.fine_dim + config.middle_dim
        self.hidden = nn.Linear(seen, config.detail_hidden_dim)
        self.which = nn.Parameter(torch.zeros(config.landmarks, config.detail_hidden_dim))
        """Tells the points from each other."""
        each = torch.zeros(config.landmarks, config.detail_hidden_dim, 2 + config.detail_dim)
        # The points stay where they are at first.
        nn.init.trunc_normal_(each[..., 2:], std=config.detail_hidden_dim**-0.5)
        self.out = nn.Parameter(each)
        self.sides = tuple(encoder.size // 2 ** (stage + 1) for stage in (FINE, MIDDLE))
        square = 1 / self.sides[0]
        self.register_buffer("around", square * torch.tensor(AROUND), persistent=False)

    def forward(self, points: Tensor, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Look at roughly placed points.

        Args:
            points: (N, L, 2) in sides of the crop; no gradient passes through the place looked at.
            maps: features of the stem's stages, (N, C, s, s) each.

        Returns:
            (N, L, 2) how far each is to move, and (N, L * detail_dim) how it looks there.
        """
        places, landmarks = points.detach(), self.landmarks
        picture = torch.arange(points.shape[0], device=points.device)[:, None]
        around = (places[:, :, None] + self.around).reshape(-1, landmarks * len(AROUND), 2)
        fine = _looked_up(self.fine(maps[FINE]), around, self.sides[0], picture)
        fine = fine.reshape(-1, landmarks, len(AROUND) * self.fine.out_channels)
        middle = _looked_up(self.middle(maps[MIDDLE]), places, self.sides[1], picture)
        x = functional.gelu(self.hidden(torch.cat((fine, middle), dim=-1)) + self.which)
        told = (x.transpose(0, 1) @ self.out).transpose(0, 1)
        return REACH * told[..., :2], told[..., 2:].flatten(1)


def _looked_up(features: Tensor, places: Tensor, side: int, picture: Tensor) -> Tensor:
    """(N, P, C) of features (N, C, side, side) at places (N, P, 2) in sides of the crop,
    interpolated between the four nearest squares; outside the edge counts. ``picture`` (N, 1)
    numbers the pictures.

    Written out: onnxruntime's own operator for this takes four times as long. So would asking the
    features for their shape, whenever it runs.
    """
    rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    within = (places * side - 0.5).clamp(0.0, side - 1.0)
    corner = within.floor().clamp(max=side - 2.0)
    right, down = torch.split(within - corner, 1, dim=-1)
    first = (corner[..., 1] * side + corner[..., 0]).long() + picture * side**2
    upper = _between(rows[first], rows[first + 1], right)
    lower = _between(rows[first + side], rows[first + side + 1], right)
    return _between(upper, lower, down)


def _between(start: Tensor, end: Tensor, part: Tensor) -> Tensor:
    """As `torch.lerp`, which is exported with branches that take longer than all the rest."""
    return start + (end - start) * part
