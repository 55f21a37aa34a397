"""Contrastive losses pull and push in the right direction."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from freeavatar.foundation.contrastive import (
    CONTRASTIVE,
    control_distances,
    ranking_loss,
    triplet,
    triplet_loss,
)

NUMBERS = torch.tensor([5, 5, 8, 8, -1, -1])
LOSSES = sorted(set(CONTRASTIVE) - {"none"})


def known() -> Tensor:
    """Two rows each of two far expressions, then two unknown ones."""
    controls = torch.zeros(6, 52)
    controls[2:4, :4] = 0.9
    controls[4:] = torch.nan
    return controls


def spread() -> Tensor:
    make = torch.Generator().manual_seed(3)
    return functional.normalize(torch.randn(6, 8, generator=make), dim=1)


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_brings_one_expression_together_and_others_apart(name: str) -> None:
    raw = spread().requires_grad_()
    optimiser = torch.optim.SGD([raw], 0.05)
    first = None
    for _ in range(100):
        loss = CONTRASTIVE[name](functional.normalize(raw, dim=1), NUMBERS, known())
        first = loss.item() if first is None else first
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < first
    before, after = spread(), functional.normalize(raw.detach(), dim=1)

    def gap(x: Tensor) -> float:
        near = (x[0] - x[1]).norm() + (x[2] - x[3]).norm()
        return float((x[0] - x[2]).norm() + (x[1] - x[3]).norm() - near)

    assert gap(after) > gap(before)
    assert torch.equal(raw.detach()[4:], spread()[4:]), "unknown expressions take no part"


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("rows", [slice(0, 0), slice(0, 1), slice(4, 6)])
def test_batches_with_nothing_to_compare_cost_nothing(name: str, rows: slice) -> None:
    raw = spread()[rows].requires_grad_()
    loss = CONTRASTIVE[name](raw, NUMBERS[rows], known()[rows])
    loss.backward()
    assert loss.item() == 0
    assert raw.grad is not None and torch.equal(raw.grad, torch.zeros_like(raw))


def test_a_batch_of_one_expression_has_no_hard_negative() -> None:
    raw = spread()[:2].requires_grad_()
    loss = triplet_loss(raw, NUMBERS[:2], known()[:2])
    loss.backward()
    assert loss.item() == 0
    assert raw.grad is not None and torch.isfinite(raw.grad).all()


def test_triplets_hold_with_anchor_and_positive_swapped() -> None:
    anchor, positive = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    # Far from the anchor, on top of the positive: only the swapped half sees it.
    negative = torch.tensor([0.0, 1.0])
    assert triplet(anchor, positive, negative, 0.2) == pytest.approx(0.2 + 2.2)
    assert triplet(anchor, anchor, -anchor, 0.2) == 0


def test_ranking_is_least_where_similarity_follows_controls() -> None:
    angles = torch.tensor([0.0, 0.2, 0.5, 0.9, 1.4])
    ordered = torch.stack([angles.cos(), angles.sin()], dim=1)
    controls = torch.zeros(5, 52)
    controls[:, 0] = angles / 1.4
    numbers = torch.arange(5)
    best = ranking_loss(ordered, numbers, controls)
    for order in ([1, 0, 2, 3, 4], [4, 1, 2, 3, 0], [2, 3, 0, 1, 4]):
        assert ranking_loss(ordered[order], numbers, controls) > best


def test_a_channel_that_a_head_lacks_does_not_shut_it_out() -> None:
    controls = known()[:4]
    controls[0, 51] = torch.nan
    raw = spread()[:4].requires_grad_()
    ranking_loss(raw, NUMBERS[:4], controls).backward()
    assert raw.grad is not None and raw.grad[0].abs().sum() > 0


def test_control_distances_are_euclidean() -> None:
    controls = known()[:4]
    torch.testing.assert_close(control_distances(controls), torch.cdist(controls, controls))
