"""A UDP port through which OSC controllers steer a running performance.

It understands FreeAvatar's own addresses (`addresses`) and the remote control of the Live Link Face
app (`live_link_remote`). Answers go to whoever asked, or to the send target that the app's command
sets. What arrives is anyone's: packets that mean nothing are counted and change nothing, and only
known addresses are answered, so that two ports can never answer each other without end.
"""

import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pythonosc.osc_message_builder import OscMessageBuilder

from freeavatar.bridge.osc_reading import Received, read_osc
from freeavatar.bridge.sink import BridgeError

from .addresses import Asked, Reply, read_own, refused
from .commands import Handler
from .live_link_remote import LiveLinkRemote, time_of_day
from .seldom import Seldom
from .waiting import Job, Waiting

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
LARGEST = 8192
"""Bytes of a packet; larger ones hold no commands a controller sends."""
NOTICE = 0.2
"""Seconds after which a thread that waits for a packet sees that the port was closed."""
PATIENCE = 2.0
"""Seconds that closing waits for a handler that is busy."""

Address = tuple[Any, ...]


def parse_listen(listen: str) -> tuple[str, int]:
    """Host and port of ``PORT``, ``HOST:PORT`` or ``[IPV6]:PORT``; this machine without a host.

    Raises:
        BridgeError: it is none of these.
    """
    host, _, port = listen.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (":" in host and not bracketed) or not (port.isascii() and port.isdecimal()):
        raise BridgeError(f"{listen!r}: listen on PORT, HOST:PORT or [IPV6]:PORT, as in 9001")
    if len(port) > 5 or int(port) > 65535:
        raise BridgeError(f"{listen!r}: ports go up to 65535")
    return host.strip("[]") or LOOPBACK, int(port)


class ControlPort:
    """Hears commands and hands them to a handler, until closed; a context manager."""

    def __init__(
        self,
        listen: str,
        handle: Handler,
        *,
        timecode: Callable[[], str] = time_of_day,
        recorded: Callable[[], tuple[str, str]] = lambda: ("", ""),
    ) -> None:
        """Bind the port and begin to listen.

        Args:
            listen: ``PORT``, ``HOST:PORT`` or ``[IPV6]:PORT``; without a host only this machine is
                heard. Port 0 takes a free one.
            handle: carries commands out, one at a time, on a thread of the port.
            timecode: of the moment, for confirmations; by default the time of day.
            recorded: paths of the CSV and the film recorded last, for ``/RecordStopConfirm``.

        Raises:
            BridgeError: ``listen`` is wrong or the port cannot be had.
        """
        self._socket = _bind(listen)
        self.host, self.port = self._socket.getsockname()[:2]
        self.ignored = 0
        """Packets and messages that meant nothing."""
        self._handle = handle
        self._remote = LiveLinkRemote(
            ipv6=self._socket.family == socket.AF_INET6, timecode=timecode, recorded=recorded
        )
        self._waiting = Waiting()
        self._closing = threading.Event()
        self._strange, self._failing = Seldom(log), Seldom(log)
        self._threads = [
            threading.Thread(target=work, name=f"control-{self.port}", daemon=True)
            for work in (self._listen, self._carry_out)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop listening; commands that still wait are forgotten. Safe to call twice."""
        self._closing.set()
        self._waiting.close()
        with contextlib.suppress(OSError):
            # Wakes the thread that listens; should it be lost, `NOTICE` does.
            self._socket.sendto(b"", self._socket.getsockname())
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(PATIENCE)
        self._socket.close()

    def __enter__(self) -> Self:
        """The port itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the port."""
        self.close()

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                packet, sender = self._socket.recvfrom(LARGEST + 1)
            except TimeoutError:
                continue
            except OSError as error:
                if not self._closing.wait(NOTICE):
                    self._failing.say(f"control port {self.port}: {error.strerror}")
                continue
            if not self._closing.is_set():
                self._packet(packet, sender)

    def _packet(self, packet: bytes, sender: Address) -> None:
        try:
            if len(packet) > LARGEST:
                raise BridgeError(f"more than {LARGEST} bytes")
            messages = read_osc(packet)
        except BridgeError as error:
            self._ignore(sender, str(error))
            return
        for message in messages:
            self._message(message, sender)

    def _message(self, message: Received, sender: Address) -> None:
        try:
            asked = read_own(message) or self._remote.read(message)
        except BridgeError as error:
            self._ignore(sender, f"{message.address} {error}")
            reason = str(error)
            self._reply(lambda: refused(message.address, reason), sender)
            return
        if asked is None:
            self._ignore(sender, f"{message.address[:80]} is not known here")
        elif asked.command is None:
            self._reply(asked.confirm, sender)
        else:
            answer = self._answering(message.address, asked, sender)
            if not self._waiting.put(Job(asked.command, answer)):
                answer("too many commands wait; send fewer a second")

    def _answering(self, address: str, asked: Asked, sender: Address) -> Callable[[str], None]:
        def answer(reason: str) -> None:
            if reason:
                self._failing.say(f"{address} from {sender[0]} refused: {reason}")
            self._reply((lambda: refused(address, reason)) if reason else asked.confirm, sender)

        return answer

    def _carry_out(self) -> None:
        while job := self._waiting.get():
            try:
                reason = self._handle(job.command)
            except Exception as error:
                # One command that fails must not cost the show its control.
                log.debug("%s failed", job.command, exc_info=True)
                reason = f"failed: {error or type(error).__name__}"
            job.answer(reason)

    def _reply(self, word: Callable[[], Reply | None], sender: Address) -> None:
        try:
            reply = word()
            if reply is not None:
                self._socket.sendto(_encode(reply), self._remote.target or sender)
        except Exception as error:
            # Neither a receiver that is gone nor a path that OSC cannot carry ends the listening.
            self._failing.say(f"control port {self.port}: cannot answer: {error}")

    def _ignore(self, sender: Address, reason: str) -> None:
        self.ignored += 1
        self._strange.say(f"control: a packet from {sender[0]} is left out: {reason}")


def _encode(reply: Reply) -> bytes:
    builder = OscMessageBuilder(reply.address)
    for argument in reply.arguments:
        builder.add_arg(argument)
    return bytes(builder.build().dgram)


def _bind(listen: str) -> socket.socket:
    host, number = parse_listen(listen)
    try:
        found = socket.getaddrinfo(host, number, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise BridgeError(f"control {listen}: cannot find the host {host}") from error
    family, kind, protocol, _, address = found[0]
    try:
        port = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BridgeError(f"control {listen}: {error.strerror}") from error
    try:
        port.settimeout(NOTICE)
        port.bind(address)
    except OSError as error:
        port.close()
        raise BridgeError(f"control {listen}: {_why(error, host, number)}") from error
    return port


def _why(error: OSError, host: str, number: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"another program listens on port {number} already; close it or take another"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not this machine; listen on 0.0.0.0:{number}"
    if error.errno == errno.EACCES:
        return f"port {number} is the system's; take one from 1024 up"
    return f"cannot listen on port {number}: {error.strerror}"
