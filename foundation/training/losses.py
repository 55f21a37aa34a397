"""Losses of the heads; what is unknown of a picture (NaN) costs nothing."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from freeavatar.foundation.apertures import SHARES
from freeavatar.foundation.expression import BLENDSHAPES, SWAPPED
from freeavatar.foundation.heads import ExpressionOutput
from freeavatar.foundation.landmarks import LANDMARKS

SEEN_FIRST = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight")
"""Channels whose errors people see before all others: they count twice."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """How much each loss counts.

    Chosen by the gradients that reach the encoder: blendshapes and points lead, gaze (whose own
    gradient is small) has half of their part, and the contrastive loss a fifth; at a weight of 1 it
    outweighed all others, and gaze was not learnt at all.
    """

    blendshapes: float = 20.0
    """Divergence of the coefficients, see `blendshape_loss`."""
    landmarks: float = 60.0
    """Absolute error in sides of the crop; 2.6 px of 128 cost 1.2."""
    segments: float = 60.0
    """Absolute error, in sides of the crop, of the distances that tell how far mouth, lids and
    brows stand open: all their points may be wrong alike, but not against each other."""
    eyes: float = 8.0
    """Absolute error in radians."""
    head: float = 2.0
    """Chordal distance of rotations, near the angle in radians."""
    place: float = 3.0
    """Absolute error in sides of the crop, and of the logarithm of the metres."""
    confidence: float = 1.0
    """Binary cross-entropy."""
    contrastive: float = 0.15
    """Of the chosen loss of `freeavatar.foundation.contrastive`."""
    fec: float = 0.1
    """Hinge of the triplets that people have compared, see
    `freeavatar.foundation.contrastive.compared_loss`; pulls the encoder as much as the contrastive
    loss."""
    consistency: float = 5.0
    """Absolute difference of two views' blendshapes."""
    embedding_consistency: float = 0.25
    """One minus the cosine of two views' embeddings."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What is known of N crops; NaN where it is not. Units as in `ExpressionOutput`."""

    blendshapes: Tensor
    """(N, 52)."""
    eyes: Tensor
    """(N, 2, 2)."""
    head: Tensor
    """(N, 3, 3)."""
    place: Tensor
    """(N, 3)."""
    landmarks: Tensor
    """(N, 156, 2)."""
    face: Tensor
    """(N,) 1 where there is a face, 0 where there is none."""
    expressions: Tensor
    """(N,) int64 number of the expression, -1 unknown."""


def masked_mean(losses: Tensor, known: Tensor) -> Tensor:
    """Mean of ``losses`` where ``known``; zero (with a gradient of zero) where nothing is."""
    zero = torch.zeros((), dtype=losses.dtype, device=losses.device)
    return torch.where(known, losses, zero).sum() / known.sum().clamp(min=1)


