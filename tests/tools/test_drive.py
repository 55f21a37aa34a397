"""The command as a person runs it: real processes, real files, real sockets."""

import csv
import json
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeavatar.bridge.takes import read_take
from freeavatar.rigs import registry
from freeavatar.rigs.gltf.writer import write_glb
from freeavatar.tools import performance
from freeavatar.tools.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO = ROOT / "tools" / "data" / "demo_take.csv"
MISSPELT = Path(__file__).parent / "misspelt_gains.toml"
COMMAND = (sys.executable, "-m", "freeavatar.tools")


def freeavatar(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def only_line(text: str) -> str:
    """The last line of standard error, which must be the command's own complaint."""
    lines = [line for line in text.strip().splitlines() if line.startswith("freeavatar: ")]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


def test_an_arkit_take_goes_through_unchanged(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    freeavatar("drive", DEMO, "--take", out)

    given, got = read_take(DEMO), read_take(out)
    columns = [got.names.index(name) for name in given.names]
    assert len(got.frames) == len(given.frames) == 600
    for a, b in zip(given.frames, got.frames, strict=True):
        np.testing.assert_allclose(b.values[columns], a.values, atol=2e-6)
        np.testing.assert_allclose(b.head, a.head, atol=2e-6)
        np.testing.assert_allclose(b.eyes, a.eyes, atol=2e-6)


def test_several_rigs_write_several_takes_and_a_summary(tmp_path: Path) -> None:
    done = freeavatar(
        "drive", DEMO, "--end", 1.0, "--json",
        "--rig", "mannequin", "--rig", "toon", "--rig", "arkit",
        "--take", tmp_path / "t.jsonl", "--take", tmp_path / "{rig}-t.glb",
    )  # fmt: skip
    summary = json.loads(done.stdout)

    assert {p.name for p in tmp_path.iterdir()} == {
        "t_mannequin.jsonl", "t_toon.jsonl", "t_arkit.jsonl", "mannequin-t.glb", "toon-t.glb",
    }  # fmt: skip
    assert sorted(summary["written"]) == sorted(str(p) for p in tmp_path.iterdir())
    assert summary["frames"] == summary["found"] == 60
    rows = [json.loads(line) for line in (tmp_path / "t_mannequin.jsonl").open()]
    assert [row["frame"] for row in rows] == list(range(60))
    assert set(rows[0]) >= {"frame", "time", "found", "controls", "head", "eyes"}
    # The mannequin's controls are ARKit's, so it must do what was recorded.
    given = read_take(DEMO)
    jaw = given.names.index("jawOpen")
    np.testing.assert_allclose(
        [row["controls"]["jawOpen"] for row in rows],
        [f.values[jaw] for f in given.frames[:60]],
        atol=0.02,
    )


def test_the_stream_reaches_a_receiver_in_full(tmp_path: Path) -> None:
    from pythonosc.osc_bundle import OscBundle

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(1.0)
        port = receiver.getsockname()[1]
        started = time.monotonic()
        freeavatar("drive", DEMO, "--end", 0.5, "--to", f"osc://127.0.0.1:{port}")
        seconds = time.monotonic() - started
        seen: dict[str, list[float]] = {}
        while True:
            try:
                datagram = receiver.recv(65536)
            except TimeoutError:
                break
            assert len(datagram) <= 1400
            for message in OscBundle(datagram):
                seen.setdefault(message.address, []).append(message.params[0])
    given = read_take(DEMO)
    jaw = given.names.index("jawOpen")
    assert seconds >= 0.48, "frames must be paced at their own time"
    assert len([a for a in seen if a.split("/")[-1] in given.names]) == 52
    np.testing.assert_allclose(
        seen["/freeavatar/arkit/jawOpen"], [f.values[jaw] for f in given.frames[:30]], atol=1e-6
    )


def test_a_clip_becomes_takes_and_a_preview(shared: Path, tmp_path: Path) -> None:
    import av

    freeavatar(
        "drive", shared / "clips" / "emotions_pexels.mp4", "--end", 2.0, "--rig", "mannequin",
        "--mediapipe-bundle", shared / "mediapipe" / "face_landmarker.task",
        "--take", tmp_path / "t.csv", "--preview", tmp_path / "p.mp4", "--preview-size", 128,
    )  # fmt: skip
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0][:2] == ["Timecode", "BlendShapeCount"]
    # Two seconds at 24 frames a second; Unreal reads 60.
    assert len(rows) == 1 + 120
    with av.open(str(tmp_path / "p.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 48


def test_no_face_is_said_and_leaves_nothing(shared: Path, tmp_path: Path) -> None:
    done = freeavatar(
        "drive", shared / "clips" / "no_face.mp4", "--rig", "mannequin",
        "--mediapipe-bundle", shared / "mediapipe" / "face_landmarker.task",
        "--take", tmp_path / "t.csv", "--take", tmp_path / "t.glb",
        "--preview", tmp_path / "p.mp4", "--preview-size", 64, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search(r"no face in \d+ frames", only_line(done.stderr))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["drive"], 2, "INPUT"),
        (["drive", "x.csv", "--smooth", "7"], 2, "between 0 and 1"),
        (["drive", "x.csv", "--smooth", "much"], 2, "'much' is not a number between 0 and 1"),
        (["drive", "x.csv", "--preview-size", "99999"], 2, "between 64 and 2048"),
        (["drive", "x.csv", "--neutral", "0-inf"], 2, "END must come after START"),
        (["drive", "x.csv", "--neutral", "3-1"], 2, "END must come after START"),
        (["drive", "absent.mp4"], 1, "absent.mp4"),
        (["drive", "absent.csv"], 1, "absent.csv"),
        (["drive", str(DEMO), "--rig", "manequin"], 1, "mannequin"),
        (["drive", str(DEMO), "--take", "t.glb"], 1, "mesh"),
        (["drive", str(DEMO), "--take", "t.xyz"], 1, ".csv"),
        (["drive", str(DEMO), "--take", "no/such/t.csv"], 1, "no such folder"),
        (["drive", str(DEMO), "--rig", "toon", "--rig", "fox", "--take", ""], 1, "name of a take"),
        (["drive", str(DEMO), "--start", "5", "--end", "2"], 1, "--end must come after --start"),
        (["drive", str(DEMO), "--start", "99"], 1, "no frame between 99 s and the end"),
        (["drive", "97", "--neutral", "1-2"], 1, "no camera 97"),
        (["drive", str(DEMO), "--to", "smoke://signal"], 1, "osc"),
        (["drive", str(DEMO), "--gain", "absent.toml"], 1, "absent.toml"),
        (["drive", str(DEMO), "--gain", str(MISSPELT)], 1, "did you mean jawOpen?"),
    ],
)
def test_failures_are_named_in_one_line(
    arguments: list[str], status: int, said: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == status, done.stderr
    assert said in (only_line(done.stderr) if status == 1 else done.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spelt", ["in.csv", "./in.csv", "link.csv"])
def test_an_input_is_never_written_over(spelt: str, tmp_path: Path) -> None:
    given = tmp_path / "in.csv"
    given.write_bytes(DEMO.read_bytes())
    (tmp_path / "link.csv").symlink_to(given)
    done = freeavatar("drive", given, "--end", 0.1, "--take", f"{tmp_path}/{spelt}", check=False)
    assert done.returncode == 1
    assert "is an input and would be lost" in only_line(done.stderr)
    assert given.read_bytes() == DEMO.read_bytes()


def test_footage_is_never_written_over(shared: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes((shared / "clips" / "neutral_to_smile.mp4").read_bytes())
    size = clip.stat().st_size
    for arguments in (
        ["drive", clip, "--preview", clip],
        ["render", "--take", DEMO, "--actor", clip, "--out", clip],
    ):
        done = freeavatar(*arguments, check=False)
        assert done.returncode == 1
        assert "is an input and would be lost" in only_line(done.stderr)
        assert clip.stat().st_size == size


def test_two_rigs_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_glb(replace(registry.load("fox"), name="hero"), tmp_path / folder / "hero.glb")
    done = freeavatar(
        "drive", DEMO, "--rig", tmp_path / "a" / "hero.glb", "--rig", tmp_path / "b" / "hero.glb",
        "--to", "osc://127.0.0.1:9", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "two rigs are called hero" in only_line(done.stderr)


def test_a_preview_on_a_full_disk_ends_alone(tmp_path: Path) -> None:
    film = tmp_path / "p.mp4"
    film.with_stem("p.part").symlink_to("/dev/full")
    done = freeavatar(
        "drive", DEMO, "--rig", "fox", "--json", "--take", tmp_path / "t.csv",
        "--preview", film, "--preview-size", 64, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "p.mp4: given up, the rest goes on" in done.stderr
    assert json.loads(done.stdout)["written"] == [str(tmp_path / "t.csv")]
    assert len(read_take(tmp_path / "t.csv").frames) == 600


def test_a_damaged_picture_of_a_folder_is_stepped_over(shared: Path, tmp_path: Path) -> None:
    folder, take = tmp_path / "frames", tmp_path / "t.jsonl"
    folder.mkdir()
    picture = (shared / "clips" / "single_face.jpg").read_bytes()
    for name, body in (("1.jpg", picture), ("2.jpg", b"damaged"), ("3.jpg", picture)):
        (folder / name).write_bytes(body)
    done = freeavatar(
        "drive", folder, "--take", take,
        "--mediapipe-bundle", shared / "mediapipe" / "face_landmarker.task",
    )  # fmt: skip
    assert "2.jpg is not a picture" in done.stderr
    rows = [json.loads(line) for line in take.open()]
    assert [(row["frame"], round(row["time"] * 30)) for row in rows] == [(0, 0), (1, 2)]
    assert all(row["found"] for row in rows)


def test_interrupted_before_a_face_nothing_is_said_to_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(performance, "perform", interrupt)
    assert main(["drive", str(DEMO), "--take", str(tmp_path / "t.csv"), "--json"]) == 130
    said = capsys.readouterr()
    assert json.loads(said.out)["written"] == []
    assert "nothing written" in said.err
    assert list(tmp_path.iterdir()) == []


def test_verbose_says_what_each_stage_costs() -> None:
    for arguments in (["drive", DEMO, "--end", 0.1, "-v"], ["-v", "drive", DEMO, "--end", 0.1]):
        assert re.search(r"^solve: [0-9.]+ ms a frame", freeavatar(*arguments).stderr, re.M)


def start_streaming(tmp_path: Path) -> subprocess.Popen[str]:
    """A run paced at real time, at least two seconds into its take."""
    running = subprocess.Popen(
        [*COMMAND, "drive", str(DEMO), "--rig", "mannequin", "--take", str(tmp_path / "t.csv"),
         "--take", str(tmp_path / "t.glb"), "--to", "osc://127.0.0.1:9"],
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    part = tmp_path / "t.csv.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 10_000) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(2.0)
    return running


def test_a_polite_stop_finishes_every_take(tmp_path: Path) -> None:
    running = start_streaming(tmp_path)
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 130
    frames = len(read_take(tmp_path / "t.csv").frames)
    assert 100 < frames < 600
    assert len(read_take(tmp_path / "t.glb").frames) == frames


def test_a_kill_loses_at_most_the_last_second(tmp_path: Path) -> None:
    running = start_streaming(tmp_path)
    started = running.pid
    running.kill()
    running.wait(60)
    assert started
    kept = read_take(tmp_path / "t.csv.part")
    assert not (tmp_path / "t.csv").exists()
    # Two seconds were streamed after the first rows were seen; one may be missing.
    assert kept.frames[-1].time >= 1.0
    assert len(read_take(tmp_path / "t.glb.part").frames) >= 60
