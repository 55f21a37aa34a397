"""Triplets that people have compared: read, fed beside other pictures, learned from."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import webdataset

from freeavatar.foundation.config import EncoderConfig, ExpressionConfig, HeadsConfig
from freeavatar.foundation.contrastive import compared_loss
from freeavatar.foundation.crops import STORED_SIZE
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.samples import Sample, pack
from freeavatar.foundation.training.card import write_card
from freeavatar.foundation.training.checkpoints import load
from freeavatar.foundation.training.distributed import Processes
from freeavatar.foundation.training.export import Exported
from freeavatar.foundation.training.expression_training import (
    ExpressionOptions,
    Losses,
    train_expression,
)
from freeavatar.foundation.training.fec import MARGINS, ComparedFaces
from freeavatar.foundation.training.feeding import Pictures
from freeavatar.foundation.training.loop import LAST, RunOptions
from freeavatar.foundation.training.losses import Targets
from freeavatar.foundation.training.schedule import Budget
from freeavatar.foundation.training.shard_feed import FeedOptions, ShardFeed
from freeavatar.foundation.training.views import Viewer
from freeavatar.tools.cli import main
from freeavatar.tools.dataset.fec import KINDS

torch.set_num_threads(1)
CONFIG = ExpressionConfig(
    encoder=EncoderConfig(stem_widths=(8, 8, 8, 16), stem_residuals=(0, 0, 0, 0), depth=1, heads=2),
    heads=HeadsConfig(token_dim=4, hidden_dim=16),
)


def face(kind: int, shade: int) -> np.ndarray:
    """A grey square with a bright upper (kind 0) or lower half (kind 1)."""
    picture = np.full((STORED_SIZE, STORED_SIZE, 3), 40 + shade, np.uint8)
    half = STORED_SIZE // 2
    picture[half * kind : half * (kind + 1)] = 200
    return picture


@pytest.fixture
def fec(tmp_path: Path) -> Path:
    """Six faces of two expressions, eight triplets of which one is a tie."""
    folder = tmp_path / "compared"
    (folder / "crops").mkdir(parents=True)
    for n in range(6):
        cv2.imwrite(str(folder / "crops" / f"face{n}.jpg"), face(n % 2, 8 * n))
    lines = []
    for n in range(8):
        # Two of one kind and one of the other, which is the first, second or third.
        names = [f"face{n % 2}", f"face{2 + n % 2}"]
        names.insert(n % 3, f"face{4 + (n + 1) % 2}")
        odd = None if n == 7 else n % 3
        lines.append({"faces": names, "odd": odd, "kind": KINDS[n % 3], "votes": [1], "line": n})
    (folder / "triplets.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Shards of pictures without any label."""
    folder = tmp_path / "frames"
    folder.mkdir()
    make = np.random.default_rng(0)
    for split in ("train", "validation"):
        with webdataset.TarWriter(str(folder / f"{split}-000000.tar")) as writer:
            for n in range(12):
                picture = make.integers(0, 256, (STORED_SIZE, STORED_SIZE, 3), dtype=np.uint8)
                sample = Sample(picture=picture, identity=f"{split} {n}", domain="photo")
                writer.write(pack(sample, f"{n:08d}"))
    return folder


def options(frames: Path, fec: Path | None, **changed: float) -> FeedOptions:
    chosen = {"batch": 20, "second_views": 0.25, "fec_part": 0.45, **changed}
    return FeedOptions(folders=[str(frames)], fec=fec, **chosen)  # type: ignore[arg-type]


def test_kinds_are_those_that_the_data_has() -> None:
    assert set(MARGINS) == set(KINDS)
    assert [MARGINS[kind] for kind in KINDS] == [0.1, 0.2, 0.2]


