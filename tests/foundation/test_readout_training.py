"""The layers that read the expression, trained once more on what the finished encoder sees."""

import dataclasses
import itertools
from pathlib import Path

import torch

from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.training import checkpoints
from freeavatar.foundation.training.export import load_network
from freeavatar.foundation.training.loop import BEST
from freeavatar.foundation.training.readout_training import (
    ReadoutOptions,
    gather,
    shuffled,
    train_readout,
)

from .toy_faces import ToyFeed
from .toy_runs import CONFIG, log_lines, run_options

torch.set_num_threads(1)


def test_kept_views_know_their_second_views() -> None:
    net = ExpressionNet(CONFIG).eval()
    feed = ToyFeed(batch=16, size=64, second_views=4)
    first, second = itertools.islice(feed.training(0), 2)
    second.targets.face[[0, 13]] = 0.0
    opposite = torch.tensor([False, True, True, False])
    second = dataclasses.replace(second, opposite=opposite)
    views = gather(net, iter([first, second]), 32, "views")
    assert len(views) == 30
    numbers = [n for n in range(32) if n not in (16, 29)]
    wanted = {n: n + 12 for n in (0, 1, 2, 3, 18, 19)}
    wanted |= {n: m for m, n in wanted.items()}
    for row, n in enumerate(numbers):
        other = int(views.other[row])
        assert (numbers[other] if other >= 0 else None) == wanted.get(n)
        assert bool(views.opposite[row]) == (n in (17, 18, 30))
    batch = next(shuffled(views, 30, 0))
    assert len(batch) == 30 and len(batch.paired) == len(batch.second) == 12
    for row, seen in zip(batch.paired.tolist(), batch.second, strict=True):
        torch.testing.assert_close(seen, views.seen[batch.views.other[row]])


def test_the_readout_learns_again_and_nothing_else_changes(trained: Path, tmp_path: Path) -> None:
    before, _ = load_network(trained)
    start = tmp_path / "start.safetensors"
    checkpoint = checkpoints.load(trained / BEST)
    torch.manual_seed(5)
    spoilt = ExpressionNet(CONFIG)
    checkpoints.fill(spoilt, checkpoint.part("average"))
    for layer in (*spoilt.heads.meaning, spoilt.heads.out["blendshapes"]):
        if isinstance(layer, torch.nn.Linear):
            layer.reset_parameters()
    spoilt_average = checkpoints.Average(spoilt)
    checkpoints.save(start, checkpoint.state, model=spoilt, average=spoilt_average)

    options = ReadoutOptions(count=600, batch=32)
    out = tmp_path / "out"
    feed = ToyFeed(size=64, second_views=8)
    state = train_readout(start, feed, options, run_options(out, samples=32 * 200))
    assert all("consistency" in losses for losses in log_lines(out / "readout", "losses"))

    assert state.facts["readout"]["pictures"] == 608
    assert state.facts["validation"]["correlation"] > 0.8
    after, _ = load_network(out)
    old, new = before.state_dict(), after.state_dict()
    changed = {k for k in old if not torch.equal(old[k], new[k])}
    assert changed and all(k.startswith(("heads.meaning.", "heads.out.")) for k in changed)
    assert not any("landmarks" in k or "out.head" in k for k in changed)
