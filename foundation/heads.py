"""What is read from the encoder's tokens, all from one small trunk, and from a look at each point.

Sources:
    Zhou et al., On the Continuity of Rotation Representations in Neural Networks, CVPR 2019.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import EncoderConfig, HeadsConfig
from .expression import BLENDSHAPES
from .landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from .point_detail import PointDetail

_EYES = (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS)
_NEXT, _AFTER = [1, 2, 0], [2, 0, 1]
"""The axes that each axis is turned about by, in order."""
_START = {"blendshapes": -2.0, "place": 0.5, "landmarks": 0.5}
"""Biases at the start: a face mostly at rest, in the middle of the crop."""
MEANING = ("blendshapes", "eyes", "embedding")
"""Heads that also see what was found of points and rotation, and how each point looks."""


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
    first, second = torch.split(numbers, 3, dim=-1)
    x = unit(first, least=1e-6)
    y = unit(second - (x * second).sum(dim=-1, keepdim=True) * x, least=1e-6)
    # Written out: exporters know no cross product.
    z = x[..., _NEXT] * y[..., _AFTER] - x[..., _AFTER] * y[..., _NEXT]
    return torch.stack((x, y, z), dim=-1)


def unit(vectors: Tensor, *, least: float = 1e-12) -> Tensor:
    """Vectors (..., D) at length 1; those shorter than ``least`` stay shorter.

    As `torch.nn.functional.normalize`, which is exported by way of its shape.
    """
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    shortened: Tensor = vectors / length.clamp(min=least)
    return shortened


def _mean_of(chosen: Sequence[int], count: int) -> Tensor:
    """(count,) weights that make of as many points the mean of some."""
    weights = torch.zeros(count)
    weights[list(chosen)] = 1.0 / len(chosen)
    return weights


class Shape(nn.Module):
    """The face's points without where, how large and how tilted the face is in the crop.

    Expressions move a point by a small part of its distance from the middle, so the numbers are
    standardised. That is done by slowly learnt statistics in training as well: those of a batch of
    32 would shake every number by a fifth of its deviation, more than most expressions move it.
    """

    FOLLOW = 0.02
    """Part of the way that the statistics go toward each batch's."""

    mean: Tensor
    deviation: Tensor
    eyes: Tensor
    """(2, L) makes of the points how far the eyes are apart, and their middle."""
    turns: Tensor
    """(2, 4) makes of the direction across the eyes the turn that levels it."""

    def __init__(self, landmarks: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2 * landmarks))
        self.register_buffer("deviation", torch.full((2 * landmarks,), 0.1))
        right, left = (_mean_of(corners, landmarks) for corners in _EYES)
        self.register_buffer(
            "eyes", torch.stack((left - right, (left + right) / 2)), persistent=False
        )
        turns = torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.0, -1.0, 1.0, 0.0]])
        self.register_buffer("turns", turns, persistent=False)

    def forward(self, points: Tensor) -> Tensor:
        """(N, L, 2) to (N, 2 L)."""
        level = self.level(points)
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(level.mean(dim=0), self.FOLLOW)
                spread = (level - self.mean).square().mean(dim=0)
                variance = self.deviation.square().lerp_(spread, self.FOLLOW)
                self.deviation.copy_(variance.clamp(min=1e-5).sqrt())
        out: Tensor = (level - self.mean) / self.deviation
        return out

    def level(self, points: Tensor) -> Tensor:
        """(N, L, 2) to (N, 2 L): eyes level, in sizes of the face from the middle of the eyes."""
        across, middle = torch.split(self.eyes @ points, 1, dim=1)
        turn = (unit(across, least=0.05) @ self.turns).reshape(-1, 2, 2)
        level = ((points - middle) @ turn).flatten(1)
        size = torch.linalg.vector_norm(level, dim=1, keepdim=True) * self.eyes.shape[1] ** -0.5
        out: Tensor = level / size.clamp(min=0.1)
        return out


