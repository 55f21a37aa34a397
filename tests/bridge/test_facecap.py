"""Face Cap's OSC: to the byte, read by python-osc and osc.js, turned as its receiver turns."""

import json
import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from scipy.spatial.transform import Rotation

from freeavatar.bridge import facecap
from freeavatar.bridge.listen import Monitor
from freeavatar.bridge.osc_reading import Received, read_osc
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.targets import open_target, parse_target
from freeavatar.rigs import registry
from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Control, Rig, RigFrame

RECEIVERS = Path(__file__).resolve().parent.parent / "receivers"
PUBLISHED = {
    0: "browInnerUp", 1: "browDownLeft", 2: "browDownRight", 3: "browOuterUpLeft",
    4: "browOuterUpRight", 5: "eyeLookUpLeft", 6: "eyeLookUpRight", 7: "eyeLookDownLeft",
    8: "eyeLookDownRight", 9: "eyeLookInLeft", 13: "eyeBlinkLeft", 19: "cheekPuff", 24: "jawOpen",
    30: "mouthLeft", 36: "mouthClose", 37: "mouthSmileLeft", 51: "tongueOut",
}  # fmt: skip
"""Some of the indices that the app and its receivers name."""


def by_address(datagram: bytes) -> tuple[dict[str, list[float]], dict[int, float]]:
    """Turns and curves of one datagram as python-osc reads it."""
    bundle = OscBundle(datagram)
    assert OscBundle.dgram_is_bundle(datagram)
    turns: dict[str, list[float]] = {}
    shapes: dict[int, float] = {}
    for message in bundle:
        if message.address == "/W":
            index, value = message.params
            assert isinstance(index, int) and isinstance(value, float)
            shapes[index] = value
        else:
            turns[message.address] = message.params
    return turns, shapes


def test_a_frame_is_these_bytes(arkit_rig: Rig, ear: Any) -> None:
    head, eyes = np.float32([-0.5, 0.25, 0]), np.float32([[0.1, 0.2, 0], [-0.3, 0.4, 0]])
    values = np.arange(52, dtype=np.float32) / 64
    frame = RigFrame(index=0, time=0, values=values, head=head, eyes=eyes)
    open_target(f"facecap://127.0.0.1:{ear.port}", arkit_rig, rate=60).send(frame)
    (datagram,) = ear.heard()

    def message(address: bytes, tags: bytes, *arguments: float) -> bytes:
        packed = b"".join(a + bytes(4 - len(a) % 4) for a in (address, b"," + tags))
        layout = tags.decode()
        data = packed + struct.pack(f">{layout}", *arguments)
        return struct.pack(">i", len(data)) + data

    degrees = [float(np.rad2deg(np.float64(a))) for a in (head[1], -head[0], head[2])]
    half = np.cos(0.25) * np.sin(0.125), np.sin(0.25) * np.cos(0.125)
    quaternion = (*half, -np.sin(0.25) * np.sin(0.125), np.cos(0.25) * np.cos(0.125))
    left, right = (np.rad2deg(np.float64([e[1], -e[0]])).tolist() for e in eyes)
    expected = b"#bundle\0" + bytes(7) + b"\1"
    expected += message(b"/HT", b"fff", 0, 0, 0) + message(b"/HR", b"fff", *degrees)
    expected += message(b"/HRQ", b"ffff", *quaternion)
    expected += message(b"/ELR", b"ff", *left) + message(b"/ERR", b"ff", *right)
    order = [ARKIT.index(name) / 64 for name in facecap.INDICES]
    expected += b"".join(message(b"/W", b"if", i, value) for i, value in enumerate(order))
    assert datagram == expected
    assert len(datagram) == 1196


def test_indices_are_those_of_the_app(shared: Path) -> None:
    assert sorted(facecap.INDICES) == sorted(ARKIT)
    assert {i: facecap.INDICES[i] for i in PUBLISHED} == PUBLISHED
    # The app's own head model has its shapes in that order.
    model = registry.load(str(shared / "rigs" / "facecap_generic.glb"))
    assert tuple(name for c in model.controls for name in c.hub) == facecap.INDICES


