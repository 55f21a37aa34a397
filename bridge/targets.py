"""Targets are URLs: ``osc://host:9000``, ``vmc://host``, ``livelink://[::1]:11111?subject=Anna``."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit

from freeavatar.rigs.spec import Rig

from . import addresses, facecap, ifacialmocap, livelink, osc, vmc, vrchat
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
    return osc.OscSender(rig, target.host, target.port, template=_template(target))


def _open_osc_tcp(target: Target, rig: Rig, rate: float) -> Sink:
    framing = target.options.get("framing", "1.1")
    if framing not in osc.FRAMINGS:
        able = " or ".join(osc.FRAMINGS)
        raise BridgeError(f"{target.url}: the framing is OSC {able}, not {framing!r}")
    template = _template(target)
    return osc.OscStreamSender(rig, target.host, target.port, template=template, framing=framing)


def _template(target: Target) -> str:
    prefix, address = target.options.get("prefix", ""), target.options.get("address")
    try:
        if address is None:
            return addresses.prefix_template(prefix)
        if prefix:
            raise BridgeError("?address= holds the whole address; leave ?prefix= out")
        return addresses.read_template(address)
    except BridgeError as error:
        raise BridgeError(f"{target.url}: {error}") from error


def _open_vmc(target: Target, rig: Rig, rate: float) -> Sink:
    return vmc.VmcSender(rig, target.host, target.port)


def _open_livelink(target: Target, rig: Rig, rate: float) -> Sink:
    subject = target.options.get("subject", "{rig}").replace("{rig}", rig.name)
    # The app counts 60 a second; a faster source needs its own rate, or two frames share a number.
    asked = target.options.get("fps", str(max(60, rate)))
    return livelink.LiveLinkSender(
        rig, target.host, target.port, subject=subject or rig.name, rate=_rate(target.url, asked)
    )


def _open_ifacialmocap(target: Target, rig: Rig, rate: float) -> Sink:
    options = target.options
    listen, version = options.get("listen", "0"), options.get("version", "1")
    if listen not in ("0", "1"):
        raise BridgeError(f"{target.url}: listen is 1 or 0, not {listen!r}")
    if version not in ifacialmocap.SEPARATORS:
        raise BridgeError(f"{target.url}: version is 1 or 2, not {version!r}")
    if listen == "0":
        separator = ifacialmocap.SEPARATORS[version]
        return ifacialmocap.IFacialMocapSender(rig, target.host, target.port, separator=separator)
    if "version" in options:
        raise BridgeError(f"{target.url}: receivers that ask name the version; leave it out")
    return ifacialmocap.IFacialMocapPhone(rig, target.host, target.port)


def _open_facecap(target: Target, rig: Rig, rate: float) -> Sink:
    return facecap.FaceCapSender(rig, target.host, target.port)


def _open_vrchat(target: Target, rig: Rig, rate: float) -> Sink:
    # Imported when used: looking for VRChat brings a network library along.
    from .vrchat.sender import VrchatSender

    return VrchatSender(
        rig,
        target.host,
        target.port,
        listen=target.options.get("listen") or vrchat.LOOPBACK,
        search=_flag(target, "oscquery", "1") and not _flag(target, "all", "0"),
        eyes=_flag(target, "eyes", "0"),
    )


def _flag(target: Target, name: str, default: str) -> bool:
    said = target.options.get(name, default)
    if said not in ("0", "1"):
        raise BridgeError(f"{target.url}: {name} is 1 or 0, not {said!r}")
    return said == "1"


_OSC = ("prefix", "address")
SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "osc": Scheme(port=osc.DEFAULT_PORT, options=_OSC, title="OSC", open=_open_osc),
        "vmc": Scheme(port=vmc.DEFAULT_PORT, options=(), title="VMC protocol", open=_open_vmc),
        "livelink": Scheme(
            port=livelink.DEFAULT_PORT,
            options=("subject", "fps"),
            title="Live Link Face",
            open=_open_livelink,
        ),
        "osc+tcp": Scheme(
            port=osc.DEFAULT_PORT,
            options=(*_OSC, "framing"),
            title="OSC over TCP",
            open=_open_osc_tcp,
        ),
        "ifacialmocap": Scheme(
            port=ifacialmocap.DEFAULT_PORT,
            options=("version", "listen"),
            title="iFacialMocap",
            open=_open_ifacialmocap,
        ),
        "facecap": Scheme(
            port=facecap.DEFAULT_PORT, options=(), title="Face Cap", open=_open_facecap
        ),
        "vrchat": Scheme(
            port=vrchat.DEFAULT_PORT,
            options=("oscquery", "all", "listen", "eyes"),
            title="VRChat",
            open=_open_vrchat,
        ),
    }
)


def open_target(url: str, rig: Rig, *, rate: float) -> Sink:
    """Open a sender.

    Args:
        url: ``scheme://host[:port][?option=value]``. Without a port the protocol's usual one is
            taken. ``osc`` and ``osc+tcp`` take ``address`` (default
            ``/freeavatar/{rig}/{control}``) or ``prefix`` (all of it before ``/{control}``),
            ``osc+tcp`` also ``framing`` (1.1 or 1.0); ``livelink`` takes ``subject`` (default: the
            rig's name) and ``fps`` (default 60). ``{rig}`` stands for the rig's name.
            ``ifacialmocap`` takes ``version`` (1 or 2), or ``listen=1``: host and port are then
            this machine's own, at which receivers ask for the stream. ``vrchat`` takes
            ``oscquery=0`` (do not look for VRChat) or ``all=1``, both of which send every name,
            ``listen`` (address of ours that VRChat tells of a new avatar, default loopback) and
            ``eyes=1`` (move VRChat's own eyes too).
        rig: whose frames will be sent.
        rate: nominal frames per second of the source.

    Returns:
        A sink; its ``sender`` counts ``sent`` and ``errors``, over TCP also ``dropped``.

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
