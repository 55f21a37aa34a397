"""What an answer of the animator costs in training."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .batches import TrainingBatch

SMALLEST = 1e-6
"""Square of a motion under a root, so that none has an endless slope."""


@dataclass(frozen=True, kw_only=True)
class AnimatorWeights:
    """How much each loss counts."""

    weights: float = 10.0
    """Absolute error of the column weights."""
    motion: float = 1.0
    """How far the face points are from where they should be, in weighted features."""
    steadiness: float = 4.0
    """How differently the weights change from frame to frame."""
    calm: float = 4.0
    """Weights of a face at rest."""
    symmetry: float = 2.0
    """Difference of a mirrored face's weights to the mirrored weights, on symmetric rigs."""
    sparsity: float = 0.1
    """Weights of any face: of two answers alike the one with fewer controls."""
    perceptual: float = 1.0
    """One minus the cosine of what the foundation sees in the drawn rig and in the actor."""


def supervised_losses(found: Tensor, batch: TrainingBatch) -> dict[str, Tensor]:
    """Losses against the best weights, by the names of `AnimatorWeights`.

    Args:
        found: (N, T, C) column weights.
        batch: what was asked.
    """
    given = batch.given
    valid = given.rigs.valid[given.rig].to(found.dtype)[:, None]
    wrong = found - batch.ideal
    moved = wrong @ given.rigs.motion[given.rig]
    changed = wrong[:, 1:] - wrong[:, :-1]
    calm = batch.calm.to(found.dtype)[..., None]
    return {
        "weights": _mean(wrong.abs(), valid),
        "motion": (moved.square().sum(dim=-1) + SMALLEST).sqrt().mean(),
        "steadiness": _mean(changed.abs(), valid),
        "calm": _mean((found - batch.ideal).clamp(min=0.0), valid * calm),
        "symmetry": _asymmetry(found, batch, valid),
        "sparsity": _mean(found.abs(), valid),
    }


def total(losses: dict[str, Tensor], weights: AnimatorWeights) -> Tensor:
    """The weighted sum."""
    return torch.stack([getattr(weights, k) * v for k, v in losses.items()]).sum()


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """Mean over what counts of (N, T, C)."""
    shares = counted.expand_as(values)
    return (values * shares).sum() / shares.sum().clamp(min=1.0)


def _asymmetry(found: Tensor, batch: TrainingBatch, valid: Tensor) -> Tensor:
    """Every odd sequence is the mirror image of the one before it."""
    rig = batch.given.rig[0::2]
    partner = batch.mirrored[rig][:, None].expand_as(found[0::2])
    there = found[1::2].gather(2, partner)
    symmetric = batch.symmetric[rig].to(found.dtype)[:, None, None]
    return _mean((found[0::2] - there).abs(), valid[0::2] * symmetric)
