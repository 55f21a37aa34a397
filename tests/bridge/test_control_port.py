"""The control port: what controllers send becomes commands, what strangers send changes nothing."""

import logging
import math
import random
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_server import ThreadingOSCUDPServer

from freeavatar.bridge.control.commands import (
    Command,
    Gain,
    Mark,
    Pause,
    Recalibrate,
    Record,
    SetSubject,
    Stop,
    StopRecording,
)
from freeavatar.bridge.control.osc_port import ControlPort, parse_listen
from freeavatar.bridge.control.waiting import MOST, Job, Waiting
from freeavatar.bridge.osc import address_part
from freeavatar.bridge.osc_reading import Received, read_osc
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes.timecode import seconds_of

ENOUGH = 10.0
"""Seconds after which something that should have happened has not, on however slow a machine."""


class Stage:
    """A controller with a socket, and a handler that notes what it is told."""

    def __init__(self, listen: str = "0") -> None:
        self.told: list[Command] = []
        self.reason = ""
        self.port = ControlPort(listen, self.handle, recorded=lambda: ("a.csv", "a.mov"))
        host = "::1" if ":" in self.port.host else "127.0.0.1"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(ENOUGH)
        self.where = (host, self.port.port)

    def handle(self, command: Command) -> str:
        self.told.append(command)
        return self.reason

    def send(self, address: str, *arguments: Any) -> None:
        self.socket.sendto(message(address, *arguments), self.where)

    def answer(self) -> Received:
        (answer,) = read_osc(self.socket.recv(65535))
        return answer

    def ask(self, address: str, *arguments: Any) -> Received:
        self.send(address, *arguments)
        return self.answer()

    def close(self) -> None:
        self.port.close()
        self.socket.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def message(address: str, *arguments: Any) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return bytes(builder.build().dgram)


@pytest.mark.parametrize(
    ("address", "arguments", "command"),
    [
        ("/freeavatar/mark", ("good one",), Mark("good one")),
        ("/freeavatar/mark", (), Mark()),
        ("/freeavatar/mark", (1,), Mark()),
        ("/freeavatar/neutral", (), Recalibrate()),
        ("/freeavatar/neutral", (1.0,), Recalibrate()),
        ("/freeavatar/pause", (), Pause(None)),
        ("/freeavatar/pause", (1,), Pause(True)),
        ("/freeavatar/pause", (0,), Pause(False)),
        ("/freeavatar/pause", (0.0,), Pause(False)),
        ("/freeavatar/pause", (True,), Pause(True)),
        ("/freeavatar/pause", (False,), Pause(False)),
        ("/freeavatar/gain", ("jawOpen", 1.25), Gain("jawOpen", 1.25)),
        ("/freeavatar/gain", ("jawOpen", 2), Gain("jawOpen", 2.0)),
        ("/freeavatar/gain", ("", 0.5), Gain("", 0.5)),
        ("/freeavatar/gain", (0.5,), Gain("*", 0.5)),
        ("/freeavatar/gain/jawOpen", (0.0,), Gain("jawOpen", 0.0)),
        (f"/freeavatar/gain/{address_part('Oh là/lá *')}", (4.0,), Gain("Oh là/lá *", 4.0)),
        ("/freeavatar/record", (), Record()),
        ("/freeavatar/record", ("Scene 12", 3), Record("Scene 12", 3)),
        ("/freeavatar/record", ("Scene 12", 3.0), Record("Scene 12", 3)),
        ("/freeavatar/stop_recording", (), StopRecording()),
        ("/freeavatar/quit", (), Stop()),
    ],
)
def test_our_addresses_become_commands(
    stage: Stage, address: str, arguments: tuple[Any, ...], command: Command
) -> None:
    assert stage.ask(address, *arguments) == Received("/freeavatar/done", (address,))
    assert stage.told == [command]


@pytest.mark.parametrize("address", ["neutral", "mark", "record", "stop_recording", "quit"])
def test_a_button_that_is_let_go_does_nothing(stage: Stage, address: str) -> None:
    for released in (0, 0.0, False):
        stage.send(f"/freeavatar/{address}", released)
    assert stage.ask("/BatteryQuery").address == "/Battery"
    assert not stage.told
    assert not stage.port.ignored


