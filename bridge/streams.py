"""One TCP sender for all protocols: it never waits, and a frame goes whole or not at all."""

import time

from .connection import Connection

GREETING = 0.3
"""Seconds that opening waits for the receiver's answer, so that the first frame arrives too."""
FAREWELL = 0.5
"""Seconds that closing waits for the last frame to leave."""
_LOOK = 0.002


class StreamSender:
    """Sends packets to one receiver over a connection that it makes, and makes again, by itself.

    A receiver that is away or does not keep up costs packets, not the performance. Of a packet
    that was begun the rest goes first; behind it waits only the newest, older ones are dropped. So
    the receiver never gets half a packet while the connection lasts.

    After `close`, every packet has been counted either in `sent` or in `dropped`.
    """

    def __init__(self, host: str, port: int) -> None:
        """Connect; a receiver that is not there yet is tried again while packets are sent.

        Raises:
            BridgeError: the host's name cannot be found.
        """
        self.sent = 0
        """Packets that the system took whole."""
        self.dropped = 0
        """Packets that were not sent, or not to their end when the connection broke."""
        self.fresh = True
        """Whether the next packet will be the first of a connection."""
        self._rest = memoryview(b"")
        self._newest = memoryview(b"")
        self._closed = False
        self._connection = Connection(host, port)
        until = time.monotonic() + GREETING
        while not self.connected and self._connection.trying and time.monotonic() < until:
            time.sleep(_LOOK)

    @property
    def connected(self) -> bool:
        """Whether the receiver is there; asking goes on connecting."""
        there = self._connection.ready()
        if not there:
            self._break_off()
        return there

    @property
    def errors(self) -> int:
        """Tries to connect that failed and connections that broke."""
        return self._connection.errors

    def send(self, packet: bytes) -> None:
        """Send one packet, framed for the stream, or keep it as the newest."""
        if self._closed:
            self.dropped += 1
            return
        self.dropped += bool(self._newest)
        self._newest = memoryview(packet)
        self._push()

    def _push(self) -> None:
        if not self.connected:
            return
        try:
            while data := self._rest or self._newest:
                taken = self._connection.give(data)
                if not taken:
                    return
                if not self._rest:
                    self._newest = memoryview(b"")
                self.fresh = False
                self._rest = data[taken:]
                self.sent += not self._rest
        except ConnectionError:
            self._break_off()

    def _break_off(self) -> None:
        """A packet that was begun cannot go on over another connection."""
        self.dropped += bool(self._rest)
        self._rest = memoryview(b"")
        self.fresh = True

    def close(self) -> None:
        """Wait at most half a second for what is left, then end the connection.

        Safe to call twice.
        """
        if self._closed:
            return
        self._closed = True
        until = time.monotonic() + FAREWELL
        self._push()
        while (self._rest or self._newest) and time.monotonic() < until:
            if not self.connected and not self._connection.trying:
                break
            time.sleep(_LOOK)
            self._push()
        self.dropped += bool(self._rest) + bool(self._newest)
        self._rest = self._newest = memoryview(b"")
        self._connection.close()
