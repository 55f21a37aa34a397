"""The monitor counts, times and shows what arrives, whatever arrives; the verb ends well."""

import json
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message_builder import OscMessageBuilder

from freeavatar.bridge.listen import MOST_NAMES, READERS, Monitor, Stream, open_port, receive
from freeavatar.bridge.osc_reading import read_osc
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.targets import SCHEMES, open_target
from freeavatar.rigs.spec import Rig


def test_every_scheme_that_can_be_sent_can_be_heard() -> None:
    assert READERS.keys() == SCHEMES.keys()


@pytest.mark.parametrize(
    ("scheme", "stream", "name"),
    [
        ("osc", "/freeavatar/arkit", "/freeavatar/arkit/jawOpen"),
        ("vmc", None, "JawOpen"),
        ("livelink", "arkit", "arkit/JawOpen"),
    ],
)
def test_frames_are_counted_however_many_packets_they_take(
    scheme: str, stream: str | None, name: str, arkit_rig: Rig, ear: Any, perform: Any
) -> None:
    sink = open_target(f"{scheme}://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    monitor = Monitor(scheme)
    frames = perform(arkit_rig, 31)
    packets = 0
    for frame in frames:
        sink.send(frame)
        for datagram in ear.heard():
            assert monitor.feed(datagram, "10.0.0.1:5", frame.time) is not None
            packets += 1
    summary = monitor.summary()
    assert summary["packets"] == packets
    assert summary["malformed"] == 0
    (key,) = summary["streams"]
    assert key == (stream or "10.0.0.1:5")
    assert summary["streams"][key]["frames"] == 31
    assert summary["streams"][key]["rate"] == pytest.approx(60)
    assert summary["streams"][key]["interval_ms"]["p99"] == pytest.approx(1000 / 60)
    assert summary["values"][name] == pytest.approx(float(frames[-1].values[17]))


def test_intervals_are_percentiles_in_milliseconds() -> None:
    stream = Stream()
    for now in np.cumsum([0, *[0.010] * 97, 0.030, 0.030, 0.050]):
        stream.arrived(float(now))
    assert stream.frames == 101
    assert stream.rate == pytest.approx(100 / 1.08)
    jitter = stream.jitter()
    assert jitter["p50"] == pytest.approx(10)
    assert jitter["p95"] == pytest.approx(10)
    assert jitter["max"] == pytest.approx(50)
    assert stream.recent(1.08) == 93
    assert stream.recent(5.0) == 0


def test_without_signs_of_frames_a_packet_is_one() -> None:
    monitor = Monitor("osc")
    message = b"/avatar/x\0\0\0,f\0\0\x3f\0\0\0"
    for i in range(3):
        monitor.feed(message, "a:1", i / 10)
    assert monitor.values == {"/avatar/x": 0.5}
    assert {name: s.frames for name, s in monitor.streams.items()} == {"a:1": 3}


@pytest.mark.parametrize(
    ("scheme", "datagram", "reason"),
    [
        ("osc", b"", "empty"),
        ("osc", b"/ab", "no multiple of 4"),
        ("osc", b"\x06abc", "begins with"),
        ("osc", b"/a\0\0,f\0\0", "an argument is cut off"),
        ("osc", b"/a\0\0,f\0\0" + bytes(8), "/a has 4 bytes too many"),
        ("osc", b"/a\0\0f\0\0\0", "/a has types 'f', without a comma"),
        ("osc", b"/a\0\0,q\0\0", "unknown type 'q'"),
        ("osc", b"/a\0\0,[i\0" + bytes(4), "/a leaves a list open"),
        ("osc", b"/abc", "a text without its end"),
        ("osc", b"/\xff\0\0", "not UTF-8"),
        ("osc", b"/a\0\0,b\0\0\0\0\0\x09" + bytes(8), "a blob of 9 bytes"),
        ("osc", b"#bundle\0" + bytes(4), "without its time tag"),
        ("osc", b"#bundle\0" + bytes(8) + b"\0\0\0\x08/a\0\0", "element of 8 bytes"),
        ("vmc", b"/VMC/Ext/OK\0,\0\0\0", "/VMC/Ext/OK with arguments none"),
        ("vmc", b"/VMC/Ext/OK\0,f\0\0\0\0\0\0", "/VMC/Ext/OK with arguments float"),
        ("livelink", b"#bundle\0", "not Live Link Face version 6"),
    ],
)
def test_malformed_packets_are_counted_and_described(
    scheme: str, datagram: bytes, reason: str
) -> None:
    monitor = Monitor(scheme)
    assert monitor.feed(datagram, "a:1", 0) is None
    assert monitor.feed(datagram, "a:1", 1) is None
    assert (monitor.packets, monitor.malformed) == (2, 2)
    (described,) = monitor.reasons.items()
    assert reason in described[0]
    assert described[1] == 2
    assert not monitor.streams


@given(
    st.sampled_from(sorted(READERS)),
    st.binary(max_size=200)
    | st.builds(lambda b: b"#bundle\0" + b, st.binary(max_size=100).map(lambda b: b * 2))
    | st.builds(
        lambda tags, b: b"/VMC/Ext/Blend/Val\0\0," + tags + bytes(4 - (len(tags) + 1) % 4) + b,
        st.text("ifsbhdtTFNI[]rmx", max_size=6).map(str.encode),
        st.binary(max_size=80),
    ),
)
def test_nothing_that_arrives_stops_the_monitor(scheme: str, datagram: bytes) -> None:
    monitor = Monitor(scheme)
    padded = datagram + bytes(-len(datagram) % 4)
    for data in (datagram, padded):
        monitor.feed(data, "a:1", 0)
    assert monitor.packets == 2
    json.dumps(monitor.summary(), default=str)


def test_all_types_are_read_as_python_osc_writes_them() -> None:
    builder = OscMessageBuilder("/all")
    arguments = [1, -2.5, "text", b"blob!", True, False, None, [3, ["x"]], 4]
    for argument in arguments:
        builder.add_arg(argument)
    builder.add_arg(2**40, "h")
    builder.add_arg(0.1, "d")
    (message,) = read_osc(builder.build().dgram)
    assert message.address == "/all"
    expected = (1, -2.5, "text", b"blob!", True, False, None, (3, ("x",)), 4, 2**40, 0.1)
    assert message.arguments == expected


def test_bundles_nested_without_end_are_malformed() -> None:
    data = b""
    for _ in range(3000):
        data = b"#bundle\0" + bytes(7) + b"\1" + len(data).to_bytes(4, "big") + data
    monitor = Monitor("osc")
    monitor.feed(data[:65504], "a:1", 0)
    assert monitor.malformed == 1


def test_memory_stays_bounded_whatever_the_names() -> None:
    monitor = Monitor("osc")
    for i in range(MOST_NAMES + 50):
        monitor.feed(b"/%07d\0\0\0\0,f\0\0" % i + bytes(4), f"a:{i}", i)
    assert len(monitor.values) == MOST_NAMES
    assert len(monitor.streams) == 64


def test_the_port_is_this_machines_unless_asked_otherwise(ear: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    _, port = open_port(f"osc://:{free}")
    with port:
        assert port.getsockname() == ("127.0.0.1", free)
        assert receive(port, 0.01) is None
        ear.socket.sendto(b"/a\0\0", ("127.0.0.1", free))
        assert receive(port, 1) == (b"/a\0\0", f"127.0.0.1:{ear.port}")
    _, port = open_port(f"osc://0.0.0.0:{free}")
    with port:
        assert port.getsockname()[0] == "0.0.0.0"
    with pytest.raises(BridgeError, match="another program listens on port"):
        open_port(f"osc://127.0.0.1:{ear.port}")
    with pytest.raises(BridgeError, match="is not this machine"):
        open_port("osc://192.0.2.1:9000")


def listen(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "freeavatar.tools", "listen", *arguments]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stderr is not None
    assert "listening on" in program.stderr.readline()
    return program


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_verb_shows_values_and_ends_with_ctrl_c(arkit_rig: Rig, perform: Any) -> None:
    port = free_port()
    program = listen(f"osc://127.0.0.1:{port}", "--values", "jawO*", "/freeavatar/*/found")
    sink = open_target(f"osc://127.0.0.1:{port}", arkit_rig, rate=60)
    frames = perform(arkit_rig, 30)
    for frame in frames:
        sink.send(frame)
        time.sleep(0.02)
    time.sleep(0.8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"\x1b[2Jx", ("127.0.0.1", port))
    time.sleep(0.2)
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=10)
    assert program.returncode == 0, err
    assert f"jawOpen={frames[-1].values[17]:.4f}" in out
    assert "found=1" in out
    assert "eyeBlinkLeft" not in out
    assert "/freeavatar/arkit: 30 frames at" in out
    assert "malformed, 1 times" in out
    assert "\x1b" not in out


def test_the_verb_summarises_in_json(arkit_rig: Rig, perform: Any) -> None:
    port = free_port()
    program = listen(f"livelink://127.0.0.1:{port}", "--seconds", "1.5", "--json")
    sink = open_target(f"livelink://127.0.0.1:{port}?subject=Anna", arkit_rig, rate=60)
    frames = perform(arkit_rig, 20)
    for frame in frames:
        sink.send(frame)
    out, _ = program.communicate(timeout=10)
    summary = json.loads(out)
    assert program.returncode == 0
    assert summary["packets"] == 20
    assert summary["streams"]["Anna"]["frames"] == 20
    assert summary["values"]["Anna/TongueOut"] == float(frames[-1].values[51])


def test_the_verb_fails_when_nothing_arrived() -> None:
    program = listen(f"vmc://127.0.0.1:{free_port()}", "--seconds", "0.3")
    _, err = program.communicate(timeout=10)
    assert program.returncode == 1
    assert "nothing arrived" in err
