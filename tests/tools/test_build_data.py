"""freeavatar data: shards from one command, failures in one line."""

import json
import sys
from pathlib import Path

import pytest

from freeavatar.tools import build_data
from freeavatar.tools.cli import main


@pytest.mark.parametrize("kind", ["avatars", "puppets"])
def test_a_missing_folder_is_said(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = ["--faces", str(tmp_path / "none")] if kind == "puppets" else []
    arguments = [*faces, "--synth", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    assert main(["data", kind, *arguments]) == 1
    assert f"there is no folder {tmp_path / 'none'}" in capsys.readouterr().err


def test_without_the_train_extra_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)

    def open_without_numba(*_: object) -> None:
        import numba  # noqa: F401

    monkeypatch.setattr(build_data, "open_avatars", open_without_numba)
    assert main(["data", "avatars", "--synth", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "needs the package numba; pip install 'freeavatar[train]'" in said


@pytest.mark.parametrize(
    ("seed", "words", "said"),
    [
        (3, [], "holds data made with seed 3 instead of 0; use another --out"),
        (0, ["--expressions", "50"], "holds data made with expressions None instead of 50"),
    ],
)
def test_data_of_another_recipe_is_not_mixed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int, words: list[str], said: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    recipe = {"kind": "avatars", "seed": seed, "unpainted": 0.06}
    (out / "manifest.json").write_text(json.dumps({"recipe": recipe}))
    assert main(["data", "avatars", "--synth", str(tmp_path), "--out", str(out), *words]) == 1
    assert said in capsys.readouterr().err


def test_a_wrong_count_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["data", "avatars", "--synth", ".", "--out", "x", "--count", "0"])
    assert left.value.code == 2
    assert "whole number" in capsys.readouterr().err
