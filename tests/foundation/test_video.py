"""Video files: times, orientation, colour formats, damage."""

import logging
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.sources import open_source
from freeavatar.foundation.sources.video import turned

Movie = Callable[..., Path]
Number = Callable[[NDArray[np.uint8]], int]


def test_frames_come_in_order_with_their_numbers_and_times(movie: Movie, number: Number) -> None:
    with open_source(str(movie("a.mp4"))) as source:
        frames = list(source)
        again = [frame.time for frame in source]
    assert [number(f.picture) for f in frames] == list(range(24))
    assert [f.index for f in frames] == list(range(24))
    assert [f.time for f in frames] == pytest.approx([i / 24 for i in range(24)], abs=1e-6)
    assert again == [f.time for f in frames]
    assert (source.rate, source.count, source.size, source.audio) == (24, 24, (64, 48), None)
    assert frames[0].picture.dtype == np.uint8 and frames[0].picture.flags.c_contiguous


@pytest.mark.parametrize("name", ["a.mkv", "a.mov", "a.avi"])
def test_other_containers(movie: Movie, number: Number, name: str) -> None:
    frames = list(open_source(str(movie(name))))
    assert [number(f.picture) for f in frames] == list(range(24))


def test_webm_and_gif(movie: Movie) -> None:
    webm = list(open_source(str(movie("a.webm", codec="libvpx"))))
    gif = list(open_source(str(movie("a.gif", codec="gif", form="rgb8", rate=25))))
    assert len(webm) == len(gif) == 24
    assert gif[23].time == pytest.approx(23 / 25, abs=0.011)


def test_variable_frame_rate_keeps_true_times(movie: Movie) -> None:
    ticks = [0, 1, 2, 7, 8, 20, 21, 22]
    times = [f.time for f in open_source(str(movie("v.mp4", ticks=ticks)))]
    assert times == pytest.approx([t / 24 for t in ticks], abs=1e-6)


def test_a_late_video_stream_stays_late_against_its_sound(movie: Movie) -> None:
    path = movie("late.mkv", ticks=[12, 13, 14], sound=True)
    with open_source(str(path)) as source:
        times = [f.time for f in source]
    assert source.audio == path
    assert times == pytest.approx([0.5, 0.5417, 0.5833], abs=0.03)


@pytest.mark.parametrize(("rotation", "corner"), [(90, "below"), (-90, "right"), (180, "both")])
def test_turned_phone_clips_come_upright(movie: Movie, rotation: int, corner: str) -> None:
    """The white left upper corner goes where a player shows it (the angle is anticlockwise)."""
    with open_source(str(movie("r.mp4", rotation=rotation, ticks=[0, 1]))) as source:
        picture = next(iter(source)).picture
    rows, columns = np.nonzero(picture[..., 0] > 128)
    height, width = picture.shape[:2]
    assert (width, height) == source.size == ((64, 48) if corner == "both" else (48, 64))
    assert (columns.mean() > width / 2) == (corner in ("right", "both"))
    assert (rows.mean() > height / 2) == (corner in ("below", "both"))


def test_mirrored_display_matrix() -> None:
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    one = 1 << 16
    matrix = np.array([-one, 0, 0, 0, one, 0, 0, 0, 1 << 30], np.int32)
    np.testing.assert_array_equal(turned(picture, matrix), picture[:, ::-1])


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("ten.mp4", "libx264", "yuv420p10le"),
        ("full.mp4", "libx264", "yuv444p"),
        ("deep.mkv", "ffv1", "yuv422p10le"),
        ("grey.mkv", "ffv1", "gray16le"),
        ("alpha.mkv", "ffv1", "bgra"),
    ],
)
def test_colour_formats(movie: Movie, number: Number, name: str, codec: str, form: str) -> None:
    frames = list(open_source(str(movie(name, codec=codec, form=form))))
    assert [number(f.picture) for f in frames] == list(range(24))
    assert frames[0].picture.shape == (48, 64, 3)


def test_wide_pixels_are_widened(movie: Movie) -> None:
    with open_source(str(movie("wide.mp4", pixel=Fraction(2, 1)))) as source:
        assert source.size == (128, 48)
        assert next(iter(source)).picture.shape == (48, 128, 3)


@pytest.mark.parametrize("name", ["s.mp4", "s.mkv", "s.gif"])
def test_a_range_starts_on_the_exact_frame(movie: Movie, number: Number, name: str) -> None:
    form = {"codec": "gif", "form": "rgb8", "rate": 20} if name.endswith("gif") else {}
    path = movie(name, **form)
    every = list(open_source(str(path)))
    start, end = every[17].time, every[21].time
    with open_source(str(path), start=start, end=end) as source:
        part = list(source)
    assert [f.time for f in part] == [f.time for f in every[17:21]]
    assert [f.index for f in part] == [0, 1, 2, 3]
    assert source.count == 4
    for got, whole in zip(part, every[17:21], strict=True):
        np.testing.assert_array_equal(got.picture, whole.picture)
    assert number(every[17].picture) == pytest.approx(17, abs=2)


