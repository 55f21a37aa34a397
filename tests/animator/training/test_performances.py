"""Performances are kept in files, made once, and batches of them are what they were."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from freeavatar.animator.training.batches import Performances
from freeavatar.animator.training.expression_views import ExpressionViews
from freeavatar.animator.training.performances import (
    Performance,
    Stage,
    gather_performances,
    read_performance,
    write_performance,
)
from freeavatar.animator.training.sequences import tokens_of
from freeavatar.animator.training.training_rig import TrainingRig
from freeavatar.foundation.errors import TrainingError


class Source:
    """Gives rigs and counts them."""

    def __init__(self, make_rig: Callable[..., TrainingRig]) -> None:
        self._make_rig = make_rig
        self.asked: list[int] = []

    def rig(self, number: int) -> TrainingRig:
        self.asked.append(number)
        return self._make_rig(4 + number, number)


def test_a_performance_comes_back_from_its_file(
    performances: list[Performance], tmp_path: Path
) -> None:
    path = tmp_path / "000000.npz"
    write_performance(path, performances[1], 40)
    again = read_performance(path, 40)
    np.testing.assert_array_equal(again.columns.upper, performances[1].columns.upper)
    np.testing.assert_allclose(again.columns.motion, performances[1].columns.motion, atol=1e-3)
    np.testing.assert_allclose(again.ideal, performances[1].ideal, atol=1e-3)
    np.testing.assert_array_equal(again.sequences.view, performances[1].sequences.view)
    assert again.mirrored is None and [p.name for p in tmp_path.iterdir()] == ["000000.npz"]


def test_answers_are_to_what_is_read_and_to_what_is_shown(
    performances: list[Performance],
) -> None:
    first = performances[0]
    assert first.ideal.shape == first.solver.shape == (12, 4, len(first.columns.upper))
    # The toy baseline says half of what the ideal would say of the same shapes.
    assert not np.allclose(first.solver, 0.5 * first.ideal, atol=0.02)


def test_only_missing_performances_are_made(
    views: ExpressionViews, make_rig: Callable[..., TrainingRig], tmp_path: Path
) -> None:
    source = Source(make_rig)
    stage = Stage(
        open_source=lambda: source, open_views=lambda: views, folder=tmp_path / "rigs", pairs=2
    )
    first = gather_performances(stage, range(3))
    assert source.asked == [0, 1, 2]
    stage.path(1).unlink()
    again = gather_performances(stage, range(3))
    assert source.asked == [0, 1, 2, 1]
    np.testing.assert_array_equal(first[1].ideal, again[1].ideal)


def test_damaged_files_and_files_of_other_faces_are_refused(
    performances: list[Performance], tmp_path: Path
) -> None:
    path = tmp_path / "000000.npz"
    write_performance(path, performances[0], 40)
    with pytest.raises(TrainingError, match="other faces; delete it"):
        read_performance(path, 41)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(TrainingError, match="damaged"):
        read_performance(path, 40)


def test_batches_hold_the_performances_padded(
    performances: list[Performance], views: ExpressionViews
) -> None:
    batch = Performances(performances, views).batch([0, 2], [np.arange(2), np.arange(4)])
    small, large = (len(performances[n].columns.upper) for n in (0, 2))
    assert batch.ideal.shape == (6, 4, large) and len(batch) == 24
    assert batch.given.rig.tolist() == [0, 0, 1, 1, 1, 1]
    np.testing.assert_allclose(batch.ideal[:2, :, :small], performances[0].ideal[:2])
    np.testing.assert_allclose(batch.ideal[2:], performances[2].ideal[:4])
    assert not batch.ideal[:2, :, small:].any() and not batch.given.rigs.valid[0, small:].any()
    wanted = tokens_of(views, performances[2].sequences)[:4]
    np.testing.assert_array_equal(batch.given.tokens[2:], wanted)


def test_every_rig_comes_in_every_pass_and_a_resumed_run_goes_on(
    performances: list[Performance], views: ExpressionViews
) -> None:
    feed = Performances(performances, views)
    batches = feed.training(1, 2, seed=3)
    shown = [next(batches) for _ in range(6)]
    numbers = [int(b.numbers[0]) for b in shown]
    assert sorted(numbers[:3]) == sorted(numbers[3:]) == [0, 1, 2]
    assert all(len(b.ideal) == 4 for b in shown)
    resumed = next(feed.training(1, 2, seed=3, start=4))
    torch.testing.assert_close(resumed.ideal, shown[4].ideal)
    everybody = list(feed.all_in_turn(2, 1))
    assert [b.numbers.tolist() for b in everybody] == [[0, 1], [2]]
    assert len(everybody[0].ideal) == 4
