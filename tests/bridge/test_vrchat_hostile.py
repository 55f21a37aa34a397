"""OSCQuery from anyone: malformed requests, packets and answers change and leave nothing."""

import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.udp_client import SimpleUDPClient

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.vrchat import oscquery_server, oscquery_tree
from freeavatar.bridge.vrchat.oscquery_server import ATTRIBUTES, OscQueryServer
from freeavatar.bridge.vrchat.oscquery_tree import fetch, parameters_of
from freeavatar.bridge.vrchat.parameters import Parameter

ROOT = "/avatar/parameters/"
PATIENCE = 30.0
Served = tuple[OscQueryServer, list[float]]


def until(met: Callable[[], Any], what: str) -> Any:
    """Wait for something that other threads or programs do."""
    end = time.monotonic() + PATIENCE
    while not (found := met()):
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.01)
    return found


@pytest.fixture
def server() -> Iterator[Served]:
    changes: list[float] = []
    served = OscQueryServer("127.0.0.1", "FreeAvatar", lambda: changes.append(time.monotonic()))
    yield served, changes
    served.close()


HOSTILE = (
    b"", b"\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"\0" * 64, b"PRI * HTTP/2\r\n\r\n",
    b"GET /" + b"../" * 900 + b"etc/passwd HTTP/1.1\r\n\r\n", b"GET /%ff%00%0a HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"G" * 70_000,
    b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"GET /?" + b"A" * 5000 + b"\r\n\r\n",
    b"GET /avatar/change?" + b"&".join(a.encode() for a in ATTRIBUTES) + b" HTTP/1.1\r\n\r\n",
    b"GET /avatar HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
)  # fmt: skip


def ask(port: int, request: bytes) -> bytes:
    """Send bytes, say that there are no more, and take the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        heard = b""
        with contextlib.suppress(ConnectionError):
            while got := connection.recv(65536):
                heard += got
        return heard


def test_a_thousand_malformed_requests_change_nothing(
    server: Served,
) -> None:
    served, changes = server
    make = random.Random(3)
    good = b"GET /avatar/change HTTP/1.1\r\nHost: a\r\n\r\n"
    right = ask(served.http_port, good).partition(b"\r\n\r\n")[2]
    before = threading.active_count()
    for number in range(1000):
        request = bytearray(HOSTILE[number % len(HOSTILE)] if number % 2 else good)
        for _ in range(make.randrange(4) if number % 2 else 1 + make.randrange(6)):
            at = make.randrange(len(request) + 1)
            request[at : at + make.randrange(3)] = make.randbytes(make.randrange(3))
        ask(served.http_port, bytes(request))
    assert ask(served.http_port, good).partition(b"\r\n\r\n")[2] == right
    until(lambda: threading.active_count() <= before, "the end of all requests")
    assert not changes


def test_connections_that_never_finish_are_ended(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oscquery_server, "DEADLINE", 0.5)
    served, _ = server
    before = threading.active_count()
    with contextlib.ExitStack() as opened:
        held = []
        for _ in range(3 * oscquery_server.AT_ONCE):
            place = ("127.0.0.1", served.http_port)
            held.append(opened.enter_context(socket.create_connection(place, timeout=20)))
            with contextlib.suppress(ConnectionError):
                held[-1].sendall(b"GET / HT")
        assert threading.active_count() <= before + oscquery_server.AT_ONCE
        for connection in held:
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b""
    assert b'"/avatar/change"' in ask(served.http_port, b"GET / HTTP/1.1\r\n\r\n")
    until(lambda: threading.active_count() <= before, "the end of all requests")


def test_only_a_true_avatar_change_counts(server: Served) -> None:
    served, changes = server
    make = random.Random(5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(300):
            junk = make.choice((b"#bundle\0", b"/avatar/change", b"/avatar/", b""))
            sender.sendto(
                junk + make.randbytes(4 * make.randrange(40) + 1), ("127.0.0.1", served.osc_port)
            )
    assert not changes
    client = SimpleUDPClient("127.0.0.1", served.osc_port)
    # The junk may still fill the system's buffer, which drops what comes then.
    until(lambda: client.send_message("/avatar/change", "avtr_1") or changes, "the change")


def test_an_answer_that_trickles_in_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oscquery_tree, "DEADLINE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as slow:
        stop = threading.Event()

        def trickle() -> None:
            connection, _ = slow.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not stop.wait(0.02):
                    connection.sendall(b"X")

        serving = threading.Thread(target=trickle)
        serving.start()
        began = time.monotonic()
        with pytest.raises(BridgeError, match="takes longer"):
            fetch("127.0.0.1", slow.getsockname()[1], "/avatar/parameters")
        assert time.monotonic() - began < 10
        stop.set()
        serving.join()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.sampled_from(["T", "f"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["CONTENTS", "FULL_PATH", "TYPE", "x"]), inner, max_size=4
        )
    ),
    max_leaves=25,
)


@settings(deadline=None)
@given(JSON)
def test_trees_of_any_shape_are_read_or_refused(tree: Any) -> None:
    try:
        found = parameters_of(json.dumps({"CONTENTS": tree}).encode())
    except BridgeError:
        return
    assert all(isinstance(p, Parameter) and p.address.startswith(ROOT) for p in found)


def test_a_tree_of_twenty_thousand_nodes_is_enough() -> None:
    count = 2 * oscquery_tree.MOST_NODES
    inner = {str(i): {"FULL_PATH": f"{ROOT}{i}", "TYPE": "f"} for i in range(count)}
    found = parameters_of(json.dumps({"CONTENTS": inner}).encode())
    assert len(found) == oscquery_tree.MOST_NODES - 1
