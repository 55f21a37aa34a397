"""A TCP receiver may be late, slow or gone: whole packets, the newest first, and never a wait."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from freeavatar.bridge import connection, streams
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.streams import StreamSender
from freeavatar.bridge.targets import open_target
from freeavatar.rigs.spec import Rig

PATIENCE = 60


def packet(number: int, size: int = 3000) -> bytes:
    """A length, the number, and bytes that follow from it."""
    body = struct.pack(">i", number) + bytes([number % 251]) * (size - 8)
    return struct.pack(">i", len(body)) + body


def unpack(data: bytes) -> list[int]:
    """Numbers of whole packets; fails for a byte too many, too few or out of place."""
    numbers, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        (number,) = struct.unpack_from(">i", data, at + 4)
        assert data[at : at + 4 + size] == packet(number, size + 4)
        numbers.append(number)
        at += 4 + size
    return numbers


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A listening socket whose connections hold little that is not read."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        listening.settimeout(PATIENCE)
        yield listening


def open_sender(port: int) -> StreamSender:
    return StreamSender("127.0.0.1", port)


def absent_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return int(gone.getsockname()[1])


def until(enough: Any, sender: StreamSender, number: int = 0) -> None:
    """Send at 100 a second until enough has happened."""
    end = time.monotonic() + PATIENCE
    while not enough():
        assert time.monotonic() < end
        sender.send(packet(number))
        time.sleep(0.01)


def test_a_receiver_that_comes_late_gets_whole_packets() -> None:
    port = absent_port()
    sender = open_sender(port)
    took = []
    for number in range(200):
        began = time.perf_counter()
        sender.send(packet(number))
        took.append(time.perf_counter() - began)
    assert not sender.connected
    assert sender.errors >= 1
    assert (sender.sent, sender.dropped) == (0, 199)
    assert np.median(took) < 0.001
    with socket.create_server(("127.0.0.1", port)) as late:
        until(lambda: sender.sent == 3, sender, 200)
        sender.close()
        taken, _ = late.accept()
        with taken:
            assert unpack(b"".join(iter(lambda: taken.recv(1 << 16), b""))) == [200] * 3


def test_a_slow_receiver_gets_whole_packets_in_order_and_the_newest(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = open_sender(server.getsockname()[1])
    taken, _ = server.accept()
    heard = bytearray()

    def read_slowly() -> None:
        pause = np.random.default_rng(3)
        while data := taken.recv(int(pause.integers(1, 20000))):
            heard.extend(data)
            time.sleep(0.002)

    reading = threading.Thread(target=read_slowly)
    reading.start()
    sizes = np.random.default_rng(4).integers(100, 60000, 400)
    for number, size in enumerate(sizes):
        sender.send(packet(number, int(size)))
        time.sleep(0.001)
    monkeypatch.setattr(streams, "FAREWELL", PATIENCE)
    sender.close()
    reading.join(PATIENCE)
    taken.close()
    numbers = unpack(bytes(heard))
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 399
    assert len(numbers) == sender.sent
    assert sender.sent + sender.dropped == 400
    assert sender.dropped > 20, "the receiver was not slow enough to test anything"


def test_a_new_connection_begins_with_a_whole_packet(server: socket.socket) -> None:
    sender = open_sender(server.getsockname()[1])
    first, _ = server.accept()
    for number in range(5):
        sender.send(packet(number, 400_000))
    assert not sender.fresh
    first.close()
    until(lambda: sender.errors == 1, sender)
    for number in range(10, 10 + PATIENCE * 100):
        sender.send(packet(number))
        if sender.connected:
            break
        time.sleep(0.01)
    second, _ = server.accept()
    sender.close()
    with second:
        numbers = unpack(b"".join(iter(lambda: second.recv(1 << 16), b"")))
    assert numbers[0] >= 10
    assert numbers[-1] == number


def test_a_receiver_that_does_not_read_costs_packets_not_time(server: socket.socket) -> None:
    sender = open_sender(server.getsockname()[1])
    taken, _ = server.accept()
    took = []
    for number in range(1000):
        began = time.perf_counter()
        sender.send(packet(number))
        took.append(time.perf_counter() - began)
    sender.send(packet(1000, 8 << 20))
    began = time.perf_counter()
    sender.close()
    sender.close()
    assert 0.4 < time.perf_counter() - began < 2
    assert np.median(took) < 0.001
    assert max(took) < 0.25
    assert sender.dropped > 500
    sender.send(packet(0))
    assert sender.sent + sender.dropped == 1002
    taken.close()


def test_closing_lets_the_last_packet_leave(server: socket.socket) -> None:
    sender = open_sender(server.getsockname()[1])
    taken, _ = server.accept()
    heard = bytearray()
    reading = threading.Thread(
        target=lambda: heard.extend(b"".join(iter(lambda: taken.recv(1 << 16), b"")))
    )
    taken.sendall(b"replies that nobody reads" * 100)
    sender.send(packet(1, 500_000))
    reading.start()
    sender.close()
    reading.join(PATIENCE)
    taken.close()
    assert unpack(bytes(heard)) == [1]
    assert (sender.sent, sender.dropped, sender.errors) == (1, 0, 0)


def test_a_network_that_takes_nothing_is_left_and_met_again(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.2)
    sender = open_sender(server.getsockname()[1])
    silent, _ = server.accept()
    until(lambda: sender.errors == 1, sender)
    until(lambda: sender.connected, sender)
    again, _ = server.accept()
    again.close()
    silent.close()
    sender.close()


def test_the_pauses_between_tries_grow_to_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(connection, "time", clock)
    line = connection.Connection("127.0.0.1", absent_port())
    tried = []
    for _ in range(1500):
        before = line.errors
        line.ready()
        tried += [clock.now] * (line.errors - before)
        clock.now += 0.01
    pauses = np.diff(tried)
    np.testing.assert_allclose(pauses[:5], [0.1, 0.2, 0.4, 0.8, 1.6], atol=0.05)
    assert len(pauses) >= 9
    np.testing.assert_allclose(pauses[5:], 2.0, atol=0.05)


def test_the_pause_is_short_again_after_a_connection_that_lasted(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(connection, "time", clock)
    line = connection.Connection(*server.getsockname())
    paused = []
    for lasted in (1.0, 1.0, 1.0, 3.0):
        end = time.monotonic() + PATIENCE
        while not line.ready() and time.monotonic() < end:
            clock.now += 0.01
        taken, _ = server.accept()
        clock.now += lasted
        # Closed in this way, it resets the connection.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        taken.close()
        while line.ready() and time.monotonic() < end:
            clock.now += 0.001
        broke = clock.now
        while not line.trying:
            clock.now += 0.001
        paused.append(clock.now - broke)
    line.close()
    assert line.errors == 4
    np.testing.assert_allclose(paused, [0.1, 0.2, 0.4, 0.1], atol=0.01)


def test_no_answer_is_an_error_after_a_while(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that is switched off answers nothing at all."""

    class Unanswered(socket.socket):
        def connect_ex(self, _: Any) -> int:
            return connection.errno.EINPROGRESS

    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(connection, "time", clock)
    monkeypatch.setattr(connection.socket, "socket", Unanswered)
    line = connection.Connection("127.0.0.1", server.getsockname()[1])
    for after, errors in ((0.0, 0), (2.9, 0), (3.1, 1)):
        clock.now = 100 + after
        assert not line.ready()
        assert line.errors == errors
    line.close()