def test_the_odd_face_comes_last_and_ties_are_left_out(fec: Path) -> None:
    faces = ComparedFaces(fec)
    assert (len(faces), faces.facts()) == (7, {"triplets": 7, "ties": 1, "crops": 6})
    np.testing.assert_allclose(faces.margins, [MARGINS[KINDS[n % 3]] for n in range(7)])
    for row in range(7):
        shown = [sample.picture[0, 0, 0] > 150 for sample in faces.samples(row)]
        assert shown[0] == shown[1] != shown[2]
    sample = faces.samples(0)[0]
    assert np.isnan(sample.blendshapes).all() and sample.expression == -1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        (b"\xff\xfe\xff", "no JSON"),
        ({"faces": ["face0", "face1"]}, "faces must be the names of three crops"),
        ({"faces": ["face0", "face1", 2]}, "faces must be the names of three crops"),
        ({"faces": ["face0", "face1", "../x"]}, r"there is no crops/\.\./x\.jpg"),
        ({"odd": 3}, "odd must be 0, 1, 2 or null"),
        ({"odd": True}, "odd must be 0, 1, 2 or null"),
        ({"kind": "SOME"}, "kind must be one of ONE_CLASS"),
    ],
)
def test_a_broken_line_is_named(fec: Path, line: object, message: str) -> None:
    path = fec / "triplets.jsonl"
    lines = path.read_bytes().splitlines()
    if isinstance(line, dict):
        line = json.dumps(json.loads(lines[3]) | line)
    lines[3] = line if isinstance(line, bytes) else str(line).encode()
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(TrainingError, match=rf"triplets\.jsonl line 4: {message}") as caught:
        ComparedFaces(fec)
    assert "\n" not in str(caught.value)


def test_folders_without_triplets_and_damaged_crops_are_refused(fec: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nowhere holds no triplets\.jsonl; make it with"):
        ComparedFaces(tmp_path / "nowhere")
    faces = ComparedFaces(fec)
    (fec / "crops" / "face0.jpg").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"face0\.jpg is no picture of 160 x 160"):
        faces.samples(0)
    (fec / "triplets.jsonl").write_text("\n")
    with pytest.raises(TrainingError, match="no triplet on which people agree"):
        ComparedFaces(fec)


def test_batches_carry_triplets_beside_the_same_other_pictures(fec: Path, frames: Path) -> None:
    feed = ShardFeed(options(frames, fec))
    batches = feed.training(0)
    batch = next(batches)
    assert (len(batch), len(batch.opposite), len(batch.margins)) == (20, 5, 3)
    assert all(torch.isnan(v[-9:]).all() for k, v in vars(batch.targets).items()
               if k != "expressions")  # fmt: skip
    assert (batch.targets.expressions[-9:] == -1).all()
    right = 0
    for _ in range(7):
        # Which half is bright survives nearly all that is done to a picture.
        halves = next(batches).crops[-9:].float().mean(dim=(2, 3)).unflatten(1, (2, 64)).mean(dim=2)
        upper = (halves[:, 0] > halves[:, 1]).view(3, 3)
        right += int(((upper[:, 0] == upper[:, 1]) & (upper[:, 0] != upper[:, 2])).sum())
    assert right >= 17
    # Without triplets a batch that draws as many others draws the same.
    alone = next(ShardFeed(options(frames, None, batch=11, second_views=5 / 11)).training(0))
    assert torch.equal(alone.crops, batch.crops[:11]) and not len(alone.margins)


def test_the_three_faces_of_a_triplet_are_mirrored_alike() -> None:
    turned = np.ascontiguousarray(face(0, 0).swapaxes(0, 1))
    samples = [Sample(picture=turned, identity="x", domain="photo")] * 60
    make = np.random.default_rng(0)
    batch = Viewer(0).triplets(samples, np.full(20, 0.1, np.float32), make)
    halves = batch.crops.float().mean(dim=(1, 3)).unflatten(1, (2, 64)).mean(dim=2)
    left = (halves[:, 0] > halves[:, 1]).view(20, 3)
    # Light from one side or an occluder may fool this measurement.
    assert (left.all(dim=1) | ~left.any(dim=1)).sum() >= 18
    assert 0.2 < left.float().mean() < 0.8


