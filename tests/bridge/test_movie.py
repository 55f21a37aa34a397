"""Preview films, written and decoded for real."""

import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.bridge.layout import LOST_COLOUR, arrange
from freeavatar.bridge.movie import PreviewFilm
from freeavatar.bridge.sink import BridgeError


def grey(level: int, width: int = 64, height: int = 64) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def decoded(path: Path) -> tuple[list[float], list[NDArray[np.uint8]]]:
    with av.open(str(path)) as film:
        frames = [(f.time, f.to_ndarray(format="rgb24")) for f in film.decode(video=0)]
    return [float(t) for t, _ in frames], [p for _, p in frames]


def sound_of(path: Path) -> tuple[float, NDArray[np.float32], int]:
    """Time of the first sample that is heard, samples (n,) of the first channel, and the rate."""
    with av.open(str(path)) as film:
        frames = list(film.decode(audio=0))
    samples = np.concatenate([f.to_ndarray()[0] for f in frames]).astype(np.float32)
    return float(frames[0].time), samples, frames[0].sample_rate


def make_recording(path: Path, *, clicks: tuple[float, ...], length: float, rate: int) -> None:
    """A film whose sound is silent but for short loud clicks at the given times."""
    samples = np.zeros((1, round(length * rate)), np.float32)
    for click in clicks:
        begin = round(click * rate)
        samples[0, begin : begin + rate // 100] = 0.9
    with av.open(str(path), "w") as film:
        pictures = film.add_stream("libx264", rate=10)
        pictures.width = pictures.height = 32
        pictures.pix_fmt = "yuv420p"
        sound = film.add_stream("aac", rate=rate, layout="mono")
        for i in range(round(length * 10)):
            film.mux(pictures.encode(av.VideoFrame.from_ndarray(grey(i, 32, 32), "rgb24")))
        for begin in range(0, samples.shape[1], 1024):
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[:, begin : begin + 1024]), "fltp", "mono"
            )
            block.sample_rate = rate
            block.pts = begin
            film.mux(sound.encode(block))
        film.mux(pictures.encode(None))
        film.mux(sound.encode(None))


def onsets(samples: NDArray[np.float32], rate: int) -> list[float]:
    """Times at which clicks begin, seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.3) / rate
    return [
        float(t) for t, before in zip(loud, np.r_[-9, loud[:-1]], strict=True) if t > before + 0.1
    ]


def test_every_picture_comes_back_with_its_own_time(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    # A phone's variable rate, and one moment twice.
    times = [0.0, 0.0331, 0.0702, 0.0702, 0.1, 1.25, 1.2834, 2.5]
    with PreviewFilm(path, ["a", "b"], rate=30, panel=64) as film:
        for i, time in enumerate(times):
            film.add([grey(30 + 25 * i), grey(200)], time)
        assert film.frames == 7
        size = film.size
    got, pictures = decoded(path)
    np.testing.assert_allclose(got, np.unique(times), atol=2e-5)
    assert all(p.shape == (size[1], size[0], 3) for p in pictures)
    assert size[0] % 2 == 0 and size[1] % 2 == 0
    shown = [30 + 25 * i for i in (0, 1, 2, 4, 5, 6, 7)]
    np.testing.assert_allclose([p[10:30, 20:50].mean() for p in pictures], shown, atol=4)


def test_the_file_is_for_browsers(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with PreviewFilm(path, ["a"], rate=25, panel=63) as film:
        for i in range(60):
            film.add([grey(i)], i / 25)
    with av.open(str(path)) as film_file:
        stream = film_file.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (64, 64)
        assert float(stream.duration * stream.time_base) == pytest.approx(60 / 25, abs=0.001)
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat"), "the index must come first"
    assert b"moof" not in data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("start", "rate"), [(0.0, 48000), (1.3, 44100), (0.4, 22050)])
def test_sound_stays_in_step_and_ends_with_the_pictures(
    tmp_path: Path, start: float, rate: int
) -> None:
    source, path = tmp_path / "source.mp4", tmp_path / "film.mp4"
    clicks = (0.5, 1.5, 2.25, 3.5)
    make_recording(source, clicks=clicks, length=5.0, rate=rate)
    end = 3.0
    with PreviewFilm(path, ["a"], rate=20, panel=64, audio_source=source, start=start) as film:
        for i in range(round((end - start) * 20)):
            film.add([grey(90)], start + i / 20)
    first, samples, out_rate = sound_of(path)
    heard = [first + t for t in onsets(samples, out_rate)]
    expected = [c - start for c in clicks if start <= c < end]
    np.testing.assert_allclose(heard, expected, atol=0.012)
    with av.open(str(path)) as film_file:
        for stream in film_file.streams:
            length = float(stream.duration * stream.time_base)
            assert length == pytest.approx(end - start, abs=0.05), stream.type


def test_sound_that_begins_late_stays_late(tmp_path: Path, shared: Path) -> None:
    source = shared / "clips" / "face_leaves.mov"
    with av.open(str(source)) as clip:
        sound = clip.streams.audio[0]
        begins = float(sound.start_time * sound.time_base) - clip.start_time / av.time_base
    assert begins > 1
    path = tmp_path / "film.mp4"
    with PreviewFilm(path, ["a"], rate=10, panel=64, audio_source=source) as film:
        for i in range(50):
            film.add([grey(90)], i / 10)
    first, samples, rate = sound_of(path)
    heard = np.flatnonzero(np.abs(samples) > 1e-3)[0] / rate + first
    assert heard == pytest.approx(begins, abs=0.25)
    assert len(samples) / rate == pytest.approx(5.0, abs=0.05)


def test_a_source_without_sound_gives_a_silent_film(tmp_path: Path) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("no film")
    path = tmp_path / "film.mp4"
    with PreviewFilm(path, ["a"], rate=10, panel=64, audio_source=source) as film:
        film.add([grey(90)], 0.0)
    with av.open(str(path)) as film_file:
        assert [s.type for s in film_file.streams] == ["video"]


KILLED = """
import sys
from pathlib import Path
import numpy as np
from freeavatar.bridge.movie import PreviewFilm
film = PreviewFilm(Path(sys.argv[1]), ["a"], rate=25, panel=64, audio_source=Path(sys.argv[2]))
for i in range(110):
    film.add([np.full((64, 64, 3), 2 * i, np.uint8)], i / 25)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_all_but_the_last_second(tmp_path: Path) -> None:
    source, path = tmp_path / "source.mp4", tmp_path / "film.mp4"
    make_recording(source, clicks=(1.0,), length=5.0, rate=48000)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), str(source)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    times, pictures = decoded(path)
    assert times[-1] > 109 / 25 - 1.1
    assert [round(t * 25) for t in times] == list(range(len(times)))
    last = len(times) - 1
    assert pictures[last][10:30, 20:50].mean() == pytest.approx(2 * last, abs=4)
    assert len(sound_of(path)[1]) > 2 * 48000


