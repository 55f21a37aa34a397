"""Losses of the heads, and the figures a validation prints."""

import math

import numpy as np
import pytest
import torch

from freeavatar.foundation.expression import BLENDSHAPES, SWAPPED
from freeavatar.foundation.heads import ExpressionOutput, rotation_from_6d
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.foundation.training.losses import (
    SEEN_FIRST,
    LossWeights,
    Targets,
    blendshape_loss,
    channel_weights,
    consistency_losses,
    head_loss,
    head_losses,
    landmark_weights,
    weighted_sum,
)
from freeavatar.foundation.training.metrics import (
    GROUPS,
    channel_correlations,
    correlations,
    expression_figures,
    triplet_accuracy,
)
from freeavatar.foundation.training.schedule import Budget, Schedule


def output(count: int) -> ExpressionOutput:
    make = torch.Generator().manual_seed(1)

    def some(*shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, generator=make)

    leaves = ExpressionOutput(
        some(52), some(2, 2), rotation_from_6d(some(6)), some(3), some(156, 2), some(), some(64),
        some(4, 8),
    )  # fmt: skip
    return ExpressionOutput(*(leaf.detach().requires_grad_() for leaf in leaves))


def unknown(count: int) -> Targets:
    def nan(*shape: int) -> torch.Tensor:
        return torch.full((count, *shape), torch.nan)

    return Targets(
        blendshapes=nan(52), eyes=nan(2, 2), head=nan(3, 3), place=nan(3), landmarks=nan(156, 2),
        face=nan(), expressions=torch.full((count,), -1),
    )  # fmt: skip


def losses_of(found: ExpressionOutput, wanted: Targets) -> dict[str, torch.Tensor]:
    return head_losses(found, wanted, channels=torch.ones(52), points=landmark_weights())


def test_what_is_unknown_costs_nothing_and_pulls_nowhere() -> None:
    found = output(3)
    losses = losses_of(found, unknown(3))
    assert {name: value.item() for name, value in losses.items()} == dict.fromkeys(losses, 0.0)
    weighted_sum(losses, LossWeights()).backward()
    for name in ("blendshapes", "eyes", "head", "place", "landmarks", "confidence"):
        assert not getattr(found, name).grad.any(), name


def test_the_known_are_learned_as_if_the_unknown_were_not_there() -> None:
    found, wanted = output(3), unknown(3)
    truth = torch.rand(52)
    wanted.blendshapes[1] = truth
    wanted.blendshapes[1, 7] = torch.nan
    loss = losses_of(found, wanted)["blendshapes"]
    loss.backward()
    p = found.blendshapes[1].detach()
    divergence = truth * (truth / p).log() + (1 - truth) * ((1 - truth) / (1 - p)).log()
    expected = divergence[torch.arange(52) != 7].mean()
    torch.testing.assert_close(loss.detach(), expected, rtol=1e-4, atol=1e-6)
    assert found.blendshapes.grad is not None
    rows, columns = found.blendshapes.grad.nonzero(as_tuple=True)
    assert set(rows.tolist()) == {1} and set(columns.tolist()) == set(range(52)) - {7}


def test_a_channel_at_rest_is_pulled_as_hard_as_any() -> None:
    """A saturated sigmoid keeps its gradient: it is the difference, whatever the logit."""
    logits = torch.tensor([[-7.0, -2.0, 0.0]]).repeat(1, 18)[:, :52].requires_grad_()
    wanted = torch.full((1, 52), 0.6)
    blendshape_loss(torch.sigmoid(logits), wanted, torch.ones(52)).backward()
    assert logits.grad is not None
    expected = (torch.sigmoid(logits.detach()) - wanted) / 52
    torch.testing.assert_close(logits.grad, expected, rtol=1e-3, atol=1e-6)


def test_the_head_loss_is_the_angle() -> None:
    for degrees in (2.0, 10.0):
        a = math.radians(degrees)
        turned = torch.tensor([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0]])
        turned = torch.cat([turned, torch.tensor([[0.0, 0, 1]])])[None]
        assert head_loss(turned, torch.eye(3)[None]).item() == pytest.approx(
            2 * math.sin(a / 2), rel=1e-3
        )
    same = torch.eye(3)[None].requires_grad_()
    head_loss(same, torch.eye(3)[None]).backward()
    assert same.grad is not None and torch.isfinite(same.grad).all()


def test_rare_channels_weigh_more_within_limits() -> None:
    make = torch.Generator().manual_seed(0)
    seen = torch.rand(500, 52, generator=make)
    seen[:, 3] *= 0.3
    seen[:, 4] = 0.0
    seen[:, 5] = torch.nan
    weights = channel_weights(seen)
    assert weights.mean().item() == pytest.approx(1.0)
    assert weights[3] > 1.5 * weights[2]
    assert weights.max() / weights.min() <= 6.001
    assert torch.isfinite(weights).all()
    error = torch.zeros(1, 52)
    error[0, 3] = 0.1
    common = torch.zeros(1, 52)
    common[0, 2] = 0.1
    zero = torch.zeros(1, 52)
    assert blendshape_loss(error, zero, weights) > blendshape_loss(common, zero, weights)


