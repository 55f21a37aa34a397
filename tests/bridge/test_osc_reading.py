"""Malformed OSC packets, a thousand and more: each one gets one clear error, quickly."""

import random
import struct
import time
from collections.abc import Callable

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from freeavatar.bridge.listen import Monitor
from freeavatar.bridge.osc_reading import DEEPEST, read_osc
from freeavatar.bridge.sink import BridgeError

COUNT = 1000


def message(chance: random.Random) -> bytes:
    """A valid message of arguments of many types, one at least."""
    builder = OscMessageBuilder(f"/{chance.choice('abc')}/{'n' * chance.randrange(1, 12)}")
    makers: tuple[Callable[[], object], ...] = (
        chance.random,
        lambda: chance.randrange(-(2**31), 2**31),
        lambda: "text" * chance.randrange(1, 4),
        lambda: chance.randbytes(chance.randrange(1, 20)),
        lambda: [chance.random(), [1, "x"]],
    )
    for _ in range(chance.randrange(1, 6)):
        builder.add_arg(chance.choice(makers)())  # type: ignore[arg-type]
    return builder.build().dgram


def bundle(*elements: bytes) -> bytes:
    return b"#bundle\0" + struct.pack(">Q", 1) + b"".join(map(sized, elements))


def sized(element: bytes) -> bytes:
    return struct.pack(">i", len(element)) + element


def tagged(tags: bytes, data: bytes = b"") -> bytes:
    return b"/a\0\0" + tags + bytes(4 - len(tags) % 4) + data


def wrong_size(chance: random.Random) -> bytes:
    whole = message(chance)
    wrong = chance.choice((0, 2, -4, len(whole) + 4, 2**31 - 4, -(2**31)))
    return bundle(whole) + struct.pack(">i", wrong) + whole


def deep(chance: random.Random) -> bytes:
    data = message(chance)
    for _ in range(chance.randrange(DEEPEST + 1, 60)):
        data = bundle(data)
    return data


MALFORMED: dict[str, Callable[[random.Random], bytes]] = {
    "cut off by less than a word": lambda c: message(c)[: -c.randrange(1, 4)],
    "cut off by words": lambda c: message(c)[: -4 * c.randrange(1, 2)],
    "words too many": lambda c: message(c) + bytes(4 * c.randrange(1, 9)),
    "noise": lambda c: bytes([c.choice(b"\0\xff\x80az")]) + c.randbytes(4 * c.randrange(40) + 3),
    "no comma": lambda c: tagged(c.choice((b"f", b"ifs", b"\x01")), bytes(12)),
    "unknown type": lambda c: tagged(b",f" + bytes([c.choice(b"qQXz?\x01")]), bytes(12)),
    "not UTF-8": lambda c: b"/\xff\xfe\0,f\0\0" + c.randbytes(4),
    "a text without end": lambda c: tagged(b",s", b"abcd" * c.randrange(1, 9)),
    "a blob's size": lambda c: tagged(b",b", struct.pack(">i", c.choice((-1, 9, 2**31 - 1)))),
    "a list left open": lambda c: tagged(b"," + b"[" * c.randrange(1, 2000)),
    "a list not begun": lambda c: tagged(b"," + b"]" * c.randrange(1, 2000)),
    "lists in lists": lambda c: tagged(b"," + b"[" * (n := c.randrange(20, 2000)) + b"]" * n),
    "a bundle without time": lambda c: b"#bundle\0" + bytes(4 * c.randrange(2)),
    "an element's size": wrong_size,
    "bundles in bundles": deep,
    "a bundle with noise": lambda c: bundle(message(c), b"\xff" + c.randbytes(7)),
    "a long address": lambda c: b"/" + b"n" * (4 * c.randrange(99, 9999) - 2) + b"\0,b\0\0",
    "huge": lambda c: tagged(b"," + b"i" * c.randrange(20000, 60000), bytes(c.randrange(1, 999))),
}


def test_a_thousand_malformed_packets_get_one_clear_error_each() -> None:
    chance = random.Random(20)
    packets = [(kind, MALFORMED[kind](chance)) for kind in (list(MALFORMED) * COUNT)[:COUNT]]
    began = time.perf_counter()
    for kind, packet in packets:
        with pytest.raises(BridgeError) as caught:
            print(kind, packet[:60], read_osc(packet))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200
    assert time.perf_counter() - began < 15


def test_packets_with_bytes_changed_are_read_or_refused() -> None:
    chance = random.Random(21)
    refused = 0
    for _ in range(COUNT):
        packet = bytearray(bundle(message(chance), bundle(message(chance)), message(chance)))
        for _ in range(chance.randrange(1, 5)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        try:
            read_osc(bytes(packet))
        except BridgeError:
            refused += 1
    assert 100 < refused < COUNT


def test_lists_are_read_as_deep_as_bundles() -> None:
    arguments = tagged(b"," + b"[" * DEEPEST + b"i" + b"]" * DEEPEST, struct.pack(">i", 7))
    (read,) = read_osc(arguments)
    value = read.arguments
    for _ in range(DEEPEST):
        (value,) = value
    assert value == (7,)


def test_the_monitor_counts_them_all_and_keeps_little() -> None:
    chance = random.Random(22)
    monitor = Monitor("osc")
    for kind in (list(MALFORMED) * COUNT)[:COUNT]:
        assert monitor.feed(MALFORMED[kind](chance), "a:1", 0.0) is None
    assert monitor.malformed == COUNT
    assert len(monitor.reasons) <= 16
    assert not monitor.values
