"""--animator and --solver choose what drives the rigs; saying nothing keeps the default."""

import argparse

import pytest

from freeavatar.animator.animator_files import WEIGHTS
from freeavatar.animator.performer import PerformerOptions
from freeavatar.tools.animator_options import with_animator
from freeavatar.tools.cli import main


def parsed(verb: str, *words: str) -> argparse.Namespace:
    from freeavatar.tools import drive
    from freeavatar.tools.live import command

    parser = argparse.ArgumentParser()
    {"drive": drive, "live": command}[verb].add_verb(parser.add_subparsers())
    return parser.parse_args([verb, "input", *words])


@pytest.mark.parametrize("verb", ["drive", "live"])
def test_one_of_both_is_taken(verb: str) -> None:
    for words, expected in (
        (["--animator"], True),
        (["--solver"], False),
        ([], None),
    ):
        options = with_animator(PerformerOptions(), parsed(verb, *words))
        assert options.animator is expected
    with pytest.raises(SystemExit):
        parsed(verb, "--animator", "--solver")


def test_a_missing_animator_is_said_in_one_line(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.setattr("freeavatar.animator.animator_model.WEIGHTS", empty)
    take = empty / "take.csv"
    take.write_text("Timecode,BlendshapeCount,JawOpen\n00:00:00:00,1,0.5\n")
    assert main(["drive", str(take), "--rig", "toon", "--animator"]) == 1
    said = capsys.readouterr().err
    assert "train animator" in said and "--solver" in said
    assert empty != WEIGHTS
