"""Slots, capture and tracking: the newest moment, cameras that come and go, recordings in time."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import Expression, Frame
from freeavatar.foundation.sources.source import Closing
from freeavatar.tools.live.capture import Capture, Captured
from freeavatar.tools.live.slot import Slot
from freeavatar.tools.live.statistics import KEPT, STAGES, Latencies
from freeavatar.tools.live.tracking import Tracked, Tracking
from freeavatar.tools.live.worker import Worker

PICTURE = np.zeros((4, 4, 3), np.uint8)


@dataclass
class Film(Closing):
    """A source made of code."""

    frames: Callable[[], Iterator[Frame]]
    count: int | None = None
    rate: float = 100.0
    size: tuple[int, int] = (4, 4)
    audio: Path | None = None
    timecode: str = ""
    description: str = "film"
    damaged: int = 0
    closed: list[bool] = field(default_factory=list)

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def close(self) -> None:
        self.closed.append(True)


def frame(index: int, seconds: float) -> Frame:
    return Frame(picture=PICTURE, index=index, time=seconds)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def test_a_slot_keeps_the_newest_and_counts_what_it_drops() -> None:
    slot: Slot[int] = Slot()
    for number in range(5):
        slot.put(number)
    assert slot.take() == 4 and slot.dropped == 4
    slot.put(7)
    slot.close()
    slot.put(8)
    assert slot.take() == 7 and slot.take() is None and slot.take() is None


def test_whoever_waits_is_woken() -> None:
    slot: Slot[int] = Slot()
    got: list[int | None] = []

    def wait() -> None:
        got.append(slot.take())
        got.append(slot.take())

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    slot.put(1)
    until(lambda: got == [1])
    slot.close()
    until(lambda: got == [1, None])


def test_a_camera_that_is_unplugged_is_taken_up_again() -> None:
    opened: list[Film] = []
    back = threading.Event()

    def shows_three_then_fails() -> Iterator[Frame]:
        yield from (frame(i, i / 100) for i in range(3))
        raise SourceError("camera 0 gives no more pictures; was it unplugged?")

    def shows_on() -> Iterator[Frame]:
        for i in itertools.count():
            time.sleep(0.005)
            yield frame(i, i / 100)

    def camera() -> Film:
        if opened and not back.is_set():
            raise SourceError("no camera 0; cameras found: none")
        opened.append(Film(shows_on if opened else shows_three_then_fails))
        return opened[-1]

    pictures: Slot[Captured] = Slot()
    capture = Capture(camera, pictures)
    assert capture.is_camera
    capture.start()
    until(lambda: capture.gone)
    assert capture.captured == 3 and opened[0].closed
    before = pictures.take()
    assert before is not None and before.frame.index == 2
    back.set()
    after = pictures.take()
    assert after is not None and after.frame.index >= 3
    # Seconds since the run began, though the camera itself began anew.
    assert after.frame.time > before.frame.time
    assert not capture.gone and capture.reopened == 1
    capture.stop()
    assert not capture.is_alive() and capture.failure is None
    assert opened[1].closed
    while pictures.take() is not None:
        pass


def test_a_camera_that_is_not_there_at_the_start_is_refused() -> None:
    def camera() -> Film:
        raise SourceError("no camera 3; cameras found: 0")

    with pytest.raises(SourceError, match="no camera 3"):
        Capture(camera, Slot())


def test_a_recording_plays_in_real_time_and_again() -> None:
    def played() -> Iterator[Frame]:
        yield from (frame(i, i * 0.03) for i in range(5))

    moments: list[Captured] = []

    class Kept(Slot[Captured]):
        def put(self, moment: Captured) -> None:
            moments.append(moment)

    capture = Capture(lambda: Film(played, count=5, rate=1 / 0.03), Kept(), loop=True)
    began = time.perf_counter()
    capture.start()
    until(lambda: len(moments) >= 12)
    capture.stop()
    times = [m.frame.time for m in moments[:12]]
    np.testing.assert_allclose(times, np.arange(12) * 0.03, atol=1e-9)
    assert [m.frame.index for m in moments[:12]] == list(range(12))
    # None before its time; lateness is the machine's own.
    assert all(m.moment - began >= m.frame.time - 1e-3 for m in moments)


def test_a_recording_that_breaks_off_says_so() -> None:
    def broken() -> Iterator[Frame]:
        yield frame(0, 0.0)
        raise SourceError("clip.mp4: damaged after 1 frame")

    pictures: Slot[Captured] = Slot()
    capture = Capture(lambda: Film(broken, count=9), pictures)
    capture.start()
    capture.join(20)
    assert capture.ended == "clip.mp4: damaged after 1 frame" and capture.captured == 1


class Slow:
    """A reader that takes its time."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.closed = False

    def read(self, shown: Frame) -> Expression:
        time.sleep(0.03)
        self.seen.append(shown.index)
        return Expression(index=shown.index, time=shown.time, found=False)

    def close(self) -> None:
        self.closed = True


def test_a_slow_reader_falls_behind_in_nothing() -> None:
    pictures: Slot[Captured] = Slot()
    moments: Slot[Tracked] = Slot()
    reader = Slow()
    tracking = Tracking([reader], pictures, moments)
    tracking.start()
    for i in range(100):
        pictures.put(Captured(frame=frame(i, i / 500), moment=time.perf_counter()))
        time.sleep(0.002)
    until(lambda: bool(reader.seen) and reader.seen[-1] == 99)
    tracking.stop()
    pictures.close()
    tracking.join(20)
    assert reader.closed and tracking.tracked == len(reader.seen)
    assert pictures.dropped == 100 - len(reader.seen) > 50
    assert reader.seen == sorted(reader.seen)


def test_a_thread_that_fails_is_told_and_lets_the_next_one_go() -> None:
    class Broken(Worker):
        ended = False

        def work(self) -> None:
            raise ValueError("what a pity")

        def finish(self) -> None:
            self.ended = True

    broken = Broken("broken")
    broken.start()
    broken.join(10)
    assert isinstance(broken.failure, ValueError) and broken.ended


def test_latencies_are_those_of_the_last_frames_and_take_no_more_room() -> None:
    latencies = Latencies()
    assert latencies.table() == {}
    for _ in range(KEPT):
        latencies.add(0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    for _ in range(KEPT - 10):
        latencies.add(10.0, 10.001, 10.011, 10.012, 10.014, 10.0145)
    table = latencies.table()
    assert list(table) == list(STAGES)
    middle = {stage: round(figures["p50"], 2) for stage, figures in table.items()}
    assert middle == {
        "total": 14.5, "waiting": 1.0, "reading": 10.0, "passing": 1.0, "posing": 2.0,
        "sending": 0.5,
    }  # fmt: skip
    assert latencies.table(100) == table
    assert table["total"]["p95"] == pytest.approx(14.5, abs=0.01)
