"""OSC bundles built once and refilled each frame.

Only values change from frame to frame, so the datagrams are built a single time with python-osc
and later frames overwrite their numbers. Everything in OSC 1.0 is a multiple of four bytes long,
so every number lies on a four-byte boundary.
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

    def build(self) -> OscMessage:
        """The message with zeros for its numbers."""
        builder = OscMessageBuilder(self.address)
        for constant in self.constants:
            builder.add_arg(constant, "s" if isinstance(constant, str) else "i")
        for _ in range(self.floats):
            builder.add_arg(0.0, "f")
        for _ in range(self.integers):
            builder.add_arg(0, "i")
        return builder.build()


class BundleTemplate:
    """The flat bundles of one frame, immediate time tag, at most 1400 bytes each."""

    def __init__(self, messages: Sequence[Message]) -> None:
        """Lay the messages out, in order, over as few bundles as hold them.

        Raises:
            BridgeError: one message alone is too long.
        """
        self._bundles: list[_Bundle] = []
        first = 0
        for group in _groups(messages):
            bundle = _Bundle(group, first)
            self._bundles.append(bundle)
            first += bundle.count
        self.count = first
        """Numbers of a frame: the floats and integers of all messages, in order."""

    def fill(self, numbers: NDArray[np.floating]) -> list[bytearray]:
        """The datagrams of one frame.

        Args:
            numbers: (count,) every number of the frame in the order of the messages; values that
                are not finite are sent as 0.

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
        is_float: list[bool] = []
        end = HEADER_BYTES
        for message in messages:
            built = message.build()
            builder.add_content(built)
            end += 4 + built.size
            count = message.floats + message.integers
            places += range(end // 4 - count, end // 4)
            is_float += [True] * message.floats + [False] * message.integers
        self.datagram = bytearray(builder.build().dgram)
        self.count = len(places)
        where, floats = np.array(places, np.intp), np.array(is_float, bool)
        order = np.arange(first, first + self.count)
        self._floats = np.frombuffer(self.datagram, ">f4")
        self._integers = np.frombuffer(self.datagram, ">i4")
        self._float_places, self._float_order = where[floats], order[floats]
        self._integer_places, self._integer_order = where[~floats], order[~floats]

    def fill(self, numbers: NDArray[np.floating]) -> None:
        self._floats[self._float_places] = numbers[self._float_order]
        if len(self._integer_places):
            self._integers[self._integer_places] = numbers[self._integer_order]


def _groups(messages: Sequence[Message]) -> list[list[Message]]:
    groups: list[list[Message]] = []
    room = 0
    for message in messages:
        needed = 4 + message.build().size
        if needed > LARGEST - HEADER_BYTES:
            raise BridgeError(f"the OSC message {message.address[:60]}… is too long to send")
        if needed > room or not groups:
            groups.append([])
            room = LARGEST - HEADER_BYTES
        groups[-1].append(message)
        room -= needed
    return groups
