"""iFacialMocap: to the byte, by a reader made from the description, and asked for by receivers."""

import itertools
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from freeavatar.bridge import ifacialmocap
from freeavatar.bridge.callers import GOODBYE, HEARD_AT_ONCE, HELLO, MOST, VERSION_2, Callers
from freeavatar.bridge.ifacialmocap import IFacialMocapPhone
from freeavatar.bridge.listen import Monitor
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.targets import open_target
from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Control, Rig, RigFrame

WIRE = re.findall(
    r"\w+",
    """
eyeBlink_L eyeLookDown_L eyeLookIn_L eyeLookOut_L eyeLookUp_L eyeSquint_L eyeWide_L eyeBlink_R
eyeLookDown_R eyeLookIn_R eyeLookOut_R eyeLookUp_R eyeSquint_R eyeWide_R jawForward jawLeft jawRight
jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthSmile_L mouthSmile_R
mouthFrown_L mouthFrown_R mouthDimple_L mouthDimple_R mouthStretch_L mouthStretch_R mouthRollLower
mouthRollUpper mouthShrugLower mouthShrugUpper mouthPress_L mouthPress_R mouthLowerDown_L
mouthLowerDown_R mouthUpperUp_L mouthUpperUp_R browDown_L browDown_R browInnerUp browOuterUp_L
browOuterUp_R cheekPuff cheekSquint_L cheekSquint_R noseSneer_L noseSneer_R tongueOut
""",
)
"""The names of the app's published datagram, in our order; the app's has none."""
SAMPLES = (
    ((6.0297494, 2.4403017, 0.25649446), (6.034903, -1.6660284, -0.17520553)),
    ((12.759762, 5.527712, 1.2244859), (12.862795, 1.264116, 0.28145725)),
)
"""Right and left eye of two published datagrams. In the first both eyes look 17 % down, the right
one 6 % in and the left one 4 % in; in the second 36 % down, the right 15 % in, the left 3 % out."""
TIMEOUT = 20.0


def read(datagram: bytes, separator: str = "-") -> tuple[dict[str, int], dict[str, list[float]]]:
    """Reads a datagram as the app's maker describes it."""
    shapes, _, turns = datagram.decode("ascii").partition("=")
    assert shapes.endswith("|") and turns.endswith("|")
    pairs = [s.split(separator) for s in shapes.removesuffix("|").split("|")]
    parts = [t.split("#") for t in turns.removesuffix("|").split("|")]
    assert [name for name, _ in parts] == ["head", "rightEye", "leftEye"]
    return (
        {name: int(value) for name, value in pairs},
        {name: [float(n) for n in numbers.split(",")] for name, numbers in parts},
    )


def test_a_datagram_is_these_bytes() -> None:
    curves = np.arange(52, dtype=np.float32) / 51
    eyes = np.deg2rad([[1, 2, 0], [-3, 4.5, 0]]).astype(np.float32)
    head = np.deg2rad([10, -20.25, 30]).astype(np.float32)
    shapes = "".join(f"{name}-{round(i / 0.51)}|" for i, name in enumerate(WIRE))
    expected = (
        f"{shapes}=head#-20.25,-10.0,30.0,0.0,0.0,0.0|rightEye#4.5,3.0,0.0|leftEye#2.0,-1.0,0.0|"
    )
    assert ifacialmocap.encode(curves, head, eyes) == expected.encode()
    second = ifacialmocap.encode(curves, head, eyes, separator="&")
    assert second == re.sub(r"(\w)-(\d+\|)", r"\1&\2", expected).encode()
    assert second.count(b"&") == 52


@pytest.mark.parametrize(("option", "separator"), [("", "-"), ("?version=1", "-"),
                         ("?version=2", "&"), ("?listen=0&version=2", "&")])  # fmt: skip
def test_frames_arrive_as_the_description_has_them(
    arkit_rig: Rig, ear: Any, perform: Any, option: str, separator: str
) -> None:
    sink = open_target(f"ifacialmocap://127.0.0.1:{ear.port}{option}", arkit_rig, rate=60)
    frames = perform(arkit_rig, 5)
    for frame in frames:
        sink.send(frame)
    datagrams = ear.heard()
    assert len(datagrams) == 5 == sink.sender.sent  # type: ignore[attr-defined]
    for frame, datagram in zip(frames, datagrams, strict=True):
        shapes, turns = read(datagram, separator)
        assert list(shapes) == WIRE
        np.testing.assert_allclose([*shapes.values()], frame.values * 100, atol=0.5001)
        for name, angles in (("head", frame.head), ("leftEye", frame.eyes[0]),
                             ("rightEye", frame.eyes[1])):  # fmt: skip
            x, y, z = turns[name][:3]
            np.testing.assert_allclose([-y, x, z], np.rad2deg(angles), atol=6e-5)
        assert turns["head"][3:] == [0, 0, 0]
        assert len(datagram) <= 1400
    sink.close()
    sink.close()


