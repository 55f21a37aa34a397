"""Keys of a real terminal become commands, and the terminal is left as it was, whatever happens."""

import io
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from freeavatar.bridge.control.commands import Command
from freeavatar.bridge.control.keyboard import HELP, Keyboard

ENOUGH = 30.0
"""Seconds after which something that should have happened has not, on however slow a machine."""

SCRIPT = """\
import os, sys, threading
from freeavatar.bridge.control.commands import Gain, Record, Stop, StopRecording
from freeavatar.bridge.control.keyboard import Keyboard

over, recording = threading.Event(), []

def handle(command):
    print("told", command, flush=True)
    if isinstance(command, Record): recording.append(1)
    if isinstance(command, StopRecording): recording.clear()
    if isinstance(command, Stop): over.set()
    return "too much" if command == Gain("*", 1.15) else ""

with Keyboard(handle, recording=lambda: bool(recording)) as keyboard:
    print("keys", keyboard.active, os.getpid(), flush=True)
    over.wait()
    if "fail" in sys.argv: raise RuntimeError("on purpose")
print("left", flush=True)
"""


class Terminal:
    """A terminal with a shell that has job control and leaves the terminal's settings alone."""

    def __init__(self, shell: str, script: Path) -> None:
        self.master, self.slave = os.openpty()
        self.found = termios.tcgetattr(self.slave)
        self.script = script
        self.shown = ""
        self.shell = subprocess.Popen(
            [shell, "-i"],
            preexec_fn=self._log_in,
            env={**os.environ, "PS1": "prompt> ", "ENV": ""},
        )
        self.wait_for("prompt> ")

    def _log_in(self) -> None:
        # Tests that are run in the background have inherited that these two are ignored.
        for key in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(key, signal.SIG_DFL)
        os.login_tty(self.slave)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read until the pattern is shown; what comes before it is forgotten."""
        until = time.monotonic() + ENOUGH
        while not (match := re.search(pattern, self.shown)):
            left = until - time.monotonic()
            assert left > 0, f"{pattern!r} is not in {self.shown!r}"
            if select.select([self.master], [], [], left)[0]:
                self.shown += os.read(self.master, 4096).decode(errors="replace")
        self.shown = self.shown[match.end() :]
        return match

    def start(self, more: str = "") -> int:
        self.type(f"{sys.executable} {self.script} {more}\n")
        return int(self.wait_for(r"keys True (\d+)\s")[1])

    def is_cbreak(self) -> bool:
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO)

    def is_as_found(self) -> bool:
        return termios.tcgetattr(self.slave) == self.found

    def close(self) -> None:
        self.shell.kill()
        self.shell.wait()
        os.close(self.master)
        os.close(self.slave)


def becomes_true(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + ENOUGH
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return true()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    shell = shutil.which("dash")
    if shell is None:
        pytest.skip("dash is not installed; other shells set the terminal themselves")
    script = tmp_path / "keys.py"
    script.write_text(SCRIPT)
    terminal = Terminal(shell, script)
    yield terminal
    terminal.close()


def test_keys_become_commands(terminal: Terminal) -> None:
    terminal.start()
    assert terminal.is_cbreak()
    for key, shown in (
        (" ", r"told Mark\(text=''\)"),
        ("n", r"told Recalibrate\(\)\s+measuring the neutral"),
        ("p", r"told Pause\(paused=None\)"),
        ("r", r"told Record\(slate='', take=None\)\s+recording"),
        ("r", r"told StopRecording\(\)"),
        ("R", r"told Record\("),
        ("+", r"told Gain\(control='\*', value=1.05\)\s+gain of all 1.05"),
        ("+", r"value=1.1\)"),
        ("+", r"value=1.15\)\s+too much"),
        ("+", r"value=1.15\)\s+too much"),
        ("-", r"value=1.05\)"),
        ("-", r"value=1.0\)"),
        ("?", re.escape(HELP)),
    ):
        terminal.type(key)
        terminal.wait_for(shown)
    # Unknown keys, arrows and the keypad's ESC O q are no keys of ours.
    terminal.type("x\x1b[A\x1bOq\x1b[15~ü\n")
    terminal.type("n")
    assert "told" not in terminal.wait_for(r"(?s)(.*?)told Recalibrate")[1]
    terminal.type("q")
    terminal.wait_for(r"told Stop\(\)\s+stopping\s+left\s+prompt> ")
    assert terminal.is_as_found()


@pytest.mark.parametrize("end", ["error", "ctrl-c", "TERM", "KILL", "SEGV", "QUIT"])
def test_the_terminal_is_restored_whatever_ends_the_program(terminal: Terminal, end: str) -> None:
    pid = terminal.start("fail" if end == "error" else "")
    assert terminal.is_cbreak()
    if end == "error":
        terminal.type("q")
        terminal.wait_for("RuntimeError: on purpose")
    elif end == "ctrl-c":
        terminal.type("\x03")
        terminal.wait_for("KeyboardInterrupt")
    else:
        os.kill(pid, signal.Signals[f"SIG{end}"])
    terminal.wait_for("prompt> ")
    assert becomes_true(terminal.is_as_found)


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(terminal: Terminal) -> None:
    terminal.start()
    for _ in range(2):
        terminal.type("\x1a")
        terminal.wait_for(r"(?i)stopped")
        terminal.wait_for("prompt> ")
        assert terminal.is_as_found()
        terminal.type("fg\n")
        assert becomes_true(terminal.is_cbreak)
        terminal.type("n")
        terminal.wait_for(r"told Recalibrate\(\)")
    terminal.type("q")
    terminal.wait_for(r"left\s+prompt> ")
    assert terminal.is_as_found()


def test_in_the_background_it_leaves_the_terminal_alone(terminal: Terminal) -> None:
    terminal.start("&")
    assert terminal.is_as_found()
    terminal.type("echo typed by q\n")
    terminal.wait_for(r"\ntyped by q")
    assert terminal.is_as_found()
    terminal.type("fg\n")
    assert becomes_true(terminal.is_cbreak)
    terminal.type("q")
    terminal.wait_for(r"told Stop\(\)")
    terminal.wait_for(r"left\s+prompt> ")
    assert terminal.is_as_found()


def test_a_terminal_that_goes_away_is_the_end_of_keys_only() -> None:
    """The program reads a terminal that is not its own; the other side is closed."""
    master, slave = os.openpty()
    told: list[Command] = []

    def handle(command: Command) -> str:
        told.append(command)
        return ""

    with os.fdopen(slave, "rb", buffering=0) as stdin:
        keyboard = Keyboard(handle, stdin=stdin, say=lambda line: None)
        assert keyboard.active
        os.write(master, b"n")
        assert becomes_true(lambda: len(told) == 1)
        thread = keyboard._thread
        assert thread is not None
        os.close(master)
        thread.join(ENOUGH)
        assert not thread.is_alive()
        keyboard.close()
        keyboard.close()


def test_the_gain_that_is_in_force_is_changed() -> None:
    master, slave = os.openpty()
    told: list[Command] = []

    def handle(command: Command) -> str:
        told.append(command)
        return ""

    with (
        os.fdopen(slave, "rb", buffering=0) as stdin,
        Keyboard(handle, stdin=stdin, gain=lambda: 3.97, say=lambda line: None),
    ):
        os.write(master, b"+-")
        assert becomes_true(lambda: len(told) == 2)
    os.close(master)
    assert [round(c.value, 6) for c in told if hasattr(c, "value")] == [4.0, 3.9]


@pytest.mark.parametrize("stdin", ["/dev/null", "pipe", "memory", "closed"])
def test_without_a_terminal_nothing_is_done(stdin: str) -> None:
    before = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    ends = os.pipe()
    inputs: dict[str, IO[Any]] = {
        "/dev/null": os.fdopen(os.open(os.devnull, os.O_RDONLY)),
        "pipe": os.fdopen(ends[0]),
        "memory": io.StringIO("q"),
        "closed": os.fdopen(ends[1], "w"),
    }
    inputs["closed"].close()
    with Keyboard(lambda command: "", stdin=inputs[stdin]) as keyboard:
        assert not keyboard.active
        assert (signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)) == before
    for opened in inputs.values():
        opened.close()
