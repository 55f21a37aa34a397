"""What registering learns of a rig, and keeps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.animator import control_pictures
from freeavatar.animator.anchor_table import ANCHOR_INDEX
from freeavatar.animator.given_anchors import front_camera
from freeavatar.animator.identity import FILE_NAME, load_identity
from freeavatar.animator.motion import anchor_positions
from freeavatar.rigs import registry
from freeavatar.rigs.built_in import BUILT_IN
from freeavatar.rigs.errors import RenderError
from freeavatar.tools import rig_register
from freeavatar.tools.cli import main

pytestmark = pytest.mark.usefixtures("user_folders")

GIVEN = (
    "eye_corner_outer_left", "eye_corner_inner_left", "brow_mid_upper_left", "nose_tip",
    "mouth_corner_left", "chin", "jaw_angle_left",
)  # fmt: skip


@pytest.fixture
def robot(shared: Path) -> Path:
    """Three controls and a face that no detector finds."""
    return shared / "rigs" / "robot_expressive.glb"


def register(*words: str | Path) -> int:
    return main(["rig", "register", *map(str, words)])


def test_a_robot_is_known_by_its_pictures(robot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert register(robot, "--name", "robo", "--no-anchors", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["identity"]["drawn"] and said["identity"]["surface_points"] > 1000
    assert (Path(said["folder"]) / FILE_NAME).is_file()
    kept = load_identity(registry.load("robo"))
    assert kept.descriptors.drawn and not kept.descriptors.anchored
    assert kept.descriptors.picture.any(axis=1).all()
    assert kept.appearance is not None and len(kept.appearance.displacements) == 3


def test_pictures_can_be_left_out(robot: Path) -> None:
    assert register(robot, "--no-anchors", "--no-pictures") == 0
    kept = load_identity(registry.load("robot_expressive"))
    assert not kept.descriptors.drawn and kept.appearance is None


def test_without_opengl_it_registers_and_says_so(
    robot: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise RenderError("cannot draw: OpenGL did not start")

    monkeypatch.setattr(control_pictures, "Renderer", refuses)
    assert register(robot, "--no-anchors") == 0
    assert "was not drawn: cannot draw: OpenGL did not start" in caplog.text
    assert not load_identity(registry.load("robot_expressive")).descriptors.drawn


def test_a_kill_while_drawing_keeps_the_old_rig(
    robot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert register(robot, "--no-anchors", "--no-pictures") == 0
    place = registry.folder() / "robot_expressive"
    before = {p.name: p.stat().st_mtime_ns for p in place.iterdir()}

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rig_register, "identity_of", killed)
    assert register(robot, "--no-anchors", "--force") == 130
    assert {p.name: p.stat().st_mtime_ns for p in place.iterdir()} == before
    assert [p.name for p in registry.folder().iterdir()] == ["robot_expressive"]


def test_given_points_stand_in_for_a_detector(tmp_path: Path) -> None:
    toon = registry.load("toon")
    pixels = front_camera(toon).project(anchor_positions(toon))[0]
    rows = [f"{n} = {pixels[ANCHOR_INDEX[n]].round(1).tolist()}" for n in GIVEN]
    points = tmp_path / "toon.toml"
    points.write_text("[points]\n" + "\n".join(rows))
    file = BUILT_IN["toon"]
    assert file is not None
    assert register(file, "--name", "mine", "--no-pictures", "--anchors", points) == 0
    mine = registry.load("mine")
    assert mine.anchors is not None and mine.anchors.found.sum() > 140
    height = np.ptp(anchor_positions(toon)[:, 1])
    off = np.linalg.norm(anchor_positions(mine) - anchor_positions(toon), axis=1)
    assert np.median(off) < 0.05 * height
    described = load_identity(mine).descriptors
    assert described.anchored and described.motion.any(axis=(1, 2)).mean() > 0.8


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (("nose=1,2",), "no face point is called 'nose'"),
        (("chin=1",), "give x,y,z in metres"),
        (("chin=1,2", "nose_tip=3,4"), "2 face points are too few"),
        (("absent.toml",), "cannot be read"),
    ],
)
def test_points_that_will_not_do_are_refused_in_one_line(
    robot: Path, points: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert register(robot, "--anchors", *points) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("freeavatar: ") and says in said
    assert registry.registered() == ()


def test_points_are_either_given_or_left_out(robot: Path) -> None:
    with pytest.raises(SystemExit):
        register(robot, "--no-anchors", "--anchors", "chin=1,2")
