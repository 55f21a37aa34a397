"""Live Link Face CSV takes: the app's own file comes back cell for cell."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import open_take, read_take
from freeavatar.bridge.takes.timecode import seconds_of, timecode_at
from freeavatar.rigs.conventions import ARKIT, LIVE_LINK_CSV, describe_controls
from freeavatar.rigs.spec import Control, Rig, RigFrame, Take


def write(path: Path, rig: Rig, frames: list[RigFrame], **wish: Any) -> list[list[str]]:
    """Write a take; its rows."""
    sink = open_take(path, rig, **{"rate": 60.0, **wish})
    for frame in frames:
        sink.send(frame)
    sink.close()
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", ["alex_rom_3.csv", "alex_rom_4.csv"])
def test_an_app_recording_comes_back_cell_for_cell(
    shared: Path, tmp_path: Path, arkit_rig: Rig, name: str
) -> None:
    original = shared / "curves" / name
    take = read_take(original)
    assert take.names == ARKIT
    assert take.rate == 30
    sink = open_take(tmp_path / "again.csv", arkit_rig, rate=take.rate, timecode=take.timecode)
    for frame in take.frames:
        sink.send(frame)
    sink.close()
    ours, theirs = (p.read_text().splitlines() for p in (tmp_path / "again.csv", original))
    assert len(ours) == len(theirs)
    for mine, original_line in zip(ours, theirs, strict=True):
        for a, b in zip(mine.split(","), original_line.split(","), strict=True):
            # The app lets a gaze curve pass 1 by up to a percent; a control's range ends there.
            assert a == b or (a == "1.0000000000" and b.startswith("1.0")), (a, b)


def test_columns_are_named_as_the_app_names_them_right_before_left(
    tmp_path: Path, arkit_rig: Rig
) -> None:
    values = np.zeros(52, np.float32)
    for i, name in enumerate(("jawLeft", "jawRight", "mouthLeft", "mouthRight"), start=1):
        values[ARKIT.index(name)] = i / 8
    frame = RigFrame(
        index=0, time=0, values=values,
        head=np.array([0.1, 0.2, 0.3], np.float32),
        eyes=np.array([[0.4, 0.5, 0.6], [-0.4, -0.5, -0.0]], np.float32),
    )  # fmt: skip
    header, row = write(tmp_path / "t.csv", arkit_rig, [frame], timecode="01:02:03:04")
    assert tuple(header) == LIVE_LINK_CSV
    assert header[16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"]
    cells = dict(zip(header, row, strict=True))
    assert cells["Timecode"] == "01:02:03:04.000"
    assert cells["BlendShapeCount"] == "61"
    named = [cells[n] for n in ("JawLeft", "JawRight", "MouthLeft", "MouthRight")]
    assert named == ["0.1250000000", "0.2500000000", "0.3750000000", "0.5000000000"]
    assert cells["HeadYaw"] == "0.1000000015"
    assert cells["LeftEyePitch"] == "0.5000000000"
    assert cells["RightEyePitch"] == "-0.5000000000"
    assert cells["RightEyeRoll"] == "0.0000000000"


def test_arkit_rigs_of_any_spelling_write_the_apps_columns(tmp_path: Path) -> None:
    names = [n.replace("Left", "_L").replace("Right", "_R") for n in ARKIT if n != "tongueOut"]
    rig = Rig(name="facecap", controls=(*describe_controls(names), Control(name="hat")))
    values = np.linspace(0.1, 1, 52, dtype=np.float32)
    header, _ = write(tmp_path / "t.csv", rig, [RigFrame(index=0, time=0, values=values)])
    assert tuple(header) == LIVE_LINK_CSV
    read = read_take(tmp_path / "t.csv")
    by_name = dict(zip(read.names, read.frames[0].values.tolist(), strict=True))
    for name, value in zip(ARKIT, values, strict=False):
        assert by_name[name] == (0 if name == "tongueOut" else value)


def test_other_rigs_write_their_own_columns_and_come_back_exactly(
    tmp_path: Path, perform: Any
) -> None:
    rig = Rig(name="toon", controls=tuple(Control(name=n) for n in ('say "a", b', "jawOpen", "ß")))
    frames = perform(rig, 90, rate=25)
    header, *rows = write(tmp_path / "t.csv", rig, frames, rate=25)
    assert header[:6] == ["Timecode", "BlendShapeCount", 'say "a", b', "jawOpen", "ß", "HeadYaw"]
    assert {len(row) for row in rows} == {len(header)} == {2 + 3 + 9}
    assert all(cell for row in rows for cell in row)
    assert {row[1] for row in rows} == {"12"}
    take = read_take(tmp_path / "t.csv")
    assert take.names == rig.names
    assert take.rate == 25
    for frame, read in zip(frames, take.frames, strict=True):
        np.testing.assert_allclose(read.values, frame.values, atol=6e-11)
        np.testing.assert_allclose(read.head, frame.head, atol=6e-11)
        np.testing.assert_allclose(read.eyes, frame.eyes, atol=6e-11)
        assert abs(read.time - frame.time) < 2e-5


def test_a_control_named_like_the_files_own_column_is_refused(tmp_path: Path) -> None:
    rig = Rig(name="r", controls=(Control(name="HeadYaw"),))
    with pytest.raises(BridgeError, match=r"HeadYaw.*\.jsonl"):
        open_take(tmp_path / "t.csv", rig, rate=60)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [23.976, 25, 30, 59.94, 60])
def test_the_importer_guesses_60_from_the_first_row_on(
    tmp_path: Path, arkit_rig: Rig, perform: Any, rate: float
) -> None:
    """Unreal takes 60 when any FF is above 30: also a take of three frames must show it."""
    _, *rows = write(tmp_path / "t.csv", arkit_rig, perform(arkit_rig, 3, rate=rate), rate=rate)
    assert int(rows[0][0].split(":")[3].split(".")[0]) > 30
    seconds = [seconds_of(row[0], 60) for row in rows]
    np.testing.assert_allclose(np.diff(seconds), 1 / rate, atol=2e-5)


def test_timecode_passes_midnight(tmp_path: Path, arkit_rig: Rig, perform: Any) -> None:
    frames = perform(arkit_rig, 90, rate=30)
    _, *rows = write(tmp_path / "t.csv", arkit_rig, frames, rate=30, timecode="23:59:59:00")
    assert rows[29][0] == "23:59:59:58.000"
    assert rows[30][0] == "00:00:00:00.000"
    times = [frame.time for frame in read_take(tmp_path / "t.csv").frames]
    np.testing.assert_allclose(times, [frame.time for frame in frames], atol=1e-6)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00:00.000"),
        (3661.5, "01:01:01:30.000"),
        (0.025, "00:00:00:01.500"),
        (86399.9999999, "00:00:00:00.000"),
        (86400 + 1 / 60, "00:00:00:01.000"),
    ],
)
def test_timecode_text(seconds: float, text: str) -> None:
    assert timecode_at(seconds) == text


@pytest.mark.parametrize(
    ("timecode", "rate", "first"),
    [
        ("10:00:00:12", 24, "10:00:00:30.000"),
        ("10:00:00;15", 29.97, "10:00:00:30.000"),
        ("10:00:00:12.500", 30, "10:00:00:12.500"),
    ],
)
def test_a_take_begins_at_the_sources_timecode(
    tmp_path: Path, arkit_rig: Rig, perform: Any, timecode: str, rate: float, first: str
) -> None:
    rows = write(tmp_path / "t.csv", arkit_rig, perform(arkit_rig, 1), rate=rate, timecode=timecode)
    assert rows[1][0] == first


@pytest.mark.parametrize("timecode", ["noon", "25:00:00:00", "10:00:00", "1:2:3:4:5"])
def test_wrong_timecodes_are_refused(tmp_path: Path, arkit_rig: Rig, timecode: str) -> None:
    with pytest.raises(BridgeError, match="is no time"):
        open_take(tmp_path / "t.csv", arkit_rig, rate=30, timecode=timecode)
    assert not list(tmp_path.iterdir())


HEADER = "Timecode,BlendShapeCount,JawOpen,Extra\n"


def test_foreign_line_ends_bom_missing_columns_and_30_fps_are_read(tmp_path: Path) -> None:
    text = HEADER + "10:00:00:00.000,2,0.5,1\n\n10:00:00:15.000,2,0.25,-2\n"
    path = tmp_path / "Slate_7_Anna_B_cal.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    take = read_take(path)
    assert take.names == ("JawOpen", "Extra")
    assert [f.values.tolist() for f in take.frames] == [[0.5, 1], [0.25, -2]]
    assert [f.time for f in take.frames] == [0, 0.5]
    assert [f.index for f in take.frames] == [0, 1]
    assert take.frames[0].head.tolist() == [0, 0, 0]
    assert take.subject == "Anna_B"
    # The file counts 30 a second; a take's timecode counts 60.
    assert take.timecode == "10:00:00:00.000"
    assert read_take_of(HEADER + "10:00:00:15.500,2,0,0\n", path).timecode == "10:00:00:31.000"


def read_take_of(text: str, path: Path) -> Take:
    path.write_text(text)
    return read_take(path)


def test_a_clock_set_back_during_a_take_does_not_turn_time_back(tmp_path: Path) -> None:
    rows = "".join(f"10:00:0{second}:40.000,2,0,0\n" for second in (1, 3, 2, 4))
    take = read_take_of(HEADER + rows, tmp_path / "t.csv")
    assert [frame.time for frame in take.frames] == [0, 2, 2, 3]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must begin Timecode"),
        ("a,b,c\n1,2,3\n", "must begin Timecode"),
        ("Timecode,BlendShapeCount\n", "must begin Timecode"),
        (HEADER, "no frames"),
        ("Timecode,BlendShapeCount,A,A\n1:2:3:4,2,0,0\n", "line 1: two columns are called 'A'"),
        (HEADER + "10:00:00:00,2,0\n", "line 2: 3 cells under 4 columns"),
        (HEADER + "10:00:00:00,2,0,0\n10:00:00:01,2,,0\n", "line 3: JawOpen is '', not a number"),
        (HEADER + "10:00:00:00,2,0,nan\n", "line 2: Extra is 'nan', not a number"),
        (HEADER + "10:00:00,2,0,0\n", "line 2: Timecode: '10:00:00' is no timecode"),
    ],
)
def test_damaged_files_are_located(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(BridgeError, match=re.escape(complaint)) as caught:
        read_take(path)
    assert str(path) in str(caught.value)


def test_what_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bin.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("bin.csv", "absent.csv"):
        with pytest.raises(BridgeError, match="cannot read"):
            read_take(tmp_path / name)
