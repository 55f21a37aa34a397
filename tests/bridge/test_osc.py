"""Generic OSC: to the byte, every name every frame, and never stopped by its receiver."""

import socket
import struct
import threading
import time
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer

from freeavatar.bridge.bundles import BundleTemplate, Message
from freeavatar.bridge.osc import RESERVED, address_part
from freeavatar.bridge.osc_reading import read_osc
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.targets import open_target
from freeavatar.rigs.spec import Control, Rig, RigFrame

LARGEST = 1400


def string(text: str) -> bytes:
    raw = text.encode()
    return raw + bytes(4 - len(raw) % 4)


def message(address: str, tags: str, packed: bytes) -> bytes:
    whole = string(address) + string(f",{tags}") + packed
    return struct.pack(">i", len(whole)) + whole


def test_a_frame_is_these_bytes(odd_rig: Rig, ear: Any) -> None:
    frame = RigFrame(
        index=4,
        time=1.25,
        values=np.array([0.25, 0.5, 1.0], np.float32),
        found=True,
        head=np.array([0.1, -0.2, 0.3], np.float32),
        eyes=np.array([[1, 2, 3], [4, 5, 6]], np.float32),
    )
    sink = open_target(f"osc://127.0.0.1:{ear.port}", odd_rig, rate=60)
    sink.send(frame)
    sink.close()

    start = "/freeavatar/fox%202"
    expected = b"#bundle\0" + struct.pack(">Q", 1)
    expected += message(f"{start}/jaw%20open", "f", struct.pack(">f", 0.25))
    expected += message(f"{start}/Grimace%2Fleft", "f", struct.pack(">f", 0.5))
    expected += message(f"{start}/%68ead", "f", struct.pack(">f", 1))
    expected += message(f"{start}/head", "fff", struct.pack(">3f", 0.1, -0.2, 0.3))
    expected += message(f"{start}/eyes", "ffffff", struct.pack(">6f", 1, 2, 3, 4, 5, 6))
    expected += message(f"{start}/time", "f", struct.pack(">f", 1.25))
    expected += message(f"{start}/found", "i", struct.pack(">i", 1))
    assert ear.heard() == [expected]


def test_every_name_every_frame_in_small_bundles(arkit_rig: Rig, ear: Any, perform: Any) -> None:
    sink = open_target(f"osc://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    for frame in perform(arkit_rig, 4):
        sink.send(frame)
        datagrams = ear.heard()
        assert max(map(len, datagrams)) <= LARGEST
        heard = {m.address: m.arguments for d in datagrams for m in read_osc(d)}
        for name, value in zip(arkit_rig.names, frame.values, strict=True):
            assert heard.pop(f"/freeavatar/arkit/{name}") == (value,)
        assert heard.pop("/freeavatar/arkit/head") == tuple(frame.head.tolist())
        assert heard.pop("/freeavatar/arkit/eyes") == tuple(frame.eyes.reshape(6).tolist())
        assert heard.pop("/freeavatar/arkit/time") == (np.float32(frame.time),)
        assert heard.pop("/freeavatar/arkit/found") == (int(frame.found),)
        assert not heard
    sink.close()
    sink.close()


def test_values_that_are_not_numbers_are_sent_as_zero(arkit_rig: Rig, ear: Any) -> None:
    values = np.full(52, 0.5, np.float32)
    values[:3] = np.nan, np.inf, -np.inf
    sink = open_target(f"osc://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    sink.send(RigFrame(index=0, time=0, values=values))
    sent = [m.arguments[0] for d in ear.heard() for m in read_osc(d)][:52]
    assert sent == [0, 0, 0] + [0.5] * 49


def test_python_osc_serves_our_bundles(arkit_rig: Rig, perform: Any) -> None:
    heard: dict[str, Any] = {}
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *args: heard.update({address: args}))
    with ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sink = open_target(f"osc://127.0.0.1:{server.server_address[1]}", arkit_rig, rate=60)
        frame = perform(arkit_rig, 1)[0]
        sink.send(frame)
        until = time.monotonic() + 5
        while len(heard) < 56 and time.monotonic() < until:
            time.sleep(0.01)
        server.shutdown()
    assert len(heard) == 56
    assert heard["/freeavatar/arkit/tongueOut"] == (frame.values[51],)


def test_a_prefix_replaces_the_address(odd_rig: Rig, ear: Any, perform: Any) -> None:
    sink = open_target(f"osc://127.0.0.1:{ear.port}?prefix=avatar/{{rig}}/", odd_rig, rate=60)
    sink.send(perform(odd_rig, 1)[0])
    addresses = [m.address for d in ear.heard() for m in read_osc(d)]
    assert addresses[0] == "/avatar/fox%202/jaw%20open"
    assert addresses[-1] == "/avatar/fox%202/found"


@given(st.text(min_size=1).filter(lambda name: not any(0xD800 <= ord(c) < 0xE000 for c in name)))
def test_names_travel_reversibly_and_safely(name: str) -> None:
    part = address_part(name)
    assert unquote(part) == name
    assert all(33 <= ord(c) < 127 and c not in "#*,/?[]{}" for c in part)
    assert part not in RESERVED


@pytest.mark.parametrize("count", [300, 301])
def test_an_absent_receiver_neither_stops_nor_slows_and_may_come_later(
    arkit_rig: Rig, perform: Any, count: int
) -> None:
    """Of frames of one packet each, also the first after the receiver's return arrives."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    sink: Any = open_target(f"livelink://127.0.0.1:{port}", arkit_rig, rate=60)
    frame = perform(arkit_rig, 1)[0]
    began = time.perf_counter()
    for _ in range(count):
        sink.send(frame)
    assert time.perf_counter() - began < 1
    assert sink.sender.errors > 100

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.bind(("127.0.0.1", port))
        late.settimeout(5)
        sink.send(frame)
        assert len(late.recv(65535)) == 270 + 36 + len("arkit")


def test_a_name_too_long_for_a_packet_is_refused(ear: Any) -> None:
    rig = Rig(name="r", controls=(Control(name="x" * 1500),))
    with pytest.raises(BridgeError, match="too long"):
        open_target(f"osc://127.0.0.1:{ear.port}", rig, rate=60)


def test_bundles_are_filled_to_the_limit_and_not_beyond() -> None:
    # 4 bytes of size + "/aaa\0\0\0\0" + ",f\0\0" + 4 = 20 bytes; 16 + 69 * 20 = 1396.
    template = BundleTemplate([Message("/aaa", floats=1)] * 70)
    assert [len(d) for d in template.fill(np.zeros(70))] == [1396, 36]
