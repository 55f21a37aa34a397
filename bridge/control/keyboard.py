"""Steers a running performance by single keys in the terminal it was started from."""

import logging
import os
import re
import select
import sys
import termios
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import IO, Any, Self

from .commands import (
    LARGEST_GAIN,
    Command,
    Gain,
    Handler,
    Mark,
    Pause,
    Recalibrate,
    Record,
    Stop,
    StopRecording,
)
from .terminal import KeyTerminal

log = logging.getLogger(__name__)

GAIN_STEP = 0.05
NOTICE = 0.5
"""Seconds after which a terminal that was another's is looked at again."""
HELP = "space mark   n neutral   p pause   r record   + - gain of all   q stop   ? these keys"

_ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""What an arrow, a function key or Alt with a key sends: several characters that are no keys."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Keyboard:
    """Turns keys into commands, until closed; a context manager.

    Space marks, n measures the neutral, p pauses, r starts or stops a recording, + and - change the
    gain of all controls by 5 %, q stops, ? prints help. Ctrl-C remains an interruption of the
    program (and stops where it arrives as a key), Ctrl-Z suspends it. Where standard input is no
    terminal nothing is done at all.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        recording: Callable[[], bool] = lambda: False,
        gain: Callable[[], float] | None = None,
        stdin: IO[Any] | None = None,
        say: Callable[[str], None] = _say,
    ) -> None:
        """Begin to read keys. Make it on the main thread, or Ctrl-Z leaves the terminal unset.

        Args:
            handle: carries commands out, one at a time, on the keyboard's own thread.
            recording: whether takes are being recorded.
            gain: of all controls at this moment; None: 1, and what the keys made of it since.
            stdin: where keys come from; None: standard input.
            say: shows one line to the person at the keys.
        """
        self._handle, self._recording, self._say = handle, recording, say
        self._own_gain = 1.0
        self._gain = gain or (lambda: self._own_gain)
        self._keys: Mapping[str, Callable[[], Command]] = MappingProxyType(
            {
                " ": Mark,
                "n": Recalibrate,
                "p": Pause,
                "r": lambda: StopRecording() if self._recording() else Record(),
                "+": lambda: self._changed_gain(GAIN_STEP),
                "-": lambda: self._changed_gain(-GAIN_STEP),
                "q": Stop,
                "\x03": Stop,
            }
        )
        self._input = _terminal_of(stdin if stdin is not None else sys.stdin)
        self._terminal: KeyTerminal | None = None
        self._thread: threading.Thread | None = None
        if self._input is not None:
            self._begin(self._input)

    @property
    def active(self) -> bool:
        """Whether there is a terminal to read keys from."""
        return self._terminal is not None

    def close(self) -> None:
        """Stop reading and leave the terminal as it was found. Safe to call twice."""
        if self._terminal is None or self._thread is None:
            return
        self._terminal.close()
        if not self._wake.closed:
            self._wake.close()
        if self._thread is not threading.current_thread():
            self._thread.join(2 * NOTICE)

    def __enter__(self) -> Self:
        """The keyboard itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the keyboard."""
        self.close()

    def _begin(self, terminal: int) -> None:
        try:
            self._terminal = KeyTerminal(terminal)
        except (termios.error, OSError) as error:
            log.info("keys are not read: %s", error)
            return
        woken, wake = os.pipe()
        self._wake = os.fdopen(wake, "wb", buffering=0)
        self._thread = threading.Thread(
            target=self._read, args=(self._terminal, terminal, woken), name="keyboard", daemon=True
        )
        self._thread.start()

    def _read(self, terminal: KeyTerminal, keys: int, woken: int) -> None:
        try:
            while True:
                if not terminal.in_front():
                    # Reading a terminal that is another's would stop the whole program.
                    if select.select([woken], [], [], NOTICE)[0]:
                        return
                    continue
                ready, _, _ = select.select([keys, woken], [], [], NOTICE)
                if woken in ready:
                    return
                if keys in ready and terminal.in_front():
                    typed = os.read(keys, 64)
                    if not typed:
                        return
                    self._typed(typed.decode(errors="ignore"))
        except (OSError, termios.error) as error:
            log.info("keys are no longer read: %s", error)
        finally:
            os.close(woken)

    def _typed(self, typed: str) -> None:
        for key in _ESCAPE.sub("", typed):
            if key == "?":
                self._say(HELP)
            elif make := self._keys.get(key.lower()):
                self._press(make)

    def _press(self, make: Callable[[], Command]) -> None:
        try:
            command = make()
            reason = self._handle(command)
        except Exception as error:
            # The keys must outlive a command that fails; q may be needed next.
            log.debug("a key failed", exc_info=True)
            reason = f"failed: {error or type(error).__name__}"
        else:
            if isinstance(command, Gain) and not reason:
                self._own_gain = command.value
        self._say(reason or _told(command))

    def _changed_gain(self, step: float) -> Gain:
        # In whole steps, so that + and - undo each other.
        steps = round(self._gain() / GAIN_STEP) + round(step / GAIN_STEP)
        return Gain("*", min(max(round(steps * GAIN_STEP, 2), 0.0), LARGEST_GAIN))


def _told(command: Command) -> str:
    if isinstance(command, Gain):
        return f"gain of all {command.value:.2f}"
    said: Mapping[type[Command], str] = {
        Mark: "mark",
        Recalibrate: "measuring the neutral",
        Pause: "pause, or on again",
        Record: "recording",
        StopRecording: "recording stopped",
        Stop: "stopping",
    }
    return said[type(command)]


def _terminal_of(stdin: IO[Any] | None) -> int | None:
    """The file descriptor of a terminal; None where there is none, as in a service or a pipe."""
    try:
        if stdin is None or not stdin.isatty():
            return None
        return stdin.fileno()
    except (ValueError, OSError):
        return None
