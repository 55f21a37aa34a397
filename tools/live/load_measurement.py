"""What the senders hold, measured against receivers in a process of their own."""

import multiprocessing
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from freeavatar.rigs.conventions import ARKIT, describe_controls
from freeavatar.rigs.spec import Control, Rig, RigFrame
from freeavatar.tools.outlets import Outlets

SINKS = (
    "osc://127.0.0.1:{0}",
    "vmc://127.0.0.1:{1}",
    "livelink://127.0.0.1:{2}",
    "vrchat://127.0.0.1:{3}?oscquery=0&all=1",
    "ifacialmocap://127.0.0.1:{4}",
    "osc+tcp://127.0.0.1:{5}",
)
DATAGRAMS = 5
"""Of the sinks, those that send datagrams; the last one is a TCP stream."""
BUFFER = 16 << 20
SETTLE = 1.0
"""Seconds of silence after which everything counts as arrived."""
SLIP_END = 0xC0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a run measured."""

    frames: int
    """Moments sent, each for every rig."""
    seconds: float
    datagrams_sent: int
    datagrams_lost: int
    stream_frames_sent: int
    stream_frames_lost: int
    stalled_frames_left_out: int
    jitter_ms: dict[str, float]
    """How late a moment was sent: p50, p95, p99, max."""
    cost_ms: dict[str, float]
    """How long it took to give one moment of all rigs to all sinks."""
    frame_ms: dict[str, float]
    """The same of one rig."""
    processor_percent: float
    """Of one core."""


def measure(
    *, rigs: int, controls: int, fps: float, seconds: float, stalled: bool = False
) -> Figures:
    """Send and count.

    Args:
        rigs: how many.
        controls: of each rig, ARKit's 52 among them.
        fps: moments a second.
        seconds: of sending.
        stalled: one more sink, whose receiver takes the connection and reads nothing.
    """
    made = [_rig(f"rig{i}", controls) for i in range(rigs)]
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    receiver = context.Process(target=_receive, args=(theirs,), daemon=True)
    receiver.start()
    ports = mine.recv()
    targets = [sink.format(*ports) for sink in SINKS]
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        if stalled:
            targets.append(f"osc+tcp://127.0.0.1:{deaf.getsockname()[1]}")
        outlets = Outlets.open(made, [], targets, rate=fps, subject="", timecode="")
        _until_connected(outlets, made)
        before = [d.counts()["sent"] for d in outlets.all]
        mine.send("begin")
        mine.recv()
        late, cost, used = _send(outlets, made, fps, seconds)
        outlets.close()
    mine.send("end")
    arrived: dict[str, int] = mine.recv()
    receiver.join(10)
    sent = [d.counts()["sent"] - b for d, b in zip(outlets.all, before, strict=True)]
    streams = [i for i, d in enumerate(outlets.all) if d.label.startswith("osc+tcp")]
    open_streams = [i for i in streams if outlets.all[i].label == targets[DATAGRAMS]]
    datagrams = sum(n for i, n in enumerate(sent) if i not in streams)
    stream_frames = len(cost) * rigs
    deaf_streams = [i for i in streams if i not in open_streams]
    return Figures(
        frames=len(cost),
        seconds=round(seconds, 1),
        datagrams_sent=datagrams,
        datagrams_lost=datagrams - arrived["datagrams"],
        stream_frames_sent=stream_frames,
        stream_frames_lost=stream_frames - arrived["stream"],
        stalled_frames_left_out=sum(len(cost) - sent[i] for i in deaf_streams),
        jitter_ms=_percentiles(late),
        cost_ms=_percentiles(cost),
        frame_ms=_percentiles([c / rigs for c in cost]),
        processor_percent=round(100 * used / seconds, 1),
    )


def _until_connected(outlets: Outlets, rigs: Sequence[Rig]) -> None:
    """Streams connect behind the first frames; what is counted comes after that."""
    end = time.monotonic() + 10
    streams = [d for d in outlets.all if d.label.startswith("osc+tcp")]
    while time.monotonic() < end and not all(d.counts()["sent"] for d in streams):
        for rig in rigs:
            outlets.send(rig.name, _frame(rig, 0, 0.0))
        time.sleep(0.05)


def _send(
    outlets: Outlets, rigs: Sequence[Rig], fps: float, seconds: float
) -> tuple[list[float], list[float], float]:
    """Send at an even pace: how late each moment was and what it took, ms; processor seconds."""
    late, cost = [], []
    used = time.process_time()
    began = time.perf_counter()
    for index in range(round(fps * seconds)):
        due = began + index / fps
        if (ahead := due - time.perf_counter()) > 0:
            time.sleep(ahead)
        frames = [(rig.name, _frame(rig, index, index / fps)) for rig in rigs]
        start = time.perf_counter()
        for name, frame in frames:
            outlets.send(name, frame)
        late.append(1e3 * (start - due))
        cost.append(1e3 * (time.perf_counter() - start))
    return late, cost, time.process_time() - used


def _rig(name: str, controls: int) -> Rig:
    more = tuple(Control(name=f"more{i}") for i in range(controls - len(ARKIT)))
    return Rig(name=name, controls=(*describe_controls(ARKIT), *more))


def _frame(rig: Rig, index: int, seconds: float) -> RigFrame:
    phase = np.arange(len(rig.controls), dtype=np.float32)
    values = (0.5 + 0.5 * np.sin(phase + 3.0 * seconds)).astype(np.float32)
    return RigFrame(index=index, time=seconds, values=values)


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    found = np.percentile(values, [50, 95, 99, 100]).round(3).tolist()
    return dict(zip(("p50", "p95", "p99", "max"), found, strict=True))


def _receive(talk: Connection) -> None:
    """The receivers' process: counts datagrams, and SLIP packets of the stream."""
    choose = selectors.DefaultSelector()
    ports = []
    for _ in range(DATAGRAMS):
        hears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        hears.bind(("127.0.0.1", 0))
        hears.setblocking(False)
        _enlarge(hears)
        choose.register(hears, selectors.EVENT_READ, "datagram")
        ports.append(hears.getsockname()[1])
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    server.setblocking(False)
    choose.register(server, selectors.EVENT_READ, "server")
    ports.append(server.getsockname()[1])
    talk.send(ports)
    counts = {"datagrams": 0, "ends": 0}
    ending = False
    newest = time.monotonic()
    while not (ending and time.monotonic() - newest > SETTLE):
        for key, _ in choose.select(0.05):
            newest = time.monotonic()
            _take(choose, key, counts)
        if talk.poll():
            if talk.recv() == "begin":
                _drain(choose)
                counts = {"datagrams": 0, "ends": 0}
                talk.send("begun")
            else:
                ending, newest = True, time.monotonic()
    # A packet lies between two END bytes.
    talk.send({"datagrams": counts["datagrams"], "stream": counts["ends"] // 2})


def _drain(choose: selectors.BaseSelector) -> None:
    """Take in what was sent before anything counts."""
    quiet = time.monotonic()
    while time.monotonic() - quiet < SETTLE / 2:
        for key, _ in choose.select(0.05):
            quiet = time.monotonic()
            _take(choose, key, {"datagrams": 0, "ends": 0})


def _take(choose: selectors.BaseSelector, key: selectors.SelectorKey, counts: Any) -> None:
    hears: Any = key.fileobj
    if key.data == "server":
        stream, _ = hears.accept()
        stream.setblocking(False)
        choose.register(stream, selectors.EVENT_READ, "stream")
        return
    for _ in range(256):
        try:
            data = hears.recv(65535)
        except BlockingIOError:
            return
        if key.data == "datagram":
            counts["datagrams"] += 1
        elif data:
            counts["ends"] += data.count(SLIP_END)
        else:
            choose.unregister(hears)
            hears.close()
            return


def _enlarge(hears: socket.socket) -> None:
    """As large a buffer as the system gives."""
    hears.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    force = getattr(socket, "SO_RCVBUFFORCE", 33)
    try:
        hears.setsockopt(socket.SOL_SOCKET, force, BUFFER)
    except OSError:
        return
