"""Reads OSC 1.0 datagrams from anyone, strictly: a debugging tool must say what is wrong.

python-osc is lenient (it pads arguments that are cut off, skips types it does not know), which is
right for a show and wrong for finding out why another receiver stays silent.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .sink import BridgeError

DEEPEST = 16
"""Bundles within bundles, lists within lists; receivers' own limits are at most this."""

SHOWN = 80
"""Characters of a stranger's text in an error."""


@dataclass(frozen=True)
class Received:
    """One OSC message that arrived."""

    address: str
    arguments: tuple[Any, ...]


def read_osc(datagram: bytes) -> list[Received]:
    """The messages of a datagram, in order; bundles are opened, their time tags ignored.

    Raises:
        BridgeError: it is no OSC packet; says what is wrong with it.
    """
    if not datagram:
        raise BridgeError("an empty datagram")
    if len(datagram) % 4:
        raise BridgeError(f"no OSC: {len(datagram)} bytes is no multiple of 4")
    messages: list[Received] = []
    _open(datagram, messages, 0)
    return messages


def _open(packet: bytes, messages: list[Received], depth: int) -> None:
    if packet[:8] != b"#bundle\0":
        messages.append(_message(packet))
        return
    if len(packet) < 16:
        raise BridgeError("broken OSC: a bundle without its time tag")
    if depth == DEEPEST:
        raise BridgeError(f"broken OSC: more than {DEEPEST} bundles within one another")
    at = 16
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        if size % 4 or not 0 < size <= len(packet) - at - 4:
            raise BridgeError(f"broken OSC: a bundle's element of {size} bytes")
        _open(packet[at + 4 : at + 4 + size], messages, depth + 1)
        at += 4 + size


def _message(packet: bytes) -> Received:
    if packet[:1] != b"/":
        raise BridgeError(f"no OSC: begins with {packet[:8]!r}")
    address, at = _string(packet, 0)
    if at == len(packet):
        return Received(address, ())
    tags, at = _string(packet, at)
    name = address[:SHOWN]
    if not tags.startswith(","):
        raise BridgeError(f"broken OSC: {name} has types {tags[:SHOWN]!r}, without a comma")
    arguments, at = _arguments(packet, at, name, tags)
    if at != len(packet):
        raise BridgeError(f"broken OSC: {name} has {len(packet) - at} bytes too many")
    return Received(address, arguments)


def _arguments(packet: bytes, at: int, address: str, tags: str) -> tuple[tuple[Any, ...], int]:
    open_lists: list[list[Any]] = [[]]
    for tag in tags[1:]:
        if tag == "[":
            if len(open_lists) > DEEPEST:
                raise BridgeError(f"broken OSC: {address} has more than {DEEPEST} lists in another")
            open_lists.append([])
        elif tag == "]" and len(open_lists) > 1:
            inner = tuple(open_lists.pop())
            open_lists[-1].append(inner)
        elif tag in _CONSTANTS:
            open_lists[-1].append(_CONSTANTS[tag])
        elif tag in _READ:
            value, at = _READ[tag](packet, at)
            open_lists[-1].append(value)
        else:
            raise BridgeError(f"broken OSC: {address} has an argument of unknown type {tag!r}")
    if len(open_lists) > 1:
        raise BridgeError(f"broken OSC: {address} leaves a list open")
    return tuple(open_lists[0]), at


def _string(packet: bytes, at: int) -> tuple[str, int]:
    end = packet.find(b"\0", at)
    if end < 0:
        raise BridgeError("broken OSC: a text without its end")
    try:
        return packet[at:end].decode(), (end // 4 + 1) * 4
    except UnicodeDecodeError as error:
        raise BridgeError("broken OSC: a text that is not UTF-8") from error


def _blob(packet: bytes, at: int) -> tuple[bytes, int]:
    size, at = _number(">i")(packet, at)
    end = at + (size + 3) // 4 * 4
    if size < 0 or end > len(packet):
        raise BridgeError(f"broken OSC: a blob of {size} bytes")
    return packet[at : at + size], end


def _number(layout: str) -> Callable[[bytes, int], tuple[Any, int]]:
    size = struct.calcsize(layout)

    def read(packet: bytes, at: int) -> tuple[Any, int]:
        if at + size > len(packet):
            raise BridgeError("broken OSC: an argument is cut off")
        return struct.unpack_from(layout, packet, at)[0], at + size

    return read


_READ: Mapping[str, Callable[[bytes, int], tuple[Any, int]]] = MappingProxyType(
    {
        **{"i": _number(">i"), "f": _number(">f"), "h": _number(">q"), "d": _number(">d")},
        **{"t": _number(">Q"), "r": _number(">I"), "m": _number(">I"), "c": _number(">I")},
        **{"s": _string, "S": _string, "b": _blob},
    }
)
_CONSTANTS: Mapping[str, Any] = MappingProxyType({"T": True, "F": False, "N": None, "I": "impulse"})
