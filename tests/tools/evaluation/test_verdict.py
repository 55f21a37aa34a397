"""What must hold is judged by its limits; what is not measured is said to be unknown."""

from typing import Any

import pytest

from freeavatar.foundation.expression import GROUPS
from freeavatar.tools.evaluation.accuracy import SINGLED_OUT
from freeavatar.tools.evaluation.verdict import verdicts


def row(correlation: float | None, error: float | None) -> dict[str, float | None]:
    return {"correlation": correlation, "error": error}


def figures() -> dict[str, Any]:
    names = ("all", *GROUPS, *SINGLED_OUT)
    ours = {n: row(0.8, 0.03) for n in names} | {"blink": row(0.95, 0.1), "smile": row(0.9, 0.1)}
    theirs = {n: row(0.5, 0.08) for n in names} | {"brows": row(0.4, 0.02)}
    ours["tongue"] = row(None, None)
    follow = {"correlation": 0.9, "amplitude": 1.0}
    noise = {"largest": 0.004, "mean": 0.001, "channel": "jawOpen"}
    reader = {"mean": follow, "noise": noise, "mirror": 0.03}
    return {
        "accuracy": {"found by both": {"ours": {"table": ours}, "mediapipe": {"table": theirs}}},
        "similarity": {"ours": {"across_people": 0.93, "across_domains": 0.84}},
        "identity": {
            "ours, embedding": {"accuracy": 0.1},
            "mae, before tuning": {"accuracy": 0.4},
        },
        "real_pairs": {},
        "clips": {
            "heads": ["mannequin", "ict_face_53"],
            "clips": [
                {"name": "smile", "readers": {"embedded": reader, "mediapipe": reader}},
                {
                    "name": "talk",
                    "readers": {"embedded": {**reader, "mean": None}, "mediapipe": reader},
                },
            ],
            "overall": {
                "ict_face_53": {"lids": {"embedded": [0.9, 1.1]}, "brows": {"embedded": [0.9, 0.7]}}
            },
            "turns": {"mannequin": {"embedded": {"largest": 0.2}}, "other": {"embedded": None}},
        },
        "speed": {
            "ratio": [0.4, 0.6],
            "detection": {"median": 5.0},
            "peak_mib": 200.0,
            "first_frame": 1.0,
        },
    }


EXPECTED = {
    "mean correlation over live channels": True,
    "correlation of jaw open": False,
    "correlation of blink": True,
    "correlation of smile": True,
    "lids: ahead of MediaPipe": True,
    "brows: ahead of MediaPipe": False,
    "tongue: ahead of MediaPipe": None,
    "triplets across people, within a domain": True,
    "triplets photo ↔ avatar": False,
    "person recognised, share of mae, before tuning": True,
    "smile: follows at least as MediaPipe": True,
    "talk: follows at least as MediaPipe": False,
    "amplitude of lids on clips (head ict_face_53)": True,
    "amplitude of brows on clips (head ict_face_53)": False,
    "amplitude of mouth open on clips (head ict_face_53)": None,
    "still face, worst channel of any clip": True,
    "mirrored clips, mean difference": False,
    "mannequin turned ±25°, worst channel": False,
    "other turned ±25°, worst channel": None,
    "tracked frame, share of Face Landmarker's median": True,
    "tracked frame, share of Face Landmarker's p95": False,
    "fresh detection of the largest face at 720p, milliseconds": True,
}


@pytest.mark.parametrize(("what", "holds"), EXPECTED.items())
def test_each_limit_is_judged(what: str, holds: bool | None) -> None:
    assert {v.what: v.holds for v in verdicts(figures())}[what] is holds


def test_lines_say_what_was_measured_and_wanted() -> None:
    lines = {v.what: v.line for v in verdicts(figures())}
    line = lines["triplets photo ↔ avatar"]
    assert line.startswith("FAILS") and "0.840 (at least 0.85)" in line
    assert lines["other turned ±25°, worst channel"].startswith("unknown")


def test_the_averaged_reading_is_judged_beside_the_single_one() -> None:
    known = figures()
    both = known["accuracy"]["found by both"]
    both["averaged"] = {"table": both["ours"]["table"] | {"all": row(0.7, 0.03)}}
    held = {v.what: v.holds for v in verdicts(known)}
    assert held["mean correlation over live channels"] is True
    assert held["mean correlation over live channels, averaged"] is False
    assert held["correlation of blink, averaged"] is True


def test_without_our_network_there_is_nothing_to_judge() -> None:
    known = figures()
    del known["accuracy"]["found by both"]["ours"], known["clips"], known["speed"]
    assert verdicts(known) == []
