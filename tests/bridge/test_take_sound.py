"""The sound beside a take: in step to the millisecond, cut as the take is, never in the way."""

import logging
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.sound import write_wav
from freeavatar.foundation.sources import open_source
from freeavatar.rigs.spec import Rig, RigFrame
from freeavatar.tools.outlets import Outlets
from freeavatar.tools.take_options import write_sounds

MILLISECOND = 0.001
FPS = 25


def make_clip(
    path: Path,
    *,
    clicks: Sequence[float],
    length: float = 4.0,
    codec: str = "pcm_s16le",
    seen_as: str = "mjpeg",
    rate: int = 48000,
    layout: str = "mono",
    sound_from: float = 0.0,
    pictures_from: float = 0.0,
) -> Path:
    """A clip that flashes in the pictures and clicks in the sound at the given times.

    Times are on one clock, that of the timestamps; both tracks may begin later than 0.
    """
    samples = np.zeros(round(length * rate), np.float32)
    for click in clicks:
        samples[round((click - sound_from) * rate) :][:24] = 0.9
    channels = 1 if layout == "mono" else 2
    with av.open(str(path), "w") as film:
        pictures: Any = film.add_stream(seen_as, rate=FPS)
        pictures.width = pictures.height = 32
        pictures.pix_fmt = "yuvj420p" if seen_as == "mjpeg" else "yuv420p"
        sound: Any = film.add_stream(codec, rate=rate, layout=layout)
        form = sound.codec_context.format.name
        for i in range(round(length * FPS)):
            time = pictures_from + i / FPS
            bright = any(abs(time - click) < 0.5 / FPS for click in clicks)
            picture = av.VideoFrame.from_ndarray(
                np.full((32, 32, 3), 255 * bright, np.uint8), "rgb24"
            )
            picture.pts, picture.time_base = round(time * FPS), Fraction(1, FPS)
            film.mux(pictures.encode(picture))
            for begin in range(i * rate // FPS, (i + 1) * rate // FPS, 960):
                part = samples[begin : min(begin + 960, (i + 1) * rate // FPS)]
                film.mux(sound.encode(block(part, form, layout, channels, rate, begin, sound_from)))
        film.mux(pictures.encode(None))
        film.mux(sound.encode(None))
    return path


def block(
    part: NDArray[np.float32],
    form: str,
    layout: str,
    channels: int,
    rate: int,
    begin: int,
    sound_from: float,
) -> av.AudioFrame:
    """Samples as a frame in the encoder's own format."""
    both = np.tile(part, (channels, 1))
    if form.startswith("s16"):
        both = (both * 32767).astype(np.int16)
    if not form.endswith("p"):
        both = np.ascontiguousarray(both.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(both), form, layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    frame.pts = begin + round(sound_from * rate)
    return frame


def heard(path: Path) -> list[float]:
    """Times of clicks in a WAV, seconds, as the standard library reads it."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (48000, 2)
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        samples = data.reshape(-1, file.getnchannels())[:, 0].astype(np.float32) / 32768
    # A coded click has ringing before it; half of the peak is where it begins.
    loud = np.flatnonzero(np.abs(samples) > 0.4) / 48000
    return [
        float(t) for t, before in zip(loud, np.r_[-9, loud[:-1]], strict=True) if t > before + 0.1
    ]


def length_of(path: Path) -> float:
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


def seen(path: Path, **options: Any) -> tuple[list[float], float, float]:
    """Times of flashes, and of the first and last frame."""
    with open_source(str(path), **options) as source:
        frames = [(f.time, f.picture.mean() > 128) for f in source]
    return [t for t, bright in frames if bright], frames[0][0], frames[-1][0]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mov", {}),
        ("a.mkv", {"rate": 44100}),
        ("a.mov", {"rate": 22050, "layout": "stereo"}),
        ("a.mkv", {"sound_from": 0.4}),
        ("a.mkv", {"pictures_from": 0.6}),
        ("a.mkv", {"sound_from": 10.2, "pictures_from": 10.0}),
        ("a.mov", {"codec": "aac"}),
        ("a.mkv", {"codec": "flac", "layout": "stereo", "sound_from": 0.2}),
        # Its clock begins at 1.4 s.
        ("a.ts", {"codec": "mp2", "seen_as": "mpeg2video", "sound_from": 0.2}),
    ],
)
@pytest.mark.parametrize(("start", "end"), [(None, None), (0.9, 3.1), (1.613, None)])
def test_a_flash_and_its_click_are_at_one_time_of_take_and_sound(
    tmp_path: Path, name: str, options: dict[str, Any], start: float | None, end: float | None
) -> None:
    zero = max(options.get("sound_from", 0.0), options.get("pictures_from", 0.0))
    clicks = [zero + t for t in (0.8, 1.2, 2.0, 2.4, 2.8)]
    clip = make_clip(tmp_path / name, clicks=clicks, **options)
    flashes, first, last = seen(clip, start=start, end=end)
    out = tmp_path / "take.wav"
    write_wav(clip, out, start=first, end=last + 1 / FPS)
    assert len(flashes) >= 2
    np.testing.assert_allclose(heard(out), np.array(flashes) - first, atol=MILLISECOND)
    assert length_of(out) <= last + 1 / FPS - first + MILLISECOND


def test_a_lost_stretch_of_sound_is_silence_and_the_rest_in_its_place(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "whole.mkv", clicks=[0.4, 2.4])
    holed = tmp_path / "holed.mkv"
    with av.open(str(clip)) as whole, av.open(str(holed), "w") as film:
        copies = {s.index: film.add_stream_from_template(s) for s in whole.streams}
        for packet in whole.demux():
            lost = packet.stream.type == "audio" and packet.pts and 1000 < packet.pts < 1045
            if packet.dts is not None and not lost:
                packet.stream = copies[packet.stream.index]
                film.mux(packet)
    write_wav(holed, tmp_path / "t.wav", start=0.0, end=4.0)
    np.testing.assert_allclose(heard(tmp_path / "t.wav"), [0.4, 2.4], atol=MILLISECOND)


def test_sixteen_bit_sound_comes_back_bit_for_bit(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, (48000, 2)).astype(np.int16)
    clip = tmp_path / "a.wav"
    with wave.open(str(clip), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(samples.tobytes())
    write_wav(clip, tmp_path / "t.wav", start=0.25, end=0.75)
    with wave.open(str(tmp_path / "t.wav")) as file:
        got = np.frombuffer(file.readframes(48000), np.int16).reshape(-1, 2)
    np.testing.assert_array_equal(got, samples[12000:36000])


def test_another_s_file_is_never_written_over_and_our_own_is(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mov", clicks=[1.0])
    out = tmp_path / "a.wav"
    for theirs in (b"RIFF", b"", (tmp_path / "a.mov").read_bytes()):
        out.write_bytes(theirs)
        with pytest.raises(BridgeError, match=r"a\.wav is there and no sound of a take of ours"):
            write_wav(clip, out, start=0.0, end=2.0)
        assert out.read_bytes() == theirs
    recorded = tmp_path / "boom.wav"
    with wave.open(str(recorded), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(b"\1\0" * 4800)
    kept = recorded.read_bytes()
    with pytest.raises(BridgeError, match="move it"):
        write_wav(clip, recorded, start=0.0, end=2.0)
    assert recorded.read_bytes() == kept
    out.unlink()
    for end in (2.0, 3.0):
        write_wav(clip, out, start=0.0, end=end)
        assert length_of(out) == pytest.approx(end, abs=MILLISECOND)
    assert {p.name for p in tmp_path.iterdir()} == {"a.mov", "a.wav", "boom.wav"}


def test_no_sound_in_the_stretch_leaves_no_file(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mov", clicks=[1.0])
    with pytest.raises(BridgeError, match=r"no sound between 50\.00 s and 51\.00 s"):
        write_wav(clip, tmp_path / "t.wav", start=50.0, end=51.0)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mov"]


def run(audio: Path | None, takes: list[Path], rig: Rig, times: list[float]) -> list[Path]:
    outlets = Outlets.open(
        [rig], [(path, rig) for path in takes], [], rate=FPS, subject="", timecode=""
    )
    for i, time in enumerate(times):
        outlets.send(rig.name, RigFrame(index=i, time=time, values=rig.neutral))
    outlets.close()
    return write_sounds(audio, outlets, rate=FPS)


def test_every_take_gets_its_sound_once(tmp_path: Path, mesh_rig: Rig) -> None:
    clip = make_clip(tmp_path / "a.mov", clicks=[1.0, 2.0])
    takes = [tmp_path / n for n in ("one.csv", "one.glb", "two.jsonl")]
    written = run(clip, takes, mesh_rig, [0.5 + i / FPS for i in range(50)])
    assert written == [tmp_path / "one.wav", tmp_path / "two.wav"]
    for path in written:
        np.testing.assert_allclose(heard(path), [0.5, 1.5], atol=MILLISECOND)
        assert length_of(path) == pytest.approx(2.0, abs=MILLISECOND)
    assert run(None, [tmp_path / "three.csv"], mesh_rig, [0.0, 0.04]) == []
    assert not (tmp_path / "three.wav").exists()


def test_a_damaged_sound_track_costs_one_warning_not_the_take(
    tmp_path: Path, mesh_rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    clip = make_clip(tmp_path / "a.mkv", clicks=[1.0], codec="flac")
    broken = tmp_path / "broken.mkv"
    with av.open(str(clip)) as whole, av.open(str(broken), "w") as film:
        copies = {s.index: film.add_stream_from_template(s) for s in whole.streams}
        for packet in whole.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio":
                noise = av.Packet(b"\x55" * packet.size)
                noise.pts, noise.dts, noise.time_base = packet.pts, packet.dts, packet.time_base
                noise.duration = packet.duration
                packet, stream = noise, copies[packet.stream.index]
            else:
                stream = copies[packet.stream.index]
            packet.stream = stream
            film.mux(packet)
    with caplog.at_level(logging.WARNING):
        written = run(broken, [tmp_path / "t.csv"], mesh_rig, [i / FPS for i in range(50)])
    assert written == []
    rate, sound = [record.message for record in caplog.records]
    assert rate.startswith("t.csv is written at 60 frames a second, not 25, which Unreal")
    assert sound.startswith("no sound beside t.csv: broken.mkv has no sound between 0.00 s")
    assert (tmp_path / "t.csv").exists() and not (tmp_path / "t.wav").exists()


def test_a_timestamp_of_years_hence_fills_neither_memory_nor_disk(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "whole.mkv", clicks=[0.4], length=2.0)
    late = tmp_path / "late.mkv"
    with av.open(str(clip)) as whole, av.open(str(late), "w") as film:
        copies = {s.index: film.add_stream_from_template(s) for s in whole.streams}
        for packet in whole.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio" and packet.pts > 1000:
                packet.pts = packet.dts = packet.pts + 10**10
            packet.stream = copies[packet.stream.index]
            film.mux(packet)
    write_wav(late, tmp_path / "t.wav", start=0.0, end=2.0)
    np.testing.assert_allclose(heard(tmp_path / "t.wav"), [0.4], atol=MILLISECOND)
    assert length_of(tmp_path / "t.wav") == pytest.approx(2.0, abs=MILLISECOND)
