"""Targets are URLs: ``osc://host:9000``, ``vmc://host``, ``livelink://[::1]:11111?subject=Anna``."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit

from freeavatar.rigs.spec import Rig

from . import livelink, osc, vmc
from .sink import BridgeError, Sink


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target URL, read and checked."""

    url: str
    scheme: str
    host: str
    port: int
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What follows the question mark."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """One protocol: where it goes by default, what may follow the ``?``, and what opens it."""

    port: int
    options: tuple[str, ...]
    title: str
    open: Callable[[Target, Rig, float], Sink]


def _open_osc(target: Target, rig: Rig, rate: float) -> Sink:
    prefix = target.options.get("prefix", "").replace("{rig}", osc.address_part(rig.name))
    prefix = prefix.rstrip("/")
    if prefix and not prefix.startswith("/"):
        prefix = f"/{prefix}"
    wrong = next((c for c in prefix if not 33 <= ord(c) < 127 or c in "#*,?[]{}"), "")
    if wrong:
        raise BridgeError(f"{target.url}: {wrong!r} cannot be part of an OSC address")
    return osc.OscSender(rig, target.host, target.port, prefix=prefix)


def _open_vmc(target: Target, rig: Rig, rate: float) -> Sink:
    return vmc.VmcSender(rig, target.host, target.port)


def _open_livelink(target: Target, rig: Rig, rate: float) -> Sink:
    subject = target.options.get("subject", "{rig}").replace("{rig}", rig.name)
    # The app counts 60 a second; a faster source needs its own rate, or two frames share a number.
    asked = target.options.get("fps", str(max(60, rate)))
    return livelink.LiveLinkSender(
        rig, target.host, target.port, subject=subject or rig.name, rate=_rate(target.url, asked)
    )


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "osc": Scheme(port=osc.DEFAULT_PORT, options=("prefix",), title="OSC", open=_open_osc),
        "vmc": Scheme(port=vmc.DEFAULT_PORT, options=(), title="VMC protocol", open=_open_vmc),
        "livelink": Scheme(
            port=livelink.DEFAULT_PORT,
            options=("subject", "fps"),
            title="Live Link Face",
            open=_open_livelink,
        ),
    }
)


def open_target(url: str, rig: Rig, *, rate: float) -> Sink:
    """Open a sender.

    Args:
        url: ``scheme://host[:port][?option=value]``. Without a port the protocol's usual one is
            taken. ``osc`` takes ``prefix`` (replaces ``/freeavatar/<rig>``), ``livelink`` takes
            ``subject`` (default: the rig's name) and ``fps`` (default 60); ``{rig}`` in a prefix
            or subject stands for the rig's name.
        rig: whose frames will be sent.
        rate: nominal frames per second of the source.

    Returns:
        A sink; its ``sender`` counts datagrams ``sent`` and ``errors``.

    Raises:
        BridgeError: the URL is wrong, the host unknown or the rig unfit for the protocol.
    """
    target = parse_target(url)
    return SCHEMES[target.scheme].open(target, rig, rate)


def parse_target(url: str, *, host: str = "") -> Target:
    """Read a target URL.

    Args:
        url: see `open_target`.
        host: taken where the URL names none, as in ``osc://:9000``; empty: that is an error.

    Raises:
        BridgeError: it is none; says which part is wrong and what is possible.
    """
    known = ", ".join(f"{name}://" for name in SCHEMES)
    try:
        parts = urlsplit(url)
        scheme, named, port = parts.scheme.lower(), parts.hostname or host, parts.port
    except ValueError as error:
        raise BridgeError(f"{url}: {error}; a target looks like osc://127.0.0.1:9000") from error
    if scheme not in SCHEMES or "://" not in url:
        raise BridgeError(f"{url}: unknown kind of target; there are {known}")
    entry = SCHEMES[scheme]
    if not named:
        raise BridgeError(f"{url}: no host; write {scheme}://127.0.0.1:{entry.port}")
    if parts.path not in ("", "/") or parts.fragment or parts.username is not None:
        raise BridgeError(f"{url}: only host, port and ?options can follow {scheme}://")
    if port == 0:
        raise BridgeError(f"{url}: port 0 cannot be sent to")
    return Target(
        url=url,
        scheme=scheme,
        host=named,
        port=port or entry.port,
        options=_options(url, parts.query, entry),
    )


def _options(url: str, query: str, scheme: Scheme) -> Mapping[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in scheme.options:
            able = ", ".join(f"?{option}=" for option in scheme.options) or "no options"
            raise BridgeError(f"{url}: unknown option {name}; {scheme.title} takes {able}")
    return MappingProxyType(options)


def _rate(url: str, text: str) -> Fraction:
    """Frames per second as a fraction: 29.97 means 30000/1001."""
    try:
        asked = float(Fraction(text)) if "/" in text else float(text)
    except (ValueError, ZeroDivisionError):
        asked = math.nan
    if not 1 <= asked <= 1000:
        raise BridgeError(f"{url}: fps must be a number from 1 to 1000, not {text!r}")
    broadcast = Fraction(round(asked) * 1000, 1001)
    if asked != round(asked) and abs(asked - float(broadcast)) < 0.01:
        return broadcast
    return Fraction(asked).limit_denominator(1001)
