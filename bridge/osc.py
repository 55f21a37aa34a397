"""Generic OSC: one float message a control, all of them every frame, over UDP or TCP.

``/freeavatar/<rig>/<control>`` f, then ``/head`` fff (yaw pitch roll, radians), ``/eyes`` ffffff
(left, then right eye), ``/time`` f (seconds since the take began) and ``/found`` i, in flat bundles
with the immediate time tag; ``/time`` and ``/found`` come last, so a receiver that acts on
``/found`` has the whole frame. All addresses follow one template, see `addresses`.

A bundle has at most 1400 bytes as a datagram and 8192 over TCP, where most rigs' frames are one
bundle. OSC 1.1 puts packets on a stream in SLIP frames with END at both ends, 1.0 behind an int32
length.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from pythonosc import slip

from freeavatar.rigs.spec import Rig, RigFrame

from .addresses import DEFAULT_TEMPLATE, RESERVED, address_part, fill_template
from .bundles import HEADER_BYTES, BundleTemplate, Message
from .datagrams import LARGEST, DatagramSender
from .streams import StreamSender

__all__ = ["DEFAULT_PORT", "FRAMINGS", "RESERVED", "OscSender", "OscStreamSender", "address_part"]

DEFAULT_PORT = 9000
LARGEST_STREAMED = 8192
"""Bytes of one bundle over TCP; readers with fixed buffers have at least this."""


def _behind_length(packet: bytes) -> bytes:
    return len(packet).to_bytes(4, "big") + packet


FRAMINGS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {"1.1": slip.encode, "1.0": _behind_length}
)
"""How a packet goes onto a stream, by the version of OSC."""


class OscSender:
    """Sends a rig's frames as OSC bundles over UDP; a `Sink`."""

    def __init__(self, rig: Rig, host: str, port: int, *, template: str = DEFAULT_TEMPLATE) -> None:
        """Build the messages of the rig's controls.

        Args:
            rig: whose frames are sent.
            host: name or address.
            port: UDP port.
            template: of the addresses, checked by `addresses.read_template`.

        Raises:
            BridgeError: the host cannot be found, or a control's name is too long to send.
        """
        self._frames = _Frames(rig, template, LARGEST)
        self.sender = DatagramSender(host, port)

    def send(self, frame: RigFrame) -> None:
        """Send one frame; frames without a face carry the held or easing values."""
        for datagram in self._frames.fill(frame):
            self.sender.send(datagram)

    def close(self) -> None:
        """Release the socket."""
        self.sender.close()


class OscStreamSender:
    """Sends a rig's frames as OSC bundles over TCP; a `Sink`. A frame goes whole or not at all."""

    def __init__(
        self,
        rig: Rig,
        host: str,
        port: int,
        *,
        template: str = DEFAULT_TEMPLATE,
        framing: str = "1.1",
    ) -> None:
        """Build the messages of the rig's controls; the receiver may come later.

        Args:
            rig: whose frames are sent.
            host: name or address.
            port: TCP port.
            template: of the addresses, checked by `addresses.read_template`.
            framing: key of `FRAMINGS`.

        Raises:
            BridgeError: the host cannot be found, or a control's name is too long to send.
        """
        self._frames = _Frames(rig, template, LARGEST_STREAMED)
        self._framed = FRAMINGS[framing]
        self.sender = StreamSender(host, port)

    def send(self, frame: RigFrame) -> None:
        """Send one frame, or drop it where the receiver is away or does not keep up."""
        packets = [bytes(bundle) for bundle in self._frames.fill(frame)]
        if self.sender.fresh:
            packets = _opening(packets)
        self.sender.send(b"".join(map(self._framed, packets)))

    def close(self) -> None:
        """Give the last frame a moment to leave, then close the connection."""
        self.sender.close()


def _opening(bundles: list[bytes]) -> list[bytes]:
    """The same messages with the first one outside of its bundle.

    liblo takes a stream that begins with END for SLIP only if a message follows, not a bundle.
    """
    first, *others = bundles
    start = HEADER_BYTES + 4
    end = start + int.from_bytes(first[HEADER_BYTES:start], "big")
    return [first[start:end], first[:HEADER_BYTES] + first[end:], *others]


class _Frames:
    """The bundles of a rig's frames."""

    def __init__(self, rig: Rig, template: str, largest: int) -> None:
        head, eyes, time, found = (fill_template(template, rig.name, part) for part in RESERVED)
        controls = (fill_template(template, rig.name, address_part(name)) for name in rig.names)
        messages = [Message(address, floats=1) for address in controls]
        messages += [
            Message(head, floats=3),
            Message(eyes, floats=6),
            Message(time, floats=1),
            Message(found, integers=1),
        ]
        self._template = BundleTemplate(messages, largest)
        self._numbers = np.zeros(self._template.count, np.float32)

    def fill(self, frame: RigFrame) -> list[bytearray]:
        numbers = self._numbers
        numbers[:-11] = frame.values
        numbers[-11:-8] = frame.head
        numbers[-8:-2] = frame.eyes.reshape(6)
        numbers[-2:] = frame.time, frame.found
        return self._template.fill(numbers)