def turned(x: float, y: float, z: float) -> Rotation:
    """Degrees about ARKit's axes as a rotation of rig space: about y, then x, then z."""
    return Rotation.from_euler("YXZ", [y, x, z], degrees=True)


def test_the_published_eyes_turn_as_eyes_do() -> None:
    """Down is +x, to the actor's left +y, and only with this order and sign of z is there no
    torsion: a turn about y, then about x, explains all three numbers."""
    for right, left in SAMPLES:
        for angles in (right, left):
            assert turned(*angles).apply([0, 0, 1])[1] < -0.1
            x, y, z = angles
            assert abs(turned(x, y, z).as_euler("XYZ", degrees=True)[2]) < 2e-6
            assert abs(turned(x, y, -z).as_euler("XYZ", degrees=True)[2]) > 0.3
        # Right eye toward the nose: the actor's left, +x of rig space.
        assert turned(*right).apply([0, 0, 1])[0] > 0.04
    assert turned(*SAMPLES[0][1]).apply([0, 0, 1])[0] < -0.02
    assert turned(*SAMPLES[1][1]).apply([0, 0, 1])[0] > 0.02


def test_what_we_send_turns_as_the_app_means_it(arkit_rig: Rig, ear: Any, perform: Any) -> None:
    (frame,) = perform(arkit_rig, 1)
    open_target(f"ifacialmocap://127.0.0.1:{ear.port}", arkit_rig, rate=60).send(frame)
    _, turns = read(ear.heard()[0])
    for name, angles in zip(("head", "leftEye", "rightEye"), (frame.head, *frame.eyes),
                            strict=True):  # fmt: skip
        ours = matrix_from_angles(angles)
        np.testing.assert_allclose(turned(*turns[name][:3]).as_matrix(), ours, atol=3e-6)


def test_other_rigs_speak_through_their_meaning(ear: Any, odd_rig: Rig) -> None:
    controls = (Control(name="aa", hub={"jawOpen": 0.7, "mouthFunnel": 0.2}, maximum=100),
                Control(name="brow", hub={"browOuterUpLeft": 1.0}))  # fmt: skip
    rig = Rig(name="toon", controls=controls)
    values = np.array([50, np.inf], np.float32)
    head = np.array([np.nan, 0.1, 9e9], np.float32)
    open_target(f"ifacialmocap://127.0.0.1:{ear.port}", rig, rate=60).send(
        RigFrame(index=0, time=0, values=values, head=head)
    )
    (datagram,) = ear.heard()
    shapes, turns = read(datagram)
    said = {name: value for name, value in shapes.items() if value}
    assert said == {"jawOpen": 35, "mouthFunnel": 10}
    assert turns["head"][:2] == [5.7296, 0]
    assert len(datagram) <= 1400
    with pytest.raises(BridgeError, match=r"ifacialmocap: .* fox 2 has none.*--rig arkit"):
        open_target("ifacialmocap://127.0.0.1", odd_rig, rate=60)


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("version=3", "version is 1 or 2, not '3'"),
        ("version=", "version is 1 or 2, not ''"),
        ("listen=yes", "listen is 1 or 0, not 'yes'"),
        ("listen=1&version=2", "receivers that ask name the version"),
        ("port=1", "iFacialMocap takes ?version=, ?listen="),
    ],
)
def test_wrong_options_are_explained(arkit_rig: Rig, query: str, complaint: str) -> None:
    with pytest.raises(BridgeError, match=re.escape(complaint)):
        open_target(f"ifacialmocap://127.0.0.1:9?{query}", arkit_rig, rate=60)


# --- the reader -----------------------------------------------------------------------------------

TEXT = (
    "mouthSmile_R-0|eyeLookOut_L-7|trackingStatus-1|=head#-21.4,-6,1e-1,-0.03,-0.1,-0.6|"
    "rightEye#6,2,0|leftEye#6,-2,0|"
)