def test_what_people_see_first_counts_twice() -> None:
    seen = torch.rand(500, 52, generator=torch.Generator().manual_seed(0))
    weights = channel_weights(seen)
    first = torch.tensor([name in SEEN_FIRST for name in BLENDSHAPES])
    assert first.sum() == 5
    assert weights[first].mean() == pytest.approx(2 * weights[~first].mean().item(), rel=0.05)


def test_lids_and_lips_weigh_threefold() -> None:
    weights = landmark_weights()[:, 0]
    lip, lid, chin = (weights[LANDMARKS.index(n)] for n in (13, 159, 152))
    assert lip == lid == pytest.approx(3 * chin.item())


def test_two_views_that_agree_cost_nothing() -> None:
    curves = torch.rand(2, 52)
    embedding = torch.nn.functional.normalize(torch.randn(2, 64), dim=1)
    alike = torch.zeros(2, dtype=torch.bool)
    agreed = consistency_losses((curves, curves), (embedding, embedding), alike)
    assert all(abs(value.item()) < 1e-6 for value in agreed.values())
    differing = consistency_losses(
        (curves, curves + 0.1), (embedding, embedding.roll(1, dims=0)), alike
    )
    assert differing["consistency"].item() == pytest.approx(0.1, abs=1e-6)
    assert differing["embedding_consistency"] > 0.01


def test_a_mirrored_view_says_the_same_of_the_other_side() -> None:
    curves, embedding = torch.rand(2, 52), torch.eye(2, 64)
    mirrored, other = curves[:, SWAPPED], embedding.roll(1, dims=0)
    opposite = torch.ones(2, dtype=torch.bool)
    agreed = consistency_losses((curves, mirrored), (embedding, other), opposite)
    assert all(value.item() == 0.0 for value in agreed.values())
    alike = consistency_losses((curves, mirrored), (embedding, other), ~opposite)
    assert alike["consistency"] > 0.01 and alike["embedding_consistency"] > 0.5
    same = consistency_losses((curves, curves), (embedding, embedding), opposite)
    assert same["consistency"] > 0.01


def test_groups_cover_every_channel_once() -> None:
    assert sorted(i for group in GROUPS.values() for i in group) == list(range(52))


def test_correlations_are_those_of_numpy_where_known() -> None:
    make = np.random.default_rng(0)
    wanted = make.random((200, 52)).astype(np.float32)
    found = (0.5 * wanted + make.random((200, 52)) * 0.3).astype(np.float32)
    wanted[:50, 3] = np.nan
    wanted[:, 4] = 0.2
    each = correlations(found, wanted)
    assert each[0] == pytest.approx(np.corrcoef(found[:, 0], wanted[:, 0])[0, 1], abs=1e-6)
    assert each[3] == pytest.approx(np.corrcoef(found[50:, 3], wanted[50:, 3])[0, 1], abs=1e-6)
    assert np.isnan(each[4])
    assert BLENDSHAPES[4] not in channel_correlations(found, wanted)


def test_figures_of_a_perfect_reading() -> None:
    found = {k: v.detach().numpy() for k, v in output(40)._asdict().items() if k != "tokens"}
    wanted = {k: v for k, v in found.items() if k != "embedding"} | {"face": np.ones(40)}
    found["confidence"] = np.full(40, 0.9)
    figures = expression_figures(found, wanted)
    assert figures["correlation"] == pytest.approx(1.0)
    assert figures["mean absolute error"] == figures["landmarks, px"] == 0
    assert figures["amplitude"] == figures["faces told"] == pytest.approx(1.0)
    # What is near zero loses digits in the arc cosine.
    assert figures["head, degrees"] < 0.1


def test_triplets_are_right_when_the_embedding_is_the_expression() -> None:
    make = np.random.default_rng(0)
    controls = np.zeros((300, 52), np.float32)
    controls[:, :3] = make.random((300, 3))
    people = make.integers(0, 20, 300)
    assert triplet_accuracy(controls, controls, people) == 1.0
    chance = triplet_accuracy(make.random((300, 8)).astype(np.float32), controls, people)
    assert 0.28 < chance < 0.38
    by_person = np.eye(20, dtype=np.float32)[people]
    assert triplet_accuracy(by_person, controls, people) < 0.4


def test_the_budget_ends_with_whichever_is_first() -> None:
    both = Budget(samples=1000, minutes=10)
    assert both.progress(samples=500, seconds=60) == 0.5
    assert both.progress(samples=500, seconds=480) == 0.8
    assert both.progress(samples=5000, seconds=0) == 1.0
    with pytest.raises(ValueError, match="--minutes M or --samples N"):
        Budget()


def test_the_rate_rises_then_falls() -> None:
    schedule = Schedule(peak=1.0, warm_up=0.1, floor=0.02)
    rates = [schedule.rate(i / 100) for i in range(101)]
    assert rates.index(max(rates)) == 10 and rates[10] == pytest.approx(1.0)
    assert rates[0] == pytest.approx(0.01) and rates[100] == pytest.approx(0.02)
    assert rates[10:] == sorted(rates[10:], reverse=True)
