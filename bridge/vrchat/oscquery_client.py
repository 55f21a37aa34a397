"""Finds VRChat on the network and keeps knowing what the avatar in use has.

Everything happens in one thread: announcing ourselves, looking for ``VRChat-Client…``, reading its
parameters when it appears, when the avatar changes, and every `REFRESH` seconds, so that a lost
datagram costs seconds and not the performance.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Sequence

import zeroconf
from zeroconf import ServiceBrowser, ServiceInfo, ServiceStateChange, Zeroconf

from freeavatar.bridge.sink import BridgeError

from . import LOOPBACK
from .oscquery_tree import fetch, parameters_of
from .parameters import ROOT, Parameter

log = logging.getLogger(__name__)

HTTP_SERVICE = "_oscjson._tcp.local."
OSC_SERVICE = "_osc._udp.local."
VRCHAT = "VRChat-Client"
"""What the names of VRChat's services begin with."""
REFRESH = 10.0
"""Seconds between readings while nothing is heard."""
RETRY = 1.0
"""Seconds after a reading that failed: VRChat announces itself before it can answer."""
RETRIES = 10
RESOLVE = 1500
"""Milliseconds to ask for the address of a service."""
MOST_SERVICES = 16

Found = Callable[[Sequence[Parameter]], None]


def announcement(name: str, host: str, towards: str, http: int, osc: int) -> list[ServiceInfo]:
    """What we say of ourselves by multicast DNS.

    Args:
        name: of this program, the only one of that name on the network.
        host: numeric address we listen at.
        towards: the target's host, which decides our address where we listen at all of them.
        http: TCP port of our tree.
        osc: UDP port where we hear OSC.
    """
    address = _facing(towards) if host in ("0.0.0.0", "::") else host
    return [
        ServiceInfo(
            service,
            f"{name}.{service}",
            port=port,
            properties={"txtvers": "1"},
            server=f"{name}.local.",
            parsed_addresses=[address],
        )
        for service, port in ((HTTP_SERVICE, http), (OSC_SERVICE, osc))
    ]


class AvatarWatch:
    """Tells what parameters the avatar has, each time they are read."""

    def __init__(self, host: str, found: Found, announced: Sequence[ServiceInfo]) -> None:
        """Begin; returns at once.

        Args:
            host: the target's. Only a VRChat at that address is believed, since any machine of
                the network can call itself one.
            found: called with all parameters of the avatar, in the watch's thread.
            announced: of `announcement`.
        """
        self._host, self._found, self._announced = host, found, announced
        self._wake = threading.Event()
        self._closing = False
        self._lock = threading.Lock()
        self._services: dict[str, None] = {}
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="vrchat-watch", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Read again now: the avatar was changed."""
        self._wake.set()

    def close(self) -> None:
        """Take the announcement back and end the thread; waits for it, a second or two."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            try:
                network = Zeroconf()
            except (OSError, zeroconf.Error) as error:
                self._say(f"cannot look for VRChat on the network: {error}")
                self._wake.wait(REFRESH)
                self._wake.clear()
                continue
            browser = ServiceBrowser(network, HTTP_SERVICE, handlers=[self._changed])
            try:
                self._announce(network)
                self._watch(network)
            finally:
                browser.cancel()
                network.close()

    def _announce(self, network: Zeroconf) -> None:
        for service in self._announced:
            try:
                # The name is unique by itself, so nobody needs to be asked for it.
                network.register_service(service, cooperating_responders=True)
            except (OSError, zeroconf.Error) as error:
                self._say(f"VRChat cannot find us, so a new avatar is noticed late: {error}")

    def _watch(self, network: Zeroconf) -> None:
        left = 0
        while not self._closing:
            if self._wake.wait(RETRY if left else REFRESH):
                self._wake.clear()
                left = RETRIES
            left = 0 if self._closing or self._read(network) else max(left - 1, 0)

    def _changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if not name.startswith(VRCHAT):
            return
        with self._lock:
            self._services.pop(name, None)
            if state_change is ServiceStateChange.Removed:
                return
            if len(self._services) < MOST_SERVICES:
                # The newest is the last.
                self._services[name] = None
        self._wake.set()

    def _read(self, network: Zeroconf) -> bool:
        """Read the newest VRChat that answers; whether there was one, or none to be asked."""
        with self._lock:
            names = list(reversed(self._services))
        for name in names:
            for address, port in self._places(network, name):
                try:
                    self._found(parameters_of(fetch(address, port, ROOT.rstrip("/"))))
                except BridgeError as error:
                    self._say(str(error))
                else:
                    self._trouble = ""
                    return True
        return not names

    def _places(self, network: Zeroconf, name: str) -> list[tuple[str, int]]:
        info = network.get_service_info(HTTP_SERVICE, name, RESOLVE)
        if info is None or not info.port:
            return []
        ours = [a for a in info.parsed_addresses() if is_at(a, self._host)]
        # VRChat announces every address it has and answers at this one, if at any.
        return [(a, info.port) for a in sorted(ours, key=LOOPBACK.__ne__)]

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.info("%s", trouble)
        self._trouble = trouble


def is_at(address: str, host: str) -> bool:
    """Whether an address is that of a host; this machine has many, all of them loopback's."""
    try:
        named = {found[4][0] for found in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return address in named or (any(map(_is_here, named)) and _is_here(address))


def _is_here(address: str | int) -> bool:
    """Whether an address is this machine's: only then can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in str(address) else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((str(address), 0))
        return True
    return False


def _facing(host: str) -> str:
    """The address of ours from which a host is reached."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return LOOPBACK