def test_python_osc_reads_every_frame(arkit_rig: Rig, ear: Any, perform: Any) -> None:
    sink = open_target(f"facecap://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    frames = perform(arkit_rig, 5)
    for frame in frames:
        sink.send(frame)
    datagrams = ear.heard()
    assert len(datagrams) == 5
    for frame, datagram in zip(frames, datagrams, strict=True):
        turns, shapes = by_address(datagram)
        assert list(shapes) == list(range(52))
        for index, value in shapes.items():
            assert value == frame.values[ARKIT.index(facecap.INDICES[index])]
        ours = matrix_from_angles(frame.head)
        x, y, z = turns["/HR"]
        euler = Rotation.from_euler("YXZ", [y, x, z], degrees=True).as_matrix()
        np.testing.assert_allclose(euler, ours, atol=1e-5)
        quaternion = Rotation.from_quat(turns["/HRQ"]).as_matrix()
        np.testing.assert_allclose(quaternion, ours, atol=1e-5)
        for address, angles in (("/ELR", frame.eyes[0]), ("/ERR", frame.eyes[1])):
            wanted = np.rad2deg([angles[1], -angles[0]])
            np.testing.assert_allclose(turns[address], wanted, atol=1e-4)
    sink.close()


def test_its_unity_receiver_turns_as_vmc_turns_unitys_head(
    arkit_rig: Rig, ear: Any, perform: Any
) -> None:
    """The receiver takes Unity's quaternion of the three angles (about z, then x, then y) and
    mirrors x: (-x, y, z, -w)."""
    (frame,) = perform(arkit_rig, 1)
    open_target(f"facecap://127.0.0.1:{ear.port}", arkit_rig, rate=60).send(frame)
    turns, _ = by_address(ear.heard()[0])
    x, y, z = turns["/HR"]
    taken = Rotation.from_euler("YXZ", [y, x, z], degrees=True).as_quat() * [-1, 1, 1, -1]
    open_target(f"vmc://127.0.0.1:{ear.port}", arkit_rig, rate=60).send(frame)
    bones = [m.arguments for d in ear.heard() for m in read_osc(d) if m.address.endswith("/Pos")]
    (head,) = [np.array(a[4:]) for a in bones if a[0] == "Head"]
    assert abs(taken @ head) == pytest.approx(1, abs=1e-6)


SCRIPT = """
const osc = require('osc');
const port = new osc.UDPPort({localAddress: '127.0.0.1', localPort: 0, metadata: true});
port.on('error', e => { console.error(e); process.exit(2); });
port.on('ready', () => console.log(port.socket.address().port));
port.on('bundle', b => { console.log(JSON.stringify(b.packets)); port.close(); });
port.open();
"""


def test_osc_js_reads_a_frame(arkit_rig: Rig, perform: Any) -> None:
    node = shutil.which("node")
    if not node or not (RECEIVERS / "node_modules" / "osc").is_dir():
        pytest.skip("npm install --prefix tests/receivers --package-lock=false was not run")
    program = subprocess.Popen(
        [node, "-e", SCRIPT], cwd=RECEIVERS, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert program.stdout is not None
    port = int(program.stdout.readline())
    (frame,) = perform(arkit_rig, 1)
    open_target(f"facecap://127.0.0.1:{port}", arkit_rig, rate=60).send(frame)
    out, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    packets = json.loads(out)
    types = {p["address"]: "".join(a["type"] for a in p["args"]) for p in packets}
    assert types == {"/HT": "fff", "/HR": "fff", "/HRQ": "ffff", "/ELR": "ff", "/ERR": "ff",
                     "/W": "if"}  # fmt: skip
    shapes = {p["args"][0]["value"]: p["args"][1]["value"] for p in packets[5:]}
    wanted = {i: frame.values[ARKIT.index(name)] for i, name in enumerate(facecap.INDICES)}
    assert {i: np.float32(value) for i, value in shapes.items()} == wanted


def test_other_rigs_speak_through_their_meaning(ear: Any, odd_rig: Rig) -> None:
    controls = (Control(name="aa", hub={"jawOpen": 0.75, "mouthFunnel": 0.25}, maximum=100),)
    head = np.array([np.nan, np.inf, 0], np.float32)
    open_target(
        f"facecap://127.0.0.1:{ear.port}", Rig(name="toon", controls=controls), rate=60
    ).send(RigFrame(index=0, time=0, values=np.float32([50]), head=head))
    turns, shapes = by_address(ear.heard()[0])
    assert {i: v for i, v in shapes.items() if v} == {24: 0.375, 28: 0.125}
    assert (turns["/HR"], turns["/HRQ"]) == ([0, 0, 0], [0, 0, 0, 1])
    with pytest.raises(BridgeError, match=r"facecap: .* fox 2 has none.*--rig arkit"):
        open_target("facecap://127.0.0.1", odd_rig, rate=60)
    with pytest.raises(BridgeError, match="Face Cap takes no options"):
        parse_target("facecap://127.0.0.1?x=1")
    assert parse_target("facecap://127.0.0.1").port == 8080


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (Received("/W", (1.0, 0.5)), "/W needs an index and a float, not float, float"),
        (Received("/W", (True, 0.5)), "not bool, float"),
        (Received("/W", (1, 1)), "not int, int"),
        (Received("/W", ()), "not nothing"),
        (Received("/W", (52, 0.5)), "/W with index 52; there are 0 to 51"),
        (Received("/W", (-1, 0.5)), "/W with index -1"),
        (Received("/HT", (1.0, 2.0)), "/HT needs 3 floats, not float, float"),
        (Received("/ERR", (1, 2)), "/ERR needs 2 floats, not int, int"),
    ],
)
def test_broken_messages_are_described(message: Received, complaint: str) -> None:
    with pytest.raises(BridgeError, match=re.escape(complaint)):
        facecap.decode([message])


def test_messages_that_come_one_by_one_are_frames_too() -> None:
    """Each /HT is one frame, however the messages are packed; others' addresses are shown."""
    monitor = Monitor("facecap")
    for i in range(3):
        place = b"/HT\0,fff\0\0\0\0" + bytes(12)
        shape = b"/W\0\0,if\0" + struct.pack(">if", 24, i / 4)
        for data in (place, shape, b"/x\0\0,i\0\0" + struct.pack(">i", i)):
            assert monitor.feed(data, "a:1", i / 60) is not None
    assert monitor.feed(b"/HT\0", "a:1", 1) is None
    assert {name: s.frames for name, s in monitor.streams.items()} == {"a:1": 3}
    assert monitor.values == {"/HT": (0, 0, 0), "jawOpen": 0.5, "/x": 2}


def test_the_verb_hears_it(arkit_rig: Rig, perform: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"facecap://127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "freeavatar.tools", "listen", url, "--seconds", "2", "--json"]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stderr is not None
    assert "listening on" in program.stderr.readline()
    sink = open_target(url, arkit_rig, rate=60)
    for frame in perform(arkit_rig, 9):
        sink.send(frame)
    out, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    summary = json.loads(out)
    assert (summary["packets"], summary["malformed"]) == (9, 0)
    assert [s["frames"] for s in summary["streams"].values()] == [9]
    assert set(ARKIT) < summary["values"].keys()