def test_both_versions_and_old_and_new_apps_are_read() -> None:
    packet = ifacialmocap.decode(TEXT.encode())
    assert packet.curves == {"mouthSmile_R": 0, "eyeLookOut_L": 0.07, "trackingStatus": 0.01}
    assert packet.head == (-21.4, -6, 0.1, -0.03, -0.1, -0.6)
    assert (packet.right_eye, packet.left_eye) == ((6, 2, 0), (6, -2, 0))
    old = "jawOpen - 3 | browInnerUp&-12|=head#1,2,3|leftEye#1,2,3|rightEye#4,5,6"
    packet = ifacialmocap.decode(old.encode())
    assert packet.curves == {"jawOpen": 0.03, "browInnerUp": -0.12}
    assert packet.head == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no head in 0 bytes"),
        ("hello", "'hello' is no name with a value"),
        ("=head#1,2,3|rightEye#1,2,3|leftEye#1,2,3|", "no curves"),
        (TEXT.replace("|leftEye#6,-2,0", ""), "no leftEye"),
        (TEXT.replace("R-0", "R-0.5"), "'mouthSmile_R-0.5' is no name"),
        (TEXT.replace("R-0", "R-12345"), "'mouthSmile_R-12345' is no name"),
        (TEXT.replace("#6,2,0", "#6,2"), "rightEye needs 3 numbers, not '6,2'"),
        (TEXT.replace("#6,2,0", "#6,2,,"), "rightEye holds '6,2,,', no numbers"),
        (TEXT.replace("#6,2,0", "#6,2,nan"), "is no name with a value"),
        (TEXT.replace("#6,2,0", "#6,2,9e999"), "rightEye needs 3 numbers"),
        (TEXT.replace("-0.6", "-0.6,1"), "head needs 6 or 3 numbers"),
        ("\xff", "no plain text"),
    ],
)
def test_broken_datagrams_are_described(text: str, complaint: str) -> None:
    with pytest.raises(BridgeError, match=re.escape(complaint)):
        ifacialmocap.decode(text.encode("latin-1"))


@given(st.binary(max_size=300) | st.text(alphabet="ab_-&|#=,.0123eheadlftEyrig", max_size=300)
       .map(str.encode) | st.integers(0, len(TEXT)).map(lambda n: TEXT[:n].encode()))  # fmt: skip
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        packet = ifacialmocap.decode(data)
    except BridgeError:
        return
    assert np.isfinite([*packet.head, *packet.left_eye, *packet.right_eye]).all()


