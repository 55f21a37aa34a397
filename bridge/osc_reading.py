"""Reads OSC datagrams from anyone: flat or nested bundles, all of python-osc's types."""

from dataclasses import dataclass
from typing import Any

from pythonosc.osc_packet import OscPacket, ParseError

from .sink import BridgeError


@dataclass(frozen=True)
class Received:
    """One OSC message that arrived."""

    address: str
    arguments: tuple[Any, ...]


def read_osc(datagram: bytes) -> list[Received]:
    """The messages of a datagram, in order.

    Raises:
        BridgeError: it is no OSC packet; says what is wrong with it.
    """
    if not datagram:
        raise BridgeError("an empty datagram")
    if len(datagram) % 4:
        raise BridgeError(f"no OSC: {len(datagram)} bytes is no multiple of 4")
    if not datagram.startswith((b"/", b"#bundle\0")):
        raise BridgeError(f"no OSC: begins with {bytes(datagram[:8])!r}")
    try:
        messages = OscPacket(datagram).messages
    except (ParseError, ValueError, IndexError, OverflowError, RecursionError) as error:
        raise BridgeError(
            f"broken OSC: {' '.join(str(error).split()) or 'nested too deep'}"
        ) from error
    return [Received(m.message.address, tuple(m.message.params)) for m in messages]
