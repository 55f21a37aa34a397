"""Whole small trainings: they learn, resume where they stopped, and export what they learned."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import Tensor

from freeavatar.foundation.config import EncoderConfig, ExpressionConfig, HeadsConfig, MAEConfig
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.model_cards import QUALITY_BEGIN, QUALITY_END
from freeavatar.foundation.onnx_session import KIND
from freeavatar.foundation.training import checkpoints
from freeavatar.foundation.training.card import write_card
from freeavatar.foundation.training.distributed import Processes
from freeavatar.foundation.training.export import (
    export_facts,
    export_network,
    folded_network,
    load_network,
)
from freeavatar.foundation.training.expression_training import ExpressionOptions, train_expression
from freeavatar.foundation.training.loop import BEST, LAST, Job, Run, RunOptions
from freeavatar.foundation.training.mae_training import train_mae
from freeavatar.foundation.training.quantise import quantise
from freeavatar.foundation.training.readout_training import (
    ReadoutOptions,
    gather,
    shuffled,
    train_readout,
)
from freeavatar.foundation.training.schedule import Budget, Schedule

from .toy_faces import ToyFeed, toy_pictures

torch.set_num_threads(1)
SMALL = EncoderConfig(
    size=64, stem_widths=(8, 8, 8, 16), stem_residuals=(0, 1, 1, 0), depth=1, heads=2
)
CONFIG = ExpressionConfig(encoder=SMALL, heads=HeadsConfig(token_dim=8, hidden_dim=32))
ALONE = Processes()


def run_options(folder: Path, *, samples: int, resume: bool = False, every: int = 50) -> RunOptions:
    return RunOptions(
        folder=folder,
        budget=Budget(samples=samples),
        schedule=Schedule(peak=3e-3),
        resume=resume,
        validate_every=every,
        half=False,
    )


def log_lines(folder: Path, key: str) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line[key] for line in lines if key in line]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on toy faces."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    feed = ToyFeed(batch=32, size=64, second_views=8)
    options = ExpressionOptions(config=CONFIG)
    train_expression(feed, options, run_options(folder, samples=32 * 150), ALONE)
    return folder


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


def test_folding_changes_nothing(trained: Path) -> None:
    net, _ = load_network(trained)
    folded = folded_network(net)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    crops = toy_pictures(4, seed=5, size=64).crops
    with torch.no_grad():
        for a, b in zip(net(crops), folded(crops), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


@pytest.mark.parametrize("half", [False, True])
def test_the_file_says_what_torch_says(trained: Path, tmp_path: Path, half: bool) -> None:
    net, state = load_network(trained)
    crops = toy_pictures(5, seed=6, size=64).crops
    facts = export_facts(state, version="1.2.3")
    path = tmp_path / "net.onnx"
    exported = export_network(net, path, facts=facts, crops=crops.numpy(), half=half)
    assert exported.difference <= (5e-3 if half else 1e-4)
    session = onnxruntime.InferenceSession(path)
    (crop,) = session.get_inputs()
    assert (crop.name, crop.type, crop.shape[1:]) == ("crop", "tensor(uint8)", [64, 64, 3])
    with torch.no_grad():
        wanted = net(crops)._asdict()
    for count in (1, 5):
        for name, value in wanted.items():
            found = session.run([name], {"crop": crops[:count].numpy()})[0]
            np.testing.assert_allclose(
                found, value[:count].numpy(), rtol=0, atol=3e-2 if half else 1e-4, err_msg=name
            )
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata[KIND] == "expression/1" and metadata["version"] == "1.2.3"
    assert json.loads(metadata["config"]) == CONFIG.to_dict()
    # Folded into the convolutions.
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("BatchNormalization") == 0
    card = write_card(exported, net, state).read_text()
    assert "| tongue |" in card and "**toy**: 32 training pictures" in card
    assert f"{QUALITY_BEGIN}\n{QUALITY_END}\n" in card, "eval quality --cards finds its place"


def test_half_the_bits_are_half_the_file(trained: Path, tmp_path: Path) -> None:
    net, _ = load_network(trained)
    sizes = [
        export_network(net, tmp_path / f"{half}.onnx", facts={}, half=half).bytes
        for half in (False, True)
    ]
    assert sizes[1] < 0.75 * sizes[0]


def test_a_file_that_differs_is_not_written(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, _ = load_network(trained)
    monkeypatch.setattr("freeavatar.foundation.training.export.TOLERANCE", 0.0)
    with pytest.raises(TrainingError, match="differs from torch"):
        export_network(net, tmp_path / "net.onnx", facts={})
    assert not (tmp_path / "net.onnx").exists()


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


def test_the_eight_bit_copy_is_smaller_and_says_nearly_the_same(
    trained: Path, tmp_path: Path
) -> None:
    net, state = load_network(trained)
    facts = export_facts(state, version="1")
    exported = export_network(net, tmp_path / "net_full.onnx", facts=facts)
    batches = [toy_pictures(64, seed=seed, size=64) for seed in (4, 5, 6, 7)]
    copy = quantise(exported.path, tmp_path / "net.onnx", batches)

    whole, small = (
        sum(t.raw_data != b"" and t.data_type == onnx.TensorProto.INT8 for t in g.initializer)
        for g in (onnx.load(p).graph for p in (exported.path, copy.path))
    )
    assert whole == 0 and small >= 9
    held = {t.name for t in onnx.load(copy.path).graph.initializer if "quantized" in t.name}
    assert any("stages.2." in name for name in held)
    assert not any("stages.0." in n or "stages.1." in n for n in held)
    assert not any(".heads." in n and ".meaning.0." not in n for n in held)
    session = onnxruntime.InferenceSession(copy.path)
    assert session.get_modelmeta().custom_metadata_map["precision"] == "int8"
    kinds = {node.op_type for node in onnx.load(copy.path).graph.node}
    assert "QuantizeLinear" in kinds
    crops = toy_pictures(8, seed=9, size=64).crops.numpy()
    full = onnxruntime.InferenceSession(exported.path)
    for name, most in (("blendshapes", 0.05), ("landmarks", 0.02)):
        found, wanted = (s.run([name], {"crop": crops})[0] for s in (session, full))
        assert 0 < np.abs(found - wanted).mean() < most
    assert abs(copy.after["correlation"] - copy.before["correlation"]) < 0.01
    card = write_card(exported, net, state, copy).read_text()
    assert card.startswith("# net.onnx") and "in eight bits" in card.replace("\n", " ")


def test_an_eight_bit_copy_that_loses_too_much_is_not_written(
    trained: Path, tmp_path: Path
) -> None:
    """Ranges measured in the dark do not hold for faces."""
    net, state = load_network(trained)
    path = tmp_path / "net_full.onnx"
    export_network(net, path, facts=export_facts(state, version="1"))
    dark = toy_pictures(256, seed=4, size=64)
    dark.crops.zero_()
    with pytest.raises(TrainingError, match=r"in eight bits .* the copy was not written"):
        quantise(path, tmp_path / "net.onnx", [dark, toy_pictures(64, seed=5, size=64)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net_full.onnx"]


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
