"""The animator's network: what it returns untrained, and what must not matter to it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from freeavatar.animator.anchor_table import ANCHORS
from freeavatar.animator.animator_batch import AnimatorBatch, RigBatch, batch_rigs
from freeavatar.animator.animator_config import AnimatorConfig
from freeavatar.animator.animator_net import AnimatorNet, corrected
from freeavatar.animator.columns import Columns, columns_of
from freeavatar.animator.descriptors import VIEW_SIZE, Descriptors, descriptors_of
from freeavatar.animator.naming import name_map
from freeavatar.animator.reference import REFERENCE_RIG
from freeavatar.animator.reference_columns import reference_columns
from freeavatar.animator.unrolled_solver import STEPS, EyeLimit, Problem, unrolled
from freeavatar.foundation.errors import ConfigError
from freeavatar.rigs import registry

torch.set_num_threads(1)
FRAMES = 3


def described(count: int, seed: int = 0, *, anchored: bool = True, drawn: bool = True) -> Columns:
    """Columns of a rig whose controls do something at random; every third goes both ways."""
    make = np.random.default_rng(seed)
    return columns_of(
        Descriptors(
            motion=(make.standard_normal((count, len(ANCHORS), 3)) * anchored).astype(np.float32),
            found=np.full(len(ANCHORS), anchored),
            picture=(make.standard_normal((count, VIEW_SIZE)) * drawn).astype(np.float32),
            drawn=drawn,
            lowest=np.where(np.arange(count) % 3 == 2, -0.7, 0.0).astype(np.float32),
        )
    )


@pytest.fixture(scope="module")
def reference() -> Columns:
    return reference_columns()


@pytest.fixture(scope="module")
def stirred(reference: Columns) -> AnimatorNet:
    """A network that was trained to nothing in particular, so that everything has a part in it."""
    torch.manual_seed(1)
    net = AnimatorNet(AnimatorConfig(), reference).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def batch_of(rigs: list[Columns], rig: list[int], frames: int = FRAMES) -> AnimatorBatch:
    make = torch.Generator().manual_seed(3)
    together = batch_rigs(rigs)
    return AnimatorBatch(
        tokens=torch.randn(len(rig), frames, 64, 192, generator=make),
        shapes=torch.rand(len(rig), frames, 52, generator=make),
        rig=torch.tensor(rig),
        rigs=together,
    )


def solved(batch: AnimatorBatch, steps: int = STEPS) -> Tensor:
    """Column weights (N, T, C) of the unrolled solver alone."""
    rigs, rig = batch.rigs, batch.rig
    problem = Problem(rigs.step[rig], rigs.linear[rig], rigs.offset[rig], rigs.regain[rig])
    shares = unrolled(problem, EyeLimit()(batch.shapes), steps).clamp(max=1.0)
    return shares * rigs.upper[rig].unsqueeze(1)


def test_where_no_match_is_believed_it_returns_the_unrolled_solvers_answer(
    reference: Columns,
) -> None:
    net = AnimatorNet(AnimatorConfig(), reference).eval()
    torch.nn.init.constant_(net.matching.believe.bias, -40.0)
    batch = batch_of([described(9), described(20, 1)], [1, 0, 1])
    answer = net(batch)
    torch.testing.assert_close(answer.weights, solved(batch), rtol=0, atol=1e-6)
    assert torch.equal(answer.shapes, batch.shapes)
    assert answer.weights.max() > 0.1, "nothing moves here"


def test_where_matches_are_believed_controls_follow_their_blendshapes(
    reference: Columns,
) -> None:
    """The known head's own controls, in another order, each follow the shape that they do."""
    net = AnimatorNet(AnimatorConfig(), reference).eval()
    torch.nn.init.constant_(net.matching.believe.bias, 40.0)
    order = np.random.default_rng(7).permutation(52)
    kept = ("controls", "found")
    rows = {k: v[order] for k, v in vars(reference).items() if k not in kept}
    same = Columns(controls=np.arange(52), found=reference.found, **rows)
    follow = net.describe(batch_rigs([same])).follow[0].detach().numpy()
    assert (follow.argmax(axis=0) == order).mean() > 0.9
    assert np.median(follow[order, np.arange(52)]) > 0.5


