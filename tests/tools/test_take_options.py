"""Rate, timecode and sound of takes as a person asks for them: real runs of `drive`."""

import csv
import json
import logging
import shutil
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from freeavatar.bridge.takes import read_take
from freeavatar.tools.arguments import frame_rate
from freeavatar.tools.cli import main
from freeavatar.tools.inputs import ACTOR_CLIP, DEMO_TAKE
from freeavatar.tools.take_options import start_timecode

SECONDS = 0.8


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled actor, 30 frames a second, with a click at 0.6 s and a camera's timecode."""
    path = tmp_path_factory.mktemp("camera") / "shot.mov"
    sound = np.zeros((1, 2 * 48000), np.int16)
    sound[0, 28800:28848] = 20000
    with av.open(str(ACTOR_CLIP)) as actor, av.open(str(path), "w") as film:
        pictures = film.add_stream_from_template(actor.streams.video[0])
        pictures.metadata["timecode"] = "10:00:00:12"
        track: Any = film.add_stream("pcm_s16le", rate=48000, layout="mono")
        for packet in actor.demux(video=0):
            if packet.dts is not None and packet.pts * packet.time_base < 2:
                packet.stream = pictures
                film.mux(packet)
        block = av.AudioFrame.from_ndarray(sound, "s16", "mono")
        block.sample_rate, block.time_base, block.pts = 48000, Fraction(1, 48000), 0
        film.mux(track.encode(block))
        film.mux(track.encode(None))
    return path


