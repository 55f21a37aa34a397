"""The neural renderer's evaluation: an untrained network shows the points, and is told to."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from freeavatar.renderer_net.export import export_renderer
from freeavatar.renderer_net.net import RendererConfig, RendererNet
from freeavatar.rigs import registry
from freeavatar.tools.cli import main
from freeavatar.tools.dataset import rig_renders

SIZE, COUNT = 64, 8


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that adds nothing to the points."""
    path = tmp_path_factory.mktemp("weights") / "renderer.onnx"
    net = RendererNet(RendererConfig(widths=(8, 8, 8), condition_dim=4))
    export_renderer(net, path, facts={})
    return path


@pytest.fixture
def renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures of the fox, every second of whose controls holds the others back, as a VRM's may."""
    fox = registry.load("fox")
    clips = {name: {"override_mouth": "blend"} for name in fox.names[::2]}
    clips |= {name: {"preset": "aa"} for name in fox.names[1::2]}
    monkeypatch.setattr(registry, "load", lambda *_: replace(fox, expressions=clips))
    monkeypatch.setattr(rig_renders, "PER_SHARD", COUNT)
    folder = tmp_path / "fox"
    command = ["data", "rig-renders", "fox", "--count", str(COUNT), "--split", "test"]
    assert main([*command, "--out", str(folder), "--size", str(SIZE), "--workers", "1"]) == 0
    return folder


def test_an_untrained_network_is_as_good_as_the_points(
    renders: Path, untrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheets" / "fox.png"
    command = ["eval", "renderer", "--data", str(renders), "--split", "test"]
    command += ["--weights", str(untrained), "--limit", str(COUNT)]
    capsys.readouterr()
    assert main([*command, "--sheet", str(sheet), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["fox"]
    assert told["pictures"] == COUNT
    # Drawn from values, where clips would act once more, and from the recorded weights.
    assert told["psnr"] == pytest.approx(told["points_psnr"], abs=0.02)
    assert told["ssim"] == pytest.approx(told["points_ssim"], abs=0.002)
    assert told["embedding"] == pytest.approx(told["points_embedding"], abs=0.002)
    assert 15 < told["psnr"] < 40
    assert told["frames_per_second"] > 1

    shown = np.asarray(Image.open(sheet)).astype(int)
    assert shown.shape == (3 * SIZE, 2 * 3 * SIZE, 3)
    theirs, ours, apart = (shown[:SIZE, i * SIZE : (i + 1) * SIZE] for i in range(3))
    assert np.array_equal(apart, np.minimum(2 * np.abs(theirs - ours), 255))
    assert theirs.std() > 20 and apart.max() > 0

    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    figures = f"{told['psnr']:.1f} ({told['points_psnr']:.1f})"
    assert lines[1].startswith("fox") and figures in lines[1]
    assert "points alone" in lines[-1]


def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "renderer", "--data", str(tmp_path)]
    assert main(command) == 1
    assert "no validation-*.tar" in capsys.readouterr().err
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "timm" else there(n))
    assert main(command) == 1
    assert "need timm; install with: pip install 'freeavatar[train]'" in capsys.readouterr().err
