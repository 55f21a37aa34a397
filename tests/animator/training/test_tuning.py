"""Tuning learns one rig's own ways, with the shared network as it was, and resumes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from freeavatar.animator.animator_config import AnimatorConfig
from freeavatar.animator.animator_net import AnimatorNet
from freeavatar.animator.reference_columns import reference_columns
from freeavatar.animator.training.batches import Performances
from freeavatar.animator.training.expression_views import ExpressionViews
from freeavatar.animator.training.performances import Performance, perform
from freeavatar.animator.training.sequences import random_sequences
from freeavatar.animator.training.tuning import Tuned, TunedAnimator, tune_animator
from freeavatar.foundation.training.loop import LAST, RunOptions
from freeavatar.foundation.training.schedule import Budget, Schedule

from .conftest import MakeRig

STEP = 2 * 4
"""Frames of a pair of sequences of four."""


@pytest.fixture
def net() -> AnimatorNet:
    """Trained to nothing in particular: an untrained one has zeros that stop gradients."""
    torch.manual_seed(0)
    net = AnimatorNet(AnimatorConfig(dim=24), reference_columns())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    return net


@pytest.fixture(scope="module")
def performance(views: ExpressionViews, make_rig: MakeRig) -> Performance:
    return perform(make_rig(8, 3), random_sequences(views, 8, np.random.default_rng(3)))


def options(folder: Path, steps: int, *, resume: bool = False) -> RunOptions:
    return RunOptions(
        folder=folder,
        budget=Budget(samples=steps * 8 * STEP),
        schedule=Schedule(peak=2e-2),
        resume=resume,
        validate_every=20,
        weight_decay=0.0,
        average_decay=0.9,
        half=False,
    )


def tuned(
    net: AnimatorNet, performance: Performance, views: ExpressionViews, run: RunOptions
) -> Tuned:
    both = Performances([performance], views)
    return tune_animator(net, performance.columns, both, both, run)


def test_it_learns_what_a_rig_does_and_nothing_else_changes(
    net: AnimatorNet, performance: Performance, views: ExpressionViews, tmp_path: Path
) -> None:
    shared = {name: value.clone() for name, value in net.state_dict().items()}
    done = tuned(net, performance, views, options(tmp_path / "run", 30))
    assert done.better
    assert done.after["weight error"] < 0.9 * done.before["weight error"]
    for name, value in net.state_dict().items():
        assert torch.equal(value, shared[name]), f"{name} was changed"
    count = int((performance.columns.signs > 0).sum())
    shapes = {name: array.shape for name, array in done.learned.items()}
    assert shapes == {"code": (16,), "follow": (2, 52, count), "trust": (2, count)}
    assert all(np.abs(array).max() > 1e-3 for array in done.learned.values())


def test_it_goes_on_where_it_was(
    net: AnimatorNet, performance: Performance, views: ExpressionViews, tmp_path: Path
) -> None:
    first = tuned(net, performance, views, options(tmp_path / "run", 10))
    assert (tmp_path / "run" / LAST).is_file()
    more = tuned(net, performance, views, options(tmp_path / "run", 30, resume=True))
    assert more.before == first.before, "what was there before tuning is no longer known"
    assert more.after["score"] > first.after["score"]


def test_no_better_is_not_better(
    net: AnimatorNet, performance: Performance, views: ExpressionViews, tmp_path: Path
) -> None:
    done = tuned(net, performance, views, options(tmp_path / "run", 2))
    assert not replace(done, after=done.before).better
    assert not replace(done, after={**done.before, "score": done.before["score"] - 1}).better


def test_untuned_it_is_the_network(
    net: AnimatorNet, performance: Performance, views: ExpressionViews
) -> None:
    batch = Performances([performance], views).batch([0], [np.arange(4)])
    own = TunedAnimator(net, len(performance.columns.upper)).eval()
    torch.testing.assert_close(own(batch.given).weights, net(batch.given).weights)


def test_names_are_a_start(
    net: AnimatorNet, performance: Performance, views: ExpressionViews, tmp_path: Path
) -> None:
    """The rig's right answer is one shape for each column, as its names say."""
    shown = np.random.default_rng(3).permutation(52)[: len(performance.columns.upper)]
    named = np.zeros((52, len(shown)), np.float32)
    named[shown, np.arange(len(shown))] = 1.0 / performance.columns.upper
    both = Performances([performance], views)
    by_name, without = (
        tune_animator(
            net, performance.columns, both, both, options(tmp_path / str(k), 1), named=known
        )
        for k, known in enumerate((named, None))
    )
    assert by_name.before == without.before
    assert by_name.after["weight error"] < 0.9 * without.after["weight error"]
    assert by_name.better


def test_what_is_no_better_than_an_earlier_tuning_is_not_better(
    net: AnimatorNet, performance: Performance, views: ExpressionViews, tmp_path: Path
) -> None:
    first = tuned(net, performance, views, options(tmp_path / "long", 30))
    both = Performances([performance], views)
    run = options(tmp_path / "short", 1)
    again = tune_animator(net, performance.columns, both, both, run, kept=first.learned)
    assert again.before["score"] == pytest.approx(first.after["score"], abs=1e-5)
    assert not again.better
