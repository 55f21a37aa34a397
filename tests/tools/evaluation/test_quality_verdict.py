"""The bars of the curves, and the tables that go into documents."""

from pathlib import Path
from typing import Any

import pytest

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import GROUPS
from freeavatar.tools.evaluation.cards import BEGIN, END, block_lines, check_markers, write_block
from freeavatar.tools.evaluation.quality_verdict import quality_verdicts


def row(correlation: float, error: float | None) -> dict[str, float | None]:
    return {"correlation": correlation, "error": error, "never_moving": 0.06}


def reader(correlation: float, error: float) -> dict[str, Any]:
    table = {name: row(correlation, error) for name in ("all", *GROUPS)}
    ways = dict.fromkeys(("still", "turning", "both"), table)
    return {**ways, "dead": {}, "turn": 0.01, "found": 1.0, "raw": table}


def clip(name: str, ours: float, combined: float, theirs: float) -> dict[str, Any]:
    def figures(correlation: float, noise: float = 0.003) -> dict[str, Any]:
        mean = {"correlation": correlation, "amplitude": 1.0}
        return {"mean": mean, "noise": {"mean": noise, "largest": 0.01}, "mirror": 0.01}

    readers = {
        "ours": figures(ours), "combined": figures(combined, 0.001), "mediapipe": figures(theirs),
    }  # fmt: skip
    return {"name": name, "readers": readers}


@pytest.fixture
def figures() -> dict[str, Any]:
    ours = reader(0.7, 0.04)
    ours["both"] = {**ours["both"], "brows": row(0.5, 0.07), "tongue": row(0.5, None)}
    ours["dead"] = {"hero": ["cheekPuff", "jawForward"]}
    mean = {"ours": ours, "combined": reader(0.7, 0.04), "mediapipe": reader(0.3, 0.08)}
    hero = {"readers": {**mean, "ours": reader(0.6, 0.051)}}
    return {
        "rendered": {"frames": 120, "actors": {"hero": hero}, "mean": mean},
        "clips": {
            "heads": ["ict_face_53"],
            "clips": [clip("emotions_pexels", 0.92, 0.95, 0.91), clip("smile", 0.8, 0.95, 0.9)],
            "overall": {"ict_face_53": {"lids": {"ours": [0.9, 1.3]}}},
            "turns": {},
        },
        "similarity": {
            n: {"across_people": 0.9, "across_domains": 0.8} for n in ("ours", "mediapipe")
        },
        "retrieval": {
            "photo → avatar": {
                n: {"first": 0.4, "five": None, "gallery": 50} for n in ("ours", "mediapipe")
            }
        },
        "weights_mb": 23.7,
    }


EXPECTED = {
    "actors: mean correlation": True,
    "actors: mean error": True,
    "actors: lids, error below a motionless take's": True,
    "actors: brows, error below a motionless take's": False,
    "actors: tongue, error below a motionless take's": None,
    "actors: no dead channel": False,
    "actors: resting face turned ±25°, mean of the channels": True,
    "emotions_pexels: follows at least as MediaPipe": True,
    "smile: follows at least as MediaPipe": False,
    "emotions_pexels: mean correlation of the apertures": True,
    "amplitude of lids on clips (head ict_face_53)": False,
    "still face, mean deviation of the channels, worst clip": False,
    "mirrored clips, mean difference": True,
    "combined: smile: follows at least as MediaPipe": True,
    "combined: still face, mean deviation of the channels, worst clip": True,
    "weights that ship, MB": True,
}


@pytest.mark.parametrize(("what", "holds"), EXPECTED.items())
def test_each_bar_is_judged(figures: dict[str, Any], what: str, holds: bool | None) -> None:
    assert {v.what: v.holds for v in quality_verdicts(figures, "ours")}[what] is holds


def test_dead_channels_are_named(figures: dict[str, Any]) -> None:
    lines = {v.what: v.line for v in quality_verdicts(figures, "ours")}
    assert "2: cheekPuff of hero, jawForward of hero" in lines["actors: no dead channel"]


def test_clips_that_were_not_measured_are_not_judged(figures: dict[str, Any]) -> None:
    del figures["clips"]
    assert not any("clip" in v.what for v in quality_verdicts(figures, "ours"))


def test_tables_replace_what_stood_between_the_markers(
    figures: dict[str, Any], tmp_path: Path
) -> None:
    card = tmp_path / "card.md"
    card.write_text(f"# Card\n\n{BEGIN}\nold\n{END}\n\n## Limits\n")
    check_markers([card])
    lines = block_lines(figures, command="freeavatar eval quality", machine="a machine")
    for _ in range(2):
        write_block(card, lines)
    text = card.read_text()
    assert text.startswith(f"# Card\n\n{BEGIN}\n") and text.endswith(f"{END}\n\n## Limits\n")
    assert "old" not in text and text.count("| brows |") == 1
    assert "| brows | 0.060 | 0.50 | 0.70 | 0.30 | 0.070 | 0.040 | 0.080 |" in text
    assert "| hero | 0.060 | 0.60 | 0.70 | 0.30 | 0.051 | 0.040 | 0.080 |" in text
    assert "| dead channels, all actors | 2 | 0 | 0 |" in text
    assert "| smile | 0.80 | 0.95 | 0.90 | 1.00 | 1.00 | 1.00 |" in text
    assert "| smile | 0.0030 | 0.0010 | 0.0030 | 0.010 | 0.010 | 0.010 |" in text
    assert "| photo → avatar, first of 50 (chance 0.020) | 0.400 | 0.400 |" in text
    assert "| photo → avatar, among five of 50 (chance 0.100) | – | – |" in text
    assert "`freeavatar eval quality` on a machine" in text


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_document_without_a_place_is_refused(tmp_path: Path, text: str) -> None:
    card = tmp_path / "card.md"
    card.write_text(text)
    with pytest.raises(SourceError, match="put the lines"):
        check_markers([card])
    assert card.read_text() == text
