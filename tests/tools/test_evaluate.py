"""freeavatar eval rigs: tables for people, figures for scripts."""

import json

import pytest

from freeavatar.tools.cli import main


def test_tables_name_rigs_and_regions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "rigs", "toon", "--samples", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["round", "trip", "error"]
    assert lines[1].split()[0] == "toon"
    assert float(lines[1].split()[1]) < 0.03
    assert any(line.startswith("toon, demo_take") and " lips " in line for line in lines)


def test_json_has_every_face_point(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "rigs", "toon", "--samples", "3", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["round_trip"][0]["samples"] == 3
    assert figures["source"] == "mannequin"
    carried = figures["carried"][0]
    assert carried["rig"] == "toon"
    assert set(carried["correlation"]) == set(carried["gain"])
    assert -1.0 <= min(carried["correlation"].values()) <= carried["regions"]["lips"]["mean"] <= 1.0


def test_a_rig_without_a_mesh_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "rigs", "arkit"]) == 1
    assert "rig arkit has no mesh to measure" in capsys.readouterr().err


def test_points_are_a_table_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "rigs", "toon", "--samples", "1", "--points"]) == 0
    table = capsys.readouterr().out.split("face point")[1].splitlines()
    assert table[0].split() == ["toon"]
    rows = {line.split()[0]: float(line.split()[1]) for line in table[1:]}
    assert {"lower_lip_line", "lid_upper_mid_left", "chin"} <= set(rows)
    assert 0.5 < rows["lower_lip_line"] <= 1.0