@pytest.mark.parametrize(
    ("address", "arguments", "reason"),
    [
        ("/freeavatar/gain", ("jawOpen", math.nan), "from 0 to 4, not nan"),
        ("/freeavatar/gain", ("jawOpen", math.inf), "from 0 to 4, not inf"),
        ("/freeavatar/gain", ("jawOpen", -0.1), "from 0 to 4, not -0.1"),
        ("/freeavatar/gain/jawOpen", (4.01,), "from 0 to 4"),
        ("/freeavatar/gain/jawOpen", ("1",), "takes number; got str"),
        ("/freeavatar/gain/jawOpen", (True,), "takes number; got bool"),
        ("/freeavatar/gain/jawOpen", (), "takes number; got nothing"),
        ("/freeavatar/gain/", (1.0,), "names no control"),
        ("/freeavatar/gain/%ff", (1.0,), "not UTF-8"),
        ("/freeavatar/gain", (), "takes text, number; got nothing"),
        ("/freeavatar/gain", ("x" * 257, 1.0), "257 characters"),
        ("/freeavatar/pause", ("yes",), "takes [switch]; got str"),
        ("/freeavatar/pause", (0.5,), "takes [switch]; got float"),
        ("/freeavatar/neutral", ("now",), "takes nothing; got str"),
        ("/freeavatar/mark", (b"blob",), "takes [text]; got bytes"),
        ("/freeavatar/mark", ("two\nlines",), "one line"),
        ("/freeavatar/record", ("../../etc/cron", 1), "cannot name a file"),
        ("/freeavatar/record", (".hidden", 1), "cannot name a file"),
        ("/freeavatar/record", ("s", -1), "from 0 to 999999"),
        ("/freeavatar/record", ("s", 1.5), "takes [text], [whole]; got str, float"),
        ("/RecordStart", ("a/b", 1), "cannot name a file"),
        ("/RecordStop", ("x",), "takes nothing"),
        ("/LiveLinkSubject", ("",), "needs a name"),
        ("/LiveLinkSubject", ("ü" * 65,), "longer than 128 bytes"),
        ("/OSCSetSendTarget", ("example.com", 8000), "no IP address"),
        ("/OSCSetSendTarget", ("127.0.0.1", 0), "no port"),
        ("/OSCSetSendTarget", ("127.0.0.1", 70000), "no port"),
        ("/OSCSetSendTarget", ("239.1.1.1", 8000), "no machine's address"),
        ("/OSCSetSendTarget", ("::1", 8000), "give an IPv4 address"),
    ],
)
def test_wrong_values_are_refused_with_the_reason(
    stage: Stage, address: str, arguments: tuple[Any, ...], reason: str
) -> None:
    answer = stage.ask(address, *arguments)
    assert answer.address == "/freeavatar/refused"
    assert answer.arguments[0] == address
    assert reason in answer.arguments[1]
    assert not stage.told
    assert stage.port.ignored == 1


def test_the_handlers_reason_is_the_answer(stage: Stage) -> None:
    stage.reason = "no face was seen yet"
    answer = stage.ask("/freeavatar/neutral")
    assert answer == Received("/freeavatar/refused", ("/freeavatar/neutral", stage.reason))
    assert stage.ask("/RecordStart", "s", 1).arguments == ("/RecordStart", stage.reason)
    stage.reason = ""
    assert stage.ask("/freeavatar/neutral").address == "/freeavatar/done"


def test_a_handler_that_fails_costs_its_command_only(stage: Stage) -> None:
    def fail(command: Command) -> str:
        raise RuntimeError("camera gone")

    stage.port._handle = fail
    answer = stage.ask("/freeavatar/neutral")
    assert answer.arguments == ("/freeavatar/neutral", "failed: camera gone")
    stage.port._handle = stage.handle
    assert stage.ask("/freeavatar/neutral").address == "/freeavatar/done"


def test_the_app_s_commands_are_answered_as_the_app_answers(stage: Stage) -> None:
    started = stage.ask("/RecordStart", "MySlate", 7)
    assert started.address == "/RecordStartConfirm"
    (timecode,) = started.arguments
    assert 0 <= seconds_of(timecode, 60) < 86400
    stopped = stage.ask("/RecordStop")
    assert stopped.address == "/RecordStopConfirm"
    assert stopped.arguments[1:] == ("a.csv", "a.mov")
    stage.send("/LiveLinkSubject", "Anna")
    # Answered with nothing, like the app.
    for address in ("/VideoDisplayOn", "/VideoDisplayOff", "/LiveLinkStreamStart"):
        stage.send(address)
    stage.send("/AddLiveLinkAddress", "10.0.0.1", 11111)
    assert stage.ask("/ARSessionStop", 1) == Received("/ARSessionStopConfirm", ())
    assert stage.ask("/ARSessionStart", 1) == Received("/ARSessionStartConfirm", ())
    assert stage.ask("/BatteryQuery", 1) == Received("/Battery", (1.0,))
    assert stage.ask("/ThermalsQuery") == Received("/Thermals", (0,))
    assert stage.told == [
        Record("MySlate", 7),
        StopRecording(),
        SetSubject("Anna"),
        Pause(True),
        Pause(False),
    ]
    assert not stage.port.ignored


