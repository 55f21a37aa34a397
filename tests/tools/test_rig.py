"""The rig verbs as a person types them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("user_folders")


def freeavatar(*words: str | Path, code: int = 0) -> tuple[str, str]:
    """Standard output and error of one command, which must end with this status."""
    done = subprocess.run(
        [sys.executable, "-m", "freeavatar.tools", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def test_list_names_every_rig() -> None:
    out, err = freeavatar("rig", "list")
    assert [line.split()[0] for line in out.splitlines()] == ["arkit", "mannequin", "toon", "fox"]
    assert "freeavatar/rigs" in err
    rigs = json.loads(freeavatar("rig", "list", "--json")[0])["rigs"]
    assert rigs[0] == {
        "name": "arkit", "built_in": True, "controls": 52, "vertices": 0, "face_points": 0,
        "source": "built-in", "about": "52 controls, no mesh, built-in",
    }  # fmt: skip


def test_register_check_remove(shared: Path) -> None:
    robot = shared / "rigs" / "robot_expressive.glb"
    out, err = freeavatar(
        "rig", "register", robot, "--name", "robo", "--no-anchors", "--no-pictures"
    )
    assert "Plain words understood: Angry, Surprised, Sad." in out
    assert "Registered as robo." in err
    _, err = freeavatar("rig", "register", robot, "--name", "robo", code=1)
    assert err.strip() == (
        "freeavatar: a rig named robo is registered already: --force replaces it"
    )
    data = json.loads(freeavatar("rig", "check", "robo", "--json")[0])
    assert data["rig"] == "robo" and data["warnings"] == 0
    freeavatar(
        "rig", "register", robot, "--name", "robo", "--force", "--no-anchors", "--no-pictures",
        "--json",
    )  # fmt: skip
    freeavatar("rig", "remove", "robo")
    _, err = freeavatar("rig", "remove", "robo", code=1)
    assert err.startswith("freeavatar: no rig named robo") and err.count("\n") == 1


def test_register_finds_the_face(shared: Path) -> None:
    bundle = shared / "mediapipe" / "face_landmarker.task"
    head = shared / "rigs" / "facecap_generic.glb"
    out, _ = freeavatar("rig", "register", head, "--no-pictures", "--mediapipe-bundle", bundle)
    assert "face points found: driven by what it moves." in out
    assert "warning  1 control moves nothing: tongueOut." in out
    freeavatar("rig", "check", "facecap_generic", "--strict", code=1)


def test_without_a_bundle_it_registers_by_names(shared: Path, tmp_path: Path) -> None:
    head = shared / "rigs" / "makehuman_arkit_viseme.glb"
    absent = tmp_path / "absent.task"
    out, err = freeavatar("rig", "register", head, "--no-pictures", "--mediapipe-bundle", absent)
    assert "driven by the names of its controls only" in err
    assert "No face points" in out
    freeavatar("rig", "check", "makehuman_arkit_viseme", "--strict")


def test_check_reads_a_file_as_it_is(shared: Path) -> None:
    robot = shared / "rigs" / "robot_expressive.glb"
    out, _ = freeavatar("rig", "check", robot, "--mediapipe-bundle", "absent.task")
    assert out.splitlines()[0] == "ok       3 controls."


def test_show_draws_and_lists_the_controls(tmp_path: Path) -> None:
    sheet = tmp_path / "new" / "toon.png"
    out, err = freeavatar("rig", "show", "toon", "--out", sheet)
    assert out.splitlines()[0].split() == ["control", "range", "region", "side", "ARKit"]
    assert len(out.splitlines()) == 25 and str(sheet) in err
    with Image.open(sheet) as picture:
        assert min(picture.size) > 600
    _, err = freeavatar("rig", "show", "toon", "--out", tmp_path / "toon.txt", code=1)
    assert "is a .png" in err


def test_show_arkit_has_no_picture(tmp_path: Path) -> None:
    out, err = freeavatar("rig", "show", "arkit", "--out", tmp_path / "a.png")
    assert "eyeBlinkLeft" in out and "no mesh" in err
    assert not (tmp_path / "a.png").exists()
    data = json.loads(freeavatar("rig", "show", "arkit", "--json")[0])
    assert data["picture"] is None and len(data["controls"]) == 52
    assert data["controls"][0]["arkit"] == {"eyeBlinkLeft": 1.0}


def test_refusals_are_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.glb"
    broken.write_bytes(b"glTF\x02\x00\x00\x00")
    for words in (
        ("rig", "check", "manequin"),
        ("rig", "register", str(broken)),
        ("rig", "register", str(tmp_path / "absent.glb")),
        ("rig", "register", str(tmp_path)),
        ("rig", "remove", "toon"),
    ):
        _, err = freeavatar(*words, code=1)
        assert err.startswith("freeavatar: ") and err.count("\n") == 1, err
    freeavatar("rig", "register", code=2)
    freeavatar("rig", "fly", code=2)