def test_a_film_without_pictures_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    PreviewFilm(path, ["a"], rate=25).close()
    assert not path.exists()


def test_unusable_paths_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match=r"\.mp4"):
        PreviewFilm(tmp_path / "film.avi", ["a"], rate=25)
    (tmp_path / "file").write_text("")
    with pytest.raises(BridgeError, match="cannot be written"):
        PreviewFilm(tmp_path / "file" / "film.mp4", ["a"], rate=25)


@pytest.mark.parametrize("actor", [(1920, 1080), (1080, 1920), (640, 640), (4000, 500), None])
@pytest.mark.parametrize("rigs", [1, 2, 3, 4, 7])
def test_panels_never_overlap_and_lie_inside(rigs: int, actor: tuple[int, int] | None) -> None:
    layout = arrange([f"rig{i}" for i in range(rigs)], 101, actor)
    covered = np.zeros((layout.height, layout.width), int)
    for cell in layout.cells:
        area = covered[cell.top : cell.top + cell.height, cell.left : cell.left + cell.width]
        assert area.shape == (cell.height, cell.width)
        area += 1
    assert covered.max() == 1
    assert covered.mean() > 0.6
    assert layout.width % 2 == 0 and layout.height % 2 == 0
    assert len(layout.cells) == rigs + (actor is not None)
    assert [c.label for c in layout.cells if c.label != "actor"] == [f"rig{i}" for i in range(rigs)]
    if actor is not None:
        panel = layout.cells[0]
        shape = np.clip(actor[0] / actor[1], 9 / 16, 16 / 9)
        assert panel.width / panel.height == pytest.approx(shape, abs=0.02)


def test_the_actor_is_letterboxed_and_a_lost_face_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    actor = grey(200, 100, 400)
    with PreviewFilm(path, ["a"], rate=10, panel=128, actor=(100, 400)) as film:
        film.add([actor, grey(90)], 0.0, found=True)
        film.add([actor, grey(90)], 0.1, found=False)
    seen, lost = decoded(path)[1]
    # The panel is 72 wide, the upright picture fills 32 of it.
    assert seen[64, 36].min() > 190
    assert seen[64, 8].max() < 40 and seen[64, 64].max() < 40
    assert np.abs(lost[64, 1].astype(int) - LOST_COLOUR).max() < 60
    assert np.abs(seen[64, 1].astype(int) - LOST_COLOUR).max() > 100
    assert lost[64, 36].min() > 190
