"""What is read from the encoder's tokens, all from one small trunk.

Sources:
    Zhou et al., On the Continuity of Rotation Representations in Neural Networks, CVPR 2019.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import HeadsConfig
from .expression import BLENDSHAPES
from .landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

_START = {"blendshapes": -2.0, "place": 0.5, "landmarks": 0.5}
"""Biases at the start: a face mostly at rest, in the middle of the crop."""
_MEANING = ("blendshapes", "eyes", "embedding")
"""Heads that also see what was found of points and rotation."""


class ExpressionOutput(NamedTuple):
    """One row for each crop, float32; lengths in sides of the crop (0..1), from its corner."""

    blendshapes: Tensor
    """(N, 52) ARKit coefficients 0..1."""
    eyes: Tensor
    """(N, 2, 2) yaw, pitch of left and right eye, radians."""
    head: Tensor
    """(N, 3, 3) rotation in the axes of the crop, as `Expression.head`."""
    place: Tensor
    """(N, 3) x, y of the mean of the eye corners; metres that the side of the crop spans there."""
    landmarks: Tensor
    """(N, 156, 2) x, y."""
    confidence: Tensor
    """(N,) 0..1 that there is a face."""
    embedding: Tensor
    """(N, 64) unit length; distance is difference of expression."""
    tokens: Tensor
    """(N, T, dim) the encoder's."""


def rotation_from_6d(numbers: Tensor) -> Tensor:
    """Rotation matrices from two vectors that need be neither unit nor orthogonal.

    Args:
        numbers: (..., 6) the first two columns, one after the other.

    Returns:
        (..., 3, 3) orthonormal, determinant 1.
    """
    first, second = numbers[..., :3], numbers[..., 3:]
    x = functional.normalize(first, dim=-1, eps=1e-6)
    y = functional.normalize(second - (x * second).sum(dim=-1, keepdim=True) * x, dim=-1, eps=1e-6)
    # Written out: exporters know no cross product.
    z = torch.stack(
        (
            x[..., 1] * y[..., 2] - x[..., 2] * y[..., 1],
            x[..., 2] * y[..., 0] - x[..., 0] * y[..., 2],
            x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0],
        ),
        dim=-1,
    )
    return torch.stack((x, y, z), dim=-1)


class Shape(nn.Module):
    """The face's points without where, how large and how tilted the face is in the crop."""

    def __init__(self, landmarks: int) -> None:
        super().__init__()
        # Expressions move a point by a small part of its distance from the middle.
        self.norm = nn.BatchNorm1d(2 * landmarks)

    def forward(self, points: Tensor) -> Tensor:
        """(N, L, 2) to (N, 2 L)."""
        right = points[:, list(RIGHT_EYE_CORNERS)].mean(dim=1)
        left = points[:, list(LEFT_EYE_CORNERS)].mean(dim=1)
        across = functional.normalize(left - right, dim=-1, eps=0.05)
        x, y = (points - (left + right)[:, None] / 2).unbind(dim=-1)
        cos, sin = across[:, :1], across[:, 1:]
        level = torch.stack((x * cos + y * sin, y * cos - x * sin), dim=-1)
        size = level.square().sum(dim=-1).mean(dim=1).clamp(min=0.01).sqrt()
        out: Tensor = self.norm((level / size[:, None, None]).flatten(1))
        return out


class Heads(nn.Module):
    """Tokens to numbers: a few of every token, a hidden layer, one linear map for each head.

    What the face expresses has a second hidden layer, which also sees the points and the head's
    rotation that were found: where lids and lips are is learnt long before what it means.
    """

    def __init__(self, config: HeadsConfig, *, tokens: int, dim: int) -> None:
        super().__init__()
        self.config = config
        self.narrow = nn.Linear(dim, config.token_dim)
        self.trunk = nn.Linear(tokens * config.token_dim, config.hidden_dim)
        widths = {
            "blendshapes": len(BLENDSHAPES),
            "eyes": 4,
            "head": 6,
            "place": 3,
            "landmarks": 2 * config.landmarks,
            "confidence": 1,
            "embedding": config.embedding_dim,
        }
        self.shape = Shape(config.landmarks)
        seen = config.hidden_dim + 2 * config.landmarks + widths["head"]
        self.meaning = nn.Linear(seen, config.hidden_dim)
        self.out = nn.ModuleDict({k: nn.Linear(config.hidden_dim, n) for k, n in widths.items()})
        for name, linear in self.out.items():
            assert isinstance(linear, nn.Linear)
            if name != "embedding":
                nn.init.trunc_normal_(linear.weight, std=0.01)
            nn.init.constant_(linear.bias, _START.get(name, 0.0))
            if name == "head":
                # A face that looks into the camera.
                linear.bias.data[[0, 4]] = 1.0

    def forward(self, tokens: Tensor) -> ExpressionOutput:
        """Read tokens (N, T, dim)."""
        # Half precision would round a landmark to a quarter of a pixel.
        with torch.autocast(tokens.device.type, enabled=False):
            tokens = tokens.float()
            x = functional.gelu(self.trunk(self.narrow(tokens).flatten(1)))
            raw = {k: linear(x) for k, linear in self.out.items() if k not in _MEANING}
            points = raw["landmarks"].reshape(-1, self.config.landmarks, 2)
            # Detached: what the face means shall not pull at where its points are.
            seen = torch.cat((x, self.shape(points.detach()), raw["head"].detach()), dim=1)
            x = functional.gelu(self.meaning(seen))
            raw |= {k: self.out[k](x) for k in _MEANING}
            return ExpressionOutput(
                blendshapes=torch.sigmoid(raw["blendshapes"]),
                eyes=raw["eyes"].reshape(-1, 2, 2),
                head=rotation_from_6d(raw["head"]),
                place=raw["place"],
                landmarks=points,
                confidence=torch.sigmoid(raw["confidence"]).squeeze(-1),
                embedding=functional.normalize(raw["embedding"], dim=-1),
                tokens=tokens,
            )