def test_weights_keep_their_limits_and_reach_them() -> None:
    share = torch.tensor([0.0, 0.3, 1.0])
    torch.testing.assert_close(corrected(share, torch.zeros(3)), share, rtol=0, atol=1e-6)
    assert (corrected(share, torch.full((3,), 9.0)) >= 1.0).all()
    assert (corrected(share, torch.full((3,), -9.0)) <= 0.0).all()


def test_answers_stay_within_the_columns_limits(stirred: AnimatorNet) -> None:
    batch = batch_of([described(9), described(20, 1)], [0, 1])
    weights = stirred(batch).weights
    upper = (batch.rigs.upper * batch.rigs.valid)[batch.rig].unsqueeze(1)
    assert (weights >= 0).all() and (weights <= upper + 1e-6).all()
    assert (weights - solved(batch)).abs().max() > 0.05, "the stirred network changes nothing"


@pytest.mark.parametrize("count", [1, 2, 52, 300])
def test_any_number_of_controls(stirred: AnimatorNet, count: int) -> None:
    columns = described(count)
    assert len(columns.upper) == count + count // 3
    weights = stirred(batch_of([columns], [0], frames=1)).weights
    assert weights.shape == (1, 1, len(columns.upper))
    assert bool(torch.isfinite(weights).all())


def test_padding_changes_nothing(stirred: AnimatorNet) -> None:
    """A small rig beside a large one gets the answer it gets alone."""
    small, large = described(4), described(40, 1)
    both = batch_of([small, large], [0, 1])
    alone = batch_rigs([small])
    count = alone.upper.shape[1]
    one = replace(
        both, tokens=both.tokens[:1], shapes=both.shapes[:1], rig=both.rig[:1], rigs=alone
    )
    expected, found = stirred(one).weights, stirred(both).weights[:1]
    torch.testing.assert_close(found[..., :count], expected, rtol=0, atol=1e-6)
    assert (found[..., count:] == 0).all()


def test_another_order_of_the_controls_is_another_order_of_the_answers(
    stirred: AnimatorNet,
) -> None:
    columns = described(24)
    batch = batch_of([columns], [0])
    order = np.random.default_rng(5).permutation(len(columns.upper))
    kept = ("controls", "found")
    rows = {k: v[order] for k, v in vars(columns).items() if k not in kept}
    shuffled = Columns(controls=np.arange(len(order)), found=columns.found, **rows)
    other = replace(batch, rigs=batch_rigs([shuffled]))
    torch.testing.assert_close(
        stirred(other).weights, stirred(batch).weights[..., order], rtol=0, atol=1e-5
    )


def test_frame_by_frame_is_the_whole_sequence(stirred: AnimatorNet) -> None:
    batch = batch_of([described(6)], [0, 0], frames=5)
    whole = stirred(batch)
    state, frames = None, []
    for t in range(5):
        now = slice(t, t + 1)
        tokens, shapes = batch.tokens[:, now], batch.shapes[:, now]
        step = stirred(replace(batch, tokens=tokens, shapes=shapes, state=state))
        state = step.state
        frames.append(step.weights)
    torch.testing.assert_close(torch.cat(frames, dim=1), whole.weights, rtol=0, atol=1e-5)
    torch.testing.assert_close(state, whole.state, rtol=0, atol=1e-6)


def test_the_past_counts_and_the_future_does_not(stirred: AnimatorNet) -> None:
    batch = batch_of([described(6)], [0], frames=4)
    shapes = batch.shapes.clone()
    shapes[:, 2] = 1.0 - shapes[:, 2]
    other = stirred(replace(batch, shapes=shapes)).weights
    changed = (other - stirred(batch).weights).abs().amax(dim=(0, 2))
    assert (changed[:2] == 0).all()
    assert (changed[2:] > 1e-5).all()


def test_frames_without_tokens_are_another_thing_than_frames_with(stirred: AnimatorNet) -> None:
    batch = batch_of([described(6)], [0])
    without = replace(batch, tokens=torch.zeros_like(batch.tokens))
    assert (stirred(without).weights - stirred(batch).weights).abs().max() > 1e-3


