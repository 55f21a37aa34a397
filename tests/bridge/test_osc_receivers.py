"""Generic OSC reaches programs and libraries we did not write, over UDP and TCP, to float32."""

import contextlib
import importlib
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer
from pythonosc.osc_tcp_server import ThreadingOSCTCPServer

from freeavatar.bridge.targets import open_target
from freeavatar.rigs.spec import Rig, RigFrame

RECEIVERS = Path(__file__).resolve().parent.parent / "receivers"
PATIENCE = 60
PRINTED = 6e-7
"""oscdump prints six decimals."""


class Heard:
    """Messages in the order in which a receiver told of them."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, tuple[Any, ...]]] = []
        self._changed = threading.Condition()

    def add(self, address: str, *arguments: Any) -> None:
        """One message."""
        with self._changed:
            self.messages.append((address, arguments))
            self._changed.notify_all()

    def wait(self, enough: Callable[[], bool]) -> None:
        """Until what arrived is enough."""
        with self._changed:
            assert self._changed.wait_for(enough, PATIENCE), f"only {len(self.messages)} messages"

    def count(self, last: str) -> int:
        """Messages whose address ends so."""
        return sum(address.endswith(last) for address, _ in self.messages)

    def read(self, pipe: Any, parse: Callable[[str], tuple[Any, ...]]) -> None:
        """Add the lines of a program as they come."""
        for line in pipe:
            self.add(*parse(line))


def program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed (apt: liblo-tools, nodejs)")
    return found


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _dumped(line: str) -> tuple[Any, ...]:
    _, address, types, *values = line.split()
    return (address, *(int(v) if t == "i" else float(v) for t, v in zip(types, values)))  # noqa: B905


@contextlib.contextmanager
def dumping(heard: Heard, port: int, *, tcp: bool) -> Iterator[subprocess.Popen[str]]:
    """oscdump, listening."""
    where = f"osc.tcp://:{port}/" if tcp else str(port)
    command = [program("oscdump"), "-L", where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        threading.Thread(target=heard.read, args=(running.stdout, _dumped), daemon=True).start()
        _until_bound(port, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        try:
            yield running
        finally:
            running.kill()


def _until_bound(port: int, kind: socket.SocketKind) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return
        time.sleep(0.01)
    raise AssertionError("the receiver did not start")


@contextlib.contextmanager
def oscdump(heard: Heard, *, tcp: bool) -> Iterator[str]:
    port = free_port(socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    with dumping(heard, port, tcp=tcp):
        yield f"osc+tcp://127.0.0.1:{port}" if tcp else f"osc://127.0.0.1:{port}"


@contextlib.contextmanager
def python_osc(heard: Heard, *, tcp: str = "") -> Iterator[str]:
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: heard.add(address, *values))
    here = ("127.0.0.1", 0)
    if tcp:
        ThreadingOSCTCPServer.daemon_threads = True
        server: Any = ThreadingOSCTCPServer(here, dispatcher, mode=tcp)
    else:
        server = ThreadingOSCUDPServer(here, dispatcher)
        # One thread a datagram would lose their order.
        server.process_request = lambda *request: server.finish_request(*request)
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kind = f"osc+tcp://127.0.0.1:{{}}?framing={tcp}" if tcp else "osc://127.0.0.1:{}"
        yield kind.format(server.server_address[1])
        server.shutdown()


@contextlib.contextmanager
def npm_osc(heard: Heard, *, tcp: bool) -> Iterator[str]:
    if not (RECEIVERS / "node_modules" / "osc").is_dir():
        pytest.skip("npm install --prefix tests/receivers --package-lock=false was not run")
    command = [program("node"), str(RECEIVERS / "osc_receiver.mjs"), "tcp" if tcp else "udp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        port = int(running.stdout.readline())
        threading.Thread(target=heard.read, args=(running.stdout, json.loads), daemon=True).start()
        yield f"{'osc+tcp' if tcp else 'osc'}://127.0.0.1:{port}"
        running.kill()


@contextlib.contextmanager
def osc4py3(heard: Heard) -> Iterator[str]:
    pytest.importorskip("osc4py3", reason="osc4py3 is not installed (pip install osc4py3)")
    osc: Any = importlib.import_module("osc4py3.as_eventloop")
    scheme: Any = importlib.import_module("osc4py3.oscmethod")
    port, over = free_port(socket.SOCK_DGRAM), threading.Event()

    def serve() -> None:
        while not over.wait(0.002):
            osc.osc_process()

    osc.osc_startup()
    osc.osc_udp_server("127.0.0.1", port, "ear")
    osc.osc_method("/*", heard.add, argscheme=scheme.OSCARG_ADDRESS + scheme.OSCARG_DATAUNPACK)
    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    yield f"osc://127.0.0.1:{port}"
    over.set()
    serving.join(PATIENCE)
    osc.osc_terminate()


LISTENERS: dict[str, tuple[Callable[[Heard], Any], float]] = {
    "oscdump": (lambda heard: oscdump(heard, tcp=False), PRINTED),
    "oscdump tcp": (lambda heard: oscdump(heard, tcp=True), PRINTED),
    "python-osc": (python_osc, 0),
    "python-osc tcp": (lambda heard: python_osc(heard, tcp="1.1"), 0),
    "python-osc tcp 1.0": (lambda heard: python_osc(heard, tcp="1.0"), 0),
    "osc4py3": (osc4py3, 0),
    "npm osc": (lambda heard: npm_osc(heard, tcp=False), 0),
    "npm osc tcp": (lambda heard: npm_osc(heard, tcp=True), 0),
}


def expected(rig: Rig, frames: list[RigFrame], start: str) -> dict[str, Any]:
    """What every address must have said, in order."""
    said: dict[str, Any] = {
        f"{start}{name}": [[f.values[k]] for f in frames] for k, name in enumerate(rig.names)
    }
    said[f"{start}head"] = [f.head for f in frames]
    said[f"{start}eyes"] = [f.eyes.reshape(6) for f in frames]
    said[f"{start}time"] = [[np.float32(f.time)] for f in frames]
    said[f"{start}found"] = [[int(f.found)] for f in frames]
    return said


def check(heard: Heard, wanted: dict[str, Any], tolerance: float) -> None:
    said: dict[str, list[Any]] = {}
    for address, values in heard.messages:
        said.setdefault(address, []).append(values)
    assert said.keys() == wanted.keys()
    for address, values in wanted.items():
        np.testing.assert_allclose(
            np.array(said[address]), np.array(values, float), rtol=0, atol=tolerance
        )


@pytest.mark.parametrize("name", LISTENERS)
def test_every_value_arrives_to_float32(name: str, arkit_rig: Rig, perform: Any) -> None:
    heard, (listen, tolerance) = Heard(), LISTENERS[name]
    frames = perform(arkit_rig, 40)
    with listen(heard) as url:
        sink: Any = open_target(url, arkit_rig, rate=60)
        for frame in frames:
            sink.send(frame)
            time.sleep(0.005)
        wanted = expected(arkit_rig, frames, "/freeavatar/arkit/")
        heard.wait(lambda: len(heard.messages) >= len(wanted) * len(frames))
        sink.close()
    check(heard, wanted, tolerance)
    assert (sink.sender.errors, getattr(sink.sender, "dropped", 0)) == (0, 0)


@pytest.mark.parametrize("listen", [python_osc, lambda heard: python_osc(heard, tcp="1.1")])
def test_the_address_template_reaches_receivers(listen: Any, odd_rig: Rig, perform: Any) -> None:
    heard, frame = Heard(), perform(odd_rig, 1)[0]
    with listen(heard) as url:
        template = "address=/avatar/{rig}/face_{control}/set"
        sink = open_target(f"{url}{'&' if '?' in url else '?'}{template}", odd_rig, rate=60)
        sink.send(frame)
        heard.wait(lambda: len(heard.messages) >= 7)
        sink.close()
    start = "/avatar/fox%202/face_"
    controls = ("jaw%20open", "Grimace%2Fleft", "%68ead")
    wanted = {f"{start}{c}/set": [[v]] for c, v in zip(controls, frame.values, strict=True)}
    wanted |= {f"{start}head/set": [frame.head], f"{start}eyes/set": [frame.eyes.reshape(6)]}
    wanted |= {f"{start}time/set": [[frame.time]], f"{start}found/set": [[int(frame.found)]]}
    check(heard, wanted, 0)


def test_a_stopped_receiver_delays_nobody_and_never_gets_half_a_packet(
    arkit_rig: Rig, perform: Any
) -> None:
    """oscdump stands still while python-osc is fed at 60 frames a second."""
    stuck, lively = Heard(), Heard()
    port = free_port(socket.SOCK_STREAM)
    frames = perform(arkit_rig, 180)
    took = []
    with dumping(stuck, port, tcp=True) as running, python_osc(lively, tcp="1.1") as url:
        slow: Any = open_target(f"osc+tcp://127.0.0.1:{port}", arkit_rig, rate=60)
        fast: Any = open_target(url, arkit_rig, rate=60)
        slow.send(frames[0])
        stuck.wait(lambda: stuck.count("/found") == 1)
        running.send_signal(signal.SIGSTOP)
        while slow.sender.dropped < 100:
            slow.send(frames[0])
        filled, began = slow.sender.sent, time.perf_counter()
        for frame in frames:
            time.sleep(max(0.0, began + frame.time - time.perf_counter()))
            start = time.perf_counter()
            slow.send(frame)
            fast.send(frame)
            took.append(time.perf_counter() - start)
        lively.wait(lambda: lively.count("/found") == len(frames))
        # The system's buffers may still grow a little.
        assert slow.sender.sent - filled < len(frames) / 2, "the stopped receiver took frames"

        filled = slow.sender.sent
        running.send_signal(signal.SIGCONT)
        for _ in range(PATIENCE * 60):
            slow.send(frames[-1])
            if slow.sender.sent > filled + 20:
                break
            time.sleep(1 / 60)
        slow.close()
        stuck.wait(lambda: stuck.count("/found") == slow.sender.sent)
        fast.close()
    check(lively, expected(arkit_rig, frames, "/freeavatar/arkit/"), 0)
    assert fast.sender.dropped == slow.sender.errors == 0
    assert len(stuck.messages) == slow.sender.sent * 56
    assert {a for a, _ in stuck.messages} == {a for a, _ in lively.messages}
    assert np.median(took) < 0.005
    assert max(took) < 0.25


def test_a_receiver_killed_and_started_again_gets_frames_again(
    arkit_rig: Rig, perform: Any
) -> None:
    heard, port = Heard(), free_port(socket.SOCK_STREAM)
    frame = perform(arkit_rig, 1)[0]
    sink: Any = open_target(f"osc+tcp://127.0.0.1:{port}", arkit_rig, rate=60)
    for _ in range(2):
        before = heard.count("/found")
        with dumping(heard, port, tcp=True) as running:
            until = time.monotonic() + PATIENCE
            while heard.count("/found") < before + 3 and time.monotonic() < until:
                sink.send(frame)
                time.sleep(1 / 60)
            assert heard.count("/found") >= before + 3
            running.kill()
            running.wait()
            sink.send(frame)
    sink.close()
    assert sink.sender.errors >= 2
