"""The picture in which face points are read off."""

import json
from pathlib import Path

import pytest
from PIL import Image

from freeavatar.animator.anchor_table import ANCHOR_INDEX
from freeavatar.animator.given_anchors import FRONT_SIZE, front_camera
from freeavatar.animator.motion import anchor_positions
from freeavatar.rigs import registry
from freeavatar.tools.cli import main


def test_the_front_view_shows_where_points_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "front.png"
    assert main(["rig", "show", "toon", "--front", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["face_points"] == 154
    with Image.open(out) as picture:
        assert picture.size == (FRONT_SIZE, FRONT_SIZE)
        toon = registry.load("toon")
        tip = front_camera(toon).project(anchor_positions(toon))[0][ANCHOR_INDEX["nose_tip"]]
        red, green, blue = picture.convert("RGB").getpixel((int(tip[0]), int(tip[1])))  # type: ignore[misc]
        assert red > 200 and green > 150 and blue < 60
    assert main(["rig", "show", "arkit", "--front", str(out)]) == 1
    assert "no mesh" in capsys.readouterr().err
