"""freeavatar train: refusals in one line, and a whole small path from shards to a file."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import webdataset

from freeavatar.foundation.config import SIZES as ENCODERS
from freeavatar.foundation.contrastive import CONTRASTIVE as LOSSES
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.foundation.samples import Sample, pack
from freeavatar.tools import train_options
from freeavatar.tools.cli import main


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """A folder with a few grey faces for training and validation."""
    folder = tmp_path / "faces"
    folder.mkdir()
    make = np.random.default_rng(0)
    for split in ("train", "validation"):
        with webdataset.TarWriter(str(folder / f"{split}-000000.tar")) as writer:
            for n in range(16):
                sample = Sample(
                    picture=make.integers(0, 256, (160, 160, 3), dtype=np.uint8),
                    identity=f"{split} {n}",
                    domain="avatar",
                    expression=n,
                    blendshapes=make.random(52, np.float32),
                )
                writer.write(pack(sample, f"{n:08d}"))
    return folder


def test_choices_are_those_of_the_library() -> None:
    assert set(train_options.SIZES) == set(ENCODERS)
    assert set(train_options.CONTRASTIVE) == set(LOSSES)


def test_shards_become_a_network(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, mae, run, out = str(shards), tmp_path / "mae", tmp_path / "run", tmp_path / "out"
    small = ["--data", data, "--batch", "4", "--samples"]
    assert main(["train", "mae", *small, "8", "--out", str(mae)]) == 0
    assert (mae / "reconstructions.png").is_file()
    expression = ["train", "expression", *small, "8", "--mae", str(mae), "--out", str(run)]
    assert main(expression) == 0
    assert main(expression) == 1
    assert "take --resume" in capsys.readouterr().err
    resumed = [*expression, "--resume"]
    resumed[resumed.index("8")] = "12"
    assert main(resumed) == 0
    facts = json.loads((run / "run.json").read_text())
    assert facts["mae"] is True and facts["data"]["faces"]["samples"] == 16
    assert main(["train", "export", str(run), "--out", str(out), "--data", data, "--half"]) == 0
    assert "differs from torch by" in capsys.readouterr().out
    read = ExpressionModel(out / "expression.onnx").read(np.zeros((2, 128, 128, 3), np.uint8))
    assert read.blendshapes.shape == (2, 52)
    card = (out / "expression.md").read_text()
    assert "**faces**: 16 training pictures" in card and str(tmp_path) not in card


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["expression", "--data", "nowhere", "--out", "x"], "nowhere: there is no such folder"),
        (["expression", "--data", "FACES", "--out", "x"], "--minutes M or --samples N"),
        (["expression", "--data", "FACES", "--mae", "y", "--samples", "4", "--out", "x"],
         "y: there is no checkpoint"),
        (["export", "missing", "--out", "x"], "missing: there is no checkpoint"),
        (["export", "run", "--out", "x", "--int8"], "name shards with --calibrate"),
        (
            ["export", "run", "--out", "x", "--average-with", "before.onnx"],
            "--average-with changes the scales: name shards with --calibrate",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(
    words: list[str],
    message: str,
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *(str(shards) if w == "FACES" else w for w in words)]) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_without_the_extra_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else name)
    assert main(["train", "export", "run", "--out", "x"]) == 1
    assert "training needs torch; install with: pip install 'freeavatar[train]'" in (
        capsys.readouterr().err
    )
