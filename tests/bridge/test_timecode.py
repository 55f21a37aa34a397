"""Timecode against another implementation, over a whole day, and what is no timecode."""

import csv
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import open_take
from freeavatar.bridge.takes.livelink_csv import shown_rate
from freeavatar.bridge.takes.timecode import (
    NTSC,
    Counting,
    LiveLinkClock,
    check_timecode,
    exact_rate,
    timecode_after,
)
from freeavatar.foundation.sources import open_source
from freeavatar.rigs.spec import Rig, RigFrame

COUNTINGS = [
    *((rate, False) for rate in (23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60)),
    (29.97, True),
    (59.94, True),
]


def every(day: int) -> list[int]:
    """Frames of a day: some thousand anywhere, and both sides of each minute's first."""
    anywhere = np.random.default_rng(3).integers(0, day, 3000)
    minutes = np.round(np.arange(1440) * day / 1440).astype(int)
    around = (minutes[:, None] + np.arange(-6, 7)).ravel() % day
    return sorted({0, day - 1, *anywhere.tolist(), *around.tolist()})


@pytest.mark.parametrize(("rate", "drop"), COUNTINGS)
def test_a_day_is_labelled_as_another_library_labels_it(rate: float, drop: bool) -> None:
    timecode = pytest.importorskip("timecode", reason="the package timecode is not there")
    counting = Counting.of(rate, drop=drop)
    theirs = timecode.Timecode(str(rate), frames=1, force_non_drop_frame=not drop)
    assert theirs.drop_frame == drop
    wrong = []
    for number in every(counting.day):
        hours, minutes, seconds, frame = theirs.frames_to_tc(number + 1)
        label = f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if drop else ':'}{frame:02d}"
        if counting.label(number) != label or counting.number(label) != number:
            wrong.append((number, label, counting.label(number)))
    assert not wrong


@pytest.mark.parametrize(("rate", "drop"), COUNTINGS)
def test_labels_rise_by_one_through_ten_minutes_and_begin_again_after_a_day(
    rate: float, drop: bool
) -> None:
    counting = Counting.of(rate, drop=drop)
    frames = counting.frames
    assert counting.day == 86400 * frames - (1440 - 144) * (frames // 15 if drop else 0)
    assert counting.label(counting.day) == counting.label(0)
    assert counting.label(-1) == f"23:59:59{';' if drop else ':'}{frames - 1}"
    labels = [counting.label(n) for n in range(601 * frames)]
    assert labels == sorted(set(labels))
    assert [counting.number(label) for label in labels] == list(range(601 * frames))


@pytest.mark.parametrize(
    ("rate", "after_minute", "day"),
    [(29.97, "00:01:00;02", 2589408), (59.94, "00:01:00;04", 5178816)],
)
def test_dropped_numbers_of_the_standard(rate: float, after_minute: str, day: int) -> None:
    counting = Counting.of(rate, drop=True)
    assert counting.day == day
    assert counting.label(60 * counting.frames) == after_minute
    ten = counting.number("00:10:00;00")
    assert counting.label(ten - 1) == f"00:09:59;{counting.frames - 1}"
    # Ten minutes by the label are ten minutes within a hundredth of a frame.
    assert abs(ten - 600 * counting.rate) < 0.7
    # After a day label and clock differ by less than three frames of 29.97.
    assert abs(day / counting.rate - 86400) < 0.087


@pytest.mark.parametrize(
    ("rate", "exact"),
    [
        (23.976, 24 * NTSC), (23.98, 24 * NTSC), (29.97, 30 * NTSC), (30000 / 1001, 30 * NTSC),
        (59.94, 60 * NTSC), (24, 24), (30, 30), (29.998, 30), (12.5, Fraction(25, 2)),
    ],
)  # fmt: skip
def test_rates_that_files_round_are_exact(rate: float, exact: Fraction) -> None:
    assert exact_rate(rate) == exact


@pytest.mark.parametrize(
    ("timecode", "rate", "complaint"),
    [
        ("noon", 24, "'noon' is no timecode; one looks like"),
        ("10:00:0a:00", 24, "is no timecode; one looks like"),
        ("١٠:00:00:00", 24, "is no timecode; one looks like"),
        ("10:00:00", 24, "is no timecode; one looks like"),
        ("", 24, "is no timecode; one looks like"),
        ("24:00:00:00", 24, "is no time of a day"),
        ("10:60:00:00", 24, "is no time of a day"),
        ("10:00:00:24", 24, "FF goes from 00 to 23"),
        ("10:00:00:24", 23.976, "FF goes from 00 to 23"),
        ("10:00:00;30", 29.97, "FF goes from 00 to 29"),
        ("10:00:00:60.000", 24, "FF goes from 00 to 59"),
        ("00:01:00;00", 29.97, "the minute begins with 00:01:00;02"),
        ("00:01:00;01", 29.97, "the minute begins with 00:01:00;02"),
        ("09:59:00;03", 59.94, "the minute begins with 09:59:00;04"),
        ("10:00:00;10", 30, "counts 29.97 or 59.94 frames a second, not 30"),
        ("10:00:00;10", 23.976, "counts 29.97 or 59.94 frames a second, not 23.976"),
    ],
)
def test_what_is_no_timecode_is_refused_in_one_line(
    timecode: str, rate: float, complaint: str
) -> None:
    with pytest.raises(BridgeError, match=re.escape(complaint)) as caught:
        check_timecode(timecode, rate)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("timecode", ["00:10:00;00", "00:01:00;02", "00:01:01;00", "23:59:59;29"])
def test_numbers_beside_the_dropped_ones_are_there(timecode: str) -> None:
    assert timecode_after(timecode, 29.97, 0.0) == timecode


@pytest.mark.parametrize(
    ("timecode", "rate", "seconds", "after"),
    [
        # 17982 frames: ten minutes to the frame when numbers are dropped, 18 short when not.
        ("10:00:00;15", 29.97, 600.6 - 0.6, "10:10:00;15"),
        ("10:00:00:15", 29.97, 600.6, "10:10:00:15"),
        ("10:00:59;29", 29.97, 1001 / 30000, "10:01:00;02"),
        ("23:59:59:23", 24, 1 / 24, "00:00:00:00"),
        ("10:00:00:00", 25, 0.999999999, "10:00:01:00"),
        ("10:00:00:30.500", 24, 0.5, "10:00:01:00.500"),
    ],
)
def test_the_label_some_time_later(timecode: str, rate: float, seconds: float, after: str) -> None:
    assert timecode_after(timecode, rate, seconds) == after


def test_a_take_cut_from_a_clip_begins_with_the_label_of_its_first_frame() -> None:
    """Whatever is counted, the editor finds the frame; from there true time passes."""
    frame = 1001 / 30000
    drop, straight = (LiveLinkClock(code, 29.97) for code in ("01:00:00;00", "01:00:00:00"))
    later = 17983 * frame
    assert drop.at(later) == "01:10:00:02.000"
    assert straight.at(later) == "01:09:59:26.000"
    assert drop.at(later + frame) == "01:10:00:04.002"
    assert straight.at(later + 600.0) == "01:19:59:26.000"


def test_an_hour_of_drop_frame_keeps_within_a_frame_of_its_labels() -> None:
    counting, clock = Counting.of(29.97, drop=True), LiveLinkClock("10:00:00;00", 29.97)
    begin = counting.number("10:00:00;00")
    for number in range(0, 107892, 997):
        hours, minutes, seconds, rest = clock.at(float(number / counting.rate)).split(":")
        shown = (int(hours) * 60 + int(minutes)) * 60 + int(seconds) + float(rest) / 60
        label = re.split("[:;]", counting.label(begin + number))
        meant = (int(label[0]) * 60 + int(label[1])) * 60 + int(label[2]) + int(label[3]) / 30
        assert abs(shown - meant) < 2.1 / 30


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (24, 60), (23.976, 60), (25, 60), (48, 60), (50, 60), (120, 60), (240, 60), (60, 60),
        (30, 30), (20, 20), (15, 15), (29.97, 30 * NTSC), (59.94, 60 * NTSC),
    ],
)  # fmt: skip
def test_rates_that_unreal_shows_right(rate: float, shown: Fraction) -> None:
    assert shown_rate(rate) == shown


