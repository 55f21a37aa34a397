"""The renderer's training: the foundation's eyes in torch, shards, losses that fall, a file."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from freeavatar.foundation.crops import Crop
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression_model import FULL_NETWORK
from freeavatar.foundation.training.checkpoints import State
from freeavatar.renderer_net import capturing
from freeavatar.renderer_net.capturing import appearance_of
from freeavatar.renderer_net.export import Exported
from freeavatar.renderer_net.net import RendererConfig, RendererNet
from freeavatar.rigs import registry
from freeavatar.tools.cli import main
from freeavatar.tools.dataset import rig_renders
from freeavatar.tools.training.renderer_card import write_card
from freeavatar.tools.training.rig_feed import RigFeed
from freeavatar.tools.training.torch_foundation import TorchFoundation, cut


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def renders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen pictures of the fox to learn from, four to judge by."""
    folder = tmp_path_factory.mktemp("renders") / "fox"
    patch = pytest.MonkeyPatch()
    patch.setattr(rig_renders, "PER_SHARD", 4)
    common = ["--out", str(folder), "--size", "64", "--workers", "1"]
    assert main(["data", "rig-renders", "fox", "--count", "16", *common]) == 0
    held = ["--count", "4", "--split", "validation"]
    assert main(["data", "rig-renders", "fox", *held, *common]) == 0
    patch.undo()
    return folder


@pytest.mark.skipif(not FULL_NETWORK.is_file(), reason="the whole network is not here (optional)")
def test_the_torch_view_is_the_shipped_network() -> None:
    crops = np.random.default_rng(0).integers(0, 255, (2, 128, 128, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(str(FULL_NETWORK))
    tokens, embedding = session.run(["tokens", "embedding"], {"crop": crops})
    pictures = torch.tensor(crops).permute(0, 3, 1, 2).float() / 255.0
    view = TorchFoundation()
    with torch.no_grad():
        seen = view.look(pictures)
        np.testing.assert_allclose(view.tokens(pictures).numpy(), tokens, atol=1e-3)
    np.testing.assert_allclose(seen.embedding.numpy(), embedding, atol=1e-3)
    assert not any(p.requires_grad for p in view.parameters())
    assert not view.train().net.training


def test_a_crop_is_cut_as_the_runtime_cuts_it() -> None:
    rows, columns = np.mgrid[:128, :128]
    picture = np.stack([2 * rows, 2 * columns, rows + columns], axis=2).astype(np.uint8)
    crop = Crop(centre=(70.0, 60.0), side=80.0, roll=0.2)
    pictures = torch.tensor(picture).permute(2, 0, 1)[None].float().requires_grad_()
    ours = cut(pictures, crop)
    assert np.abs(ours[0].permute(1, 2, 0).detach().numpy() - crop.cut(picture)).max() < 1.0
    ours.sum().backward()
    assert pictures.grad is not None and float(pictures.grad.sum()) > 0


def test_a_run_learns_resumes_and_is_exported(
    renders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = appearance_of(registry.load("fox"))
    monkeypatch.setattr(capturing, "appearance_of", lambda _: look)
    run = tmp_path / "run"
    command = ["train", "renderer", "--data", str(renders), "--out", str(run), "--batch", "4"]
    assert main([*command, "--samples", "32", "--validate-every", "4", "--rate", "2e-3"]) == 0
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    figures = [line["validation"] for line in lines if "validation" in line]
    assert figures[-1]["psnr"] > figures[-1]["points_psnr"]
    assert figures[-1]["psnr"] > figures[0]["psnr"]
    assert main([*command, "--samples", "36", "--validate-every", "9", "--resume"]) == 0
    assert json.loads((run / "log.jsonl").read_text().splitlines()[-1])["samples"] == 36
    assert main([*command, "--export", str(tmp_path / "weights")]) == 0
    card = (tmp_path / "weights" / "renderer.md").read_text()
    assert "| fox |" in card and "16 of fox. The rigs are our own." in card
    assert str(renders.parent) not in card
    session = onnxruntime.InferenceSession(str(tmp_path / "weights" / "renderer.onnx"))
    assert session.get_modelmeta().custom_metadata_map["kind"] == "renderer/1"


def test_what_is_missing_is_said(renders: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no test-\*.tar .* rig-renders"):
        RigFeed([renders], "test", batch=2)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "train-000000.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(TrainingError, match=r"train-000000\.tar is damaged"):
        RigFeed([broken], "train", batch=2)


def test_a_rig_with_other_controls_than_were_drawn_is_refused(
    renders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = RigFeed([renders], "train", batch=2)
    assert [rig.name for rig in feed.rigs()] == ["fox"]
    other = registry.load("mannequin")
    monkeypatch.setattr(registry, "load", lambda _: other)
    with pytest.raises(TrainingError, match="mannequin has 52 controls, its pictures were drawn"):
        feed.rigs()


def test_a_rig_that_is_not_ours_is_not_called_ours(tmp_path: Path) -> None:
    net = RendererNet(RendererConfig(widths=(8, 8), condition_dim=4))
    file = tmp_path / "renderer.onnx"
    file.write_bytes(b"")
    state = State(config=net.config.to_dict(), facts={"rigs": {"fox": 3, "hero": 5}})
    exported = Exported(path=file, bytes=1000, difference=0.0)
    card = write_card(exported, net, state).read_text()
    assert "3 of fox, 5 of hero." in card
    assert "our own" not in card
