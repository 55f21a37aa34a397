"""freeavatar live as a person runs it: processes, signals, sockets and files."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage
from pythonosc.udp_client import SimpleUDPClient

from freeavatar.bridge.takes import read_take
from freeavatar.tools.inputs import ACTOR_CLIP

COMMAND = (sys.executable, "-m", "freeavatar.tools", "live")
LONG = 120.0
"""Seconds after which a run on a busy machine counts as stuck."""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def heard() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        port.bind(("127.0.0.1", 0))
        port.settimeout(LONG)
        yield port


def messages(datagram: bytes) -> list[OscMessage]:
    return [m for m in OscBundle(datagram) if isinstance(m, OscMessage)]


def everything(port: socket.socket) -> list[OscMessage]:
    """All that has arrived."""
    port.settimeout(0.2)
    found: list[OscMessage] = []
    with contextlib.suppress(TimeoutError):
        while True:
            found += messages(port.recv(65535))
    return found


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=LONG
    )


@contextlib.contextmanager
def running(*arguments: object, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        cwd=cwd,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=LONG)


def last(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return found


def test_a_recording_goes_out_in_real_time_and_into_takes(tmp_path: Path) -> None:
    with heard() as osc, heard() as vmc:
        done = run(
            ACTOR_CLIP, "--rig", "mannequin", "--json", "--seconds", 5,
            "--to", f"osc://127.0.0.1:{osc.getsockname()[1]}",
            "--to", f"vmc://127.0.0.1:{vmc.getsockname()[1]}",
            "--record", tmp_path / "take.jsonl",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said, performed = everything(osc), everything(vmc)
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    summary = objects[-1]
    assert summary["summary"] is True and not any("summary" in o for o in objects[:-1])
    assert len(objects) >= 4
    assert summary["errors"] == [] and summary["written"] == [str(tmp_path / "take.jsonl")]
    assert summary["found"] == summary["tracked"] >= summary["sent"] >= 5
    assert summary["captured"] >= 100
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"]
    assert {s["errors"] for s in summary["sinks"]} == {0}
    assert set(summary["stages_ms"]) == {
        "total", "waiting", "reading", "passing", "posing", "sending"
    }  # fmt: skip

    # What was sent is what was recorded.
    take = read_take(tmp_path / "take.jsonl")
    jaw = [m.params[0] for m in said if m.address == "/freeavatar/mannequin/jawOpen"]
    times = [m.params[0] for m in said if m.address == "/freeavatar/mannequin/time"]
    assert len(jaw) == len(times) == summary["sent"]
    column = take.names.index("jawOpen")
    recorded = [float(f.values[column]) for f in take.frames]
    skipped = len(jaw) - len(recorded)
    assert 0 <= skipped < 30
    np.testing.assert_allclose(recorded, jaw[skipped:], atol=1e-5)
    assert max(recorded) - min(recorded) > 0.1
    offset = np.diff(times)
    assert (offset > 0).all()

    # The receiver is told when it ends.
    oks = [m.params[0] for m in performed if m.address == "/VMC/Ext/OK"]
    assert oks[-1] == 0 and set(oks[:-1]) == {1}


def test_a_polite_stop_closes_takes_and_tells_receivers(tmp_path: Path) -> None:
    with heard() as vmc:
        target = f"vmc://127.0.0.1:{vmc.getsockname()[1]}"
        arguments = (ACTOR_CLIP, "--loop", "--to", target, "--record", tmp_path / "a.csv", "--json")
        with running(*arguments) as process:
            for _ in range(20):
                vmc.recv(65535)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=LONG)
        oks = [m.params[0] for m in everything(vmc) if m.address == "/VMC/Ext/OK"]
    assert process.returncode == 0, err
    assert oks[-1] == 0
    assert last(out)["written"] == [str(tmp_path / "a.csv")]
    assert len(read_take(tmp_path / "a.csv").frames) >= 3
    assert not list(tmp_path.glob("*.part"))


def test_a_kill_loses_less_than_a_second(tmp_path: Path) -> None:
    with heard() as osc:
        target = f"osc://127.0.0.1:{osc.getsockname()[1]}"
        patterns = ("--record", tmp_path / "t.jsonl", "--record", tmp_path / "t.csv")
        with running(ACTOR_CLIP, "--loop", "--to", target, *patterns) as process:
            began: float | None = None
            newest = 0.0
            while began is None or newest - began < 3.0:
                for message in messages(osc.recv(65535)):
                    if message.address == "/freeavatar/arkit/time":
                        newest = message.params[0]
                        began = newest if began is None else began
            process.kill()
            process.wait(LONG)
        newest = max(
            [newest, *(m.params[0] for m in everything(osc) if m.address.endswith("/time"))]
        )
    assert began is not None
    for name in ("t.jsonl.part", "t.csv.part"):
        kept = read_take(tmp_path / name).frames[-1].time
        # Takes begin at 0 with the first frame after recording began, a few frames in.
        assert newest - began - kept < 1.0, name


def test_told_by_osc_what_to_do(tmp_path: Path) -> None:
    control = free_port()
    client = SimpleUDPClient("127.0.0.1", control)
    with heard() as osc, heard() as answers:
        client._sock.bind(("127.0.0.1", 0))
        target = f"osc://127.0.0.1:{osc.getsockname()[1]}"
        arguments = (ACTOR_CLIP, "--loop", "--to", target, "--control", control, "--json")
        with running(*arguments, cwd=tmp_path) as process:
            osc.recv(65535)
            client.send_message("/RecordStart", ["Scene", 3])
            client._sock.settimeout(LONG)
            reply = OscMessage(client._sock.recv(4096))
            assert reply.address == "/RecordStartConfirm"
            for _ in range(10):
                osc.recv(65535)
            client.send_message("/freeavatar/mark", "here")
            client.send_message("/freeavatar/gain", ["jawOpen", 0.0])
            client.send_message("/RecordStop", [])
            # Noise on the port changes nothing.
            for junk in (b"", b"\0" * 40, b"/freeavatar/gain\0\0\0\0,sf\0", os.urandom(600)):
                client._sock.sendto(junk, ("127.0.0.1", control))
            for _ in range(10):
                osc.recv(65535)
            client.send_message("/freeavatar/quit", [])
            out, err = process.communicate(timeout=LONG)
        client._sock.close()
        jaws = [m.params[0] for m in everything(osc) if m.address == "/freeavatar/arkit/jawOpen"]
        del answers
    assert process.returncode == 0, err
    assert jaws[-1] == 0.0
    assert last(out)["written"] == ["Scene_3_arkit.csv"] and last(out)["marks"] == 1
    assert "here" in (tmp_path / "Scene_3_arkit.marks.csv").read_text()


def beside_each_other(path: Path) -> None:
    """Two of the actor in one picture, the right one a second behind, for three seconds."""
    with av.open(str(ACTOR_CLIP)) as clip:
        frames = []
        for frame in clip.decode(video=0):
            frames.append(frame.to_ndarray(format="rgb24")[::2, ::2])
            if len(frames) == 120:
                break
    with av.open(str(path), "w") as film:
        height, width = frames[0].shape[:2]
        stream = film.add_stream("libx264", 30)
        stream.width, stream.height, stream.pix_fmt = 2 * width, height, "yuv420p"
        stream.options = {"crf": "12"}
        for left, right in zip(frames[30:], frames, strict=False):
            picture = np.concatenate([left, right], axis=1)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)


def test_two_actors_on_two_rigs(tmp_path: Path) -> None:
    clip = tmp_path / "two.mp4"
    beside_each_other(clip)
    with heard() as osc:
        done = run(
            clip, "--loop", "--seconds", 8, "--json", "--reader", "embedded",
            "--actor", "0=mannequin", "--actor", "1=arkit",
            "--to", f"osc://127.0.0.1:{osc.getsockname()[1]}",
            "--record", tmp_path / "{rig}.jsonl",
        )  # fmt: skip
        said = everything(osc)
    assert done.returncode == 0, done.stderr
    found = {m.address: m.params[0] for m in said if m.address.endswith("/found")}
    assert found == {"/freeavatar/mannequin/found": 1, "/freeavatar/arkit/found": 1}
    takes = [read_take(tmp_path / f"{name}.jsonl") for name in ("mannequin", "arkit")]
    curves = [np.array([f.values[t.names.index("jawOpen")] for f in t.frames]) for t in takes]
    assert len(curves[0]) == len(curves[1]) > 5
    # They are a second apart, so they are not the same.
    assert np.abs(curves[0] - curves[1]).max() > 0.05


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("97",), "no camera 97"),
        (("absent.mp4",), "no file, folder or camera called"),
        ((ACTOR_CLIP, "--to", "osk://127.0.0.1"), "unknown kind of target"),
        ((ACTOR_CLIP, "--actor", "0=toon", "--actor", "1=toon"), "cannot share the rig toon"),
        ((ACTOR_CLIP, "--actor", "0=toon", "--rig", "fox"), "--rig is for one actor"),
        ((ACTOR_CLIP, "--rig", "nobody"), "nobody"),
        ((ACTOR_CLIP, "--record", "/nowhere/a.csv"), "no such folder"),
        ((ACTOR_CLIP, "--record", "a.xyz"), "a take's name ends in one of"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments: tuple[object, ...], complaint: str) -> None:
    done = run(*arguments)
    lines = [line for line in done.stderr.splitlines() if line.startswith("freeavatar: ")]
    assert done.returncode == 1 and len(lines) == 1 and complaint in lines[0], done.stderr
    assert "Traceback" not in done.stderr


def test_no_heavy_module_is_loaded(tmp_path: Path) -> None:
    """Capturing and streaming load no torch, no pyrender."""
    script = (
        "import sys; from freeavatar.tools.cli import main; "
        f"main(['live', {str(ACTOR_CLIP)!r}, '--seconds', '1', '--to', 'osc://127.0.0.1:9']); "
        "print([m for m in ('torch', 'timm', 'pyrender', 'mediapipe') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=LONG,
        env={**os.environ, "FREEAVATAR_MEDIAPIPE_BUNDLE": ""},
    )  # fmt: skip
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


def test_goodbye_is_one_small_datagram() -> None:
    """What a VMC receiver hears last can be told from a frame."""
    with heard() as vmc:
        done = run(
            ACTOR_CLIP, "--seconds", 1, "--to", f"vmc://127.0.0.1:{vmc.getsockname()[1]}"
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        vmc.settimeout(0.2)
        newest = b""
        with contextlib.suppress(TimeoutError):
            while True:
                newest = vmc.recv(65535)
    assert newest.endswith(b"/VMC/Ext/OK\0,i\0\0" + struct.pack(">i", 0))


def test_it_ends_within_seconds_even_when_nobody_reads_its_output() -> None:
    with running(ACTOR_CLIP, "--loop", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LONG)
    assert process.returncode == 0 and time.monotonic() - began < 30
