"""Live Link Face over UDP, packet version 6, as the iPhone app sends it to Unreal.

A frame in which no face was found carries the held or easing values with all 61 floats: the app
then leaves them out, which makes a character snap; ours eases (`animator.presence`).
"""

import struct
import time
import uuid
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from freeavatar.rigs.conventions.arkit import LIVE_LINK_UDP
from freeavatar.rigs.spec import FloatArray, Rig, RigFrame

from .curves import carried_curves
from .datagrams import DatagramSender
from .sink import BridgeError

DEFAULT_PORT = 11111
VERSION = 6
COUNT = len(LIVE_LINK_UDP)
LONGEST_SUBJECT = 128
"""UTF-8 bytes; receivers drop packets that are much longer than the app's."""
DAY = 86400
TICKS = 1 << 14
"""Parts of a frame in the clock: rounding must not show a whole frame as the one before it."""
_ID_NAMESPACE = uuid.UUID("6f1d4d0e-3f0c-5a53-9d0b-6d2f6c1f4a6e")


@dataclass(frozen=True, kw_only=True)
class Packet:
    """One Live Link Face packet."""

    device: str
    """Device id; 36 characters, since some receivers cannot read another length."""
    subject: str
    frame: int
    """Frames of `rate` since midnight."""
    subframe: float
    """Part of a frame beyond `frame`, 0..1."""
    rate: Fraction
    values: FloatArray | None
    """(61,) in the order of `LIVE_LINK_UDP`; None: the sender saw no face."""


def encode(packet: Packet) -> bytes:
    """The bytes of a packet; everything is big-endian (PROTOCOLS 1.2)."""
    device, subject = packet.device.encode(), packet.subject.encode()
    head = struct.pack(f">Bi{len(device)}si", VERSION, len(device), device, len(subject))
    rate = packet.rate
    clock = struct.pack(">ifii", packet.frame, packet.subframe, rate.numerator, rate.denominator)
    if packet.values is None:
        return head + subject + clock
    values = packet.values.astype(">f4").tobytes()
    return head + subject + clock + struct.pack(">B", COUNT) + values


def decode(datagram: bytes) -> Packet:
    """Read a packet.

    Raises:
        BridgeError: it is no Live Link Face packet of version 6; says what is wrong with it.
    """
    if not datagram or datagram[0] != VERSION:
        first = datagram[0] if datagram else "nothing"
        raise BridgeError(f"not Live Link Face version 6: first byte {first}")
    device, at = _string(datagram, 1, "device id")
    subject, at = _string(datagram, at, "subject")
    if len(datagram) < at + 16:
        raise BridgeError(f"cut off in the frame number and rate at byte {len(datagram)}")
    frame, subframe, numerator, denominator = struct.unpack_from(">ifii", datagram, at)
    if numerator <= 0 or denominator <= 0:
        raise BridgeError(f"impossible frame rate {numerator}/{denominator}")
    return Packet(
        device=device,
        subject=subject,
        frame=frame,
        subframe=subframe,
        rate=Fraction(numerator, denominator),
        values=_values(datagram, at + 16),
    )


def _string(datagram: bytes, at: int, what: str) -> tuple[str, int]:
    if len(datagram) < at + 4:
        raise BridgeError(f"cut off in the length of the {what}")
    length = int.from_bytes(datagram[at : at + 4], "big", signed=True)
    if not 0 <= length <= len(datagram) - at - 4:
        raise BridgeError(f"impossible length {length} of the {what}")
    try:
        return datagram[at + 4 : at + 4 + length].decode(), at + 4 + length
    except UnicodeDecodeError as error:
        raise BridgeError(f"the {what} is not UTF-8") from error


def _values(datagram: bytes, at: int) -> FloatArray | None:
    if len(datagram) == at:
        return None
    if datagram[at] != COUNT or len(datagram) != at + 1 + 4 * COUNT:
        raise BridgeError(
            f"{COUNT} values expected, says {datagram[at]} and has {(len(datagram) - at - 1) / 4:g}"
        )
    values = np.frombuffer(datagram, ">f4", COUNT, at + 1).astype(np.float32)
    if not np.isfinite(values).all():
        raise BridgeError(f"{LIVE_LINK_UDP[int(np.argmin(np.isfinite(values)))]} is not a number")
    return values


def device_id(subject: str) -> str:
    """A device id that stays the same for a subject; 36 characters in capitals, as the app's."""
    return str(uuid.uuid5(_ID_NAMESPACE, subject)).upper()


class LiveLinkSender:
    """Sends a rig's frames as Live Link Face packets; a `Sink`."""

    def __init__(self, rig: Rig, host: str, port: int, *, subject: str, rate: Fraction) -> None:
        """Prepare the packets' constant parts.

        Args:
            rig: an ARKit rig, or one whose controls' names say what they mean in ARKit's curves.
            host: name or address.
            port: UDP port.
            subject: name of the Live Link subject.
            rate: frames per second of the frame numbers.

        Raises:
            BridgeError: the rig's controls mean nothing in ARKit's curves, the subject is too
                long, or the host cannot be found.
        """
        self._curves = carried_curves(rig, "livelink")
        if len(subject.encode()) > LONGEST_SUBJECT:
            raise BridgeError(f"livelink: the subject is longer than {LONGEST_SUBJECT} bytes")
        first = Packet(
            device=device_id(subject),
            subject=subject,
            frame=0,
            subframe=0.0,
            rate=rate,
            values=np.zeros(COUNT, np.float32),
        )
        # Frames overwrite the clock and the values of this one packet.
        self._datagram = bytearray(encode(first))
        values_at = len(self._datagram) - 4 * COUNT
        self._clock_at = values_at - 17
        self._values = np.frombuffer(self._datagram, ">f4", COUNT, values_at)
        self._rate = float(rate)
        self._began: float | None = None
        self.sender = DatagramSender(host, port)

    def send(self, frame: RigFrame) -> None:
        """Send one frame, numbered by the time of day the performance began plus its own time."""
        if self._began is None:
            self._began = _time_of_day() - frame.time
        ticks = round((self._began + frame.time) * self._rate * TICKS)
        number, part = divmod(ticks % round(DAY * self._rate * TICKS), TICKS)
        struct.pack_into(">if", self._datagram, self._clock_at, number, part / TICKS)
        values = self._values
        values[:52] = self._curves.of(frame.values)
        values[52:55] = frame.head
        values[55:] = frame.eyes.reshape(6)
        if not np.isfinite(values).all():
            values[~np.isfinite(values)] = 0
        self.sender.send(self._datagram)

    def close(self) -> None:
        """Release the socket."""
        self.sender.close()


def _time_of_day() -> float:
    now = time.time()
    local = time.localtime(now)
    return local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec + now % 1