def test_slate_and_take_are_remembered(stage: Stage) -> None:
    stage.send("/Slate", "Duel")
    stage.send("/Take", 12)
    stage.ask("/RecordStart")
    stage.ask("/RecordStart", "Other", 3)
    assert stage.told == [Record("Duel", 12), Record("Other", 3)]


@pytest.mark.parametrize("what", ["Set", "Add"])
def test_answers_go_to_the_send_target(stage: Stage, ear: Any, what: str) -> None:
    assert stage.ask("/OSCGetSendTarget").arguments == ("", 0)
    ear.socket.setblocking(True)
    ear.socket.settimeout(ENOUGH)
    stage.send(f"/OSC{what}SendTarget", "127.0.0.1", ear.port)
    stage.send("/BatteryQuery")
    stage.send("/OSCGetSendTarget")
    stage.send("/freeavatar/mark")
    heard = [read_osc(ear.socket.recv(2048))[0] for _ in range(4)]
    assert {m.address: m.arguments for m in heard} == {
        f"/OSC{what}SendTargetConfirm": (),
        "/Battery": (1.0,),
        "/OSCGetSendTargetConfirm": ("127.0.0.1", ear.port),
        "/freeavatar/done": ("/freeavatar/mark",),
    }
    stage.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        stage.socket.recv(2048)


def test_bundles_are_carried_out_in_order(stage: Stage) -> None:
    inner = OscBundleBuilder(IMMEDIATELY)
    outer = OscBundleBuilder(IMMEDIATELY)
    for builder, address in ((inner, "/freeavatar/neutral"), (outer, "/freeavatar/mark")):
        builder.add_content(OscMessageBuilder(address).build())
    outer.add_content(inner.build())
    stage.socket.sendto(outer.build().dgram, stage.where)
    answers = [stage.answer().arguments[0] for _ in range(2)]
    assert answers == ["/freeavatar/mark", "/freeavatar/neutral"]
    assert stage.told == [Mark(), Recalibrate()]


KNOWN = (
    *("/freeavatar/gain", "/freeavatar/gain/jawOpen", "/freeavatar/record", "/freeavatar/neutral"),
    *("/freeavatar/mark", "/freeavatar/pause", "/freeavatar/quit", "/RecordStart", "/RecordStop"),
    *("/LiveLinkSubject", "/OSCSetSendTarget", "/BatteryQuery", "/Slate", "/Take"),
)
WRONG = (b"blob", math.nan, -1.0, 2**31 - 1, 1e30, [1, [2]], None, "\x1b[2J", "/../x")


def malformed(dice: random.Random) -> Iterator[bytes]:
    """Packets of which none may be carried out."""
    while True:
        good = message(dice.choice(KNOWN), "text", 1.5, 7)
        cut = good[: dice.randrange(4, len(good))]
        yield cut if len(cut) % 4 else cut + b"x"
        yield dice.randbytes(dice.randrange(200))
        yield b"/" + dice.randbytes(4 * dice.randrange(1, 20) - 1)
        yield message(dice.choice(KNOWN), *dice.choices(WRONG, k=dice.randrange(2, 6)))
        yield message(dice.choice(KNOWN), *[7] * dice.randrange(4, 300))
        yield message(f"/{dice.randrange(10**9)}", 1)
        yield message("/freeavatar/gain", "jawOpen", dice.choice((math.nan, -math.inf, 5.0)))
        yield message("/freeavatar/done", "/freeavatar/mark")
        yield b"#bundle\0" + struct.pack(">QI", 1, dice.choice((0, 3, 2**31, 2**32 - 1))) + good
        yield message("/freeavatar/mark") + bytes(65000)
        nested = b"/freeavatar/quit\0\0\0\0,\0\0\0"
        for _ in range(20):
            nested = b"#bundle\0" + struct.pack(">QI", 1, len(nested)) + nested
        yield nested
        yield message("/freeavatar/mark")[:-4] + b",[[[" + b"[" * 400


