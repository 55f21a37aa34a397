"""Face Cap's live mode: OSC 1.0 over UDP, as the iPhone app sends it to Unity and MotionBuilder.

``/HT`` fff the head's place, ``/HR`` fff its rotation in degrees about x, y and z, ``/HRQ`` ffff
the same as a quaternion x, y, z, w, ``/ELR`` and ``/ERR`` ff the left and right eye's in degrees
about x and y, and ``/W`` if once for each curve: its index and its value, 0..1. All of it is one
flat bundle of 1196 bytes.

Angles are as iFacialMocap's (`ifacialmocap`): ARKit's axes, which the app's receiver for Unity
mirrors. The head's place is not measured here and sent as 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.spec import Rig, RigFrame

from .bundles import BundleTemplate, Message
from .curves import carried_curves
from .datagrams import DatagramSender
from .ifacialmocap import degrees
from .osc_reading import Received
from .sink import BridgeError
from .vmc import unity_rotation

DEFAULT_PORT = 8080
"""Of the receiver for Unity; MotionBuilder's listens on 9000, the app asks for a port."""
INDICES: tuple[str, ...] = (
    "browInnerUp", "browDownLeft", "browDownRight", "browOuterUpLeft", "browOuterUpRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft",
    "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeBlinkLeft", "eyeBlinkRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "jawOpen",
    "jawForward", "jawLeft", "jawRight", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthRollUpper", "mouthRollLower", "mouthShrugUpper", "mouthShrugLower", "mouthClose",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft",
    "mouthDimpleRight", "mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthStretchLeft",
    "mouthStretchRight", "tongueOut",
)  # fmt: skip
"""The curve of each index. Also the order of the shapes in the app's own head model."""
FLOATS = {"/HT": 3, "/HR": 3, "/HRQ": 4, "/ELR": 2, "/ERR": 2}
"""Numbers of each message but ``/W``."""
_TURNS = sum(FLOATS.values())
# From Unity's axes back to rig space.
_MIRROR = np.array([1.0, -1.0, -1.0, 1.0])
_ORDER = np.array([ARKIT.index(name) for name in INDICES], np.intp)


class FaceCapSender:
    """Sends a rig's frames as Face Cap does; a `Sink`."""

    def __init__(self, rig: Rig, host: str, port: int) -> None:
        """Build the messages.

        Args:
            rig: an ARKit rig, or one whose controls' names say what they mean in ARKit's curves.
            host: name or address.
            port: UDP port.

        Raises:
            BridgeError: the rig's controls mean nothing in ARKit's curves, or the host cannot be
                found.
        """
        self._curves = carried_curves(rig, "facecap")
        turns = [Message(address, floats=count) for address, count in FLOATS.items()]
        shapes = [Message("/W", (index,), floats=1) for index in range(len(INDICES))]
        self._template = BundleTemplate([*turns, *shapes])
        self._numbers = np.zeros(self._template.count, np.float32)
        self.sender = DatagramSender(host, port)

    def send(self, frame: RigFrame) -> None:
        """Send one frame; frames without a face carry the held or easing values."""
        numbers = self._numbers
        head = np.nan_to_num(frame.head, posinf=0.0, neginf=0.0)
        eyes = degrees(frame.eyes)[:, :2].reshape(4)
        numbers[3:_TURNS] = *degrees(head), *(unity_rotation(head) * _MIRROR), *eyes
        numbers[_TURNS:] = self._curves.of(frame.values)[_ORDER]
        for datagram in self._template.fill(numbers):
            self.sender.send(datagram)

    def close(self) -> None:
        """Release the socket."""
        self.sender.close()


def decode(messages: Sequence[Received]) -> dict[str, Any]:
    """What a datagram's messages say, curves by ARKit's names and the rest by address.

    Raises:
        BridgeError: a message has arguments that a receiver cannot use; says which.
    """
    values: dict[str, Any] = {}
    for message in messages:
        given, count = message.arguments, FLOATS.get(message.address, 0)
        if message.address == "/W":
            if len(given) != 2 or type(given[0]) is not int or type(given[1]) is not float:
                raise BridgeError(f"/W needs an index and a float, not {_kinds(given)}")
            if not 0 <= given[0] < len(INDICES):
                raise BridgeError(f"/W with index {given[0]}; there are 0 to {len(INDICES) - 1}")
            values[INDICES[given[0]]] = given[1]
            continue
        if count and [type(g) for g in given] != [float] * count:
            raise BridgeError(f"{message.address} needs {count} floats, not {_kinds(given)}")
        values[message.address] = given[0] if len(given) == 1 else given
    return values


def _kinds(given: tuple[Any, ...]) -> str:
    return ", ".join(type(g).__name__ for g in given) or "nothing"