def test_the_monitor_counts_frames_and_names_curves(arkit_rig: Rig, ear: Any, perform: Any) -> None:
    sink = open_target(f"ifacialmocap://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    monitor = Monitor("ifacialmocap")
    frames = perform(arkit_rig, 7)
    for frame in frames:
        sink.send(frame)
        for datagram in ear.heard():
            assert monitor.feed(datagram, "10.0.0.1:5", frame.time) is not None
    assert monitor.feed(b"what?", "10.0.0.1:5", 1.0) is None
    assert monitor.summary()["streams"]["10.0.0.1:5"]["frames"] == 7
    wanted = round(float(frames[-1].values[ARKIT.index("jawOpen")]), 2)
    assert monitor.values["jawOpen"] == pytest.approx(wanted, abs=0.0051)
    assert len(monitor.values["head"]) == 6


def test_the_verb_hears_it(arkit_rig: Rig, perform: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"ifacialmocap://127.0.0.1:{probe.getsockname()[1]}"
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
    assert set(WIRE) < summary["values"].keys()


# --- receivers that ask ---------------------------------------------------------------------------


class Receiver:
    """Asks for the stream and hears it; on a loopback address of its own."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.settimeout(TIMEOUT)
        self.place: tuple[str, int] = self.socket.getsockname()

    def ask(self, port: int, text: bytes = HELLO) -> None:
        self.socket.sendto(text, ("127.0.0.1", port))

    def heard(self) -> bytes:
        return self.socket.recv(65535)

    def silent(self) -> bool:
        """Nothing waits: on this machine a datagram is there as soon as it was sent."""
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(65535)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    """One more than are served, all with one port, each on an address of its own."""
    for _ in range(50):
        made = [Receiver()]
        try:
            for i in range(MOST):
                made.append(Receiver(f"127.0.0.{i + 2}", made[0].place[1]))
        except OSError:
            for receiver in made:
                receiver.socket.close()
            continue
        break
    yield made
    for receiver in made:
        receiver.socket.close()


def test_a_receiver_asks_and_is_answered_at_the_protocols_port(
    arkit_rig: Rig, perform: Any, receivers: list[Receiver]
) -> None:
    listening = receivers[0]
    phone = IFacialMocapPhone(arkit_rig, "127.0.0.1", 0, answer_port=listening.place[1])
    frames = perform(arkit_rig, 3)
    phone.send(frames[0])
    assert phone.sender.receivers == ()
    # As in the maker's example: one socket asks, another listens.
    asking = Receiver()
    asking.ask(phone.sender.port)
    phone.send(frames[1])
    shapes, _ = read(listening.heard())
    np.testing.assert_allclose([*shapes.values()], frames[1].values * 100, atol=0.5001)
    asking.ask(phone.sender.port, HELLO + VERSION_2 + b"\n")
    phone.send(frames[2])
    shapes, _ = read(listening.heard(), "&")
    np.testing.assert_allclose([*shapes.values()], frames[2].values * 100, atol=0.5001)
    assert phone.sender.receivers == (listening.place,)
    assert (phone.sender.sent, phone.sender.errors) == (2, 0)
    assert asking.silent()
    phone.close()
    phone.close()
    asking.socket.close()


def test_a_receiver_on_the_phones_own_machine_is_answered_where_it_asked_from() -> None:
    receiver = Receiver()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    callers = Callers("127.0.0.1", port, answer_port=port)
    receiver.ask(port)
    callers.hear()
    callers.send(lambda s: b"frame")
    assert receiver.heard() == b"frame"
    callers.close()
    receiver.socket.close()


def test_a_few_are_served_and_the_first_of_more_makes_room(receivers: list[Receiver]) -> None:
    callers = Callers("127.0.0.1", 0, answer_port=receivers[0].place[1])
    for receiver in receivers[:MOST]:
        receiver.ask(callers.port)
    callers.hear()
    assert callers.receivers == tuple(r.place for r in receivers[:MOST])
    # Whoever asks again is not the one that asked longest ago.
    receivers[0].ask(callers.port, HELLO + VERSION_2)
    receivers[MOST].ask(callers.port)
    callers.hear()
    served = [*receivers[2:MOST], receivers[0], receivers[MOST]]
    assert callers.receivers == tuple(r.place for r in served)
    callers.send(lambda s: f"frame{s}".encode())
    assert [r.heard() for r in served] == [b"frame-"] * (MOST - 2) + [b"frame&", b"frame-"]
    assert receivers[1].silent()
    callers.close()


def test_who_left_is_forgotten_and_who_only_comes_late_is_not(receivers: list[Receiver]) -> None:
    now = itertools.count()
    port = receivers[0].place[1]
    callers = Callers("127.0.0.1", 0, answer_port=port, clock=lambda: float(next(now)))
    for receiver in receivers[:3]:
        receiver.ask(callers.port)
    callers.hear()
    stays, leaves, late = (r.place for r in receivers[:3])
    receivers[1].socket.close()
    receivers[2].socket.close()
    for _ in range(3):
        callers.send(lambda s: b"frame")
    assert callers.receivers == (stays, leaves, late)
    again = Receiver(late[0], port)
    for _ in range(20):
        callers.send(lambda s: b"frame")
    assert callers.receivers == (stays, late)
    assert again.heard() == b"frame"
    assert callers.errors > 0
    callers.close()
    again.socket.close()


def test_goodbye_ends_it_and_anything_else_is_ignored(receivers: list[Receiver]) -> None:
    first, second, *_ = receivers
    callers = Callers("127.0.0.1", 0, answer_port=first.place[1])
    first.ask(callers.port)
    for junk in (b"", b"hello", HELLO + b"x", HELLO * 9, b"\xff" * 300, HELLO[:-1],
                 HELLO.replace(b"_", b"_UDPTCP_", 1), HELLO + b"|sendDataVersion=v3"):  # fmt: skip
        second.ask(callers.port, junk)
    callers.hear()
    assert callers.receivers == (first.place,)
    assert callers.ignored == 8
    first.ask(callers.port, GOODBYE)
    callers.hear()
    assert callers.receivers == ()
    callers.send(lambda s: b"frame")
    assert first.silent()
    callers.close()


def test_a_flood_of_requests_costs_no_frame(receivers: list[Receiver]) -> None:
    callers = Callers("127.0.0.1", 0, answer_port=receivers[0].place[1])
    for _ in range(HEARD_AT_ONCE + 10):
        receivers[0].ask(callers.port, b"x")
    callers.hear()
    assert callers.ignored == HEARD_AT_ONCE
    callers.hear()
    assert callers.ignored == HEARD_AT_ONCE + 10
    callers.close()


def test_the_target_listens_where_it_says(arkit_rig: Rig, ear: Any, perform: Any) -> None:
    with pytest.raises(BridgeError, match="a port that nothing else uses"):
        open_target(f"ifacialmocap://127.0.0.1:{ear.port}?listen=1", arkit_rig, rate=60)
    with pytest.raises(BridgeError, match="name an address of this machine"):
        open_target("ifacialmocap://192.0.2.1:5?listen=1", arkit_rig, rate=60)
    with pytest.raises(BridgeError, match=r"no host; write ifacialmocap://127\.0\.0\.1:49983"):
        open_target("ifacialmocap://?listen=1", arkit_rig, rate=60)
    ear.socket.close()
    sink = open_target(f"ifacialmocap://127.0.0.1:{ear.port}?listen=1", arkit_rig, rate=60)
    asking = Receiver()
    asking.ask(ear.port)
    sink.send(perform(arkit_rig, 1)[0])
    assert sink.sender.receivers == (("127.0.0.1", 49983),)  # type: ignore[attr-defined]
    sink.close()
    asking.socket.close()
