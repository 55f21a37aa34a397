"""A TCP connection that is made, and made again whenever it breaks, without ever waiting."""

import errno
import itertools
import logging
import math
import os
import socket
import time
from typing import Any

from .sink import BridgeError

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds before the next try: doubled by each failure, the first again after a connection that
lasted."""
CONNECT_PATIENCE = 3.0
"""Seconds for an answer; the system's own limit is minutes."""
PATIENCE = 20.0
"""Seconds in which nothing is taken before the network counts as gone: a cable pulled out looks
like a receiver that does not read, and the system would go on for a quarter of an hour."""
SEND_BUFFER = 1 << 16
"""Bytes that wait in the system: a quarter of a second of frames, not ten seconds of old ones."""
DRAIN_EVERY = 0.2
"""Seconds between two looks at what the receiver says."""
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK)


class Connection:
    """Bytes to one receiver. Nothing here waits: whoever feeds it asks `ready` again and again."""

    def __init__(self, host: str, port: int) -> None:
        """Resolve the receiver once; `ready` connects.

        Raises:
            BridgeError: the host's name cannot be found.
        """
        self.host, self.port = host, port
        self.errors = 0
        """Tries that failed and connections that broke."""
        found = _resolve(host, port)
        self._addresses = itertools.cycle(zip(found, range(len(found) - 1, -1, -1), strict=True))
        self._address: Any = None
        self._left = 0
        self._socket: socket.socket | None = None
        self._connected = False
        self._pause = FIRST_PAUSE
        self._next_try = self._next_drain = self._since = self._progress = time.monotonic()

    @property
    def trying(self) -> bool:
        """Whether an answer is awaited or another of the host's addresses is next."""
        if self._socket is None:
            return self._next_try <= time.monotonic()
        return not self._connected

    def ready(self) -> bool:
        """Connect, go on connecting or try again if it is time; whether bytes can be given now."""
        try:
            if self._socket is None and time.monotonic() >= self._next_try:
                self._socket = self._begin()
            if self._socket is not None and not self._connected:
                self._proceed(self._socket)
            elif self._socket is not None and time.monotonic() >= self._next_drain:
                self._next_drain = time.monotonic() + DRAIN_EVERY
                _drain(self._socket)
        except OSError as error:
            self._lose(error)
        return self._connected

    def give(self, data: bytes | memoryview) -> int:
        """Hand bytes to the system; how many it took, 0 when it is full.

        Raises:
            ConnectionError: there is no connection, or it is lost now.
        """
        if self._socket is None or not self._connected:
            raise ConnectionError
        try:
            taken = self._socket.send(data)
        except BlockingIOError as full:
            if time.monotonic() - self._progress < PATIENCE:
                return 0
            self._lose(TimeoutError(errno.ETIMEDOUT, "nothing is taken any more"))
            raise ConnectionError from full
        except OSError as error:
            self._lose(error)
            raise ConnectionError from error
        self._progress = time.monotonic()
        return taken

    def close(self) -> None:
        """End the connection; what the system has taken still leaves. Safe to call twice."""
        try:
            if self._socket is not None and self._connected:
                self._socket.shutdown(socket.SHUT_WR)
                # Unread replies would make this a reset, which destroys what is on its way.
                _drain(self._socket)
        except OSError as error:
            self._lose(error)
        self._forget()
        self._next_try = math.inf

    def _begin(self) -> socket.socket:
        (family, self._address), self._left = next(self._addresses)
        self._progress = time.monotonic()
        begun = socket.socket(family, socket.SOCK_STREAM)
        begun.setblocking(False)
        begun.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begun.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        return begun

    def _proceed(self, begun: socket.socket) -> None:
        code = begun.connect_ex(self._address)
        if code in _UNDER_WAY:
            if time.monotonic() - self._progress > CONNECT_PATIENCE:
                raise TimeoutError(errno.ETIMEDOUT, "no answer")
            return
        if code not in (0, errno.EISCONN):
            raise OSError(code, os.strerror(code))
        if begun.getsockname() == begun.getpeername():
            # A try at an unused port of this machine can meet itself and keep the receiver out.
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        self._connected = True
        self._since = self._progress = time.monotonic()
        log.info("%s port %d: connected", self.host, self.port)

    def _lose(self, error: OSError) -> None:
        now = time.monotonic()
        if self._connected or not self.errors:
            log.info("%s port %d: %s; trying again", self.host, self.port, error.strerror)
        self.errors += 1
        if self._connected and now - self._since > LONGEST_PAUSE:
            self._pause = FIRST_PAUSE
        self._forget()
        # Another address of the host is tried at once, the first of them only after a pause.
        if not self._left:
            self._next_try = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._connected = None, False


def _drain(connected: socket.socket) -> None:
    """Read replies away, which would fill the receiver's side; raises when the connection broke.

    An end of its replies is no end: a receiver may close only its own direction.
    """
    try:
        connected.recv(1 << 16)
    except BlockingIOError:
        return


def _resolve(host: str, port: int) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BridgeError(f"cannot find the host {host}: {reason}") from error
    return [(family, address) for family, _, _, _, address in found]
