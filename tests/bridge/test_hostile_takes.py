"""Takes with numbers and names that nobody expects, read and written."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import open_take, read_take
from freeavatar.rigs.spec import Control, Rig, RigFrame

NAMES = (" jaw ", "a,b", 'say "ah"', "brow.001", "眉/上", "a|b#c")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_names_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    rig = Rig(name="fox 2", controls=tuple(Control(name=name) for name in NAMES))
    values = np.arange(len(NAMES), dtype=np.float32) / 8
    path = tmp_path / f"take{suffix}"
    sink = open_take(path, rig, rate=60)
    sink.send(RigFrame(index=0, time=0.0, values=values))
    sink.close()
    take = read_take(path)
    assert take.names == NAMES
    np.testing.assert_allclose(take.frames[0].values, values, atol=1e-7)


@pytest.mark.parametrize(
    ("key", "text", "complaint"),
    [
        ("time", "1" + "0" * 400, "time is"),
        ("frame", "1e30", "frame is"),
        ("controls", '{"jaw": 1e39}', "jaw is"),
    ],
)
def test_numbers_beyond_a_frame_are_refused(
    tmp_path: Path, key: str, text: str, complaint: str
) -> None:
    line: dict[str, Any] = {"frame": 0, "time": 0.0, "controls": {"jaw": 0.5}}
    path = tmp_path / "take.jsonl"
    path.write_text(json.dumps(line | {key: "HERE"}).replace('"HERE"', text) + "\n")
    with pytest.raises(BridgeError, match=re.escape(f"line 1: {complaint}")):
        read_take(path)


def test_a_csv_number_beyond_32_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    path.write_text("Timecode,BlendShapeCount,jaw\n00:00:00:01.000,1,1e39\n")
    with pytest.raises(BridgeError, match=r"line 2: jaw is '1e39'"):
        read_take(path)


def test_a_rig_that_is_no_text_is_no_rig(tmp_path: Path) -> None:
    path = tmp_path / "take.jsonl"
    path.write_text('{"time": 0.0, "controls": {"jaw": 0.5}, "rig": [1]}\n')
    assert read_take(path).rig == ""


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".glb"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_written_as_zero(
    mesh_rig: Rig, tmp_path: Path, suffix: str, number: float
) -> None:
    path = tmp_path / f"take{suffix}"
    sink = open_take(path, mesh_rig, rate=60)
    values = np.array([0.5, number, 0.25], np.float32)
    head = np.array([number, 0.25, 0.0], np.float32)
    sink.send(RigFrame(index=0, time=0.0, values=values, head=head))
    sink.close()
    frame = read_take(path).frames[0]
    np.testing.assert_allclose(frame.values, [0.5, 0.0, 0.25], atol=1e-6)
    np.testing.assert_allclose(frame.head, [0.0, 0.25, 0.0], atol=1e-6)


def test_a_take_of_the_end_of_a_clip_begins_now(mesh_rig: Rig, tmp_path: Path) -> None:
    """Its frames keep their times of the clip; a timecode of the clip's own counts from there."""
    began = {}
    for name, timecode in (("now", ""), ("clip", "10:00:00:00")):
        path = tmp_path / f"{name}.csv"
        sink = open_take(path, mesh_rig, rate=60, timecode=timecode)
        for i in range(3):
            time = 30.7 + i / 60
            sink.send(RigFrame(index=i, time=time, values=np.zeros(3, np.float32)))
        sink.close()
        rows = path.read_text().splitlines()[1:]
        began[name] = [row.split(",")[0] for row in rows]
    assert [row[8:] for row in began["now"]] == [":31.000", ":32.000", ":33.000"]
    assert began["clip"] == ["10:00:30:42.000", "10:00:30:43.000", "10:00:30:44.000"]
