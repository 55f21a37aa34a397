"""Hears OSC packets over TCP, in either framing, from several senders at once."""

import selectors
import socket
import time
from collections import deque
from types import TracebackType
from typing import Any, Self

from pythonosc import slip

from .sink import BridgeError

LONGEST = 1 << 16
"""Bytes of one packet; who sends more is cut off."""
MOST_SENDERS = 16


class Unframer:
    """Takes the packets out of one sender's stream; its first byte tells the framing.

    A stream of SLIP frames (OSC 1.1) begins with END, 0xC0, which as the first byte of a length
    (OSC 1.0) would mean gigabytes.
    """

    def __init__(self) -> None:
        """Begin before the first byte."""
        self._kept = bytearray()
        self._slip: bool | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that ``data`` completes.

        A broken SLIP frame is given with the END before it, which no OSC packet begins with.

        Raises:
            BridgeError: a packet is longer than any frame's; what follows cannot be read.
        """
        self._kept += data
        if self._slip is None and self._kept:
            self._slip = self._kept[:1] == slip.END
        packets = list(self._slip_frames() if self._slip else self._behind_lengths())
        if len(self._kept) > 2 * LONGEST:
            raise BridgeError("a frame without its end")
        return packets

    def _slip_frames(self) -> list[bytes]:
        *whole, self._kept = self._kept.split(slip.END)
        frames = [bytes(frame) for frame in whole if frame]
        return [slip.decode(f) if slip.is_valid(f) else slip.END + f for f in frames]

    def _behind_lengths(self) -> list[bytes]:
        packets, at = [], 0
        while at + 4 <= len(self._kept):
            size = int.from_bytes(self._kept[at : at + 4], "big")
            if size > LONGEST:
                raise BridgeError(f"a packet of {size} bytes")
            if at + 4 + size > len(self._kept):
                break
            packets.append(bytes(self._kept[at + 4 : at + 4 + size]))
            at += 4 + size
        del self._kept[:at]
        return packets


class StreamPort:
    """A TCP port that gives the packets of all who connect; a context manager."""

    def __init__(self, listening: socket.socket) -> None:
        """Take a bound socket over and listen."""
        self._listening = listening
        listening.setblocking(False)
        listening.listen()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._arrived: deque[tuple[bytes, str]] = deque()

    def getsockname(self) -> Any:
        """Address it is bound to, as a socket gives it."""
        return self._listening.getsockname()

    def receive(self, timeout: float) -> tuple[bytes, str] | None:
        """The next packet and who sent it, or None when none came within ``timeout`` seconds."""
        until = time.monotonic() + timeout
        while not self._arrived:
            ready = self._selector.select(max(0.0, until - time.monotonic()))
            for key, _ in ready:
                if key.data is None:
                    self._accept()
                else:
                    self._read(key)
            if not self._arrived and time.monotonic() >= until:
                return None
        return self._arrived.popleft()

    def _accept(self) -> None:
        try:
            sender, address = self._listening.accept()
        except OSError:
            return
        if len(self._selector.get_map()) > MOST_SENDERS:
            sender.close()
            return
        sender.setblocking(False)
        named = (f"{address[0]}:{address[1]}", Unframer())
        self._selector.register(sender, selectors.EVENT_READ, named)

    def _read(self, key: selectors.SelectorKey) -> None:
        name, unframer = key.data
        sender: Any = key.fileobj
        try:
            data = sender.recv(LONGEST)
            packets = unframer.feed(data)
        except BlockingIOError:
            return
        except BridgeError:
            # The monitor reads its beginning as what it is: no OSC.
            data, packets = b"", [data[:64]]
        except OSError:
            data, packets = b"", []
        self._arrived += ((packet, name) for packet in packets)
        if not data:
            self._selector.unregister(sender)
            sender.close()

    def close(self) -> None:
        """Close the port and every connection. Safe to call twice."""
        for key in list((self._selector.get_map() or {}).values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()