@pytest.mark.parametrize("rate", [24, 25, 50])
def test_rows_of_a_film_rate_fall_on_whole_frames_of_60(
    tmp_path: Path, arkit_rig: Rig, rate: float
) -> None:
    sink = open_take(
        tmp_path / "t.csv", arkit_rig, rate=rate, timecode="10:00:00:00", take_rate=shown_rate(rate)
    )
    for i in range(int(rate * 2)):
        values = np.full(52, i / rate / 2, np.float32)
        sink.send(RigFrame(index=i, time=i / rate, values=values))
    sink.close()
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    expected = [f"10:00:0{k // 60}:{k % 60:02d}.000" for k in range(120)]
    assert [row[0] for row in rows] == expected
    # A steady rise stays one: each row shows its own time.
    jaw = [float(row[2]) for row in rows[: 120 - round(60 / rate)]]
    np.testing.assert_allclose(jaw, np.arange(len(jaw)) / 120, atol=1e-6)


def test_ff_beyond_the_clock_of_a_read_take_is_located(tmp_path: Path) -> None:
    from freeavatar.bridge.takes import read_take

    path = tmp_path / "t.csv"
    path.write_text("Timecode,BlendShapeCount,A\n10:00:00:59.5,1,0\n10:00:00:75,1,0\n")
    with pytest.raises(BridgeError, match=r"t\.csv: line 3: Timecode: .*FF goes from 00 to 59"):
        read_take(path)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "timecode", "where"),
    [
        ("t.mov", "mpeg4", Fraction(30000, 1001), "10:20:30;05", "stream"),
        ("t.mov", "mpeg4", Fraction(24), "10:20:30:05", "container"),
        ("t.mp4", "mpeg4", Fraction(60000, 1001), "10:20:30;45", "stream"),
        ("t.mxf", "mpeg2video", Fraction(25), "10:20:30:05", "container"),
        ("t.mxf", "mpeg2video", Fraction(30000, 1001), "23:59:59;29", "stream"),
        ("t.mkv", "mpeg4", Fraction(25), "10:20:30:05", "stream"),
    ],
)
def test_timecode_of_tracks_and_tags_is_found(
    tmp_path: Path, name: str, codec: str, rate: Fraction, timecode: str, where: str
) -> None:
    """MOV and MP4 get a tmcd track, MXF a timecode component, Matroska a tag."""
    import av

    path = tmp_path / name
    with av.open(str(path), "w") as film:
        stream: Any = film.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        (stream if where == "stream" else film).metadata["timecode"] = timecode
        for i in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * i, np.uint8), "rgb24")
            frame.pts, frame.time_base = i, 1 / rate
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    with open_source(str(path)) as source:
        assert source.timecode == timecode
        assert timecode_after(source.timecode, source.rate, 0.0) == timecode
        assert timecode_after(source.timecode, source.rate, 2 / source.rate) != timecode
