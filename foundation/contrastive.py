"""Losses that make the distance of two embeddings the difference of two expressions.

Each takes a batch of embeddings and what is known of their expressions, and pairs rows within it;
pictures whose expression is mostly unknown take no part. `CONTRASTIVE` names them.

Sources:
    Vemulapalli and Agarwala, A Compact Embedding for Facial Expression Similarity, CVPR 2019
    (triplets, also with anchor and positive swapped).
    van den Oord et al., Representation Learning with Contrastive Predictive Coding, 2018 (InfoNCE).
    Khosla et al., Supervised Contrastive Learning, NeurIPS 2020 (several positives).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

NEAR_MARGIN = 0.1
"""Of a triplet whose three expressions resemble each other."""
FAR_MARGIN = 0.2
"""Of any other triplet."""
NEAR = 0.8
"""Root of the sum of squared differences of the 52 controls below which expressions resemble."""
KNOWN = 0.5
"""Part of the channels that must be known of a face; some heads lack a tongue, cartoons more."""
INFO_TEMPERATURE = 0.1
RANKING_TEMPERATURE = 0.1
CONTROL_TEMPERATURE = 0.25
"""Control distance at which another expression weighs 1/e as much as the same one."""


def triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: Tensor | float) -> Tensor:
    """Hinge on squared distances; the negative must be far from anchor and positive alike.

    Args:
        anchor, positive, negative: (..., D) unit length; the first two are the similar ones.
        margin: by how much, broadcast to (...).

    Returns:
        (...) losses.
    """
    near = (anchor - positive).square().sum(dim=-1)
    far = (anchor - negative).square().sum(dim=-1)
    swapped = (positive - negative).square().sum(dim=-1)
    return functional.relu(near - far + margin) + functional.relu(near - swapped + margin)


def control_distances(blendshapes: Tensor) -> Tensor:
    """(N, N) Euclidean distances of expressions (N, 52), without gradient."""
    known = blendshapes.detach()
    return (known[:, None] - known[None]).square().sum(dim=-1).sqrt()


def triplet_loss(embeddings: Tensor, numbers: Tensor, blendshapes: Tensor) -> Tensor:
    """Triplets within the batch: for each pair of one expression, the hardest different one.

    Args:
        embeddings: (N, D) unit length.
        numbers: (N,) of the expression; equal numbers are one expression, -1 is unknown.
        blendshapes: (N, 52), NaN where unknown.

    Returns:
        Mean over the pairs; zero where the batch has none.
    """
    embeddings, numbers, blendshapes = _known(embeddings, numbers, blendshapes)
    same = _same(numbers)
    first, second = same.triu(1).nonzero(as_tuple=True)
    if not len(first):
        return embeddings.sum() * 0.0
    apart = torch.cdist(embeddings.detach(), embeddings.detach())
    apart = apart.masked_fill(same | _itself(numbers), torch.inf)
    hardest = apart[first].minimum(apart[second]).argmin(dim=1)
    distance = (blendshapes[first] - blendshapes[hardest]).square().sum(dim=-1).sqrt()
    margin = torch.where(distance < NEAR, NEAR_MARGIN, FAR_MARGIN)
    losses = triplet(embeddings[first], embeddings[second], embeddings[hardest], margin)
    # Where a batch holds one expression only there is nothing different.
    proper = torch.isfinite(apart[first].amin(dim=1))
    return (losses * proper).sum() / proper.sum().clamp(min=1)


def compared_loss(embeddings: Tensor, margins: Tensor) -> Tensor:
    """Triplets whose order people have told.

    Args:
        embeddings: (3 T, D) unit length; anchor, positive, negative of each in turn.
        margins: (T,).

    Returns:
        Mean over the triplets; zero where there are none.
    """
    anchor, positive, negative = (embeddings[place::3] for place in range(3))
    return triplet(anchor, positive, negative, margins).sum() / max(len(margins), 1)


def info_nce_loss(embeddings: Tensor, numbers: Tensor, blendshapes: Tensor) -> Tensor:
    """Tell the pictures with the same expression from all others; arguments as `triplet_loss`."""
    embeddings, numbers, blendshapes = _known(embeddings, numbers, blendshapes)
    same = _same(numbers)
    rows = same.any(dim=1)
    if not rows.any():
        return embeddings.sum() * 0.0
    logits = embeddings @ embeddings.T / INFO_TEMPERATURE
    logits = logits.masked_fill(_itself(numbers), -torch.inf)
    chances = logits.log_softmax(dim=1).masked_fill(~same, 0.0)
    return -(chances.sum(dim=1)[rows] / same.sum(dim=1)[rows]).mean()


def ranking_loss(embeddings: Tensor, numbers: Tensor, blendshapes: Tensor) -> Tensor:
    """Order all others by how near their controls are; arguments as `triplet_loss`.

    Divergence of the softmax of cosine similarities from the softmax of minus the control
    distances: no pair of one expression is needed, every known picture says something.
    """
    embeddings, numbers, blendshapes = _known(embeddings, numbers, blendshapes)
    if len(numbers) < 3:
        return embeddings.sum() * 0.0
    itself = _itself(numbers)
    distances = control_distances(blendshapes) / CONTROL_TEMPERATURE
    target = (-distances).masked_fill(itself, -torch.inf).softmax(dim=1)
    logits = (embeddings @ embeddings.T / RANKING_TEMPERATURE).masked_fill(itself, -torch.inf)
    chances = logits.log_softmax(dim=1).masked_fill(itself, 0.0)
    entropy: Tensor = torch.special.entr(target).sum(dim=1)
    return (-(target * chances).sum(dim=1) - entropy).mean()


def none_loss(embeddings: Tensor, numbers: Tensor, blendshapes: Tensor) -> Tensor:
    """Nothing: the ablation."""
    return embeddings.sum() * 0.0


def both_loss(embeddings: Tensor, numbers: Tensor, blendshapes: Tensor) -> Tensor:
    """Ranking and InfoNCE in equal parts; arguments as `triplet_loss`."""
    return 0.5 * ranking_loss(embeddings, numbers, blendshapes) + 0.5 * info_nce_loss(
        embeddings, numbers, blendshapes
    )


ContrastiveLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
CONTRASTIVE: Mapping[str, ContrastiveLoss] = MappingProxyType(
    {
        "none": none_loss,
        "triplet": triplet_loss,
        "infonce": info_nce_loss,
        "ranking": ranking_loss,
        "both": both_loss,
    }
)


def _known(
    embeddings: Tensor, numbers: Tensor, blendshapes: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The rows whose expression is known; a channel that a face cannot show is at rest there."""
    rows = torch.isfinite(blendshapes).float().mean(dim=1) > KNOWN
    return embeddings[rows], numbers[rows], blendshapes[rows].nan_to_num(0.0)


def _itself(numbers: Tensor) -> Tensor:
    return torch.eye(len(numbers), dtype=torch.bool, device=numbers.device)


def _same(numbers: Tensor) -> Tensor:
    """(N, N) pairs of different rows with one expression."""
    equal = (numbers[:, None] == numbers[None]) & (numbers[:, None] >= 0)
    return equal & ~_itself(numbers)