def test_processes_and_resumed_runs_draw_their_own(fec: Path, frames: Path) -> None:
    def crops(start: int, **changed: float) -> torch.Tensor:
        return next(ShardFeed(options(frames, fec, **changed)).training(start)).crops[-9:]

    assert torch.equal(crops(0), crops(0))
    assert not torch.equal(crops(0), crops(0, rank=1))
    assert not torch.equal(crops(0), crops(100))
    assert torch.equal(crops(0), crops(0, workers=1))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fec_part": 1.0}, "a part lies between 0 and 1"),
        ({"fec_part": float("nan")}, "a part lies between 0 and 1"),
        ({"fec_part": 0.9}, "no room for 6 triplets"),
        ({"batch": 3, "second_views": 0.0}, "no room for 1 triplets"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    fec: Path, frames: Path, changed: dict[str, float], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        ShardFeed(options(frames, fec, **changed))


def test_the_order_of_a_triplet_decides_its_loss() -> None:
    make = torch.Generator().manual_seed(1)
    three = torch.nn.functional.normalize(torch.randn(3, 8, generator=make), dim=1)
    anchor, positive, negative = three
    for margin in (0.1, 0.2):
        loss = compared_loss(three, torch.tensor([margin]))
        near = (anchor - positive).square().sum()
        expected = sum(
            max(0.0, float(near - (x - negative).square().sum()) + margin)
            for x in (anchor, positive)
        )
        assert float(loss) == pytest.approx(expected, abs=1e-6)
        swapped = compared_loss(three[[1, 0, 2]], torch.tensor([margin]))
        torch.testing.assert_close(swapped, loss)
        assert float((compared_loss(three[[0, 2, 1]], torch.tensor([margin])) - loss).abs()) > 0.01
    assert float(compared_loss(three[:0], torch.zeros(0))) == 0.0


def test_the_loss_falls_on_toy_triplets(fec: Path, frames: Path) -> None:
    torch.manual_seed(0)
    feed = ShardFeed(options(frames, fec, batch=32, fec_part=0.75, second_views=0.1))
    net = ExpressionNet(CONFIG)
    losses = Losses(
        options=ExpressionOptions(config=CONFIG), channels=torch.ones(52), processes=Processes()
    )
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    course, batches = [], feed.training(0)
    for _ in range(40):
        batch = next(batches)
        found = losses(net, batch)
        optimiser.zero_grad()
        found["total"].backward()
        optimiser.step()
        course.append(float(found["fec"].detach()))
    assert np.mean(course[-8:]) < 0.6 * np.mean(course[:4])
    # It is part of what is minimised, with its own weight.
    weights = losses.options.weights
    without = replace(losses, options=ExpressionOptions(weights=replace(weights, fec=0.0)))
    net.eval()
    with torch.no_grad():
        whole, rest = losses(net, batch), without(net, batch)
    torch.testing.assert_close(whole["total"] - rest["total"], weights.fec * whole["fec"])
    # All others are what they are without triplets: their targets are unknown, and the second
    # views end where they begin.
    count = len(batch) - 3 * len(batch.margins)
    bare = Pictures(
        crops=batch.crops[:count],
        targets=Targets(**{k: v[:count] for k, v in vars(batch.targets).items()}),
        people=batch.people[:count],
        opposite=batch.opposite,
    )
    with torch.no_grad():
        others = losses(net, bare)
    assert others.keys() == whole.keys() - {"fec"}
    for name in others.keys() - {"total"}:
        torch.testing.assert_close(others[name], whole[name], msg=name)
    assert float(others["consistency"]) > 0


def test_run_and_card_tell_of_the_triplets_also_when_resumed(
    fec: Path, frames: Path, tmp_path: Path
) -> None:
    run = RunOptions(folder=tmp_path / "run", budget=Budget(samples=20), half=False)

    def train(samples: int, triplets: Path | None) -> dict[str, object]:
        now = replace(run, budget=Budget(samples=samples), resume=True)
        feed = ShardFeed(options(frames, triplets))
        train_expression(feed, ExpressionOptions(config=CONFIG), now, Processes())
        facts: dict[str, object] = json.loads((run.folder / "run.json").read_text())
        return facts

    told = {"compared": {"part": 0.45, "triplets": 7, "ties": 1, "crops": 6}}
    assert "fec" not in train(20, None)
    assert train(40, fec)["fec"] == told
    assert train(60, None)["fec"] == told
    state = load(run.folder / LAST).state
    assert (state.step, state.facts["fec"]) == (3, told)
    exported = Exported(
        path=tmp_path / "x.onnx", bytes=1, difference=0.0, tokens_difference=0.0, milliseconds=1.0
    )
    card = write_card(exported, ExpressionNet(CONFIG), state).read_text()
    assert "**compared** (FEC, facial expression comparison): 7 triplets of 6 photographs" in card
    assert "45 % of each batch" in card


def test_the_command_takes_a_folder_of_triplets(
    fec: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "expression", "--data", str(frames), "--batch", "8", "--samples", "8"]
    refused = [*command, "--out", str(tmp_path / "x"), "--fec", str(frames)]
    assert main(refused) == 1
    said = capsys.readouterr().err
    assert "holds no triplets.jsonl" in said and said.count("\n") == 1
    assert main([*command, "--out", str(tmp_path / "run"), "--fec", str(fec)]) == 0
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["fec"]["compared"]["part"] == 0.375
