"""Whole small trainings: they learn, resume where they stopped, and keep what they learned."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from freeavatar.foundation.config import ExpressionConfig, HeadsConfig, MAEConfig
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.training import checkpoints
from freeavatar.foundation.training.expression_training import ExpressionOptions, train_expression
from freeavatar.foundation.training.loop import BEST, LAST, Job, Run
from freeavatar.foundation.training.mae_training import train_mae

from .toy_faces import ToyFeed, toy_pictures
from .toy_runs import ALONE, CONFIG, SMALL, log_lines, run_options

torch.set_num_threads(1)


def test_a_run_learns_and_keeps_its_best(trained: Path) -> None:
    figures = log_lines(trained, "validation")
    assert figures[-1]["correlation"] > 0.8
    assert figures[-1]["landmarks, px"] < 10
    assert figures[-1]["triplets"] > 0.6
    losses = log_lines(trained, "losses")
    assert losses[-1]["total"] < 0.7 * losses[0]["total"]
    assert {"consistency", "contrastive", "head", "eyes"} <= set(losses[0])
    best = checkpoints.load(trained / BEST).state
    assert best.best == pytest.approx(max(f["score"] for f in figures), abs=1e-5)
    assert json.loads((trained / "run.json").read_text())["config"] == CONFIG.to_dict()


def test_a_folder_that_holds_a_run_is_not_overwritten(trained: Path) -> None:
    before = (trained / LAST).read_bytes()
    with pytest.raises(TrainingError, match="take --resume"):
        train_expression(
            ToyFeed(size=64),
            ExpressionOptions(config=CONFIG),
            run_options(trained, samples=9),
            ALONE,
        )
    assert (trained / LAST).read_bytes() == before


def small_job(model: torch.nn.Module) -> Job[Tensor]:
    def losses(model: torch.nn.Module, batch: Tensor) -> dict[str, Tensor]:
        return {"total": model(batch).blendshapes.square().mean()}

    return Job(
        model=model, config=CONFIG.to_dict(), facts={}, losses=losses, size=len,
        validate=lambda _: {"score": 0.0},
    )  # fmt: skip


@pytest.mark.parametrize("muon", [False, True])
def test_a_resumed_run_goes_on_bit_for_bit(tmp_path: Path, muon: bool) -> None:
    """The third update must not tell whether the program was started anew after the second."""
    asked = dataclasses.replace(run_options(tmp_path / "a", samples=9), muon=muon)
    batches = [toy_pictures(8, seed=i, size=64).crops for i in range(4)]
    torch.manual_seed(0)
    whole = Run(small_job(ExpressionNet(CONFIG)), asked, ALONE)
    for batch in batches[:2]:
        whole.step(batch, 0.5)
    whole._save(LAST)
    torch.manual_seed(99)
    job = small_job(ExpressionNet(CONFIG))
    again = Run(job, dataclasses.replace(asked, resume=True), ALONE)
    assert (again.state.step, again.state.samples) == (2, 16)
    for batch in batches[2:]:
        first, second = whole.step(batch, 0.5), again.step(batch, 0.5)
        assert torch.equal(first["total"], second["total"])
    for name, value in whole.average.values.items():
        assert torch.equal(value, again.average.values[name]), name


def test_a_run_resumes_with_its_own_optimiser_only(trained: Path) -> None:
    asked = run_options(trained, samples=32 * 150, resume=True)
    with pytest.raises(TrainingError, match="the other --optimiser"):
        Run(small_job(ExpressionNet(CONFIG)), dataclasses.replace(asked, muon=True), ALONE)


def test_a_finished_run_that_is_resumed_adds_nothing(trained: Path) -> None:
    state = train_expression(
        ToyFeed(size=64),
        ExpressionOptions(config=CONFIG),
        run_options(trained, samples=32 * 150, resume=True),
        ALONE,
    )
    assert state.step == 150


def test_another_network_does_not_resume(trained: Path) -> None:
    other = ExpressionConfig(encoder=SMALL, heads=HeadsConfig(token_dim=4, hidden_dim=32))
    with pytest.raises(TrainingError, match="of another network"):
        train_expression(
            ToyFeed(size=64),
            ExpressionOptions(config=other),
            run_options(trained, samples=9, resume=True),
            ALONE,
        )


def test_checkpoints_are_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = ExpressionNet(CONFIG)
    path = tmp_path / LAST
    state = checkpoints.State(step=3)
    checkpoints.save(path, state, model=net, average=checkpoints.Average(net))
    before = path.read_bytes()

    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fails)
    state.step = 4
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save(path, state, model=net, average=checkpoints.Average(net))
    assert path.read_bytes() == before
    assert checkpoints.load(path).state.step == 3


@pytest.mark.parametrize("content", [b"", b"{}", b"\x80\x04N.", b"\xff" * 64])
def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(TrainingError, match=r"x\.safetensors: not a readable checkpoint"):
        checkpoints.load(tmp_path / "x.safetensors")
    with pytest.raises(TrainingError, match="there is no checkpoint"):
        checkpoints.load(tmp_path / "y.safetensors")


def test_the_average_follows_the_weights() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 0.0)
    average = checkpoints.Average(model, decay=0.9)
    torch.nn.init.constant_(model.weight, 1.0)
    for step in range(1, 400):
        average.update(model, step)
    assert average.values["weight"].item() == pytest.approx(1.0, abs=1e-4)
    torch.nn.init.constant_(model.weight, 2.0)
    average.update(model, 400)
    assert average.values["weight"].item() == pytest.approx(1.1, abs=1e-4)


def test_pretraining_passes_its_encoder_on(tmp_path: Path) -> None:
    torch.manual_seed(0)
    feed = ToyFeed(batch=32, size=64)
    config = MAEConfig(encoder=SMALL, decoder_dim=16, decoder_depth=1, decoder_heads=2)
    train_mae(feed, config, run_options(tmp_path / "mae", samples=32 * 60, every=20), ALONE)
    errors = [f["error"] for f in log_lines(tmp_path / "mae", "validation")]
    assert errors[-1] < errors[0]
    with Image.open(tmp_path / "mae" / "reconstructions.png") as sheet:
        assert sheet.size == (4 * (3 * 64 + 8), 6 * 68)
    options = ExpressionOptions(config=CONFIG, mae=tmp_path / "mae")
    # One step at the lowest rate leaves the encoder as it was.
    run = run_options(tmp_path / "x", samples=1)
    train_expression(feed, options, run, ALONE)
    pretrained = checkpoints.load(tmp_path / "mae" / BEST).part("average.encoder")
    taken = checkpoints.load(tmp_path / "x" / LAST).part("average.encoder")
    apart = (pretrained["positions"] - taken["positions"]).abs().max()
    assert apart < 1e-3 < pretrained["positions"].std()
    other = ExpressionOptions(config=ExpressionConfig(), mae=tmp_path / "mae")
    with pytest.raises(TrainingError, match="an encoder of another size"):
        train_expression(feed, other, run_options(tmp_path / "y", samples=1), ALONE)


def test_frozen_stages_stay_and_the_rest_learns(trained: Path, tmp_path: Path) -> None:
    options = ExpressionOptions(config=CONFIG, start=trained, frozen=2)
    train_expression(
        ToyFeed(batch=32, size=64), options, run_options(tmp_path / "x", samples=32 * 4), ALONE
    )
    before = checkpoints.load(trained / BEST).part("average")
    own = checkpoints.load(tmp_path / "x" / LAST).part("model")
    frozen = [k for k in own if k.startswith(("encoder.stem.stages.0", "encoder.stem.stages.1"))]
    assert any(k.endswith("running_mean") for k in frozen)
    for name in frozen:
        assert torch.equal(own[name], before[name]), name
    learnt = "encoder.stem.stages.2.0"
    for name in (f"{learnt}.convolution.weight", f"{learnt}.norm.running_mean"):
        assert not torch.equal(own[name], before[name])
    assert json.loads((tmp_path / "x" / "run.json").read_text())["frozen"] == 2


@pytest.mark.parametrize(
    ("frozen", "start", "says"),
    [(1, None, "never trained"), (5, Path("w.onnx"), "4 stages"), (-1, Path("w.onnx"), "4 stages")],
)
def test_stages_that_cannot_stay_are_refused(frozen: int, start: Path | None, says: str) -> None:
    with pytest.raises(TrainingError, match=says):
        ExpressionOptions(config=CONFIG, start=start, frozen=frozen)


SCRIPT = """
import sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[1])
torch.set_num_threads(1)
from toy_faces import ToyFeed
from freeavatar.foundation.config import ExpressionConfig
from freeavatar.foundation.training.distributed import joined
from freeavatar.foundation.training.expression_training import ExpressionOptions, train_expression
from freeavatar.foundation.training.loop import RunOptions
from freeavatar.foundation.training.schedule import Budget
import dataclasses
import itertools
import json
config = ExpressionConfig.from_dict(json.loads(sys.argv[3]))
with joined("cpu") as processes:
    run = RunOptions(folder=Path(sys.argv[2]), budget=Budget(samples=64), validate_every=2)
    feed = ToyFeed(batch=8, size=64, second_views=2)
    state = train_expression(feed, ExpressionOptions(config=config), run, processes)
    # In one piece: two processes write to one pipe.
    said = processes.rank, processes.count, state.step, state.samples
    sys.stdout.write("STATE {} {} {} {}\\n".format(*said))
"""


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
               "--master-port", "0", "--standalone", str(script), str(Path(__file__).parent),
               str(tmp_path / "run"), json.dumps(CONFIG.to_dict())]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert {"STATE 0 2 4 64", "STATE 1 2 4 64"} <= set(done.stdout.splitlines())
    assert len(log_lines(tmp_path / "run", "validation")) == 2
    assert checkpoints.load(tmp_path / "run" / LAST).state.samples == 64