def test_a_thousand_malformed_packets_change_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    packets = malformed(random.Random(3))
    stage.socket.settimeout(0.001)
    for count in range(1000):
        stage.socket.sendto(next(packets)[:65000], stage.where)
        # Refusals are read, so that the port's own answers are not what fills the sockets.
        while count % 10 == 9:
            try:
                assert stage.answer().address == "/freeavatar/refused"
            except TimeoutError:
                break
    until = time.monotonic() + ENOUGH
    while stage.port.ignored < 1000 and time.monotonic() < until:
        # Of what comes faster than a busy machine reads, the system may drop some.
        time.sleep(0.01)
        stage.socket.sendto(next(packets)[:65000], stage.where)
    assert stage.port.ignored >= 1000
    assert stage.told == []
    assert 1 <= len(caplog.records) <= 12
    assert "more like this" in caplog.text or len(caplog.records) == 1
    assert all(record.getMessage().isprintable() for record in caplog.records)

    stage.socket.settimeout(ENOUGH)
    stage.send("/freeavatar/mark", "alive")
    while stage.answer() != Received("/freeavatar/done", ("/freeavatar/mark",)):
        pass
    assert stage.told == [Mark("alive")]
    assert stage.ask("/OSCGetSendTarget").arguments == ("", 0)


def test_a_flood_cannot_put_off_the_end() -> None:
    """A handler of 20 ms would take 80 s for what is sent; the end comes after what waits."""
    stopped = threading.Event()
    told: list[Command] = []

    def slow(command: Command) -> str:
        told.append(command)
        time.sleep(0.02)
        if isinstance(command, Stop):
            stopped.set()
        return ""

    with (
        ControlPort("0", slow) as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller,
    ):
        controller.connect(("127.0.0.1", port.port))
        for i in range(2000):
            controller.send(message("/freeavatar/gain/jawOpen", i / 1000))
            controller.send(message("/freeavatar/mark", str(i)))
        began = time.monotonic()
        while not stopped.wait(0.1) and time.monotonic() - began < ENOUGH:
            # The system drops packets of a flood: an end is asked for until it comes.
            controller.send(message("/freeavatar/quit"))
        assert stopped.is_set()
        assert time.monotonic() - began < 5
    marks = [c for c in told if isinstance(c, Mark)]
    assert len(marks) < 1000
    gains = [c.value for c in told if isinstance(c, Gain)]
    assert gains == sorted(gains)


def test_what_waits_is_bounded_newest_gains_win_and_the_end_comes_first() -> None:
    waiting = Waiting()
    answered: list[str] = []

    def put(command: Command) -> bool:
        return waiting.put(Job(command, answered.append))

    assert all(put(Gain("jaw", i / 10)) for i in range(30))
    assert put(Gain("", 1.5))
    assert put(Gain("brow", 2.0))
    assert put(Gain("*", 1.0))
    assert [put(Mark(str(i))) for i in range(MOST)].count(True) == MOST - 3
    assert not put(Record())
    assert put(StopRecording())
    assert put(Stop())
    assert put(Stop())
    commands: list[Command] = []
    while not commands or not isinstance(commands[-1], StopRecording):
        job = waiting.get()
        assert job is not None
        commands.append(job.command)
    assert commands[:4] == [Stop(), Gain("jaw", 2.9), Gain("brow", 2.0), Gain("*", 1.0)]
    assert len(commands) == MOST + 2
    waiting.close()
    assert waiting.get() is None
    assert not put(Mark())


def test_a_controller_of_python_osc_gets_its_confirmation(stage: Stage) -> None:
    """Its server listens on a port of its own, as stage controllers do."""
    heard: dict[str, Any] = {}
    arrived = threading.Event()

    def hear(address: str, *arguments: Any) -> None:
        heard[address] = arguments
        if "/RecordStopConfirm" in heard:
            arrived.set()

    dispatcher = Dispatcher()
    dispatcher.set_default_handler(hear)
    with ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stage.send("/OSCSetSendTarget", "127.0.0.1", server.server_address[1])
        stage.send("/RecordStart", "Slate", 1)
        stage.send("/RecordStop", 1)
        assert arrived.wait(ENOUGH)
        server.shutdown()
    assert heard["/RecordStopConfirm"][1:] == ("a.csv", "a.mov")


def test_liblo_s_oscsend_is_understood(stage: Stage) -> None:
    program = shutil.which("oscsend")
    if program is None:
        pytest.skip("oscsend (liblo-tools) is not installed")
    command = [program, "127.0.0.1", str(stage.port.port)]
    subprocess.run([*command, "/freeavatar/pause", "T"], check=True, timeout=30)
    subprocess.run([*command, "/freeavatar/gain", "sf", "jawOpen", "0.5"], check=True, timeout=30)
    until = time.monotonic() + ENOUGH
    while len(stage.told) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert stage.told == [Pause(True), Gain("jawOpen", 0.5)]


