"""Actors, sinks, takes and commands of a live performance, without a camera."""

import csv
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.animator.performer import Performer, PerformerOptions
from freeavatar.bridge.control.commands import Gain, Mark, Pause, Recalibrate, Record, StopRecording
from freeavatar.bridge.livelink import decode
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import read_take
from freeavatar.bridge.targets import open_target
from freeavatar.foundation.expression import BLENDSHAPES, Expression
from freeavatar.rigs import registry
from freeavatar.rigs.conventions import ARKIT, describe_controls
from freeavatar.rigs.spec import Control, Rig, RigFrame
from freeavatar.tools.live.recording import Recorder
from freeavatar.tools.live.sending import Actor, Sending
from freeavatar.tools.live.session import Session
from freeavatar.tools.live.slot import Slot
from freeavatar.tools.live.statistics import Latencies
from freeavatar.tools.live.tracking import Tracked
from freeavatar.tools.outlets import Outlet, Outlets

JAW = BLENDSHAPES.index("jawOpen")
OPTIONS = PerformerOptions(smooth=0.0, automatic_neutral=False)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def shown(index: int, jaw: float, *, found: bool = True, rate: float = 60.0) -> Expression:
    shapes = np.zeros(52, np.float32)
    shapes[JAW] = jaw
    return Expression(index=index, time=index / rate, found=found, blendshapes=shapes)


def arkit(name: str = "arkit") -> Rig:
    return Rig(name=name, controls=describe_controls(ARKIT))


class Kept:
    """A sink that keeps its frames, and fails when it is told to."""

    def __init__(self) -> None:
        self.frames: list[RigFrame] = []
        self.broken = False
        self.closed = 0

    def send(self, frame: RigFrame) -> None:
        if self.broken:
            raise BridgeError("the cable is cut")
        self.frames.append(frame)

    def close(self) -> None:
        self.closed += 1


class Stage:
    """All of a performance behind the tracking."""

    def __init__(self, folder: Path, *rigs: Rig, session: Path | None = None) -> None:
        self.actors = [Actor(str(i), [Performer(r, OPTIONS)]) for i, r in enumerate(rigs)]
        self.moments: Slot[Tracked] = Slot()
        self.outlets = Outlets()
        self.sinks = [Kept() for _ in rigs]
        for rig, sink in zip(rigs, self.sinks, strict=True):
            self.outlets.all.append(Outlet("kept://", rig.name, sink, is_take=False))
        patterns = [str(folder / "{slate}_{take}_{rig}.csv"), str(folder / "take.jsonl")]
        self.recorder = Recorder(rigs, patterns, rate=60.0, subject="Anna")
        self.latencies = Latencies()
        self.sending = Sending(
            self.actors, self.moments, self.outlets, self.recorder, self.latencies
        )
        self.session = Session(self.actors, self.sending, self.recorder, session)
        self.recorder.start()
        self.sending.start()
        self.index = 0

    def perform(self, *jaws: float, found: bool = True) -> None:
        """Play moments, each taken before the next one comes."""
        for jaw in jaws:
            now = time.perf_counter()
            said = [shown(self.index, jaw, found=found) for _ in self.actors]
            before = self.sending.sent
            self.moments.put(Tracked(expressions=said, moment=now, taken=now, read=now))
            until(lambda before=before: self.sending.sent > before)
            self.index += 1

    def close(self) -> None:
        self.moments.close()
        self.sending.join(10)
        self.recorder.stop()
        assert self.sending.failure is None and self.recorder.failure is None


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def make(*rigs: Rig, session: Path | None = None) -> Stage:
        made.append(Stage(tmp_path, *(rigs or (arkit(),)), session=session))
        return made[-1]

    yield make
    for one in made:
        one.close()


def jaws(sink: Kept) -> list[float]:
    return [round(float(f.values[ARKIT.index("jawOpen")]), 4) for f in sink.frames]


