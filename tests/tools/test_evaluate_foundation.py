"""freeavatar eval foundation: tables, a report and figures for scripts."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from freeavatar.tools.cli import main
from freeavatar.tools.evaluate_foundation import split_folders

TESTS = Path(__file__).parent.parent


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_folders_of_shards_and_of_clips_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "shared" / "clips").mkdir(parents=True)
    folders = [tmp_path / "puppets", tmp_path / "shared"]
    assert split_folders(folders) == ([tmp_path / "puppets"], tmp_path / "shared")
    assert split_folders(folders[:1]) == (folders[:1], None)


def test_data_without_test_pictures_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "foundation", "--data", str(tmp_path)]) == 1
    assert "holds no test-*.tar" in capsys.readouterr().err


def test_a_network_is_measured_beside_mediapipe(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    pictures = module(TESTS / "tools" / "evaluation" / "test_test_pictures.py")
    network = module(TESTS / "foundation" / "stand_in.py").write_network(tmp_path / "net.onnx")
    pictures.write_shard(tmp_path / "test-000000.tar", pictures.samples())
    report = tmp_path / "report.html"
    arguments = ["eval", "foundation", "--data", str(tmp_path), "--weights", f"old={network}"]
    arguments += ["--mae", f"before={network}", "--html", str(report), "--limit", "50", "--json"]
    bundle = shared / "mediapipe" / "face_landmarker.task"
    assert main([*arguments, "--mediapipe-bundle", str(bundle)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["pictures"] == {"photo": 50}
    assert figures["found"]["old"] == 50 and figures["found"]["mediapipe"] == 0
    every = figures["accuracy"]["all pictures"]["old"]
    assert every["pictures"] == 50
    assert every["geometry"]["head"] == pytest.approx(0, abs=1e-3)
    truth = np.mean([pictures.curves_of(n) for n in range(pictures.EXPRESSIONS)])
    assert every["table"]["all"]["never_moving"] == pytest.approx(truth, rel=0.3)
    assert figures["accuracy"]["found by both"]["old"]["table"]["all"]["error"] is None
    assert figures["identity"]["before, before tuning"]["people"] == pictures.PEOPLE
    assert list(figures["found"]) == ["ours", "averaged", "old", "mediapipe"]
    assert "averaged" not in figures["similarity"]
    text = report.read_text()
    assert "correlation by group" in text and "data:image" not in text
