"""Receivers that ask for iFacialMocap's stream, as they ask the app on a phone.

A receiver sends a text to the app's port and hears the answer at the same port of its own machine,
whatever port it asked from; one on this very machine cannot have that port too and is answered
where it asked from. Most receivers ask once, so that silence is no sign of having left: those are
forgotten that refuse what is sent for a while, and of more than a few the one that asked longest
ago. Nothing here waits.
"""

import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .datagrams import DatagramSender
from .sink import BridgeError

log = logging.getLogger(__name__)

HELLO = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
"""What a receiver asks with; followed by `VERSION_2` where it wants that."""
VERSION_2 = b"|sendDataVersion=v2"
GOODBYE = b"iFacialMocap_UDPTCPSTOP_sahuasouryya9218sauhuiayeta91555dy3719"
MOST = 4
"""Receivers served at a time: a stream must not be multiplied by whoever asks often."""
HEARD_AT_ONCE = 32
"""Datagrams read for each frame; a flood of them costs no frame."""
PATIENCE = 5.0
"""Seconds of refusals after which a receiver has left: many ask before they listen."""
SAME_TROUBLE = 2.5
"""Seconds between two refusals of one trouble: systems report refusals about once a second."""


@dataclass
class _Caller:
    sender: DatagramSender
    separator: str
    refused_since: float = 0.0
    refused_last: float = float("-inf")

    def has_left(self, now: float) -> bool:
        """Take note of a refusal; whether there were enough of them."""
        if now - self.refused_last > SAME_TROUBLE:
            self.refused_since = now
        self.refused_last = now
        return now - self.refused_since >= PATIENCE


class Callers:
    """Hears who asks at a port, and sends to them; counts ``sent`` and ``errors``."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        answer_port: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Listen.

        Args:
            host: address of this machine.
            port: UDP port to be asked at; 0 takes a free one.
            answer_port: where receivers on other machines expect the answer.
            clock: seconds, never falling.

        Raises:
            BridgeError: the port cannot be had.
        """
        self.sent = 0
        self.errors = 0
        self.ignored = 0
        """Datagrams that asked for nothing we know."""
        self._answer_port = answer_port
        self._clock = clock
        self._callers: dict[tuple[str, int], _Caller] = {}
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]

    @property
    def receivers(self) -> tuple[tuple[str, int], ...]:
        """Address and port of everyone who is sent to."""
        return tuple(self._callers)

    def hear(self) -> None:
        """Take in whoever has asked since the last time."""
        for _ in range(HEARD_AT_ONCE):
            try:
                # Longer texts are cut off here and then are nothing we know.
                datagram, address = self._socket.recvfrom(256)
            except OSError:
                return
            self._take(datagram.strip(b"\0\r\n\t "), address)

    def send(self, write: Callable[[str], bytes]) -> None:
        """Send one frame to everyone.

        Args:
            write: gives the datagram for a separator of names and values.
        """
        written = {s: write(s) for s in {c.separator for c in self._callers.values()}}
        for place, caller in tuple(self._callers.items()):
            sender = caller.sender
            sent, errors = sender.sent, sender.errors
            sender.send(written[caller.separator])
            self.sent += sender.sent - sent
            self.errors += sender.errors - errors
            if sender.errors > errors and caller.has_left(self._clock()):
                self._forget(place, "does not listen any more")

    def close(self) -> None:
        """Release the sockets. Safe to call twice."""
        self._socket.close()
        for place in tuple(self._callers):
            self._callers.pop(place).sender.close()

    def _take(self, text: bytes, address: Any) -> None:
        if text in (HELLO, HELLO + VERSION_2):
            self._welcome(address, "&" if text.endswith(VERSION_2) else "-")
        elif text == GOODBYE:
            host = _host(address)
            for place in [p for p in self._callers if p[0] == host]:
                self._forget(place, "said goodbye")
        else:
            if not self.ignored:
                log.info("ifacialmocap: %s sent something else than a request", address[0])
            self.ignored += 1

    def _welcome(self, address: Any, separator: str) -> None:
        place = self._answered_at(address)
        sender = None
        if known := self._callers.pop(place, None):
            sender = known.sender
        try:
            sender = sender or DatagramSender(*place)
        except BridgeError as error:
            log.info("ifacialmocap: %s", error)
            return
        if not known:
            log.info("ifacialmocap: %s port %d asked for the stream", *place)
        self._callers[place] = _Caller(sender, separator)
        if len(self._callers) > MOST:
            self._forget(next(iter(self._callers)), f"made room: no more than {MOST} are served")

    def _answered_at(self, address: Any) -> tuple[str, int]:
        host = _host(address)
        if self._answer_port == self.port and _is_here(host):
            return host, int(address[1])
        return host, self._answer_port

    def _forget(self, place: tuple[str, int], why: str) -> None:
        self._callers.pop(place).sender.close()
        log.info("ifacialmocap: %s port %d %s", *place, why)


def _listen(host: str, port: int) -> socket.socket:
    where = f"ifacialmocap://{host}:{port}?listen=1"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise BridgeError(f"{where}: cannot find the host {host}") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setblocking(False)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise BridgeError(
            f"{where}: cannot listen there ({error.strerror}); name an address of this machine "
            f"(127.0.0.1, or 0.0.0.0 for all of them) and a port that nothing else uses"
        ) from error
    return listener


def _host(address: Any) -> str:
    """A sender's address with its network interface where it needs one (IPv6)."""
    return socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]


def _is_here(host: str) -> bool:
    """Whether an address is this machine's own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
