"""What an answer of the animator costs in training."""

from dataclasses import dataclass

import torch
from torch import Tensor

from freeavatar.animator.animator_net import Answer

from .batches import TrainingBatch


@dataclass(frozen=True, kw_only=True)
class AnimatorWeights:
    """How much each loss counts."""

    weights: float = 20.0
    """Squared error of the column weights."""
    sureness: float = 5.0
    """Their absolute error: what probably rests should rest."""
    motion: float = 1.0
    """Square of how far the face points are from where the head's own shapes would have them, in
    weighted features."""
    followed: float = 1.0
    """The same from where the known head's points would have them, as the solver sees it."""
    expression: float = 0.1
    """Squared error of the blendshapes that were read."""
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


def supervised_losses(answer: Answer, batch: TrainingBatch) -> dict[str, Tensor]:
    """Losses against what is right, by the names of `AnimatorWeights`.

    Squares more than absolute values: by these alone, controls that are seldom used and hardly
    seen (the tongue) would rest for ever, as the likeliest is that they do.

    Args:
        answer: what the animator said.
        batch: what was asked.
    """
    given, found = batch.given, answer.weights
    valid = given.rigs.valid[given.rig].to(found.dtype)[:, None]
    motion = given.rigs.motion[given.rig]
    wrong = found - batch.ideal
    changed = wrong[:, 1:] - wrong[:, :-1]
    calm = batch.calm.to(found.dtype)[..., None]
    return {
        "weights": _mean(wrong.square(), valid),
        "sureness": _mean(wrong.abs(), valid),
        "motion": (wrong @ motion).square().sum(dim=-1).mean(),
        "followed": ((found - batch.followed) @ motion).square().sum(dim=-1).mean(),
        "expression": (answer.shapes - batch.truth).square().sum(dim=-1).mean(),
        "steadiness": _mean(changed.abs(), valid),
        "calm": _mean(wrong.clamp(min=0.0), valid * calm),
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
