"""The command: what it refuses, and what it writes of a finished run."""

import json
from pathlib import Path

import pytest
import torch

from freeavatar.animator.animator_config import AnimatorConfig
from freeavatar.animator.animator_files import FRAME_FILE, RIG_FILE, TRAINED_FILE
from freeavatar.animator.animator_net import AnimatorNet
from freeavatar.animator.reference_columns import reference_columns
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.training import checkpoints
from freeavatar.foundation.training.loop import BEST
from freeavatar.tools.cli import main
from freeavatar.tools.training.animator_data import open_rigs

torch.set_num_threads(1)


def finished(folder: Path, *, separate: bool = False) -> Path:
    """A run's folder with a network as it starts."""
    net = AnimatorNet(AnimatorConfig(), reference_columns())
    facts = {"trained": "animator", "separate": separate, "rigs": 7, "command": "freeavatar train"}
    state = checkpoints.State(samples=64, config=net.config.to_dict(), facts=facts)
    checkpoints.save(folder / BEST, state, model=net, average=checkpoints.Average(net))
    return folder


def test_a_finished_run_becomes_files_and_a_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, weights = finished(tmp_path / "run"), tmp_path / "weights"
    asked = ["train", "animator", "--data", str(tmp_path), "--out", str(folder)]
    assert main([*asked, "--export", str(weights)]) == 0
    files = {RIG_FILE, FRAME_FILE, TRAINED_FILE, "animator.md"}
    assert {p.name for p in weights.iterdir()} == files
    assert "7 rigs that nobody has made" in (weights / "animator.md").read_text()
    assert "MB" in capsys.readouterr().out
    rows = {"animator": {"mean": 0.51, "own": None, "error": 0.125, "drawn": 0.25}}
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps({"faces": 12, "rigs": {"hero": rows}}))
    exported = [*asked, "--export", str(weights), "--figures"]
    assert main([*exported, str(figures)]) == 0
    card = (weights / "animator.md").read_text()
    assert "| hero | animator | 0.510 | - | 0.125 | 0.250 |" in card and "with 12 faces" in card
    figures.write_text("{}")
    assert main([*exported, str(figures)]) == 1
    assert "eval animator --json" in capsys.readouterr().err


def test_separate_networks_are_not_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished(tmp_path / "run", separate=True)
    asked = ["train", "animator", "--data", str(tmp_path), "--out", str(folder)]
    assert main([*asked, "--export", str(tmp_path / "weights")]) == 1
    assert "not a joint animator" in capsys.readouterr().err
    assert not (tmp_path / "weights").exists()


def test_folders_without_shards_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "animator", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main([*asked, "--minutes", "1"]) == 1
    assert "holds no shards train-*.tar" in capsys.readouterr().err


def test_made_up_rigs_need_heads(tmp_path: Path) -> None:
    for synth in (None, tmp_path / "nothing"):
        with pytest.raises(TrainingError, match="--synth"):
            open_rigs(synth, tmp_path, "train", 0.0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match=r"valid_heads\.npz"):
        open_rigs(tmp_path / "empty", tmp_path, "train", 0.0)


def test_the_mean_with_other_weights_is_written_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, first, mean = finished(tmp_path / "run"), tmp_path / "first", tmp_path / "mean"
    asked = ["train", "animator", "--data", str(tmp_path), "--out", str(folder)]
    assert main([*asked, "--export", str(first)]) == 0
    torch.manual_seed(1)
    finished(folder)
    assert main([*asked, "--export", str(mean), "--average-with", str(first)]) == 0
    card = (mean / "animator.md").read_text()
    assert f"mean of the run's weights and of `{TRAINED_FILE}`, trained on 64 frames" in card
    assert (mean / TRAINED_FILE).read_bytes() != (first / TRAINED_FILE).read_bytes()
    assert main([*asked, "--average-with", str(first)]) == 1
    assert "--export" in capsys.readouterr().err
