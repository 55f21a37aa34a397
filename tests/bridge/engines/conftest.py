"""Starts engines that run our receivers and reads what they show."""

import json
import os
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from freeavatar.rigs import registry

ROOT = Path(__file__).resolve().parents[3]
ENGINES = ROOT / "bridge" / "engines"
STAGES = ROOT / "tests" / "receivers" / "engines"
MANNEQUIN = ROOT / "rigs" / "builtin" / "mannequin.glb"
ODD_NAMES = ("jaw open", "Grimace/left", "head", "a+b 50% é", "Jawopen")
"""Names that are hard to write in an OSC address, and one that differs from jawOpen by case."""
PATIENCE = 60.0
"""Seconds that a loaded machine may take for anything."""


def free_port() -> int:
    """A UDP port of this machine that nothing listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str, title: str) -> str:
    """Path of a program, or the test is skipped."""
    found = shutil.which(name)
    if not found:
        spare = "" if title.startswith("Godot") else " (optional)"
        pytest.skip(f"{title} is not installed{spare}")
    return found


class Engine:
    """An engine that prints one JSON object a line after each frame it shows."""

    def __init__(
        self, name: str, command: Sequence[str | Path], port: int, more: Mapping[str, str]
    ) -> None:
        self.name, self.port = name, port
        self.said: list[str] = []
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | more,
        )
        threading.Thread(target=self._read, daemon=True).start()
        assert self.next() == {"ready": True}

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                self._lines.put(json.loads(line))
            else:
                self.said.append(line)

    def next(self) -> dict[str, Any]:
        """The next frame that was shown."""
        try:
            return self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"{self.name} shows nothing: {''.join(self.said)}") from None

    def until(self, last: float) -> list[dict[str, Any]]:
        """The frames that are shown up to the one of a time in seconds."""
        shown = [self.next()]
        while abs(shown[-1]["time"] - last) > 1e-4:
            shown.append(self.next())
        return shown

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(PATIENCE)


def godot_variables(folder: Path) -> dict[str, str]:
    """Environment in which Godot leaves the user's own settings alone."""
    names = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    return {"LC_ALL": "C.UTF-8"} | dict.fromkeys(names, str(folder))


def godot_project(game: Path, settings: Path) -> None:
    """Add a scene to a folder that holds the mannequin and the receiver, and import it."""
    godot = program("godot3-server", "Godot")
    for part in (STAGES / "godot").iterdir():
        shutil.copy(part, game)
    settings.mkdir()
    editor = subprocess.Popen(
        [godot, "--path", game, "--editor", "--quit"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | godot_variables(settings),
    )
    # 3.2.3 often hangs after its work is done; the checksum is the last file it writes.
    began = time.monotonic()
    while not list(game.glob(".import/mannequin.glb-*.md5")):
        assert time.monotonic() - began < 2 * PATIENCE, "Godot does not import the mannequin"
        time.sleep(0.05)
    editor.kill()
    editor.wait(PATIENCE)


def start_godot(game: Path, settings: Path) -> Engine:
    """Run the scene of a project."""
    port = free_port()
    command = [program("godot3-server", "Godot"), "--path", game, "main.tscn"]
    more = godot_variables(settings) | {"FREEAVATAR_TEST_PORT": str(port)}
    return Engine("godot", command, port, more)


def _godot(folder: Path) -> Engine:
    game = folder / "game"
    game.mkdir()
    shutil.copy(MANNEQUIN, game)
    shutil.copy(ENGINES / "godot" / "freeavatar_receiver.gd", game)
    godot_project(game, folder / "settings")
    return start_godot(game, folder / "settings")


def _unity(folder: Path) -> Engine:
    mono, mcs = program("mono", "mono"), program("mcs", "mono")
    stage = folder / "stage.exe"
    sources = (ENGINES / "unity" / "FreeAvatarReceiver.cs", STAGES / "unity_stage.cs")
    subprocess.run([mcs, "-warnaserror", f"-out:{stage}", *sources], check=True)
    names, port = (*registry.load("mannequin").names, *ODD_NAMES), free_port()
    return Engine("unity", [mono, stage, str(port), *names], port, {})


def _blender(folder: Path) -> Engine:
    port = free_port()
    command: list[str | Path] = [program("blender", "Blender"), "-b", "--factory-startup", "-P"]
    command += [STAGES / "blender_stage.py", "--"]
    command += [ENGINES / "blender" / "freeavatar_receiver.py", MANNEQUIN, str(port), *ODD_NAMES]
    return Engine("blender", command, port, {})


START: Mapping[str, Callable[[Path], Engine]] = MappingProxyType(
    {"godot": _godot, "unity": _unity, "blender": _blender}
)


@pytest.fixture(scope="module", params=list(START))
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Each engine, started once, with the mannequin and our receiver in it."""
    running = START[request.param](tmp_path_factory.mktemp(request.param))
    yield running
    running.stop()


@pytest.fixture
def odd_names() -> tuple[str, ...]:
    """Names of shapes that every engine has beside the mannequin's."""
    return ODD_NAMES


@pytest.fixture
def play_game(tmp_path: Path) -> Iterator[Callable[[Path], Engine]]:
    """Runs the mannequin and the receiver that lie in a folder as a Godot game."""
    running: list[Engine] = []

    def play(game: Path) -> Engine:
        godot_project(game, tmp_path / "settings")
        running.append(start_godot(game, tmp_path / "settings"))
        return running[-1]

    program("godot3-server", "Godot")
    yield play
    for engine in running:
        engine.stop()


class Relay:
    """Hears what is sent to a port, keeps it and passes it on to another."""

    def __init__(self, to: int) -> None:
        self.heard: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._to = ("127.0.0.1", to)
        threading.Thread(target=self._pass_on, daemon=True).start()

    def _pass_on(self) -> None:
        while datagram := self._socket.recv(65535):
            self.heard.append(datagram)
            self._socket.sendto(datagram, self._to)

    def close(self) -> None:
        """End it, by a datagram without content."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", self.port))


@pytest.fixture
def relay() -> Iterator[Callable[[int], Relay]]:
    """Makes relays to ports."""
    made: list[Relay] = []

    def make(to: int) -> Relay:
        made.append(Relay(to))
        return made[-1]

    yield make
    for each in made:
        each.close()