class Heads(nn.Module):
    """Tokens to numbers: a few of every token, a hidden layer, one linear map for each head.

    Points are placed twice, the second time by what `PointDetail` sees of their surroundings.

    What the face expresses has hidden layers of its own. They see the same few of every token, the
    points and the head's rotation that were found, and how the points look: where lids and lips are
    is learnt long before what it means.

    Out of training each blendshape is put on its scale: ``(value - rest) * gain``, cut at 0 and 1.
    A network that is unsure says the mean of what may be, too much at rest and too little in full
    swing; see `freeavatar.foundation.training.calibration`.
    """

    rest: Tensor
    gain: Tensor

    def __init__(self, config: HeadsConfig, encoder: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.narrow = nn.Linear(encoder.dim, config.token_dim)
        self.trunk = nn.Linear(encoder.tokens * config.token_dim, config.hidden_dim)
        self.detail = PointDetail(config, encoder)
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
        self.register_buffer("rest", torch.zeros(len(BLENDSHAPES)))
        self.register_buffer("gain", torch.ones(len(BLENDSHAPES)))
        seen = encoder.tokens * config.token_dim + 2 * config.landmarks + widths["head"]
        seen += config.landmarks * config.detail_dim
        self.meaning = nn.Sequential(
            nn.Linear(seen, config.meaning_dim),
            nn.GELU(),
            nn.Linear(config.meaning_dim, config.meaning_dim),
            nn.GELU(),
        )
        self.out = nn.ModuleDict(
            {
                k: nn.Linear(config.meaning_dim if k in MEANING else config.hidden_dim, n)
                for k, n in widths.items()
            }
        )
        for name, linear in self.out.items():
            assert isinstance(linear, nn.Linear)
            if name != "embedding":
                nn.init.trunc_normal_(linear.weight, std=0.01)
            nn.init.constant_(linear.bias, _START.get(name, 0.0))
            if name == "head":
                # A face that looks into the camera.
                linear.bias.data[[0, 4]] = 1.0

    def forward(self, tokens: Tensor, maps: Sequence[Tensor]) -> ExpressionOutput:
        """Read tokens (N, T, dim) and the features (N, C, s, s) of each stage of the stem."""
        # Half precision would round a landmark to a quarter of a pixel.
        with torch.autocast(tokens.device.type, enabled=False):
            tokens = tokens.float()
            raw, seen = self.placed(tokens, [m.float() for m in maps])
            raw |= self.meant(seen)
            return ExpressionOutput(
                blendshapes=self._scaled(raw["blendshapes"]),
                eyes=raw["eyes"],
                head=rotation_from_6d(raw["head"]),
                place=raw["place"],
                landmarks=raw["landmarks"],
                confidence=torch.sigmoid(raw["confidence"]).squeeze(-1),
                embedding=raw["embedding"],
                tokens=tokens,
            )

    def placed(self, tokens: Tensor, maps: Sequence[Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """Where the face and its points are.

        Args:
            tokens: (N, T, dim) float32.
            maps: features of each stage of the stem, float32.

        Returns:
            The heads that say so, by name, and (N, S) what `meant` sees.
        """
        few = self.narrow(tokens).flatten(1)
        x = functional.gelu(self.trunk(few))
        raw = {k: linear(x) for k, linear in self.out.items() if k not in MEANING}
        roughly = raw["landmarks"].reshape(-1, self.config.landmarks, 2)
        moved, looks = self.detail(roughly, maps)
        raw["landmarks"] = roughly + moved
        # Detached: what the face means shall not pull at where its points are.
        shape = self.shape(raw["landmarks"].detach())
        return raw, torch.cat((few, shape, raw["head"].detach(), looks), dim=1)

    def meant(self, seen: Tensor, *, dropout: float = 0.0) -> dict[str, Tensor]:
        """What the face expresses: blendshapes (N, 52) not yet scaled, eyes and embedding.

        Args:
            seen: (N, S) of `placed`.
            dropout: part of the hidden numbers that is left out at random.
        """
        x = seen
        for layer in self.meaning:
            x = layer(x)
            if dropout and isinstance(layer, nn.GELU):
                x = functional.dropout(x, dropout)
        return {
            "blendshapes": torch.sigmoid(self.out["blendshapes"](x)),
            "eyes": self.out["eyes"](x).reshape(-1, 2, 2),
            "embedding": unit(self.out["embedding"](x)),
        }

    def _scaled(self, values: Tensor) -> Tensor:
        return values if self.training else ((values - self.rest) * self.gain).clamp(0.0, 1.0)
