"""Our side of OSCQuery: an HTTP tree that asks VRChat for ``/avatar/change``, and the UDP port
where that arrives.

The tree holds one writable node and nothing of the user's. Requests come from anyone who can reach
the port, so each has a deadline, few are served at once, and every answer closes its connection.
"""

import io
import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from freeavatar.bridge.osc_reading import read_osc
from freeavatar.bridge.sink import BridgeError

log = logging.getLogger(__name__)

AVATAR_CHANGE = "/avatar/change"
DEADLINE = 3.0
"""Seconds that one HTTP request may take, from its first byte to its answer."""
AT_ONCE = 8
"""Connections that are served at the same time; a further one is closed."""
_WRITE = {"ACCESS": 2}
_NOTHING = {"ACCESS": 0}
TREE: Mapping[str, Any] = MappingProxyType(
    {
        "DESCRIPTION": "FreeAvatar: asks which avatar is worn",
        "FULL_PATH": "/",
        **_NOTHING,
        "CONTENTS": {
            "avatar": {
                "FULL_PATH": "/avatar",
                **_NOTHING,
                "CONTENTS": {"change": {"FULL_PATH": AVATAR_CHANGE, **_WRITE, "TYPE": "s"}},
            }
        },
    }
)
ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION")
"""What may be asked of a node; TYPE and the like of a node that has none are "no content"."""


class OscQueryServer:
    """Serves the tree and hears of avatar changes, each in a thread of its own."""

    def __init__(self, host: str, name: str, on_change: Callable[[], None]) -> None:
        """Open both ports; they are served at once.

        Args:
            host: address of this machine to listen at, or its name.
            name: of this program, as VRChat shows it.
            on_change: called, in another thread, when the avatar was changed.

        Raises:
            BridgeError: the host is not an address of this machine.
        """
        try:
            family, *_, place = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0]
            self.host = host = str(place[0])
            """Numeric address that is listened at."""
            self._udp = _Udp(host, family, on_change)
        except (OSError, UnicodeError) as error:
            raise BridgeError(_why(host, error)) from error
        try:
            info = host_info(name, host, self.osc_port)
            self._http = _Http(host, family, info)
        except OSError as error:
            self._udp.server_close()
            raise BridgeError(_why(host, error)) from error
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.2,), name=title, daemon=True)
            for server, title in ((self._udp, "vrchat-osc"), (self._http, "vrchat-http"))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def osc_port(self) -> int:
        """UDP port where VRChat's messages are heard."""
        return int(self._udp.server_address[1])

    @property
    def http_port(self) -> int:
        """TCP port of the tree."""
        return int(self._http.server_address[1])

    def close(self) -> None:
        """Stop both; waits for requests under way, at most their deadline."""
        for server in (self._udp, self._http):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()


def _why(host: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or error
    return (
        f"vrchat: cannot listen at {host}: {reason}; leave ?listen= out, or name an address of "
        "this machine, or turn the search off with ?oscquery=0"
    )


def host_info(name: str, host: str, osc_port: int) -> Mapping[str, Any]:
    """What ``?HOST_INFO`` answers."""
    supported = ("ACCESS", "DESCRIPTION", "TYPE", "VALUE")
    info: dict[str, Any] = {
        "NAME": name,
        "EXTENSIONS": dict.fromkeys(supported, True) | {"RANGE": False, "CLIPMODE": False},
        "OSC_PORT": osc_port,
        "OSC_TRANSPORT": "UDP",
    }
    # Without it the receiver takes the address it reached us at, right for "all addresses".
    return info if host in ("0.0.0.0", "::") else info | {"OSC_IP": host}


def answer(path: str, query: str, info: Mapping[str, Any]) -> tuple[int, Any]:
    """Answer one request.

    Args:
        path: decoded path of the URL.
        query: what follows the question mark, empty for the whole node.
        info: of `host_info`.

    Returns:
        HTTP status and, with 200, what the answer's JSON says. As the proposal has it: 204 for
        an attribute that the node has not, 400 for one that does not exist, 404 for no node.
    """
    if query == "HOST_INFO":
        return 200, info
    node: Any = TREE
    for part in path.split("/"):
        if part:
            node = node.get("CONTENTS", {}).get(part)
            if node is None:
                return 404, None
    if not query:
        return 200, node
    if query not in ATTRIBUTES:
        return 400, None
    return (200, {query: node[query]}) if query in node else (204, None)


class _Udp(socketserver.UDPServer):
    max_packet_size = 65535

    def __init__(self, host: str, family: int, on_change: Callable[[], None]) -> None:
        self.address_family = family
        self.on_change = on_change
        super().__init__((host, 0), _Message)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a datagram of %s went wrong", client_address, exc_info=True)


class _Message(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        try:
            messages = read_osc(self.request[0])
        except BridgeError as error:
            log.debug("%s: %s", self.client_address[0], error)
            return
        if any(message.address == AVATAR_CHANGE for message in messages):
            self.server.on_change()


class _Http(socketserver.ThreadingMixIn, socketserver.TCPServer):
    # Their deadline ends them, so that closing can wait for them.
    daemon_threads = False
    block_on_close = True
    request_queue_size = 16

    def __init__(self, host: str, family: int, info: Mapping[str, Any]) -> None:
        self.address_family = family
        self.info = info
        self.places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__((host, 0), _Request)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self.places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # The system has no thread left to give.
            self.places.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a request of %s went wrong", client_address, exc_info=True)


class _Request(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    server_version = "FreeAvatar"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Timed(self.connection, time.monotonic() + DEADLINE))

    def handle(self) -> None:
        """One request; what else is sent on the connection is not read."""
        self.close_connection = True
        self.handle_one_request()

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        status, said = answer(unquote(path, errors="replace"), query, self.server.info)
        body = b"" if said is None else json.dumps(dict(said)).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("%s: " + format, self.client_address[0], *args)


class _Timed(io.RawIOBase):
    """Reads a connection until a time of the clock, however slowly its bytes come."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection = connection
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)