Change = Callable[[RigBatch], RigBatch]


@pytest.mark.parametrize(
    "change",
    [
        lambda rigs: replace(rigs, code=rigs.code + 1.0),
        lambda rigs: replace(rigs, motion=rigs.motion.flip(1)),
        lambda rigs: replace(rigs, picture=rigs.picture.flip(1)),
    ],
    ids=["code", "motion", "picture"],
)
def test_what_a_rig_is_counts(stirred: AnimatorNet, change: Change) -> None:
    batch = batch_of([described(6)], [0])
    other = replace(batch, rigs=change(batch.rigs))
    assert (stirred(other).weights - stirred(batch).weights).abs().max() > 1e-3


def test_networks_for_comparison_lack_what_they_lack(reference: Columns) -> None:
    torch.manual_seed(2)
    blind = AnimatorNet(AnimatorConfig(pictures=False), reference)
    plain = AnimatorNet(AnimatorConfig(injection=False), reference)
    for net in (blind, plain):
        torch.nn.init.normal_(net.change.weight)
    batch = batch_of([described(6)], [0])
    unseen = replace(batch, rigs=replace(batch.rigs, picture=torch.zeros_like(batch.rigs.picture)))
    assert torch.equal(blind(unseen).weights, blind(batch).weights)
    assert not any("scale_shift" in name for name, _ in plain.named_parameters())
    coded = replace(batch, rigs=replace(batch.rigs, code=batch.rigs.code + 1.0))
    assert (plain(coded).weights - plain(batch).weights).abs().max() > 1e-3


def test_one_step_of_training_brings_gradients_to_every_parameter(reference: Columns) -> None:
    """Also through weights that rest on a limit; the last layer starts at zero and goes first."""
    torch.manual_seed(3)
    net = AnimatorNet(AnimatorConfig(), reference).train()
    batch = batch_of([described(6), described(9, 1, anchored=False)], [0, 1])
    wanted = 0.5 * batch.rigs.upper[batch.rig].unsqueeze(1)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.02)
    losses: list[Tensor] = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = (net(batch).weights - wanted).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    # Every frame here has tokens.
    assert idle == ["reading.absent"]
    assert losses[-1] < losses[0]


def test_wrong_sizes_are_refused(reference: Columns) -> None:
    with pytest.raises(ConfigError, match="heads"):
        AnimatorConfig(dim=50)
    with pytest.raises(ValueError, match="52 columns"):
        AnimatorNet(AnimatorConfig(), described(4))
    with pytest.raises(ValueError, match="at least one control"):
        batch_rigs([described(0)])


def test_columns_carry_weights_there_and_back() -> None:
    columns = described(7)
    weights = np.array([[0.0, 1.0, -0.5, 0.25, 0.0, 0.7, 1.0]], np.float32)
    there = columns.of_weights(weights)
    assert there.shape == (1, 9) and (there >= 0).all()
    np.testing.assert_allclose(there[0, 7:], [0.5, 0.0], atol=1e-7)
    np.testing.assert_allclose(columns.to_weights(there), weights, atol=1e-7)
    np.testing.assert_array_equal(columns.motion[7], -columns.motion[2])
    np.testing.assert_array_equal(columns.picture[8], -columns.picture[5])
    np.testing.assert_allclose(columns.upper[7:], 0.7, atol=1e-7)


def test_the_reference_takes_looks_from_the_known_head(reference: Columns) -> None:
    """Each shape gets what was seen of the control that stands for it, whatever its place."""
    head = registry.load(REFERENCE_RIG)
    names = name_map(head)
    count = len(head.controls)
    looks = np.zeros((count, VIEW_SIZE), np.float32)
    looks[:, 0] = np.arange(1, count + 1)
    known = replace(descriptors_of(head), picture=looks, drawn=True)
    found = reference_columns(known=known)
    expected = np.zeros(52)
    for control, shape, scale in zip(names.direct, names.shapes, names.scale, strict=True):
        expected[shape] += scale * (control + 1)
    np.testing.assert_allclose(found.picture[:, 0], expected, rtol=1e-6)
    assert (expected > 0).all()
    np.testing.assert_array_equal(found.motion, reference.motion)
    assert not reference.picture.any()
