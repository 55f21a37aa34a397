"""A terminal that hands over single keys, and is left as it was found whatever ends the program.

Leaving by a return, an error or Ctrl-C restores it here; Ctrl-Z restores it while the program is
stopped. For an end that runs no code of ours (a kill, a crash in a driver), a shell waits on a pipe
that breaks with us and restores the terminal, if it is still as we left it.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import termios
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_GUARD = """\
exec 3<&1
IFS= read -r _ && exit 0
[ "$(stty -g <&3)" = "$2" ] && exec stty "$1" <&3
"""
"""Ends at a line; at the end of its input restores settings $1 where $2 are in force."""


class KeyTerminal:
    """Cbreak mode of one terminal: keys arrive at once and unseen, Ctrl-C and Ctrl-Z still act."""

    def __init__(self, terminal: int) -> None:
        """Remember how the terminal is, and switch it unless another program has it.

        Args:
            terminal: file descriptor.

        Raises:
            termios.error: it is no terminal.
        """
        self._terminal = terminal
        self._found = termios.tcgetattr(terminal)
        self._found_text = _settings(terminal)
        self._guard: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._previous: dict[int, Any] = {}
        self._take_signals()
        atexit.register(self.close)
        self._enter()

    def in_front(self) -> bool:
        """Whether the terminal is ours now; touching it from the background would stop us.

        Raises:
            OSError: the terminal is gone.
        """
        try:
            return os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:
            # Of a terminal that does not control this program nobody can take it away.
            termios.tcgetattr(self._terminal)
            return True

    def close(self) -> None:
        """Leave the terminal as it was found. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._previous.items():
                signal.signal(number, handler)
        self._leave()
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.write(b"done\n")
                self._guard.stdin.close()
            self._guard.wait()

    def _enter(self) -> None:
        with contextlib.suppress(termios.error, OSError):
            if self._closed or not self.in_front():
                return
            mode = termios.tcgetattr(self._terminal)
            mode[3] &= ~(termios.ECHO | termios.ICANON)
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self._terminal, termios.TCSANOW, mode)
            if self._guard is None and self._found_text:
                self._guard = _guard(self._terminal, self._found_text)

    def _leave(self) -> None:
        with contextlib.suppress(termios.error, OSError):
            if self.in_front():
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._found)

    def _take_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        # A shell that ignores Ctrl-Z for us means it.
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            self._previous[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._suspend)
        self._previous[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._resume)

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # stopped in here until SIGCONT
        if not self._closed:
            signal.signal(signal.SIGTSTP, self._suspend)
            self._enter()

    def _resume(self, number: int, frame: FrameType | None) -> None:
        self._enter()
        previous: Callable[[int, FrameType | None], Any] | Any = self._previous.get(signal.SIGCONT)
        if callable(previous):
            previous(number, frame)


def _settings(terminal: int) -> str:
    """The terminal's settings as stty writes and reads them; empty where there is no stty."""
    try:
        done = subprocess.run(["stty", "-g"], stdin=terminal, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _guard(terminal: int, found: str) -> "subprocess.Popen[bytes] | None":
    # A session of its own: it hears no Ctrl-C, and may set a terminal that is another's.
    command = ["sh", "-c", _GUARD, "freeavatar-terminal-guard", found, _settings(terminal)]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
