"""Every take format: survives kills, full disks and second runs; JSON lines read back exactly."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import open_take, partfile, read_take, recover
from freeavatar.rigs.spec import Rig, RigFrame

SUFFIXES = (".csv", ".jsonl", ".glb")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_take_appears_whole_and_replaces_the_earlier_one(
    tmp_path: Path, mesh_rig: Rig, perform: Any, suffix: str
) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"earlier")
    sink: Any = open_take(path, mesh_rig, rate=60)
    frames = perform(mesh_rig, 10)
    for frame in frames:
        sink.send(frame)
    assert path.read_bytes() == b"earlier"
    sink.close()
    sink.close()
    sink.discard()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    read = read_take(path)
    assert read.names == mesh_rig.names
    assert read.rate == 60
    for frame, again in zip(frames, read.frames, strict=True):
        np.testing.assert_allclose(again.values, frame.values, atol=1e-6)
        np.testing.assert_allclose(again.head, frame.head, atol=1e-5)
        np.testing.assert_allclose(again.eyes, frame.eyes, atol=1e-5)
        assert again.time == pytest.approx(frame.time, abs=2e-5)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_discarded_and_empty_takes_leave_nothing(
    tmp_path: Path, mesh_rig: Rig, perform: Any, suffix: str
) -> None:
    path = tmp_path / f"t{suffix}"
    open_take(path, mesh_rig, rate=60).close()
    sink: Any = open_take(path, mesh_rig, rate=60)
    sink.send(perform(mesh_rig, 1)[0])
    sink.discard()
    sink.close()
    assert not list(tmp_path.iterdir())


WRITER = """
import sys
from pathlib import Path
import numpy as np
from freeavatar.bridge.takes import open_take
from freeavatar.rigs.spec import Control, Mesh, Part, Rig, RigFrame
corners = np.eye(3, dtype=np.float32)
rig = Rig(
    name="solid",
    controls=tuple(Control(name=n) for n in ("up", "tip", "side")),
    mesh=Mesh(
        vertices=corners, triangles=np.array([[0, 1, 2]], np.int32),
        deltas=np.ones((3, 3, 3), np.float32), parts=(Part(name="p", first_triangle=0,
        triangle_count=1),),
    ),
)
sink = open_take(Path(sys.argv[1]), rig, rate=60)
for i in range(int(sys.argv[2])):
    sink.send(RigFrame(index=i, time=i / 60, values=np.full(3, i / 1e6, np.float32)))
    print(i, flush=True)
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_killed_run_loses_nothing_it_had_sent(
    tmp_path: Path, mesh_rig: Rig, perform: Any, suffix: str
) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"earlier")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, path, "1000000"], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) == 400:
            break
    os.kill(writer.pid, signal.SIGKILL)
    printed = [400, *(int(line) for line in writer.stdout.readlines() if line.endswith("\n"))]
    writer.wait()
    writer.stdout.close()

    left = read_take(tmp_path / f"t{suffix}.part")
    assert len(left.frames) >= printed[-1] + 1
    assert left.frames[printed[-1]].values[0] == pytest.approx(printed[-1] / 1e6, abs=1e-9)
    assert path.read_bytes() == b"earlier"

    # The same command again keeps both: what was left, and the new take.
    sink = open_take(path, mesh_rig, rate=60)
    sink.send(perform(mesh_rig, 1)[0])
    sink.close()
    kept = read_take(tmp_path / f"t.recovered{suffix}")
    assert len(kept.frames) == len(left.frames)
    assert {p.name for p in tmp_path.iterdir()} == {path.name, f"t.recovered{suffix}"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_runs_cannot_write_one_take(
    tmp_path: Path, mesh_rig: Rig, perform: Any, suffix: str
) -> None:
    path = tmp_path / f"t{suffix}"
    first = open_take(path, mesh_rig, rate=60)
    with pytest.raises(BridgeError, match="another run is writing"):
        open_take(path, mesh_rig, rate=60)
    first.send(perform(mesh_rig, 1)[0])
    first.close()
    assert len(read_take(path).frames) == 1


FULL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    exec(WRITER)
except Exception as error:
    print(f"{type(error).__name__}: {error}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
    if Path(sys.argv[1]).suffix != ".glb":
        sink.close()
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_a_whole_take(tmp_path: Path, suffix: str) -> None:
    """A limit on file size stands in for a full disk: writes fail half way through a record."""
    path = tmp_path / f"t{suffix}"
    script = f"WRITER = {WRITER!r}\n{FULL_DISK}"
    done = subprocess.run(
        [sys.executable, "-c", script, path, "10000"], capture_output=True, text=True, check=True
    )
    *numbers, last = done.stdout.splitlines()
    assert last.startswith("BridgeError: cannot go on writing t"), done.stdout[-300:]
    take = read_take(path if suffix != ".glb" else tmp_path / "t.glb.part")
    assert len(take.frames) == len(numbers) > 20


def test_takes_reach_the_disk_about_once_a_second(
    tmp_path: Path, odd_rig: Rig, perform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    really = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (synced.append(file), really(file)))
    monkeypatch.setattr(partfile, "SYNC_EVERY", 0.1)
    sink = open_take(tmp_path / "t.csv", odd_rig, rate=60)
    started = time.monotonic()
    for frame in perform(odd_rig, 40):
        sink.send(frame)
        time.sleep(0.0125)
    sink.close()
    elapsed = time.monotonic() - started
    assert 2 <= len(synced) <= elapsed / 0.1 + 1


def test_another_rigs_journal_is_kept_as_it_is(tmp_path: Path, mesh_rig: Rig, perform: Any) -> None:
    other = Rig(name="other", controls=mesh_rig.controls[:2])
    sink: Any = open_take(tmp_path / "t.glb", mesh_rig, rate=60)
    sink.send(perform(mesh_rig, 1)[0])
    sink._journal.file.keep()
    assert recover(tmp_path / "t.glb", other) == tmp_path / "t.recovered.glb.part"
    assert read_take(tmp_path / "t.recovered.glb.part").rig == "solid"


def test_a_cut_off_journal_is_read_up_to_the_cut(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    sink: Any = open_take(tmp_path / "t.glb", mesh_rig, rate=48, subject="Anna")
    for frame in perform(mesh_rig, 5):
        sink.send(frame)
    part = tmp_path / "t.glb.part"
    whole = part.read_bytes()
    part.write_bytes(whole[:-3])
    take = read_take(part)
    assert (len(take.frames), take.rate, take.subject, take.rig) == (4, 48, "Anna", "solid")
    assert [f.found for f in take.frames] == [True, True, True, False]
    for damage in (b"", b"{}\n", b'{"format": "freeavatar-journal/1"}\n', whole[:60]):
        part.write_bytes(damage)
        with pytest.raises(BridgeError, match="journal"):
            read_take(part)
    sink.discard()


def test_a_glb_begins_at_zero_wherever_in_a_clip_its_take_was(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    sink = open_take(tmp_path / "t.glb", mesh_rig, rate=60)
    for frame in perform(mesh_rig, 30)[12:]:
        sink.send(frame)
    sink.close()
    times = [frame.time for frame in read_take(tmp_path / "t.glb").frames]
    np.testing.assert_allclose(times, np.arange(18) / 60, atol=1e-6)


def test_a_glb_needs_a_mesh(tmp_path: Path, arkit_rig: Rig) -> None:
    with pytest.raises(BridgeError, match=r"GLB needs a rig with a mesh and arkit has none"):
        open_take(tmp_path / "t.glb", arkit_rig, rate=60)
    assert not list(tmp_path.iterdir())


def test_wrong_names_and_rates_are_refused(tmp_path: Path, arkit_rig: Rig) -> None:
    for path, rate, complaint in (
        (tmp_path / "t.mov", 60.0, ".jsonl (JSON lines)"),
        (tmp_path / "t", 60.0, ".csv (Live Link Face CSV)"),
        (tmp_path / "absent" / "t.csv", 60.0, "cannot write"),
        (tmp_path / "t.csv", 0.0, "no frame rate"),
    ):
        with pytest.raises(BridgeError, match=re.escape(complaint)):
            open_take(path, arkit_rig, rate=rate)
    with pytest.raises(BridgeError, match=re.escape(".glb (GLB with animation)")):
        read_take(tmp_path / "t.mp4")


def test_a_long_take_needs_no_more_memory_than_a_short_one(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    sink: Any = open_take(tmp_path / "t.glb", mesh_rig, rate=60)
    frame = perform(mesh_rig, 1)[0]
    for _ in range(60):
        sink.send(frame)
    tracemalloc.start()
    try:
        for _ in range(6000):
            sink.send(frame)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert len(read_take(tmp_path / "t.glb.part").frames) == 6060
    sink.discard()


def test_json_lines_hold_one_object_a_frame_and_read_back_exactly(
    tmp_path: Path, odd_rig: Rig, perform: Any
) -> None:
    path = tmp_path / "t.jsonl"
    frames = perform(odd_rig, 50, rate=24)
    sink = open_take(path, odd_rig, rate=24)
    for frame in frames:
        sink.send(frame)
    sink.close()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 50
    assert [row["found"] for row in rows] == [f.found for f in frames]
    assert rows[3].keys() == {"frame", "time", "found", "controls", "head", "eyes", "rig"}
    assert rows[3]["frame"] == 3
    assert tuple(rows[3]["controls"]) == odd_rig.names
    take = read_take(path)
    assert (take.names, take.rate, take.rig) == (odd_rig.names, 24, "fox 2")
    for frame, read in zip(frames, take.frames, strict=True):
        assert (read.index, read.found) == (frame.index, frame.found)
        assert read.time == pytest.approx(frame.time, abs=1e-9)
        np.testing.assert_array_equal(read.values, frame.values)
        np.testing.assert_array_equal(read.head, frame.head)
        np.testing.assert_array_equal(read.eyes, frame.eyes)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2: no JSON object"),
        ("[1]", 'line 2: no object with "controls"'),
        ('{"time": 1}', 'line 2: no object with "controls"'),
        ('{"controls": {}}', "line 2: time is None"),
        ('{"time": 1, "controls": {"a": "x"}}', "line 2: a is 'x'"),
        ('{"time": 1, "controls": {"a": NaN}}', "line 2: a is nan"),
        ('{"time": 1, "controls": {"a": 1e99}}', "line 2: a is 1e+99"),
        ('{"time": 1, "controls": {"a": true}}', "line 2: a is True"),
        ('{"time": -1, "controls": {"a": 1}}', "line 2: its time is before"),
        ('{"time": 1, "controls": {"a": 1}, "head": [1, 2]}', "line 2: head must be 3 numbers"),
        ('{"time": 1, "controls": {"a": 1}, "eyes": "x"}', "line 2: eyes must be 2x3 numbers"),
        ("[" * 100000, "line 2: no JSON object"),
    ],
)
def test_damaged_json_lines_are_located(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"time": 0, "controls": {"a": 0.5}}\n' + line + "\n")
    with pytest.raises(BridgeError, match=re.escape(complaint)) as caught:
        read_take(path)
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
ROWS = st.fixed_dictionaries(
    {"controls": st.dictionaries(st.text(max_size=5), JSON, max_size=3) | JSON, "time": JSON},
    optional={"frame": JSON, "head": JSON, "eyes": JSON, "found": JSON, "rig": JSON},
)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)
@given(st.lists(ROWS, max_size=3))
def test_any_json_is_read_or_refused(tmp_path: Path, rows: list[Any]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:
        take = read_take(path)
    except BridgeError:
        return
    assert len(take.frames) == len(rows)
    assert all(np.isfinite(frame.values).all() for frame in take.frames)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)
@given(st.text(alphabet='0123456789:.,;-e\n\r" \0naif', max_size=120))
def test_any_csv_is_read_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Timecode,BlendShapeCount,a\n10:00:00:00,1,0.5\n" + text, newline="")
    try:
        take = read_take(path)
    except BridgeError:
        return
    assert all(np.isfinite(frame.values).all() for frame in take.frames)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100
)
@given(st.binary(max_size=200))
def test_any_journal_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.glb.part"
    header = {
        "format": "freeavatar-journal/1",
        "rig": "r",
        "names": ["a"],
        "rate": 60,
        "subject": "",
    }
    path.write_bytes(json.dumps(header).encode() + b"\n" + data)
    try:
        take = read_take(path)
    except BridgeError:
        return
    assert all(np.isfinite(frame.values).all() for frame in take.frames)


def test_frames_slice_like_a_list(tmp_path: Path, odd_rig: Rig, perform: Any) -> None:
    frames: list[RigFrame] = perform(odd_rig, 6)
    sink = open_take(tmp_path / "t.jsonl", odd_rig, rate=60)
    for frame in frames:
        sink.send(frame)
    sink.close()
    read = read_take(tmp_path / "t.jsonl").frames
    assert [f.index for f in read[2:5]] == [2, 3, 4]
    assert read[-1].index == 5
    assert len(list(read)) == 6
