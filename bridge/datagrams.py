"""One UDP sender for all protocols: it never waits and never raises for an absent receiver."""

import logging
import socket
import time
from typing import Any

from .sink import BridgeError

log = logging.getLogger(__name__)

LARGEST = 1400
"""Bytes in one datagram: below an Ethernet frame's 1472, so that nothing is fragmented."""
RENEWAL = 1.0
"""Seconds between two new sockets while the network is away."""


class DatagramSender:
    """Sends datagrams to one address.

    A receiver that is not there (ICMP port unreachable), a full network queue or a network that
    went away costs the datagram, not the performance: such failures are counted in `errors`. When
    the network comes back, sending goes on, even if this machine has another address now.
    """

    def __init__(self, host: str, port: int) -> None:
        """Resolve the receiver once and connect to it.

        Raises:
            BridgeError: the host's name cannot be found or its network cannot be reached.
        """
        self.host, self.port = host, port
        self.sent = 0
        self.errors = 0
        self._family, self._address = _resolve(host, port)
        self._next_renewal = 0.0
        self._closed = False
        try:
            self._socket = _connect(self._family, self._address)
        except OSError as error:
            raise BridgeError(f"cannot send to {host} port {port}: {error.strerror}") from error

    def send(self, datagram: bytes | bytearray) -> None:
        """Send one datagram, or count an error."""
        # A refusal is reported on the send after the one it answers, which is then not sent:
        # the second try is that datagram's first.
        for _ in range(2):
            try:
                self._socket.send(datagram)
            except OSError as error:
                self._count(error)
                if not isinstance(error, ConnectionRefusedError) and not self._renew(error):
                    return
            else:
                self.sent += 1
                return

    def _count(self, error: OSError) -> None:
        if not self.errors:
            log.info("%s port %d: %s; sending goes on", self.host, self.port, error.strerror)
        self.errors += 1

    def _renew(self, error: OSError) -> bool:
        """Take a new socket, now and then: the old one keeps the address this machine had."""
        now = time.monotonic()
        if self._closed or isinstance(error, BlockingIOError) or now < self._next_renewal:
            return False
        self._next_renewal = now + RENEWAL
        try:
            renewed = _connect(self._family, self._address)
        except OSError:
            return False
        self._socket.close()
        self._socket = renewed
        return True

    def close(self) -> None:
        """Release the socket. Safe to call twice."""
        self._closed = True
        self._socket.close()


def _resolve(host: str, port: int) -> tuple[int, Any]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BridgeError(f"cannot find the host {host}: {reason}") from error
    family, _, _, _, address = found[0]
    return family, address


def _connect(family: int, address: Any) -> socket.socket:
    sender = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sender.setblocking(False)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.connect(address)
    except OSError:
        sender.close()
        raise
    return sender