def test_it_does_not_meet_itself_and_keep_the_receiver_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Meeting(socket.socket):
        def connect_ex(self, address: Any) -> int:
            if not self.getsockname()[1]:
                self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.bind(address)
            return super().connect_ex(address)

    port = absent_port()
    with monkeypatch.context() as patched:
        patched.setattr(connection.socket, "socket", Meeting)
        sender = open_sender(port)
        assert not sender.connected
        assert sender.errors >= 1
    with socket.create_server(("127.0.0.1", port)):
        until(lambda: sender.connected, sender)
    sender.close()


def test_every_address_of_the_host_is_tried(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = server.getsockname()
    addresses = [(socket.AF_INET, ("127.0.0.1", absent_port())), (socket.AF_INET, live)]
    monkeypatch.setattr(connection, "_resolve", lambda *_: addresses)
    sender = StreamSender("localhost", live[1])
    assert sender.connected
    assert sender.errors == 1
    sender.close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("osc+tcp://no-such-host.invalid", "cannot find the host no-such-host.invalid"),
        ("osc+tcp://127.0.0.1?framing=2", "framing is OSC 1.1 or 1.0, not '2'"),
        ("osc+tcp://127.0.0.1?rate=2", "takes ?prefix=, ?address=, ?framing="),
        ("osc+tcp://", "no host; write osc+tcp://127.0.0.1:9000"),
    ],
)
def test_wrong_urls_are_explained(url: str, complaint: str, arkit_rig: Rig) -> None:
    with pytest.raises(BridgeError) as caught:
        open_target(url, arkit_rig, rate=60)
    assert complaint in str(caught.value)
