"""OSC bundles built once and refilled each frame.

Only values change from frame to frame, so the datagrams are built a single time with python-osc
and later frames overwrite their numbers. Everything in OSC 1.0 is a multiple of four bytes long,
so every number lies on a four-byte boundary. A boolean is no argument at all: its type tag says it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from .datagrams import LARGEST
from .sink import BridgeError

HEADER_BYTES = 16
"""``#bundle``, its zero byte and the time tag."""


@dataclass(frozen=True)
class Message:
    """One OSC message of a frame: constant arguments, then numbers that frames fill in."""

    address: str
    constants: tuple[str | int, ...] = ()
    floats: int = 0
    """How many float arguments follow the constants."""
    integers: int = 0
    """How many int arguments follow the floats."""
    switches: int = 0
    """How many booleans (type T or F) follow the integers."""

    def build(self) -> OscMessage:
        """The message with zeros for its numbers."""
        builder = OscMessageBuilder(self.address)
        for constant in self.constants:
            builder.add_arg(constant, "s" if isinstance(constant, str) else "i")
        for _ in range(self.floats):
            builder.add_arg(0.0, "f")
        for _ in range(self.integers):
            builder.add_arg(0, "i")
        for _ in range(self.switches):
            builder.add_arg(False)
        return builder.build()


class BundleTemplate:
    """The flat bundles of one frame, immediate time tag."""

    def __init__(self, messages: Sequence[Message], largest: int = LARGEST) -> None:
        """Lay the messages out, in order, over as few bundles as hold them.

        Args:
            messages: of one frame.
            largest: bytes of one bundle; more than the default only where no datagram carries it.

        Raises:
            BridgeError: one message alone is too long.
        """
        self._bundles: list[_Bundle] = []
        first = 0
        for group in _groups(messages, largest):
            bundle = _Bundle(group, first)
            self._bundles.append(bundle)
            first += bundle.count
        self.count = first
        """Numbers of a frame: the floats, integers and switches of all messages, in order."""

    def fill(self, numbers: NDArray[np.floating]) -> list[bytearray]:
        """The datagrams of one frame.

        Args:
            numbers: (count,) every number of the frame in the order of the messages; values that
                are not finite are sent as 0. A switch is on where its number is not 0.

        Returns:
            The datagrams in order; the same buffers are refilled by the next call.

        Raises:
            ValueError: the count is another.
        """
        if numbers.shape != (self.count,):
            raise ValueError(f"{self.count} numbers expected, got {numbers.shape}")
        if not np.isfinite(numbers).all():
            numbers = np.nan_to_num(numbers, nan=0.0, posinf=0.0, neginf=0.0)
        for bundle in self._bundles:
            bundle.fill(numbers)
        return [bundle.datagram for bundle in self._bundles]


class _Bundle:
    def __init__(self, messages: Sequence[Message], first: int) -> None:
        builder = OscBundleBuilder(IMMEDIATELY)
        places: list[int] = []
        kinds: list[str] = []
        end = HEADER_BYTES
        for message in messages:
            built = message.build()
            builder.add_content(built)
            start, end = end + 4, end + 4 + built.size
            numbers = message.floats + message.integers
            places += range(end // 4 - numbers, end // 4)
            kinds += "f" * message.floats + "i" * message.integers
            # The tags follow the address, its zeros, a comma and the tags of what comes before.
            tag = start + _padded(message.address) + 1 + len(message.constants) + numbers
            places += range(tag, tag + message.switches)
            kinds += "s" * message.switches
        self.datagram = bytearray(builder.build().dgram)
        self.count = len(places)
        where, kind = np.array(places, np.intp), np.array(kinds, "U1")
        order = np.arange(first, first + self.count)
        self._floats = np.frombuffer(self.datagram, ">f4")
        self._integers = np.frombuffer(self.datagram, ">i4")
        self._bytes = np.frombuffer(self.datagram, np.uint8)
        self._float_places, self._float_order = where[kind == "f"], order[kind == "f"]
        self._integer_places, self._integer_order = where[kind == "i"], order[kind == "i"]
        self._switch_places, self._switch_order = where[kind == "s"], order[kind == "s"]

    def fill(self, numbers: NDArray[np.floating]) -> None:
        self._floats[self._float_places] = numbers[self._float_order]
        if len(self._integer_places):
            self._integers[self._integer_places] = numbers[self._integer_order]
        if len(self._switch_places):
            on = numbers[self._switch_order] != 0
            self._bytes[self._switch_places] = np.where(on, _ON, _OFF)


_ON, _OFF = b"TF"


def _padded(text: str) -> int:
    """Bytes of a text in OSC: at least one zero ends it, and a multiple of four."""
    return (len(text.encode()) // 4 + 1) * 4


def _groups(messages: Sequence[Message], largest: int) -> list[list[Message]]:
    groups: list[list[Message]] = []
    room = 0
    for message in messages:
        needed = 4 + message.build().size
        if needed > largest - HEADER_BYTES:
            raise BridgeError(f"the OSC message {message.address[:60]}… is too long to send")
        if needed > room or not groups:
            groups.append([])
            room = largest - HEADER_BYTES
        groups[-1].append(message)
        room -= needed
    return groups
