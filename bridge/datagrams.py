"""One UDP sender for all protocols: it never waits and never raises for an absent receiver."""

import logging
import socket

from .sink import BridgeError

log = logging.getLogger(__name__)

LARGEST = 1400
"""Bytes in one datagram: below an Ethernet frame's 1472, so that nothing is fragmented."""


class DatagramSender:
    """Sends datagrams to one address.

    A receiver that is not there (ICMP port unreachable), a full network queue or a network that
    went away costs the datagram, not the performance: such failures are counted in `errors`.
    """

    def __init__(self, host: str, port: int) -> None:
        """Resolve the receiver once and connect to it.

        Raises:
            BridgeError: the host's name cannot be found or its network cannot be reached.
        """
        self.host, self.port = host, port
        self.sent = 0
        self.errors = 0
        self._socket = _connect(host, port)

    def send(self, datagram: bytes | bytearray) -> None:
        """Send one datagram, or count an error."""
        # A refusal is reported on the send after the one it answers, which is then not sent:
        # the second try is that datagram's first.
        for _ in range(2):
            try:
                self._socket.send(datagram)
            except ConnectionRefusedError as refused:
                self._count(refused)
            except OSError as error:
                self._count(error)
                return
            else:
                self.sent += 1
                return

    def _count(self, error: OSError) -> None:
        if not self.errors:
            log.info("%s port %d: %s; sending goes on", self.host, self.port, error.strerror)
        self.errors += 1

    def close(self) -> None:
        """Release the socket. Safe to call twice."""
        self._socket.close()


def _connect(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BridgeError(f"cannot find the host {host}: {reason}") from error
    family, kind, protocol, _, address = found[0]
    sender = socket.socket(family, kind, protocol)
    try:
        sender.setblocking(False)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.connect(address)
    except OSError as error:
        sender.close()
        raise BridgeError(f"cannot send to {host} port {port}: {error.strerror}") from error
    return sender