def _difference(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Differences with zeros where the target is unknown, and where it is known.

    NaN must go before the subtraction: a NaN that is masked later still has a NaN gradient.
    """
    known = torch.isfinite(wanted)
    return found - torch.where(known, wanted, found.detach()), known


def blendshape_loss(found: Tensor, wanted: Tensor, channels: Tensor) -> Tensor:
    """Kullback-Leibler divergence of each coefficient, taken as a probability.

    Its gradient in the logit is the plain difference. Absolute and squared errors let channels
    that are mostly at rest (tongue, sideways jaw) die: their sigmoids saturate at zero, where
    nothing pulls them back.

    Args:
        found: (N, 52) 0..1.
        wanted: (N, 52) 0..1, NaN where unknown.
        channels: (52,) weight of each, mean 1.
    """
    known = torch.isfinite(wanted)
    target = torch.where(known, wanted, 0.5)
    likely = found.clamp(1e-5, 1 - 1e-5)
    cross = functional.binary_cross_entropy(likely, target, reduction="none")
    least = functional.binary_cross_entropy(target, target, reduction="none")
    return masked_mean((cross - least) * channels, known)


def absolute_loss(found: Tensor, wanted: Tensor, weights: Tensor | float = 1.0) -> Tensor:
    """Weighted mean absolute error."""
    error, known = _difference(found, wanted)
    return masked_mean(error.abs() * weights, known)


def head_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Chordal distance of rotations (N, 3, 3): 2√2 sin(θ/2) / √2, θ for small angles.

    The angle itself has no gradient at zero.
    """
    error, known = _difference(found, wanted)
    distance = (error.square().sum(dim=(1, 2)) / 2 + 1e-8).sqrt()
    return masked_mean(distance, known.all(dim=(1, 2)))


def place_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Absolute error of x and y, and of the metres relative to what they should be."""
    error, known = _difference(found, wanted)
    scale = torch.ones_like(error)
    scale[:, 2] = 1.0 / wanted[:, 2].nan_to_num(1.0).clamp(min=0.02)
    return masked_mean(error.abs() * scale, known)


def confidence_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Binary cross-entropy of (N,)."""
    known = torch.isfinite(wanted)
    found = found.clamp(1e-6, 1 - 1e-6)
    losses = functional.binary_cross_entropy(found, wanted.nan_to_num(0.0), reduction="none")
    return masked_mean(losses, known)


def head_losses(
    found: ExpressionOutput, wanted: Targets, *, channels: Tensor, points: Tensor
) -> dict[str, Tensor]:
    """Every loss of the heads by its name in `LossWeights`, not yet weighted.

    Args:
        channels: (52,) see `channel_weights`.
        points: (156, 1) see `landmark_weights`.
    """
    return {
        "blendshapes": blendshape_loss(found.blendshapes, wanted.blendshapes, channels),
        "landmarks": absolute_loss(found.landmarks, wanted.landmarks, points),
        "segments": absolute_loss(_segments(found.landmarks), _segments(wanted.landmarks)),
        "eyes": absolute_loss(found.eyes, wanted.eyes),
        "head": head_loss(found.head, wanted.head),
        "place": place_loss(found.place, wanted.place),
        "confidence": confidence_loss(found.confidence, wanted.face),
    }


def _segments(landmarks: Tensor) -> Tensor:
    """(N, 7, 2) of `freeavatar.foundation.apertures.SEGMENTS`; NaN where a point is unknown."""
    shares = torch.from_numpy(SHARES).to(landmarks)
    return shares @ landmarks[:, : shares.shape[1]]


def consistency_losses(
    blendshapes: tuple[Tensor, Tensor], embeddings: tuple[Tensor, Tensor], opposite: Tensor
) -> dict[str, Tensor]:
    """Two views of the same faces must say the same; by name in `LossWeights`.

    Args:
        blendshapes: (N, 52) each.
        embeddings: (N, E) each.
        opposite: (N,) where one view is mirrored against the other: left and right curves change
            places there, and the embeddings, of two expressions then, are left alone.
    """
    first, second = blendshapes
    swapped = second[:, torch.from_numpy(SWAPPED).to(opposite.device)]
    again = torch.where(opposite[:, None], swapped, second)
    same = (embeddings[0] * embeddings[1]).sum(dim=-1)
    return {
        "consistency": (first - again).abs().mean(),
        "embedding_consistency": masked_mean(1.0 - same, ~opposite),
    }


def weighted_sum(losses: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """The loss that is minimised."""
    terms = [getattr(weights, name) * value for name, value in losses.items()]
    return torch.stack(terms).sum()


def channel_weights(blendshapes: Tensor) -> Tensor:
    """Weights (52,) by which rare and small channels count like common ones, mean 1.

    Inverse root of each channel's deviation, at most sixfold between any two; then those that are
    `SEEN_FIRST` doubled.

    Args:
        blendshapes: (M, 52) of many training samples, NaN where unknown.
    """
    known = torch.isfinite(blendshapes)
    count = known.sum(dim=0).clamp(min=1)
    values = blendshapes.nan_to_num(0.0)
    mean = values.sum(dim=0) / count
    variance = ((values - mean).square() * known).sum(dim=0) / count
    weights = variance.sqrt().clamp(min=1e-3).rsqrt()
    median = weights.median()
    weights = weights.clamp(median / 2, median * 3)
    weights[[BLENDSHAPES.index(name) for name in SEEN_FIRST]] *= 2
    return weights / weights.mean()


_LIDS = {
    160, 387, 159, 386, 158, 385, 144, 373, 145, 374, 153, 380, 33, 263, 133, 362,
}  # fmt: skip
_IRISES = {468, 473}
_LIPS = {
    61, 291, 57, 287, 37, 267, 39, 269, 40, 270, 72, 302, 73, 303, 74, 304, 82, 312, 81, 311,
    80, 310, 87, 317, 178, 402, 88, 318, 85, 315, 180, 404, 90, 320, 84, 314, 181, 405, 91, 321,
    0, 11, 13, 14, 16, 17,
}  # fmt: skip


def landmark_weights() -> Tensor:
    """Weights (156, 1) of the face points, mean 1: lids and lips count threefold, and the two
    irises, on which gaze hangs, twelvefold."""
    weight = dict.fromkeys(_LIDS | _LIPS, 3.0) | dict.fromkeys(_IRISES, 12.0)
    weights = torch.tensor([weight.get(n, 1.0) for n in LANDMARKS])
    return (weights / weights.mean())[:, None]
