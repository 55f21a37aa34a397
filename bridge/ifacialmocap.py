"""iFacialMocap over UDP: the iPhone app's text, sent to a receiver or to whoever asks for it.

``jawOpen-25|…|=head#rx,ry,rz,px,py,pz|rightEye#x,y,z|leftEye#x,y,z|``: ARKit's curves as whole
percent, sides as ``_L`` and ``_R``, angles in degrees. Version 2 writes ``jawOpen&25``.

The angles turn about ARKit's axes, which are those of rig space, as ``Ry(y) Rx(x) Rz(z)``: x +
looks down, y + turns toward the actor's left, z + tilts toward the actor's right shoulder. (The
app's maker does not say so; the eyes of the published samples, read in this way, turn without
torsion.) Receivers that take the three as Unity's Euler angles show a mirror image, with the app
as with us. The head's place is not measured here and sent as 0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.spec import FloatArray, Rig, RigFrame

from .callers import Callers
from .curves import carried_curves
from .datagrams import DatagramSender
from .sink import BridgeError

DEFAULT_PORT = 49983
"""Where the app is asked, and where receivers hear its answer."""
SEPARATORS: Mapping[str, str] = MappingProxyType({"1": "-", "2": "&"})
"""What stands between a name and its value, by version."""
_WHOLE = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
"""Here the side is the direction of the motion, and spelt out."""
_CURVE = re.compile(r"([A-Za-z]\w{0,39}) ?[-&] ?(-?\d{1,4})", re.ASCII)
_PART = re.compile(r"=?(head|rightEye|leftEye)#([-+.,eE\d ]{1,200})", re.ASCII)
_NUMBERS = {"head": (6, 3), "rightEye": (3,), "leftEye": (3,)}
"""How many follow; the app's first versions sent no place of the head."""


def _spelt(name: str) -> str:
    if name in _WHOLE:
        return name
    return name.replace("Left", "_L").replace("Right", "_R")


NAMES = tuple(map(_spelt, ARKIT))
"""The 52 curves as the app spells them, in the order of `ARKIT`."""
_SHAPES = {mark: "".join(f"{name}{mark}%d|" for name in NAMES) for mark in SEPARATORS.values()}


@dataclass(frozen=True, kw_only=True)
class Packet:
    """What one datagram says."""

    curves: Mapping[str, float]
    """Values by the app's names, nominally 0..1; newer apps send a few names of their own."""
    head: tuple[float, ...]
    """Degrees about x, y and z, then the place, metres (absent from the app's first versions)."""
    right_eye: tuple[float, ...]
    """Degrees about x, y and z."""
    left_eye: tuple[float, ...]