def test_a_pause_holds_and_still_sends_every_frame(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.perform(0.2, 0.4)
    assert s.session(Pause(True)) == ""
    s.perform(0.9, 0.8)
    assert s.session(Pause(None)) == ""
    s.perform(0.6)
    assert jaws(s.sinks[0]) == [0.2, 0.4, 0.4, 0.4, 0.6]
    times = [f.time for f in s.sinks[0].frames]
    np.testing.assert_allclose(np.diff(times), 1 / 60)


def test_gains_act_at_once_and_unknown_controls_are_told(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.perform(0.3)
    assert s.session(Gain("jawOpen", 2.0)) == ""
    s.perform(0.3)
    assert "no rig has a control wobble" in s.session(Gain("wobble", 2.0))
    assert s.session(Gain("*", 0.5)) == ""
    s.perform(0.3)
    assert jaws(s.sinks[0]) == [0.3, 0.6, 0.15]


def test_a_new_neutral_is_measured_from_what_follows(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.perform(0.2)
    assert s.session(Recalibrate()) == ""
    s.perform(*[0.2] * 40)
    assert s.sending.recalibrated == 1
    s.perform(0.2, 0.6)
    assert jaws(s.sinks[0])[-2:] == [0.0, 0.5]


def test_no_face_no_neutral(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.session(Recalibrate())
    s.perform(*[0.0] * 200, found=False)
    assert s.sending.recalibrated == 0
    s.perform(*[0.4] * 60)
    assert s.sending.recalibrated == 0 and jaws(s.sinks[0])[-1] == 0.4


def test_a_dead_sink_costs_only_itself(stage: Callable[..., Stage]) -> None:
    s = stage(arkit("anna"), arkit("bob"))
    s.perform(0.1, 0.2)
    s.sinks[0].broken = True
    s.perform(0.3, 0.4)
    assert jaws(s.sinks[0]) == [0.1, 0.2]
    assert jaws(s.sinks[1]) == [0.1, 0.2, 0.3, 0.4]
    assert s.outlets.all[0].error == "the cable is cut" and not s.outlets.all[1].error


def test_three_hundred_controls_are_posed_in_time(stage: Callable[..., Stage]) -> None:
    names = [*ARKIT, *(f"extra{i}" for i in range(248))]
    controls = (*describe_controls(ARKIT), *(Control(name=n) for n in names[52:]))
    s = stage(Rig(name="large", controls=controls))
    s.perform(*[0.5] * 120)
    table = s.latencies.table()
    # A frame at 60 a second has 16.7 ms; posing may take a fraction of that on a busy machine.
    assert table["posing"]["p50"] < 5.0
    assert len(s.sinks[0].frames[-1].values) == 300


def test_takes_begin_at_zero_and_nothing_is_written_over(
    stage: Callable[..., Stage], tmp_path: Path
) -> None:
    s = stage()
    s.perform(0.1)
    assert s.session(StopRecording()) == "nothing is being recorded"
    assert s.session(Record("scene 1")) == ""
    assert s.session(Record()) == "a take is being recorded already"
    s.perform(0.2, 0.3)
    assert s.session(StopRecording()) == ""
    s.perform(0.4)
    assert s.session(Record()) == ""
    s.perform(0.5)
    assert s.session(StopRecording()) == ""
    until(lambda: len(s.recorder.written) == 4)
    first = read_take(tmp_path / "take.jsonl")
    assert [f.index for f in first.frames] == [0, 1]
    np.testing.assert_allclose([f.time for f in first.frames], [0, 1 / 60], atol=1e-6)
    assert (tmp_path / "scene_1_1_arkit.csv").exists() and (tmp_path / "take_2.jsonl").exists()
    assert [round(float(f.values[ARKIT.index("jawOpen")]), 3) for f in first.frames] == [0.2, 0.3]


def test_marks_lie_beside_the_take(stage: Callable[..., Stage], tmp_path: Path) -> None:
    s = stage()
    assert "needs a take" in s.session(Mark("too early"))
    s.session(Record("a", 7))
    s.perform(*[0.1] * 31)
    assert s.session(Mark("smile, please")) == ""
    s.session(StopRecording())
    until(lambda: len(s.recorder.written) == 2)
    with (tmp_path / "a_7_arkit.marks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["Seconds"], r["Text"]) for r in rows] == [("0.500", "smile, please")]


def test_a_full_disk_ends_the_take_and_streaming_goes_on(
    stage: Callable[..., Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage()
    s.session(Record("full", 1))
    s.perform(*[0.3] * 20)
    until(lambda: s.recorder.frames == 20)
    true_write, main = os.write, os.getpid()

    def full(file: int, data: Any) -> int:
        if os.getpid() == main and os.fstat(file).st_size > 0 and ".part" in _name(file):
            raise OSError(28, "No space left on device")
        return true_write(file, data)

    monkeypatch.setattr(os, "write", full)
    s.perform(*[0.4] * 10)
    until(lambda: not s.recorder.recording)
    s.perform(*[0.5] * 10)
    monkeypatch.undo()
    assert jaws(s.sinks[0]) == [0.3] * 20 + [0.4] * 10 + [0.5] * 10
    assert any("No space left" in error for error in s.recorder.errors)
    take = read_take(tmp_path / "take.jsonl")
    assert len(take.frames) == 20
    # And there can be another one once there is room.
    assert s.session(Record("room", 2)) == ""
    s.perform(0.6)
    s.session(StopRecording())
    until(lambda: str(tmp_path / "room_2_arkit.csv") in s.recorder.written)


def _name(file: int) -> str:
    return str(Path(f"/proc/self/fd/{file}").readlink())


def test_a_session_goes_on_where_it_ended(stage: Callable[..., Stage], tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    first = stage(session=path)
    first.session(Gain("jawOpen", 2.0))
    first.session(Recalibrate())
    first.perform(*[0.1] * 40)
    first.session(Record("s", 4))
    first.perform(0.3)
    first.session(StopRecording())
    first.session.keep_if_changed()
    assert json.loads(path.read_text())["take"] == 4

    second = stage(session=path)
    second.perform(0.3)
    assert jaws(second.sinks[0]) == [jaws(first.sinks[0])[-1]]
    second.session(Record("s"))
    second.perform(0.3)
    second.session(StopRecording())
    until(lambda: str(tmp_path / "s_5_arkit.csv") in second.recorder.written)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "other"}', '{"format": "freeavatar-session/1"}',
             '{"format": "freeavatar-session/1", "gains": {"a": 99}, "neutrals": {}, "take": 1}',
             '{"format": "freeavatar-session/1", "gains": {}, "neutrals": {"0": 3}, "take": 1}']
)  # fmt: skip
def test_what_is_no_session_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "session.json"
    path.write_text(text)
    rig = registry.load("arkit")
    recorder = Recorder([rig], [], rate=60.0, subject="")
    sending = Sending([], Slot(), Outlets(), recorder, Latencies())
    with pytest.raises(BridgeError, match=r"session\.json: no session file"):
        Session([], sending, recorder, path)


def test_a_clock_that_is_stepped_changes_nothing(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Summer time, or a time server's correction, in the middle of a performance."""
    s = stage()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        port.settimeout(20)
        url = f"livelink://127.0.0.1:{port.getsockname()[1]}"
        sink = open_target(url, arkit(), rate=60.0)
        s.outlets.all.append(Outlet(url, "arkit", sink, is_take=False))
        s.session(Record("clock", 1))
        true = time.time
        for step in (0.0, -3600.0, 86400.0):
            monkeypatch.setattr(time, "time", lambda step=step: true() + step)
            s.perform(*[0.5] * 5)
        monkeypatch.undo()
        packets = [decode(port.recv(2048)) for _ in range(15)]
    assert [p.frame - packets[0].frame for p in packets] == list(range(15))
    s.session(StopRecording())
    until(lambda: len(s.recorder.written) == 2)
    take = read_take(Path(next(p for p in s.recorder.written if p.endswith(".jsonl"))))
    np.testing.assert_allclose(np.diff([f.time for f in take.frames]), 1 / 60, atol=1e-6)
    assert s.latencies.table()["total"]["p99"] >= 0
