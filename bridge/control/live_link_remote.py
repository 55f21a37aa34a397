"""The remote control of the Live Link Face app, so that a stage's controllers find what they know.

Confirmed by Epic's page on the app ("Controlling Live Link Face through OSC"), by the source of
Epic's Switchboard and by a public Chataigne module: ``/RecordStart`` slate take is answered with
``/RecordStartConfirm`` timecode; ``/RecordStop`` with ``/RecordStopConfirm`` timecode, CSV path,
film path; ``/BatteryQuery`` with ``/Battery`` f (0..1); ``/ThermalsQuery`` with ``/Thermals`` i;
``/OSCSetSendTarget`` ip port with ``/OSCSetSendTargetConfirm`` at the new target;
``/ARSessionStart`` and ``/ARSessionStop`` with their ``Confirm``; ``/LiveLinkSubject`` name,
``/Slate`` name, ``/Take`` number and ``/VideoDisplayOn`` or ``Off`` with nothing. Switchboard sends
``/OSCAddSendTarget`` instead and waits for ``/OSCAddSendTargetConfirm``; it and other controllers
put a 1 behind commands that take nothing.

Not confirmed: how the app writes a timecode (the page says it is always ``00:00:00.000``; ours is
the time of day as in the app's takes), ``/OSCGetSendTarget`` (in none of these sources; answered
with ``/OSCGetSendTargetConfirm`` ip port), and what the app does when it cannot record (ours
answers ``/freeavatar/refused``). The battery is always full and the thermal state nominal here, and
an AR session that stops is a pause. The display, the stream and its targets are not changed from
here (``--to`` chooses them), and ``/Transport`` is not served: it would send files to whoever asks.
"""

import ipaddress
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from freeavatar.bridge.osc_reading import Received
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes.timecode import timecode_at

from .addresses import Asked, Reply
from .arguments import fit, text, whole, without_press
from .commands import Pause, Record, SetSubject, StopRecording

NOMINAL = 0
"""Thermal state of a phone that is not warm."""
_SILENT = (
    *("/VideoDisplayOn", "/VideoDisplayOff", "/LiveLinkStreamStart", "/LiveLinkStreamStop"),
    *("/AddLiveLinkAddress", "/ClearAllLiveLinkAddresses"),
)
"""Commands that the app answers with nothing and that change nothing here."""

Given = tuple[Any, ...]


def time_of_day() -> str:
    """The local time as a timecode, ``HH:MM:SS:FF.mmm``."""
    now = time.time()
    local = time.localtime(now)
    return timecode_at(local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec + now % 1)


class LiveLinkRemote:
    """Reads the app's commands; remembers the slate, take and send target that were set."""

    def __init__(
        self,
        *,
        ipv6: bool = False,
        timecode: Callable[[], str] = time_of_day,
        recorded: Callable[[], tuple[str, str]] = lambda: ("", ""),
    ) -> None:
        """Begin as the app does, without a send target.

        Args:
            ipv6: whether replies leave from an IPv6 socket, which reaches both kinds of address.
            timecode: of the moment.
            recorded: paths of the CSV and the film recorded last, empty where there is none.
        """
        self._ipv6, self._timecode, self._recorded = ipv6, timecode, recorded
        self._slate = ""
        self._take: int | None = None
        self.target: tuple[str, int] | None = None
        """Address and port that replies go to; None: to whoever asked."""
        self._readers: Mapping[str, Callable[[Given], Asked]] = MappingProxyType(
            {
                "/RecordStart": self._record_start,
                "/RecordStop": self._record_stop,
                "/LiveLinkSubject": lambda given: Asked(SetSubject(*fit(given, text, needed=1))),
                "/Slate": self._set_slate,
                "/Take": self._set_take,
                "/ARSessionStart": lambda given: self._session(given, "Start"),
                "/ARSessionStop": lambda given: self._session(given, "Stop"),
                "/BatteryQuery": lambda given: _answer(given, "/Battery", 1.0),
                "/ThermalsQuery": lambda given: _answer(given, "/Thermals", NOMINAL),
                "/OSCSetSendTarget": lambda given: self._set_target(given, "Set"),
                "/OSCAddSendTarget": lambda given: self._set_target(given, "Add"),
                "/OSCGetSendTarget": self._get_target,
                **dict.fromkeys(_SILENT, lambda given: Asked()),
            }
        )

    def read(self, message: Received) -> Asked | None:
        """What one of the app's commands asks for.

        Returns:
            None where the address is none of the app's.

        Raises:
            BridgeError: wrong arguments or values.
        """
        reader = self._readers.get(message.address)
        return reader(message.arguments) if reader else None

    def _record_start(self, given: Given) -> Asked:
        # Some controllers add a description.
        slate, take, *_ = [*fit(without_press(given), text, whole, text), None, None]
        chosen = self._take if take is None else take
        command = Record(slate or self._slate, chosen)
        return Asked(command, lambda: Reply("/RecordStartConfirm", (self._timecode(),)))

    def _record_stop(self, given: Given) -> Asked:
        fit(without_press(given))
        return Asked(
            StopRecording(),
            lambda: Reply("/RecordStopConfirm", (self._timecode(), *self._recorded())),
        )

    def _set_slate(self, given: Given) -> Asked:
        self._slate = Record(*fit(given, text, needed=1)).slate
        return Asked()

    def _set_take(self, given: Given) -> Asked:
        self._take = Record("", *fit(given, whole, needed=1)).take
        return Asked()

    def _session(self, given: Given, what: str) -> Asked:
        fit(without_press(given))
        return Asked(Pause(what == "Stop"), lambda: Reply(f"/ARSession{what}Confirm"))

    def _set_target(self, given: Given, what: str) -> Asked:
        host, port = fit(given, text, whole, needed=2)
        self.target = self._checked(host, port)
        return Asked(confirm=lambda: Reply(f"/OSC{what}SendTargetConfirm"))

    def _get_target(self, given: Given) -> Asked:
        fit(without_press(given))
        host, port = self.target or ("", 0)
        reply = Reply("/OSCGetSendTargetConfirm", (host.removeprefix("::ffff:"), port))
        return Asked(confirm=lambda: reply)

    def _checked(self, host: str, port: int) -> tuple[str, int]:
        # Names are not looked up: a stranger's packet must not make us ask a name server.
        try:
            address = ipaddress.ip_address(host)
        except ValueError as error:
            raise BridgeError(f"{host[:60]!r} is no IP address to send to") from error
        if address.is_multicast or address.is_unspecified:
            raise BridgeError(f"{address} is no machine's address to send to")
        if not 0 < port < 65536:
            raise BridgeError(f"{port} is no port to send to")
        if address.version == 6 and not self._ipv6:
            raise BridgeError("the port listens on IPv4; give an IPv4 address to send to")
        return f"::ffff:{address}" if self._ipv6 and address.version == 4 else str(address), port


def _answer(given: Given, address: str, value: float) -> Asked:
    fit(without_press(given))
    return Asked(confirm=lambda: Reply(address, (value,)))
