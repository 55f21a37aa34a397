"""Listening over TCP: both framings, several senders, and strangers who send no OSC."""

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc import slip
from pythonosc.tcp_client import SimpleTCPClient

from freeavatar.bridge.listen import Monitor, open_port, receive
from freeavatar.bridge.osc import FRAMINGS
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.stream_port import LONGEST, MOST_SENDERS, StreamPort, Unframer
from freeavatar.bridge.targets import open_target
from freeavatar.rigs.spec import Rig

PATIENCE = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> Iterator[StreamPort]:
    """A listening port of this machine."""
    _, opened = open_port(f"osc+tcp://:{free_port()}")
    assert isinstance(opened, StreamPort)
    with opened:
        yield opened


@given(
    st.sampled_from(sorted(FRAMINGS)),
    st.lists(st.binary(min_size=1, max_size=60) | st.just(b"\xc0\xdb\xdc\xdd"), max_size=8),
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
)
def test_packets_survive_however_the_stream_is_cut(
    framing: str, packets: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(FRAMINGS[framing], packets))
    unframer, found, at = Unframer(), [], 0
    while at < len(stream):
        size = cuts[at % len(cuts)]
        found += unframer.feed(stream[at : at + size])
        at += size
    assert found == packets


def test_a_broken_slip_frame_is_no_osc_and_the_next_is_read() -> None:
    good = b"/a\0\0,f\0\0\x3f\0\0\0"
    packets = Unframer().feed(slip.END + b"\xdb/a\0" + slip.END + slip.encode(good))
    assert packets == [slip.END + b"\xdb/a\0", good]


@pytest.mark.parametrize(
    "stream", [b"GET / HTTP/1.1\r\n", struct.pack(">I", LONGEST + 4), b"\xff" * 8]
)
def test_lengths_that_cannot_be_are_refused(stream: bytes) -> None:
    with pytest.raises(BridgeError, match="a packet of"):
        Unframer().feed(stream)


def test_a_frame_without_its_end_is_refused() -> None:
    unframer = Unframer()
    unframer.feed(slip.END)
    for _ in range(2 * LONGEST // 1000):
        assert unframer.feed(b"x" * 1000) == []
    with pytest.raises(BridgeError, match="without its end"):
        unframer.feed(b"x" * 1000)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_our_frames_and_a_strangers_messages_are_heard(
    framing: str, port: StreamPort, arkit_rig: Rig, perform: Any
) -> None:
    number = port.getsockname()[1]
    assert port.getsockname()[0] == "127.0.0.1"
    assert receive(port, 0.01) is None
    sink: Any = open_target(f"osc+tcp://127.0.0.1:{number}?framing={framing}", arkit_rig, rate=60)
    stranger = SimpleTCPClient("127.0.0.1", number, mode=framing)
    frames = perform(arkit_rig, 10)
    for frame in frames:
        sink.send(frame)
    stranger.send_message("/stranger", [1, 0.5, "hello"])
    monitor = Monitor("osc+tcp")
    until = time.monotonic() + PATIENCE
    while monitor.packets < 12 and time.monotonic() < until:
        if arrived := receive(port, 0.1):
            assert monitor.feed(*arrived, time.monotonic()) is not None
    sink.close()
    stranger.close()
    assert monitor.values["/stranger"] == (1, 0.5, "hello")
    assert monitor.streams["/freeavatar/arkit"].frames == 10
    for name, value in zip(arkit_rig.names, frames[-1].values, strict=True):
        assert monitor.values[f"/freeavatar/arkit/{name}"] == value
    # The first frame's first message is a packet of its own.
    assert monitor.packets == 12


def test_strangers_are_reported_and_cut_off_and_the_others_go_on(port: StreamPort) -> None:
    where = port.getsockname()
    monitor = Monitor("osc+tcp")
    with socket.create_connection(where) as web, socket.create_connection(where) as good:
        web.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        good.sendall(slip.encode(b"/a\0\0,f\0\0\x3f\0\0\0"))
        until = time.monotonic() + PATIENCE
        while monitor.packets < 2 and time.monotonic() < until:
            if arrived := receive(port, 0.1):
                monitor.feed(*arrived, 0.0)
        web.settimeout(PATIENCE)
        assert web.recv(9) == b""
    assert (monitor.packets, monitor.malformed) == (2, 1)
    assert monitor.values == {"/a": 0.5}


def test_more_senders_than_it_takes_are_turned_away(port: StreamPort) -> None:
    where = port.getsockname()
    senders = [socket.create_connection(where) for _ in range(MOST_SENDERS + 1)]
    assert receive(port, 0.5) is None
    senders[-1].settimeout(PATIENCE)
    assert senders[-1].recv(9) == b""
    senders[0].sendall(slip.encode(b"/a\0\0,\0\0\0"))
    arrived = receive(port, PATIENCE)
    assert arrived is not None
    assert arrived[0] == b"/a\0\0,\0\0\0"
    for sender in senders:
        sender.close()


def test_a_taken_port_is_explained(port: StreamPort) -> None:
    with pytest.raises(BridgeError, match="another program listens on port"):
        open_port(f"osc+tcp://:{port.getsockname()[1]}")
    with pytest.raises(BridgeError, match="is not this machine"):
        open_port("osc+tcp://192.0.2.1:9000")


def test_the_verb_hears_tcp(arkit_rig: Rig, perform: Any) -> None:
    url = f"osc+tcp://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "freeavatar.tools", "listen", url, "--json"]
    pipe = subprocess.PIPE
    program = subprocess.Popen([*command, "--seconds", "2"], stdout=pipe, stderr=pipe, text=True)
    assert program.stderr is not None
    assert "listening on" in program.stderr.readline()
    sink: Any = open_target(url, arkit_rig, rate=60)
    frames = perform(arkit_rig, 20)
    for frame in frames:
        sink.send(frame)
        time.sleep(0.01)
    sink.close()
    out, err = program.communicate(timeout=PATIENCE)
    assert program.returncode == 0, err
    summary = json.loads(out)
    assert (sink.sender.sent, sink.sender.dropped) == (20, 0)
    assert summary["streams"]["/freeavatar/arkit"]["frames"] == 20
    assert summary["values"]["/freeavatar/arkit/tongueOut"] == float(frames[-1].values[51])