def test_a_range_behind_the_end_is_an_error(movie: Movie) -> None:
    with pytest.raises(SourceError, match="no frame between 50 s and the end"):
        list(open_source(str(movie("a.mp4")), start=50))


@pytest.mark.parametrize(("start", "end"), [(-1.0, None), (2.0, 1.0), (None, 0.0)])
def test_impossible_ranges(movie: Movie, start: float | None, end: float | None) -> None:
    with pytest.raises(SourceError, match=r"--start|--end"):
        open_source(str(movie("a.mp4")), start=start, end=end)


def test_timecode(movie: Movie) -> None:
    path = movie("t.mov", metadata={"timecode": "10:20:30:05"})
    assert open_source(str(path)).timecode == "10:20:30:05"
    assert open_source(str(movie("none.mp4"))).timecode == ""


def test_damaged_packets_are_stepped_over_and_counted(movie: Movie, number: Number) -> None:
    path = movie("d.mkv", codec="mjpeg", form="yuvj420p", ticks=range(20), size=(256, 192))
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data) - 2) if data[i : i + 3] == b"\xff\xd8\xff"]
    assert len(starts) == 20
    for i in range(starts[7], starts[8] - 40):
        data[i] = 0
    path.write_bytes(data)
    with open_source(str(path)) as source:
        numbers = [number(f.picture) for f in source]
    assert source.damaged == 1
    assert numbers == [n for n in range(20) if n != 7]


@pytest.mark.parametrize("name", ["cut.mkv", "cut.mp4"])
def test_a_cut_off_file_gives_what_is_there_and_says_so_once(
    movie: Movie, number: Number, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    path = movie(name, ticks=[4 * i for i in range(24)], options=options, size=(256, 192))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.72)])
    with caplog.at_level(logging.WARNING), open_source(str(path)) as source:
        numbers = [number(f.picture) for f in source]
        list(source)
    # Of the last group only frames that need none of the missing ones are left.
    assert 6 <= len(numbers) < 24 and numbers[:6] == list(range(6))
    assert numbers == sorted(set(numbers))
    told = [r.getMessage() for r in caplog.records]
    assert len(told) == 1 and "ends early" in told[0] and name in told[0]


def test_an_unfinished_mp4_is_an_error(movie: Movie) -> None:
    path = movie("u.mp4")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(SourceError, match=r"u\.mp4") as caught:
        open_source(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_no_video(tmp_path: Path, movie: Movie) -> None:
    text = tmp_path / "a.mp4"
    text.write_text("not a movie " * 100)
    empty = tmp_path / "empty.mov"
    empty.touch()
    with pytest.raises(SourceError, match="cannot be read as a video"):
        open_source(str(text))
    with pytest.raises(SourceError, match="is empty"):
        open_source(str(empty))
    with pytest.raises(SourceError, match="no file, folder or camera"):
        open_source(str(tmp_path / "absent.mp4"))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        track: Any = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        beat = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.int16), format="s16", layout="mono"
        )
        beat.rate = 8000
        container.mux(track.encode(beat) + track.encode())
    with pytest.raises(SourceError, match=r"no video stream \(it holds: audio\)"):
        open_source(str(path))


def test_the_shared_clips(shared: Path) -> None:
    facts = {
        "emotions_pexels.mp4": (472, (640, 360), 23.976, True),
        "face_leaves.mov": (169, (960, 540), 30.0, True),
        "webcam_53s.mp4": (1337, (400, 300), 25.0, False),
        "intel_classroom.gif": (45, (480, 270), 15.0, False),
    }
    for name, (count, size, rate, sound) in facts.items():
        with open_source(str(shared / "clips" / name)) as source:
            times = np.array([f.time for f in source])
        assert len(times) == source.count == count and source.size == size
        assert source.rate == pytest.approx(rate, abs=0.001) and bool(source.audio) == sound
        assert times[0] == 0 and (np.diff(times) > 0).all() and source.damaged == 0


def test_memory_stays_flat_while_a_clip_is_read(movie: Movie) -> None:
    """A kept frame of this size would be 1.4 MB: 160 of them would show."""

    def resident() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    path = movie("a.mp4", ticks=tuple(range(240)), size=(1280, 720))
    with open_source(str(path)) as source:
        for frame in source:
            if frame.index == 80:
                before = resident()
    assert frame.index == 239
    assert resident() - before < 30
