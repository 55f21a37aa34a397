"""What a running performance can be told, whoever says it: keyboard, OSC or a stage controller.

A command checks itself when it is made, so a handler never sees a gain that is no number or a slate
that would leave its folder.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from freeavatar.bridge.sink import BridgeError

LARGEST_GAIN = 4.0
LARGEST_TAKE = 999_999
LONGEST_TEXT = 256
"""Characters of a mark or of a control's name."""
LONGEST_NAME = 128
"""UTF-8 bytes of a slate or subject: below the longest file name, and Live Link's longest."""


@dataclass(frozen=True)
class Command:
    """Base of all commands."""


@dataclass(frozen=True)
class Recalibrate(Command):
    """Measure the actor's neutral face now."""


@dataclass(frozen=True)
class Pause(Command):
    """Hold the performance still, or go on."""

    paused: bool | None = None
    """None: the other of the two."""


@dataclass(frozen=True)
class Gain(Command):
    """Set how strongly a control follows the actor.

    Raises:
        BridgeError: the value is outside [0, 4] or no number, or the name is none.
    """

    control: str
    """Name of the control; empty or ``*``: all of them."""
    value: float
    """Factor, 0..4; 1 is as measured."""

    def __post_init__(self) -> None:
        """Check name and range."""
        _check_text("the control's name", self.control, LONGEST_TEXT)
        if not (math.isfinite(self.value) and 0 <= self.value <= LARGEST_GAIN):
            raise BridgeError(f"a gain is a number from 0 to {LARGEST_GAIN:g}, not {self.value:g}")

    @property
    def is_for_all(self) -> bool:
        """Whether every control is meant."""
        return self.control in ("", "*")


@dataclass(frozen=True)
class Record(Command):
    """Begin to record takes.

    Raises:
        BridgeError: the slate cannot be part of a file's name, or the take number is out of range.
    """

    slate: str = ""
    """Name of what is recorded; empty: the one in use."""
    take: int | None = None
    """Take number, 0..999999; None: the next one."""

    def __post_init__(self) -> None:
        """Check that files can be named so."""
        _check_name("a slate", self.slate)
        if any(c in self.slate for c in '/\\:*?"<>|') or self.slate.startswith("."):
            raise BridgeError(
                f"the slate {self.slate!r} cannot name a file; "
                f'leave out / \\ : * ? " < > | and a dot in front'
            )
        if self.take is not None and not 0 <= self.take <= LARGEST_TAKE:
            raise BridgeError(f"a take number is from 0 to {LARGEST_TAKE}, not {self.take}")


@dataclass(frozen=True)
class StopRecording(Command):
    """End the takes that are being recorded; the performance goes on."""


@dataclass(frozen=True)
class Mark(Command):
    """Note this moment in the takes.

    Raises:
        BridgeError: the text is longer than 256 characters or not one line.
    """

    text: str = ""

    def __post_init__(self) -> None:
        """Check the text."""
        _check_text("a mark's text", self.text, LONGEST_TEXT)


@dataclass(frozen=True)
class Stop(Command):
    """End the run."""


@dataclass(frozen=True)
class SetSubject(Command):
    """Name the actor as engines know them.

    Raises:
        BridgeError: the name is empty, longer than 128 bytes or not one line.
    """

    name: str

    def __post_init__(self) -> None:
        """Check the name."""
        _check_name("a subject", self.name)
        if not self.name.strip():
            raise BridgeError("a subject needs a name")


Handler = Callable[[Command], str]
"""Carries a command out: returns "" when done, or one line that says why not.

Keyboard and port call it from threads of their own, one command at a time each.
"""


def _check_text(what: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise BridgeError(f"{what} has {len(text)} characters; {longest} are possible")
    if text and not text.isprintable():
        raise BridgeError(f"{what} is {text[:40]!r}; write it in one line without control signs")


def _check_name(what: str, name: str) -> None:
    _check_text(what, name, LONGEST_NAME)
    if len(name.encode(errors="replace")) > LONGEST_NAME:
        raise BridgeError(f"{what} is longer than {LONGEST_NAME} bytes")
