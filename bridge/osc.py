"""Generic OSC 1.0 over UDP: one float message a control, all of them every frame.

``/freeavatar/<rig>/<control>`` f, then ``/head`` fff (yaw pitch roll, radians), ``/eyes`` ffffff
(left, then right eye), ``/time`` f (seconds since the take began) and ``/found`` i, in flat bundles
of at most 1400 bytes with the immediate time tag; ``/time`` and ``/found`` come last, so a receiver
that acts on ``/found`` has the whole frame.

Names travel percent-encoded as in URLs: OSC keeps ``space # * , / ? [ ] { }`` for patterns and
allows only ASCII. `urllib.parse.unquote` gives the name back. A control called head, eyes, time or
found is sent with its first letter encoded (``%68ead``).
"""

from urllib.parse import quote

import numpy as np

from freeavatar.rigs.spec import Rig, RigFrame

from .bundles import BundleTemplate, Message
from .datagrams import DatagramSender

DEFAULT_PORT = 9000
RESERVED = ("head", "eyes", "time", "found")
_UNTOUCHED = "".join(chr(c) for c in range(33, 127) if chr(c) not in "#*,/?[]{}%")


def address_part(name: str) -> str:
    """A control's or rig's name as one part of an OSC address."""
    if name in RESERVED:
        return f"%{ord(name[0]):02X}{name[1:]}"
    return quote(name, safe=_UNTOUCHED)


def default_prefix(rig: Rig) -> str:
    """Address that all of a rig's messages start with."""
    return f"/freeavatar/{address_part(rig.name)}"


class OscSender:
    """Sends a rig's frames as OSC bundles; a `Sink`."""

    def __init__(self, rig: Rig, host: str, port: int, *, prefix: str = "") -> None:
        """Build the messages of the rig's controls.

        Args:
            rig: whose frames are sent.
            host: name or address.
            port: UDP port.
            prefix: address that replaces ``/freeavatar/<rig>``.

        Raises:
            BridgeError: the host cannot be found, or a control's name is too long to send.
        """
        start = prefix or default_prefix(rig)
        messages = [Message(f"{start}/{address_part(name)}", floats=1) for name in rig.names]
        messages += [
            Message(f"{start}/head", floats=3),
            Message(f"{start}/eyes", floats=6),
            Message(f"{start}/time", floats=1),
            Message(f"{start}/found", integers=1),
        ]
        self._template = BundleTemplate(messages)
        self._numbers = np.zeros(self._template.count, np.float32)
        self.sender = DatagramSender(host, port)

    def send(self, frame: RigFrame) -> None:
        """Send one frame; frames without a face carry the held or easing values."""
        numbers = self._numbers
        numbers[:-11] = frame.values
        numbers[-11:-8] = frame.head
        numbers[-8:-2] = frame.eyes.reshape(6)
        numbers[-2:] = frame.time, frame.found
        for datagram in self._template.fill(numbers):
            self.sender.send(datagram)

    def close(self) -> None:
        """Release the socket."""
        self.sender.close()
