"""FreeAvatar's own OSC addresses: what each asks for and how it is answered.

``/freeavatar/mark`` [s], ``/freeavatar/neutral``, ``/freeavatar/pause`` [i|f|T|F] (nothing
toggles), ``/freeavatar/gain`` s f or f (all controls), ``/freeavatar/gain/<control>`` f
(percent-encoded as in `freeavatar.bridge.osc`), ``/freeavatar/record`` [s [i]],
``/freeavatar/stop_recording``, ``/freeavatar/quit``. Answers are ``/freeavatar/done`` s (the
address) and ``/freeavatar/refused`` ss (the address and one line that says why).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from freeavatar.bridge.osc_reading import Received
from freeavatar.bridge.sink import BridgeError

from .arguments import fit, is_released, number, switch, text, whole, without_press
from .commands import Command, Gain, Mark, Pause, Recalibrate, Record, Stop, StopRecording

PREFIX = "/freeavatar/"
LONGEST_REASON = 200
"""Characters of an answer's texts: a stranger must not get back much more than was sent."""


@dataclass(frozen=True)
class Reply:
    """One OSC message that answers."""

    address: str
    arguments: tuple[str | int | float, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a message asks for."""

    command: Command | None = None
    """To be carried out; None: nothing to do."""
    confirm: Callable[[], Reply | None] = lambda: None
    """Called once it is carried out: the answer, or None."""


def read_own(message: Received) -> Asked | None:
    """What a message to one of our addresses asks for.

    Returns:
        None where the address is not one of ours.

    Raises:
        BridgeError: wrong arguments or values; says what the address takes.
    """
    address, given = message.address, message.arguments
    if address.startswith(f"{PREFIX}gain/"):
        command: Command = _gain_of(address.removeprefix(f"{PREFIX}gain/"), given)
    elif address in (f"{PREFIX}gain", f"{PREFIX}pause"):
        command = (_gain if address.endswith("gain") else _pause)(given)
    elif address not in _BUTTONS:
        return None
    elif is_released(given):
        return Asked()
    else:
        command = _BUTTONS[address](without_press(given))
    return Asked(command, lambda: done(address))


def done(address: str) -> Reply:
    """Says that what was sent to an address is carried out."""
    return Reply(f"{PREFIX}done", (address,))


def refused(address: str, reason: str) -> Reply:
    """Says why what was sent to an address is not carried out."""
    return Reply(f"{PREFIX}refused", (address[:LONGEST_REASON], reason[:LONGEST_REASON]))


def _gain_of(part: str, given: tuple[Any, ...]) -> Gain:
    try:
        control = unquote(part, errors="strict")
    except UnicodeDecodeError as error:
        raise BridgeError("the control's name is not UTF-8") from error
    if not control:
        raise BridgeError(f"names no control; all of them have {PREFIX}gain")
    return Gain(control, *fit(given, number, needed=1))


def _gain(given: tuple[Any, ...]) -> Gain:
    if len(given) == 1:
        return Gain("*", *fit(given, number, needed=1))
    return Gain(*fit(given, text, number, needed=2))


def _pause(given: tuple[Any, ...]) -> Pause:
    return Pause(*fit(given, switch))


def _plain(command: Callable[[], Command]) -> Callable[[tuple[Any, ...]], Command]:
    def read(given: tuple[Any, ...]) -> Command:
        fit(given)
        return command()

    return read


_BUTTONS: Mapping[str, Callable[[tuple[Any, ...]], Command]] = MappingProxyType(
    {
        f"{PREFIX}mark": lambda given: Mark(*fit(given, text)),
        f"{PREFIX}neutral": _plain(Recalibrate),
        f"{PREFIX}record": lambda given: Record(*fit(given, text, whole)),
        f"{PREFIX}stop_recording": _plain(StopRecording),
        f"{PREFIX}quit": _plain(Stop),
    }
)
"""Addresses that a button can be put on: 1 presses it, 0 lets it go and does nothing."""