def degrees(angles: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 3) yaw, pitch, roll in radians to (..., 3) degrees about x, y and z."""
    return np.asarray(np.rad2deg(np.asarray(angles, np.float64))[..., (1, 0, 2)] * (1.0, -1.0, 1.0))


def encode(
    curves: FloatArray, head: FloatArray, eyes: FloatArray, *, separator: str = "-"
) -> bytes:
    """The bytes of a datagram.

    Args:
        curves: (52,) in the order of `ARKIT`, 0..1.
        head: (3,) yaw, pitch, roll, radians.
        eyes: (2, 3) left, then right.
        separator: one of `SEPARATORS`.

    Returns:
        At most 1100 bytes. What is not a number is sent as 0.
    """
    turned = degrees(np.concatenate([head[None], eyes]))
    if not (np.isfinite(curves).all() and np.isfinite(turned).all()):
        curves = np.nan_to_num(curves, posinf=0.0, neginf=0.0)
        turned = np.nan_to_num(turned, posinf=0.0, neginf=0.0)
    shapes = _SHAPES[separator] % tuple(np.rint(curves * 100).astype(int).tolist())
    # Adding 0 makes -0.0 a plain 0.
    face, left, right = (np.round(turned, 4) + 0.0).tolist()
    place = [0.0, 0.0, 0.0]
    parts = f"=head#{_listed(face + place)}|rightEye#{_listed(right)}|leftEye#{_listed(left)}|"
    return (shapes + parts).encode("ascii")


def _listed(numbers: list[float]) -> str:
    return ",".join(map(str, numbers))


def decode(datagram: bytes) -> Packet:
    """Read a datagram of either version.

    Raises:
        BridgeError: it is no iFacialMocap text; says what is wrong with it.
    """
    try:
        text = datagram.decode("ascii")
    except UnicodeDecodeError as error:
        raise BridgeError("not iFacialMocap: bytes that are no plain text") from error
    curves: dict[str, float] = {}
    parts: dict[str, tuple[float, ...]] = {}
    for section in filter(None, map(str.strip, text.split("|"))):
        if curve := _CURVE.fullmatch(section):
            curves[curve[1]] = int(curve[2]) / 100
        elif part := _PART.fullmatch(section):
            parts[part[1]] = _numbers(part[1], part[2])
        else:
            raise BridgeError(f"not iFacialMocap: {section[:40]!r} is no name with a value")
    missing = next((name for name in _NUMBERS if name not in parts), None)
    if missing or not curves:
        raise BridgeError(f"not iFacialMocap: no {missing or 'curves'} in {len(datagram)} bytes")
    return Packet(
        curves=curves, head=parts["head"], right_eye=parts["rightEye"], left_eye=parts["leftEye"]
    )


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError as error:
        raise BridgeError(f"iFacialMocap: {name} holds {text[:40]!r}, no numbers") from error
    if len(numbers) not in _NUMBERS[name] or not np.isfinite(numbers).all():
        able = " or ".join(map(str, _NUMBERS[name]))
        raise BridgeError(f"iFacialMocap: {name} needs {able} numbers, not {text[:40]!r}")
    return numbers


class IFacialMocapSender:
    """Sends a rig's frames to one receiver; a `Sink`."""

    def __init__(self, rig: Rig, host: str, port: int, *, separator: str = "-") -> None:
        """Prepare the rig's curves.

        Args:
            rig: an ARKit rig, or one whose controls' names say what they mean in ARKit's curves.
            host: name or address.
            port: UDP port.
            separator: one of `SEPARATORS`.

        Raises:
            BridgeError: the rig's controls mean nothing in ARKit's curves, or the host cannot be
                found.
        """
        self._curves = carried_curves(rig, "ifacialmocap")
        self._separator = separator
        self.sender = DatagramSender(host, port)

    def send(self, frame: RigFrame) -> None:
        """Send one frame; frames without a face carry the held or easing values."""
        curves = self._curves.of(frame.values)
        self.sender.send(encode(curves, frame.head, frame.eyes, separator=self._separator))

    def close(self) -> None:
        """Release the socket."""
        self.sender.close()


class IFacialMocapPhone:
    """Stands in for the phone: sends a rig's frames to the receivers that ask; a `Sink`."""

    def __init__(self, rig: Rig, host: str, port: int, *, answer_port: int = DEFAULT_PORT) -> None:
        """Listen for receivers.

        Args:
            rig: an ARKit rig, or one whose controls' names say what they mean in ARKit's curves.
            host: address of this machine; 127.0.0.1 is heard by programs on it alone.
            port: UDP port that receivers ask at.
            answer_port: where receivers expect the answer.

        Raises:
            BridgeError: the rig's controls mean nothing in ARKit's curves, or the port cannot be
                had.
        """
        self._curves = carried_curves(rig, "ifacialmocap")
        self.sender = Callers(host, port, answer_port=answer_port)

    def send(self, frame: RigFrame) -> None:
        """Hear who asks, then send them one frame; nothing here waits."""
        self.sender.hear()
        curves = self._curves.of(frame.values)
        self.sender.send(lambda s: encode(curves, frame.head, frame.eyes, separator=s))

    def close(self) -> None:
        """Release the sockets."""
        self.sender.close()
