"""Tuning from the command line: what is better is kept, what was interrupted goes on."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.animator.identity import load_identity
from freeavatar.rigs import registry
from freeavatar.rigs.built_in import BUILT_IN
from freeavatar.tools import rig_tune
from freeavatar.tools.cli import main
from freeavatar.tools.training import renderer_tuning, rig_tuning

pytestmark = pytest.mark.usefixtures("user_folders")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few faces, few pictures."""
    monkeypatch.setattr(rig_tuning, "COUNT", 24)
    monkeypatch.setattr(rig_tuning, "SEQUENCES", {"train": 16, "validation": 4})
    monkeypatch.setattr(renderer_tuning, "COUNTS", {"train": 8, "validation": 4})


def register(*words: str) -> int:
    path = BUILT_IN["fox"]
    assert path is not None
    return main(["rig", "register", str(path), "--name", "reynard", *words])


@dataclass
class Done:
    """What a part of the tuning says."""

    before: dict[str, float]
    after: dict[str, float]
    better: bool
    learned: dict[str, Any] = field(default_factory=dict)


@pytest.mark.usefixtures("small")
def test_a_rig_is_registered_and_tuned(capsys: pytest.CaptureFixture[str]) -> None:
    assert register("--tune", "--tune-minutes", "0.2", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    tuned = said["tuned"]
    assert set(tuned) == {"animator", "renderer"}
    for part, figure in (("animator", "weight error"), ("renderer", "psnr")):
        before, after = tuned[part]["figures"][figure]
        assert before > 0 and after > 0 and before != after
    kept = load_identity(registry.load("reynard"))
    assert (kept.follow is not None) == tuned["animator"]["kept"]
    assert (kept.renderer_code is not None) == tuned["renderer"]["kept"]
    assert not (Path(said["folder"]) / "tuning").exists()


def test_a_bad_tune_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert register() == 0
    place = registry.folder() / "reynard" / "identity.safetensors"
    before = place.read_bytes()
    worse = Done({"weight error": 0.1}, {"weight error": 0.2}, better=False)
    code = {"code": np.ones(16, np.float32)}
    monkeypatch.setattr(rig_tune, "_animator", lambda *_: (worse, code))
    monkeypatch.setattr(rig_tune, "_renderer", lambda *_: (worse, {}))
    assert register("--tune") == 0
    said = capsys.readouterr().err
    assert "reynard is registered already and is tuned now" in said
    assert "not better: what was there is kept" in said and "0.100    0.200" in said
    assert place.read_bytes() == before


def test_what_was_interrupted_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    better = Done({"weight error": 0.2}, {"weight error": 0.1}, better=True)
    code = {"code": np.ones(16, np.float32)}

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rig_tune, "_animator", lambda *_: (better, code))
    monkeypatch.setattr(rig_tune, "_renderer", killed)
    assert register("--tune") == 130
    tuning = registry.folder() / "reynard" / "tuning"
    assert tuning.is_dir()
    kept = load_identity(registry.load("reynard"))
    assert kept.code is not None and kept.code[0] == 1.0, "what was finished is lost"
    monkeypatch.setattr(rig_tune, "_renderer", lambda *_: (better, {}))
    assert register("--tune") == 0
    assert not tuning.exists()
    assert "0.200    0.100" in capsys.readouterr().err


def test_without_torch_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: Any) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(rig_tune, "_animator", missing)
    assert register("--tune") == 1
    assert "pip install 'freeavatar[train]'" in capsys.readouterr().err
    assert "reynard" in registry.registered(), "what was registered is lost"


@pytest.mark.parametrize("minutes", ["0", "-1", "soon", "inf", "nan"])
def test_times_that_are_none_are_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        register("--tune", "--tune-minutes", minutes)
    assert stopped.value.code == 2
    assert "minutes, above 0" in capsys.readouterr().err


def test_torch_comes_before_anything_is_drawn() -> None:
    """Where it comes second, its Triton and the software OpenGL end the process between them."""
    script = (
        "import sys\n"
        "from freeavatar.tools import cli, rig_register\n"
        "def fresh(args):\n"
        "    raise SystemExit(3 if 'torch._dynamo' in sys.modules else 4)\n"
        "rig_register._fresh = fresh\n"
        f"sys.exit(cli.main(['rig', 'register', {str(BUILT_IN['fox'])!r}, *sys.argv[1:]]))\n"
    )
    command = [sys.executable, "-c", script]
    assert subprocess.run([*command, "--tune"], check=False).returncode == 3
    assert subprocess.run(command, check=False).returncode == 4, "torch is not asked for"
