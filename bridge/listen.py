"""What arrives at a port: a socket to hear it and a monitor that reads, counts and times it."""

import errno
import os
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from freeavatar.rigs.conventions import LIVE_LINK_UDP

from . import facecap, ifacialmocap, livelink
from .osc_reading import Received, read_osc
from .sink import BridgeError
from .stream_port import StreamPort
from .targets import Target, parse_target

LOOPBACK = "127.0.0.1"
LARGEST = 65535
BUFFER = 4 << 20
"""Bytes asked of the system for datagrams that wait; it may give less."""
MOST_NAMES = 4096
MOST_STREAMS = 64
MOST_REASONS = 16
STREAMED = ("osc+tcp",)
"""Schemes of packets on TCP."""
KEPT_INTERVALS = 36000
"""Ten minutes at 60 a second."""


def open_port(url: str) -> tuple[Target, socket.socket | StreamPort]:
    """A socket that hears what is sent to a target URL.

    Args:
        url: as for `freeavatar.bridge.targets.open_target`; without a host, this machine only.

    Raises:
        BridgeError: the URL is wrong, or the port cannot be had.
    """
    target = parse_target(url, host=LOOPBACK)
    wanted = socket.SOCK_STREAM if target.scheme in STREAMED else socket.SOCK_DGRAM
    try:
        found = socket.getaddrinfo(target.host, target.port, type=wanted)
    except (OSError, UnicodeError) as error:
        raise BridgeError(f"{url}: cannot find the host {target.host}") from error
    family, kind, protocol, _, address = found[0]
    port = socket.socket(family, kind, protocol)
    try:
        if wanted == socket.SOCK_STREAM:
            # A port that was just closed can be had again; on Windows this would share it.
            port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name == "posix")
        else:
            port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        port.bind(address)
        return target, StreamPort(port) if wanted == socket.SOCK_STREAM else port
    except OSError as error:
        port.close()
        raise BridgeError(f"{url}: {_why(error, target)}") from error


def _why(error: OSError, target: Target) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"another program listens on port {target.port} already; close it or take another"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{target.host} is not this machine; listen on {target.scheme}://0.0.0.0"
    return f"cannot listen on port {target.port}: {error.strerror}"


def receive(port: socket.socket | StreamPort, timeout: float) -> tuple[bytes, str] | None:
    """The next packet and who sent it, or None when none came within ``timeout`` seconds."""
    if isinstance(port, StreamPort):
        return port.receive(timeout)
    port.settimeout(max(timeout, 0.001))
    try:
        datagram, sender = port.recvfrom(LARGEST)
    except TimeoutError:
        return None
    return datagram, f"{sender[0]}:{sender[1]}"


@dataclass
class Stream:
    """Frames of one sender, rig or subject, by the times they arrived."""

    frames: int = 0
    first: float = 0.0
    last: float = 0.0
    intervals: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_INTERVALS))

    def arrived(self, now: float) -> None:
        """Count one frame at ``now`` seconds."""
        if self.frames:
            self.intervals.append(now - self.last)
        else:
            self.first = now
        self.frames += 1
        self.last = now

    @property
    def rate(self) -> float:
        """Frames per second between the first and the last frame."""
        return (self.frames - 1) / (self.last - self.first) if self.last > self.first else 0.0

    def recent(self, now: float) -> int:
        """Frames that arrived within the last second."""
        count, at = 0, self.last
        for interval in reversed(self.intervals):
            if now - at > 1:
                return count
            count, at = count + 1, at - interval
        return count + (self.frames > 0 and now - self.first <= 1)

    def jitter(self) -> dict[str, float]:
        """Milliseconds between frames: p50, p95, p99, max; of the last ten minutes at 60 fps."""
        if not self.intervals:
            return {}
        ordered = np.array(self.intervals) * 1000
        p50, p95, p99, top = np.percentile(ordered, [50, 95, 99, 100])
        return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(top)}


@dataclass(frozen=True)
class Reading:
    """What one datagram said."""

    values: Mapping[str, Any]
    """Names and what they are set to: a float, or a tuple of arguments."""
    ended: tuple[str, ...] = ()
    """Streams of which this datagram completes a frame."""


