"""Takes out of the embedding what tells people apart and says little of their expression.

Training pulls equal expressions of different people together, but some directions of the embedding
go on telling whose face it is. On training people they are found by what is left of the embedding
once everything that follows from the known curves is taken away: where that differs more between
people than within them, and than expressions do, the direction goes.

Source:
    Solomonoff, Campbell and Boardman, Advances in Channel Compensation for SVM Speaker Recognition,
    ICASSP 2005 (projecting nuisance directions out, there those of the telephone).
"""

import logging
from collections.abc import Sequence

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray

from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.heads import Heads

from .feeding import Pictures

log = logging.getLogger(__name__)

DIRECTIONS = 12
"""Directions that go, of 64. With 0, 6, 8, 12 and 16, 77 validation people were recognised in .252,
.191, .189, .155 and .161 of the pictures; .947, .946, .948, .945 and .945 of the triplets were in
order within a domain, .901, .910, .918, .921 and .916 between photo and avatar."""
FEWEST_PICTURES, FEWEST_PEOPLE = 6, 24
"""Pictures of a person from which they count, and people from which directions are looked for."""

Values = NDArray[np.float64]


def freed_of_people(
    embeddings: Values, blendshapes: Values, people: NDArray[np.integer]
) -> Values | None:
    """The map that takes directions out of an embedding.

    Args:
        embeddings: (N, E) of pictures.
        blendshapes: (N, 52) what they show, without NaN.
        people: (N,) equal for one person.

    Returns:
        (E, E), to be multiplied with an embedding (a column); its rank is `DIRECTIONS` less than E.
        None where too few people are shown often enough.
    """
    _, who, counts = np.unique(people, return_inverse=True, return_counts=True)
    often = counts >= FEWEST_PICTURES
    if often.sum() < FEWEST_PEOPLE:
        return None
    centred = embeddings - embeddings.mean(axis=0)
    curves = np.clip(blendshapes, 0.0, 1.0)
    # Small movements say more of an expression than in proportion.
    known = np.concatenate([curves, np.sqrt(curves), np.ones((len(curves), 1))], axis=1)
    ridge = known.T @ known + 1e-2 * np.eye(known.shape[1])
    expressed = known @ np.linalg.solve(ridge, known.T @ centred)
    rest = centred - expressed
    means = np.zeros((len(counts), embeddings.shape[1]))
    np.add.at(means, who, rest)
    means /= counts[:, None]
    within = np.cov((rest - means[who])[often[who]].T)
    between = np.cov(means[often].T) - within / counts[often].mean()
    size = embeddings.shape[1]
    other = np.cov(expressed.T) + within + 1e-5 * np.eye(size)
    _, directions = scipy.linalg.eigh(between, other)
    chosen = directions[:, -DIRECTIONS:]
    out: Values = np.eye(size) - other @ chosen @ chosen.T
    return out


@torch.no_grad()
def free_embedding(net: ExpressionNet, batches: Sequence[Pictures]) -> int:
    """Take the directions of people out of a network's embedding.

    Args:
        net: in evaluation mode; its last layer before the embedding changes.
        batches: pictures of people whom it was trained on.

    Returns:
        How many pictures were looked at; 0 where they show too few people often enough, and the
        network stays as it is.
    """
    embeddings = np.concatenate([net(b.crops).embedding.double().numpy() for b in batches])
    blendshapes = np.concatenate([b.targets.blendshapes.double().numpy() for b in batches])
    people = np.concatenate([b.people.numpy() for b in batches])
    known = np.isfinite(blendshapes).all(axis=1)
    freed = freed_of_people(embeddings[known], blendshapes[known], people[known])
    if freed is None:
        log.warning(
            "the embedding is not freed of who is seen: of %d training pictures in --calibrate, "
            "fewer than %d people are in %d or more",
            len(known), FEWEST_PEOPLE, FEWEST_PICTURES,
        )  # fmt: skip
        return 0
    _apply(net.heads, torch.from_numpy(freed))
    return int(known.sum())


def _apply(heads: Heads, freed: torch.Tensor) -> None:
    """Length does not count: the embedding is brought to unit length after this layer."""
    layer = heads.out["embedding"]
    assert isinstance(layer, torch.nn.Linear)
    freed = freed.to(layer.weight.dtype)
    layer.weight.copy_(freed @ layer.weight)
    layer.bias.copy_(freed @ layer.bias)