def test_node_s_osc_hears_our_answers(stage: Stage) -> None:
    modules = Path(__file__).resolve().parent.parent / "receivers" / "node_modules"
    node = shutil.which("node")
    if node is None or not (modules / "osc").exists():
        pytest.skip("node or its package osc is not installed")
    script = """
        const osc = require(process.argv[1]);
        const port = new osc.UDPPort({localAddress: "127.0.0.1", localPort: 0, metadata: true,
            remoteAddress: "127.0.0.1", remotePort: Number(process.argv[2])});
        port.on("message", m => { console.log(JSON.stringify(m)); process.exit(0); });
        port.on("ready", () => port.send({address: "/RecordStart",
            args: [{type: "s", value: "Node"}, {type: "i", value: 4}]}));
        port.open();
    """
    done = subprocess.run(
        [node, "-e", script, str(modules / "osc"), str(stage.port.port)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert '"/RecordStartConfirm"' in done.stdout, done.stderr
    assert stage.told == [Record("Node", 4)]


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("9001", ("127.0.0.1", 9001)),
        (":9001", ("127.0.0.1", 9001)),
        ("0.0.0.0:9001", ("0.0.0.0", 9001)),
        ("[::1]:9001", ("::1", 9001)),
        ("stage.local:65535", ("stage.local", 65535)),
    ],
)
def test_listen_says_host_and_port(listen: str, found: tuple[str, int]) -> None:
    assert parse_listen(listen) == found


@pytest.mark.parametrize("listen", ["", "host", "host:", "::1:9001", "9001x", "-1", "0000099999"])
def test_listen_refuses_what_is_none(listen: str) -> None:
    with pytest.raises(BridgeError, match=r"listen on PORT|ports go up"):
        parse_listen(listen)


def test_the_port_is_this_machine_s_and_one_program_s(stage: Stage) -> None:
    assert stage.port.host == "127.0.0.1"
    with pytest.raises(BridgeError, match="another program listens on port"):
        ControlPort(str(stage.port.port), stage.handle)
    with pytest.raises(BridgeError, match="is not this machine"):
        ControlPort("192.0.2.1:9001", stage.handle)
    with pytest.raises(BridgeError, match="cannot find the host"):
        ControlPort("no such host.invalid:9001", stage.handle)
    stage.port.close()
    stage.port.close()
    with ControlPort(str(stage.port.port), stage.handle) as again:
        assert again.port == stage.port.port


def test_ipv6_is_served_and_answers_ipv4_targets(ear: Any) -> None:
    try:
        stage = Stage("[::]:0")
    except BridgeError as error:
        pytest.skip(f"no IPv6 here: {error} (optional)")
    try:
        assert stage.ask("/BatteryQuery").address == "/Battery"
        ear.socket.settimeout(ENOUGH)
        stage.send("/OSCSetSendTarget", "127.0.0.1", ear.port)
        assert read_osc(ear.socket.recv(2048))[0].address == "/OSCSetSendTargetConfirm"
        stage.send("/OSCGetSendTarget")
        assert read_osc(ear.socket.recv(2048))[0].arguments == ("127.0.0.1", ear.port)
    finally:
        stage.close()


def test_closing_ends_the_handler_s_calls() -> None:
    begun, release = threading.Event(), threading.Event()
    told: list[Command] = []

    def handle(command: Command) -> str:
        told.append(command)
        begun.set()
        release.wait(ENOUGH)
        return ""

    port = ControlPort("0", handle)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller:
        for text in ("first", "second"):
            controller.sendto(message("/freeavatar/mark", text), ("127.0.0.1", port.port))
        assert begun.wait(ENOUGH)
        closing = threading.Thread(target=port.close)
        closing.start()
        release.set()
        closing.join(ENOUGH)
    assert told == [Mark("first")]
    assert not any(thread.is_alive() for thread in port._threads)


Make = Callable[[], Command]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Gain("a", math.nan),
        lambda: Gain("a", 4.1),
        lambda: Record("a\\b"),
        lambda: Record("C:"),
        lambda: Record(take=10**6),
        lambda: Mark("\x1b[2J"),
        lambda: SetSubject(" "),
    ],
)
def test_commands_check_themselves(make: Make) -> None:
    with pytest.raises(BridgeError):
        make()