@pytest.fixture
def drive(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Runs the verb: its status, its summary and what it said."""

    def run(*arguments: object) -> tuple[int, dict[str, Any], str]:
        status = main(["drive", *map(str, arguments), "--json"])
        out, said = capsys.readouterr()
        return status, json.loads(out) if out else {}, said

    return run


def timecodes(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row[0] for row in csv.reader(file)][1:]


def test_a_clip_brings_its_timecode_and_sound(clip: Path, tmp_path: Path, drive: Any) -> None:
    begin = 12 / 30
    status, summary, _ = drive(
        clip, "--start", begin, "--end", begin + SECONDS,
        "--take", tmp_path / "t.csv", "--take", tmp_path / "t.jsonl", "--take-rate", 30,
    )  # fmt: skip
    assert status == 0
    assert sorted(summary["written"]) == [str(tmp_path / f"t.{s}") for s in ("csv", "jsonl", "wav")]
    assert summary["timecode"] == "10:00:00:24"
    frames = read_take(tmp_path / "t.jsonl").frames
    first = frames[0].time
    assert first == pytest.approx(begin, abs=1e-6) and len(frames) == round(SECONDS * 30)
    np.testing.assert_allclose([f.time - first for f in frames], np.arange(len(frames)) / 30)
    with wave.open(str(tmp_path / "t.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert np.flatnonzero(samples)[0] / 48000 == pytest.approx(0.6 - first, abs=0.001)
    assert len(samples) / 48000 == pytest.approx(SECONDS, abs=0.001)
    assert timecodes(tmp_path / "t.csv") == [
        f"10:00:0{k // 60}:{k % 60:02d}.000" for k in range(48, 96, 2)
    ]


def test_timecode_and_rate_that_are_chosen_and_sound_left_away(
    clip: Path, tmp_path: Path, drive: Any
) -> None:
    film = tmp_path / "film.mov"
    shutil.copy(clip, film)
    status, summary, said = drive(
        film, "--end", SECONDS, "--take", tmp_path / "t.csv",
        "--take-rate", "24000/1001", "--timecode", "01:02:03:04", "--no-audio",
    )  # fmt: skip
    assert status == 0 and "Unreal" not in said
    assert summary["written"] == [str(tmp_path / "t.csv")]
    assert summary["timecode"] == "01:02:03:04"
    assert not (tmp_path / "t.wav").exists()
    times = [f.time for f in read_take(tmp_path / "t.csv").frames]
    np.testing.assert_allclose(np.diff(times), 1001 / 24000, atol=3e-5)


def test_a_sound_file_of_the_persons_own_stays(
    clip: Path, tmp_path: Path, drive: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "t.wav").write_bytes(b"my own recording")
    status, summary, _ = drive(clip, "--end", 0.2, "--take", tmp_path / "t.csv")
    assert status == 0 and summary["written"] == [str(tmp_path / "t.csv")]
    assert (tmp_path / "t.wav").read_bytes() == b"my own recording"
    assert any("no sound beside t.csv" in r.message for r in caplog.records)


def test_a_recorded_take_keeps_its_own_rows_unless_a_rate_is_chosen(
    tmp_path: Path, drive: Any
) -> None:
    kept, chosen = tmp_path / "kept.csv", tmp_path / "chosen.csv"
    drive(DEMO_TAKE, "--end", 1, "--take", kept)
    drive(DEMO_TAKE, "--end", 1, "--take", chosen, "--take-rate", 29.97)
    assert timecodes(kept) == timecodes(DEMO_TAKE)[:60]
    assert len(timecodes(chosen)) == 30
    assert read_take(chosen).rate == pytest.approx(30000 / 1001)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--timecode", "10:00:00;00"], "drop-frame timecode (;) counts 29.97 or 59.94"),
        (["--timecode", "10:00:00:99"], "FF goes from 00 to 59"),
        (["--timecode", "ten"], "'ten' is no timecode; one looks like"),
    ],
)
def test_a_wrong_timecode_is_one_line_and_leaves_nothing(
    tmp_path: Path, drive: Any, options: list[str], complaint: str
) -> None:
    status, _, said = drive(DEMO_TAKE, "--take", tmp_path / "t.csv", *options)
    assert status == 1
    line = [line for line in said.splitlines() if line.startswith("freeavatar: ")]
    assert len(line) == 1 and complaint in line[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "rate", ["0", "-5", "abc", "1/0", "nan", "inf", "1e3", "241", "60000/1001/2", "٣٠", ""]
)
def test_a_wrong_rate_is_a_usage_error(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["drive", "x.mp4", f"--take-rate={rate}"])
    assert left.value.code == 2
    assert "is no frame rate from 1 to 240" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", Fraction(24)), ("29.97", Fraction(30000, 1001)), ("23.976", Fraction(24000, 1001)),
        ("60000/1001", Fraction(60000, 1001)), ("12.5", Fraction(25, 2)),
    ],
)  # fmt: skip
def test_rates_as_a_person_types_them(text: str, rate: Fraction) -> None:
    assert frame_rate(text) == rate


def test_a_clips_own_timecode_that_cannot_be_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert start_timecode(None, "00:01:00;00", 29.97) == ""
    assert len(caplog.records) == 1 and "--timecode sets one" in caplog.text
    assert start_timecode(None, "00:01:00;02", 29.97) == "00:01:00;02"
    assert start_timecode("10:00:00:00", "garbage", 29.97) == "10:00:00:00"
    assert start_timecode(None, "", 24) == ""


def test_where_unity_finds_the_renderer(tmp_path: Path, drive: Any) -> None:
    take = tmp_path / "a.anim"
    code, _, said = drive(
        DEMO_TAKE, "--rig", "mannequin", "--take", take, "--renderer", "Body/Face"
    )
    assert code == 0, said
    text = take.read_text()
    assert "    path: Body/Face\n" in text and text.count("attribute: blendShape.jawOpen") == 1


def test_a_blender_that_is_not_there_is_said_before_anything_is_performed(
    tmp_path: Path, drive: Any
) -> None:
    code, _, said = drive(
        DEMO_TAKE, "--rig", "mannequin", "--take", tmp_path / "a.fbx", "--blender", "/no/blender"
    )
    assert code == 1 and "Blender" in said and "--blender" in said
    assert not list(tmp_path.iterdir())