class Monitor:
    """Reads datagrams of one protocol; what is malformed is counted and described."""

    def __init__(self, scheme: str) -> None:
        """Begin with nothing heard.

        Args:
            scheme: key of `READERS`.
        """
        self._read = READERS[scheme]
        self.packets = 0
        self.bytes = 0
        self.malformed = 0
        self.reasons: Counter[str] = Counter()
        self.values: dict[str, Any] = {}
        self.streams: dict[str, Stream] = {}
        self._framed: set[str] = set()

    def feed(self, datagram: bytes, sender: str, now: float) -> Reading | None:
        """Take one datagram in.

        Args:
            datagram: as it arrived, from anyone.
            sender: its address; streams without any sign of frames are known by it.
            now: seconds at which it arrived.

        Returns:
            What it said, or None when it is malformed.
        """
        self.packets += 1
        self.bytes += len(datagram)
        try:
            reading = self._read(datagram, sender)
        except BridgeError as error:
            self.malformed += 1
            if str(error) in self.reasons or len(self.reasons) < MOST_REASONS:
                self.reasons[str(error)] += 1
            return None
        for name, value in reading.values.items():
            if name in self.values or len(self.values) < MOST_NAMES:
                self.values[name] = value
        self._count(reading, sender, now)
        return reading

    def _count(self, reading: Reading, sender: str, now: float) -> None:
        if reading.ended and sender not in self._framed and len(self._framed) < MOST_STREAMS:
            self._framed.add(sender)
            self.streams.pop(sender, None)
        ended = reading.ended or (() if sender in self._framed else (sender,))
        for name in ended:
            if name in self.streams or len(self.streams) < MOST_STREAMS:
                self.streams.setdefault(name, Stream()).arrived(now)

    def summary(self) -> dict[str, Any]:
        """Everything counted, for JSON."""
        return {
            "packets": self.packets,
            "bytes": self.bytes,
            "malformed": self.malformed,
            "reasons": dict(self.reasons),
            "streams": {
                name: {"frames": s.frames, "rate": s.rate, "interval_ms": s.jitter()}
                for name, s in self.streams.items()
            },
            "values": dict(self.values),
        }


def _read_osc(datagram: bytes, sender: str) -> Reading:
    messages = read_osc(datagram)
    ended = (m.address.removesuffix("/time") for m in messages if m.address.endswith("/time"))
    return Reading(dict(_named(messages)), tuple(ended))


def _named(messages: list[Received]) -> Iterator[tuple[str, Any]]:
    for m in messages:
        yield m.address, m.arguments[0] if len(m.arguments) == 1 else m.arguments


_NAMED_VMC: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "/VMC/Ext/Blend/Val": (str, float),
        "/VMC/Ext/Bone/Pos": (str, *[float] * 7),
        "/VMC/Ext/Root/Pos": (str, *[float] * 7),
        "/VMC/Ext/OK": (int,),
        "/VMC/Ext/T": (float,),
    }
)
"""Arguments that receivers count on; further ones are allowed, fewer stop some of them."""


def _read_vmc(datagram: bytes, sender: str) -> Reading:
    values: dict[str, Any] = {}
    ended: tuple[str, ...] = ()
    for address, given in ((m.address, m.arguments) for m in read_osc(datagram)):
        kinds = _NAMED_VMC.get(address, ())
        wrong = len(given) < len(kinds) or any(
            not isinstance(argument, kind) for argument, kind in zip(given, kinds, strict=False)
        )
        if wrong:
            raise BridgeError(f"{address} with arguments {', '.join(map(_kind, given)) or 'none'}")
        if address == "/VMC/Ext/Blend/Apply":
            ended = (sender,)
        elif kinds and kinds[0] is str:
            values[given[0]] = given[1] if len(given) == 2 else given[1:]
        else:
            values[address] = given[0] if len(given) == 1 else given
    return Reading(values, ended)


def _kind(argument: Any) -> str:
    return type(argument).__name__


def _read_livelink(datagram: bytes, sender: str) -> Reading:
    packet = livelink.decode(datagram)
    where = f"{packet.subject}/" if packet.subject else ""
    values: dict[str, Any] = {f"{where}frame": packet.frame}
    if packet.values is not None:
        named = zip(LIVE_LINK_UDP, packet.values.tolist(), strict=True)
        values |= {f"{where}{name}": value for name, value in named}
    return Reading(values, (packet.subject,))


def _read_ifacialmocap(datagram: bytes, sender: str) -> Reading:
    packet = ifacialmocap.decode(datagram)
    turns = {"head": packet.head, "rightEye": packet.right_eye, "leftEye": packet.left_eye}
    return Reading({**packet.curves, **turns}, (sender,))


def _read_facecap(datagram: bytes, sender: str) -> Reading:
    values = facecap.decode(read_osc(datagram))
    return Reading(values, (sender,) if "/HT" in values else ())


def _read_vrchat(datagram: bytes, sender: str) -> Reading:
    values = dict(_named(read_osc(datagram)))
    ended = any(name.endswith("/EyeTrackingActive") for name in values)
    return Reading(values, (sender,) if ended else ())


READERS: Mapping[str, Callable[[bytes, str], Reading]] = MappingProxyType(
    {
        "osc": _read_osc,
        "osc+tcp": _read_osc,
        "vmc": _read_vmc,
        "livelink": _read_livelink,
        "ifacialmocap": _read_ifacialmocap,
        "facecap": _read_facecap,
        "vrchat": _read_vrchat,
    }
)
"""Schemes that can be listened to."""
