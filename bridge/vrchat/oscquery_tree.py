"""Reads what an OSCQuery service says of its parameters: bounded, and trusting nothing."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

from freeavatar.bridge.sink import BridgeError

from .parameters import ROOT, Parameter

LARGEST = 2 << 20
"""Bytes of an answer; an avatar of 2,000 parameters takes about 300 KB."""
DEADLINE = 3.0
"""Seconds in which an answer must be complete, once the connection stands."""
DEEPEST = 24
"""Levels of the tree that are looked into."""
MOST_NODES = 20000
_TOO_LONG = f"takes longer than {DEADLINE:g} s to answer"
_FLOAT, _SWITCH = ("f", "d"), ("T", "F")


def fetch(host: str, port: int, path: str) -> bytes:
    """Get one answer.

    Args:
        host: address of the service.
        port: its TCP port.
        path: of the request.

    Raises:
        BridgeError: nobody answers in time, not with 200, or with more than `LARGEST` bytes.
    """
    where = f"OSCQuery at {host} port {port}"
    connection = http.client.HTTPConnection(host, port, timeout=DEADLINE)
    try:
        connection.connect()
    except (OSError, UnicodeError) as error:
        raise BridgeError(f"{where} does not answer: {error}") from error
    # A timeout counts from byte to byte; this ends an answer that trickles in.
    late = threading.Event()
    watch = threading.Timer(DEADLINE, _hang_up, (connection.sock, late))
    watch.name, watch.daemon = "vrchat-deadline", True
    watch.start()
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(LARGEST + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = _TOO_LONG if late.is_set() else f"breaks off: {error}"
        raise BridgeError(f"{where} {why}") from error
    finally:
        watch.cancel()
        watch.join()
        connection.close()
    if late.is_set():
        raise BridgeError(f"{where} {_TOO_LONG}")
    if response.status != 200:
        raise BridgeError(f"{where} answers {response.status} to {path}")
    if len(body) > LARGEST:
        raise BridgeError(f"{where} answers with more than {LARGEST} bytes")
    return body


def _hang_up(connection: socket.socket, late: threading.Event) -> None:
    late.set()
    # The other side may have closed it already.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def parameters_of(body: bytes) -> tuple[Parameter, ...]:
    """The floats and bools of a tree.

    Args:
        body: JSON of the node ``/avatar/parameters``, from anyone.

    Returns:
        Those of its nodes that can be set, in the tree's order; nodes that make no sense are left
        out.

    Raises:
        BridgeError: it is no OSCQuery node.
    """
    try:
        root = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BridgeError(f"OSCQuery's answer is no JSON: {error}") from error
    if not isinstance(root, dict) or not isinstance(root.get("CONTENTS"), dict):
        raise BridgeError("OSCQuery's answer has no parameters")
    return tuple(_parameters(root))


def _parameters(root: dict[str, Any]) -> Iterator[Parameter]:
    open_nodes: list[tuple[Any, int]] = [(root, 0)]
    for _ in range(MOST_NODES):
        if not open_nodes:
            return
        node, depth = open_nodes.pop()
        if not isinstance(node, dict):
            continue
        contents = node.get("CONTENTS")
        if isinstance(contents, dict) and depth < DEEPEST:
            open_nodes += [(inner, depth + 1) for inner in reversed(contents.values())]
        path, kind = node.get("FULL_PATH"), node.get("TYPE")
        if not isinstance(path, str) or not path.startswith(ROOT):
            continue
        if kind in _FLOAT or kind in _SWITCH:
            yield Parameter(path, switch=kind in _SWITCH)
