"""Gain files: what they do and how they are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from freeavatar.animator.gains import check_gains, gains_for, read_gains
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Control, Rig

RIG = Rig(
    name="small",
    controls=(Control(name="jaw"), Control(name="turn", minimum=-1.0), Control(name="brow")),
)


def gains(tmp_path: Path, text: str, name: str = "gains.toml") -> np.ndarray:
    path = tmp_path / name
    path.write_text(text)
    corrected = gains_for(RIG, read_gains(path), path)
    return corrected.apply(np.array([0.5, -0.5, 0.5]), RIG.neutral.astype(np.float64))


def test_gain_offset_and_limits(tmp_path: Path) -> None:
    text = "[jaw]\ngain = 1.5\noffset = 0.1\nmaximum = 0.8\n[turn]\ngain = 0.5\n"
    np.testing.assert_allclose(gains(tmp_path, text), [0.8, -0.25, 0.5])


def test_json_is_the_same(tmp_path: Path) -> None:
    text = json.dumps({"jaw": {"offset": -0.2}, "turn": {"minimum": -0.1}})
    np.testing.assert_allclose(gains(tmp_path, text, "gains.json"), [0.3, -0.1, 0.5])


def test_limits_never_exceed_the_rigs_own(tmp_path: Path) -> None:
    assert gains(tmp_path, "[jaw]\ngain = 9\nmaximum = 5\n")[0] == 1.0


def test_tables_of_another_rig_are_left_alone(tmp_path: Path) -> None:
    assert gains(tmp_path, "[jaw]\ngain = 0\n[tail]\ngain = 2\n")[0] == 0.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[jaw]\ngane = 2\n", r"\[jaw\] has unknown key gane"),
        ("[jaw]\ngain = 'big'\n", r"\[jaw\] gain must be a finite number"),
        ("[jaw]\ngain = true\n", r"\[jaw\] gain must be a finite number"),
        ("[jaw]\ngain = nan\n", r"\[jaw\] gain must be a finite number"),
        ("jaw = 2\n", r"\[jaw\] must be a table"),
        ("[jaw\n", "cannot be read"),
        ("[jaw]\nminimum = 0.6\nmaximum = 0.4\n", "leaves no value"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RigError, match=r"gains\.toml.*" + says):
        gains(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"nothing\.toml cannot be read"):
        read_gains(tmp_path / "nothing.toml")


def test_a_list_is_no_gain_file(tmp_path: Path) -> None:
    path = tmp_path / "gains.json"
    path.write_text("[1, 2]")
    with pytest.raises(RigError, match="expected one table per control"):
        read_gains(path)


def test_a_name_that_no_rig_knows_is_refused_with_the_nearest(tmp_path: Path) -> None:
    other = Rig(name="other", controls=(Control(name="tail"),))
    path = tmp_path / "gains.toml"
    path.write_text("[jaw]\ngain = 2\n[tail]\ngain = 2\n")
    check_gains([RIG, other], read_gains(path), path)
    with pytest.raises(RigError, match=r"gains\.toml: \[tail\] is no control of small$"):
        check_gains([RIG], read_gains(path), path)
    path.write_text("[jaww]\ngain = 2\n")
    with pytest.raises(RigError, match=r"\[jaww\].*did you mean jaw\?"):
        check_gains([RIG], read_gains(path), path)
