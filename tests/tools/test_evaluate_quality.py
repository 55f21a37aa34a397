"""freeavatar eval quality: one report, figures for scripts, tables in documents."""

import json
from pathlib import Path

import pytest

from freeavatar.tools.cli import main
from freeavatar.tools.evaluation.cards import BEGIN, END

READERS = ["ours", "combined", "mediapipe"]


@pytest.mark.slow
def test_every_reader_is_measured_on_rendered_actors(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card, report = tmp_path / "card.md", tmp_path / "report.html"
    card.write_text(f"# Card\n{BEGIN}{END}\n")
    bundle = shared / "mediapipe" / "face_landmarker.task"
    arguments = ["eval", "quality", "--frames", "12", "--html", str(report), "--json"]
    assert main([*arguments, "--cards", str(card), "--mediapipe-bundle", str(bundle)]) == 0
    figures = json.loads(capsys.readouterr().out)
    rendered = figures["rendered"]
    assert rendered["frames"] == 12 and list(rendered["actors"]) == ["mannequin"]
    mannequin = rendered["actors"]["mannequin"]
    assert mannequin["channels"] == 52 and list(mannequin["readers"]) == READERS
    for reader in mannequin["readers"].values():
        assert reader["found"] == 1.0
        assert reader["still"]["jaw open"]["correlation"] > 0.7
        assert 0 < reader["turn"]["mean"] < 0.2
    assert rendered["mean"]["ours"]["both"] == mannequin["readers"]["ours"]["both"]
    judged = {v["what"]: v["holds"] for v in figures["verdicts"]}
    assert judged["weights that ship, MB"] is True
    text = report.read_text()
    assert "What must hold" in text and "Worst frames" in text and "data:image" in text
    assert "no --data has clips/" in text and "no --data has test-*.tar" in text
    told = card.read_text()
    assert "`freeavatar eval quality --frames 12`" in told and "| brows |" in told
    assert str(tmp_path) not in told


def test_what_is_missing_is_said_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "card.md"
    card.write_text("# Card\n")
    missing = str(tmp_path / "none.task")
    arguments = ["eval", "quality", "--mediapipe-bundle", missing, "--cards", str(card)]
    assert main(arguments) == 1
    assert f"{card} has no place for the figures" in capsys.readouterr().err
    assert main([*arguments, "--quick"]) == 1
    assert "leave --quick out" in capsys.readouterr().err
    assert main([*arguments[:-1], str(tmp_path / "none.md")]) == 1
    assert "none.md" in capsys.readouterr().err
    assert card.read_text() == "# Card\n"
    assert main([*arguments[:4], "--data", str(tmp_path)]) == 1
    assert "holds no test-*.tar" in capsys.readouterr().err


def test_what_cannot_perform_is_refused(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = shared / "mediapipe" / "face_landmarker.task"
    arguments = ["eval", "quality", "--quick", "--html", str(tmp_path / "report.html")]
    arguments += ["--mediapipe-bundle", str(bundle)]
    assert main([*arguments, "--actor", "arkit"]) == 1
    assert "choose another --actor" in capsys.readouterr().err
    take = tmp_path / "take.csv"
    take.write_text("Timecode,BlendShapeCount\n")
    assert main([*arguments, "--curves", str(take)]) == 1
    assert "take.csv" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()
