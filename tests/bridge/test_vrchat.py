"""VRChat: Unified values by VRCFaceTracking's formulas, an avatar's bits, what goes on the wire."""

import re
import socket
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer

from freeavatar.bridge.bundles import BundleTemplate, Message
from freeavatar.bridge.osc_reading import read_osc
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.targets import open_target
from freeavatar.bridge.vrchat.parameters import MOST, STATUS, AvatarOutput, Parameter, everything
from freeavatar.bridge.vrchat.unified import BASE, COMBINED, INDEX, NAMES, unified_values
from freeavatar.rigs.conventions import ARKIT, from_arkit
from freeavatar.rigs.spec import Control, Rig, RigFrame

ROOT = "/avatar/parameters/"
STILL = np.zeros((2, 3), np.float32), np.zeros(3, np.float32)
LARGEST = 1400


def named(curves: Any, eyes: Any = STILL[0], head: Any = STILL[1]) -> dict[str, float]:
    return dict(zip(NAMES, unified_values(curves, eyes, head).tolist(), strict=True))


def shown(**shapes: float) -> dict[str, float]:
    return named(np.array([shapes.get(name, 0.0) for name in ARKIT], np.float32))


def sent(output: AvatarOutput, values: dict[str, float], *, active: bool = True) -> dict[str, Any]:
    row = np.array([values.get(name, 0.0) for name in NAMES], np.float32)
    datagrams = output.fill(row, active=active)
    assert all(len(d) <= LARGEST for d in datagrams)
    return {m.address: m.arguments[0] for d in datagrams for m in read_osc(bytes(d))}


def switches(*names: str) -> AvatarOutput:
    return AvatarOutput([Parameter(f"{ROOT}FT/v2/{name}", switch=True) for name in names])


@pytest.mark.parametrize("seed", range(20))
def test_base_values_are_those_of_the_convention(seed: int) -> None:
    curves = np.random.default_rng(seed).random(52, dtype=np.float32)
    ours = named(curves)
    for name, value in from_arkit("unified", curves).items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name
    assert ours["MouthClosed"] <= ours["JawOpen"]
    assert all(-1 <= value <= 1 for value in ours.values())


@pytest.mark.parametrize("seed", range(20))
def test_combined_values_follow_the_written_formulas(seed: int) -> None:
    v = named(np.random.default_rng(seed).random(52, dtype=np.float32))
    expected = {"JawX": v["JawRight"] - v["JawLeft"], "JawZ": v["JawForward"] - v["JawBackward"]}
    expected["MouthX"] = v["MouthUpperRight"] - v["MouthUpperLeft"]
    for s in ("Left", "Right"):
        smile = 0.8 * v[f"MouthCornerPull{s}"] + 0.2 * v[f"MouthCornerSlant{s}"]
        sad = max(v[f"MouthFrown{s}"], v[f"MouthStretch{s}"])
        down = 0.75 * v[f"BrowLowerer{s}"] + 0.25 * v[f"BrowPinch{s}"]
        up = 0.5 * v[f"BrowInnerUp{s}"] + 0.5 * v[f"BrowOuterUp{s}"]
        opened = 1 - v[f"EyeClosed{s}"]
        expected |= {
            f"MouthSmile{s}": smile,
            f"SmileFrown{s}": smile - v[f"MouthFrown{s}"],
            f"SmileSad{s}": smile - sad,
            f"CheekPuffSuck{s}": v[f"CheekPuff{s}"] - v[f"CheekSuck{s}"],
            f"BrowDown{s}": down,
            f"BrowUp{s}": 0.6 * v[f"BrowOuterUp{s}"] + 0.4 * v[f"BrowInnerUp{s}"],
            f"BrowExpression{s}": up - down,
            f"EyeOpen{s}": opened,
            f"EyeLid{s}": 0.75 * opened + 0.25 * v[f"EyeWide{s}"],
        }
    for both in ("SmileFrown", "SmileSad", "BrowUp", "BrowDown", "BrowExpression", "EyeLid"):
        expected[both] = (expected[f"{both}Left"] + expected[f"{both}Right"]) / 2
    for name, value in expected.items():
        assert v[name] == pytest.approx(value, abs=1e-5), name


def test_lips_never_close_further_than_the_jaw_is_open() -> None:
    assert shown(mouthClose=0.9, jawOpen=0.25)["MouthClosed"] == 0.25
    assert shown(mouthClose=0.25, jawOpen=0.9)["MouthClosed"] == 0.25
    assert shown(mouthClose=0.9)["MouthClosed"] == 0


def test_gaze_is_a_direction_and_the_head_radians() -> None:
    eyes = np.radians([[30, -20, 0], [-10, 5, 0]]).astype(np.float32)
    v = named(np.zeros(52, np.float32), eyes, np.array([0.5, -0.25, 2.0], np.float32))
    # Yaw + is to the actor's right, pitch + looks down; X + is right and Y + up.
    x, y = np.sin(np.radians(30)) * np.cos(np.radians(20)), np.sin(np.radians(20))
    assert (v["EyeLeftX"], v["EyeLeftY"]) == (pytest.approx(x), pytest.approx(y))
    assert v["EyeRightX"] < 0 and v["EyeRightY"] < 0
    assert v["EyeX"] == pytest.approx((v["EyeLeftX"] + v["EyeRightX"]) / 2)
    assert (v["Head/Yaw"], v["Head/Pitch"], v["Head/Roll"]) == (0.5, -0.25, 1.0)


def test_without_eye_angles_the_curves_look() -> None:
    v = shown(eyeLookInLeft=0.5, eyeLookOutRight=0.25, eyeLookDownLeft=0.125)
    assert (v["EyeLeftX"], v["EyeRightX"], v["EyeLeftY"]) == (0.5, 0.25, -0.125)


def test_angles_that_are_not_numbers_count_as_rest() -> None:
    eyes = np.full((2, 3), np.nan, np.float32)
    v = unified_values(np.full(52, 0.5, np.float32), eyes, np.full(3, np.inf, np.float32))
    assert np.isfinite(v).all()


def written(value: float, bits: int, *, signed: bool) -> int:
    """What n bits hold, by the formula VRCFaceTracking is documented with."""
    if value < 0 and not signed:
        return 0
    if abs(value) > 0.99999:
        return 2**bits - 1
    return int(abs(value) * 2**bits)


@settings(deadline=None)
@given(st.floats(-1, 1, width=32), st.integers(1, 8), st.booleans())
def test_bits_hold_the_value_and_negative_its_sign(value: float, bits: int, signed: bool) -> None:
    names = [f"SmileSad{2**k}" for k in range(bits)] + ["SmileSadNegative"] * signed
    heard = sent(switches(*names), {"SmileSad": value})
    start = f"{ROOT}FT/v2/SmileSad"
    held = sum(2**k * heard[f"{start}{2**k}"] for k in range(bits))
    assert held == written(value, bits, signed=signed)
    assert len(heard) == bits + signed
    if signed:
        assert heard[f"{start}Negative"] is (value < 0)


def test_switches_lie_among_other_arguments_of_a_bundle() -> None:
    messages = [Message("/a", ("x", 3), floats=1, integers=1, switches=2), Message("/abc"),
                Message("/abcd", switches=1), Message("/ab", floats=1)]  # fmt: skip
    (datagram,) = BundleTemplate(messages).fill(np.array([0.5, 7, 0, 1, 1, -0.25]))
    assert [m.arguments for m in read_osc(bytes(datagram))] == [
        ("x", 3, 0.5, 7, False, True), (), (True,), (-0.25,)
    ]  # fmt: skip


def test_values_that_share_a_beginning_keep_apart() -> None:
    heard = sent(switches("MouthX1", "MouthX2", "MouthXNegative", "JawX1"), {"MouthX": -0.6})
    said = {address.removeprefix(f"{ROOT}FT/v2/"): value for address, value in heard.items()}
    assert said == {"MouthX1": False, "MouthX2": True, "MouthXNegative": True, "JawX1": False}


def test_only_what_the_avatar_asks_for_is_set_wherever_it_keeps_it() -> None:
    output = AvatarOutput(
        [
            Parameter("/avatar/parameters/v2/JawOpen", switch=False),
            Parameter("/avatar/parameters/FT/v2/JawOpen", switch=True),
            Parameter("/avatar/parameters/My Fox/face/v2/Head/Yaw", switch=False),
            Parameter("/avatar/parameters/FT/v2/EyeTrackingActive", switch=True),
            Parameter("/avatar/parameters/LipTrackingActive", switch=True),
            # None of these is ours to set.
            Parameter("/avatar/parameters/JawOpen", switch=False),
            Parameter("/avatar/parameters/v2/Jaw", switch=False),
            Parameter("/avatar/parameters/v2/jawOpen", switch=False),
            Parameter("/avatar/parameters/v2/JawOpen3", switch=True),
            Parameter("/avatar/parameters/v2/JawOpen0", switch=True),
            Parameter("/avatar/parameters/v2/JawOpen4", switch=False),
            Parameter("/avatar/parameters/v2/JawOpen01", switch=True),
            Parameter("/avatar/parameters/v2/\u0661JawOpen\u0662", switch=True),
            Parameter("/avatar/parameters/VRCEmote", switch=False),
            Parameter("/tracking/v2/JawOpen", switch=False),
            Parameter("/avatar/parameters/\n/v2/JawOpen", switch=False),
            Parameter("/avatar/parameters/" + "x" * 1400 + "/v2/JawOpen", switch=False),
        ]
    )
    assert sent(output, {"JawOpen": 0.75, "Head/Yaw": -0.5}, active=False) == {
        "/avatar/parameters/v2/JawOpen": 0.75,
        "/avatar/parameters/FT/v2/JawOpen": True,
        "/avatar/parameters/My Fox/face/v2/Head/Yaw": -0.5,
        "/avatar/parameters/FT/v2/EyeTrackingActive": False,
        "/avatar/parameters/LipTrackingActive": False,
    }


def test_an_avatar_without_face_parameters_gets_no_datagram() -> None:
    output = AvatarOutput([Parameter("/avatar/parameters/GestureLeft", switch=False)])
    assert output.fill(np.zeros(len(NAMES), np.float32), active=True) == []


def test_an_avatar_of_endless_parameters_is_cut_off() -> None:
    many = (Parameter(f"{ROOT}{i}/v2/JawOpen", switch=False) for i in range(2 * MOST))
    assert len(AvatarOutput(many).addresses) == MOST


def test_all_names_are_sent_while_nothing_is_known_of_the_avatar(
    arkit_rig: Rig, ear: Any, perform: Any
) -> None:
    assert (len(BASE), len(COMBINED), len(everything())) == (102, 76, 181)
    sink = open_target(f"vrchat://127.0.0.1:{ear.port}?all=1", arkit_rig, rate=60)
    for frame in perform(arkit_rig, 3):
        sink.send(frame)
        datagrams = ear.heard()
        assert len(datagrams) == 7 and all(len(d) <= LARGEST for d in datagrams)
        heard = {m.address: m.arguments[0] for d in datagrams for m in read_osc(d)}
        expected = unified_values(frame.values, frame.eyes, frame.head)
        for name in NAMES:
            assert heard.pop(f"{ROOT}v2/{name}") == expected[INDEX[name]]
        assert heard == {ROOT + name: True for name in STATUS}
    sink.close()


def test_python_osc_receives_floats_and_booleans(arkit_rig: Rig, perform: Any) -> None:
    heard: dict[str, Any] = {}
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(lambda address, *args: heard.update({address: args}))
    with ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"vrchat://127.0.0.1:{server.server_address[1]}?oscquery=0&eyes=1"
        sink = open_target(url, arkit_rig, rate=60)
        frame = perform(arkit_rig, 1)[0]
        sink.send(frame)
        until = time.monotonic() + 10
        while len(heard) < 183 and time.monotonic() < until:
            time.sleep(0.01)
        server.shutdown()
    sink.close()
    assert len(heard) == 183
    assert heard[f"{ROOT}v2/TongueOut"] == (frame.values[51],)
    assert heard[f"{ROOT}EyeTrackingActive"] == (True,)
    left, right = np.degrees(frame.eyes).tolist()
    looks = heard["/tracking/eye/LeftRightPitchYaw"]
    assert looks == pytest.approx((left[1], left[0], right[1], right[0]), abs=1e-4)
    closed = (frame.values[ARKIT.index("eyeBlinkLeft")] + frame.values[7]) / 2
    assert heard["/tracking/eye/EyesClosedAmount"] == (pytest.approx(closed, abs=1e-6),)


def test_status_turns_off_when_the_face_stays_away_and_at_the_end(arkit_rig: Rig, ear: Any) -> None:
    sink = open_target(f"vrchat://127.0.0.1:{ear.port}?all=1", arkit_rig, rate=60)
    said = []
    for time_, found in ((0.0, False), (1.0, True), (2.4, False), (2.6, False), (3.0, True)):
        values = np.zeros(52, np.float32)
        sink.send(RigFrame(index=0, time=time_, values=values, found=found))
        said.append(status(ear))
    sink.close()
    said.append(status(ear))
    sink.close()
    assert said == [False, True, True, False, True, False]
    assert ear.heard() == []


def status(ear: Any) -> bool:
    heard = {m.address: m.arguments[0] for d in ear.heard() for m in read_osc(d)}
    values = {heard[ROOT + name] for name in STATUS}
    assert len(values) == 1
    return bool(values.pop())


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("vrchat://127.0.0.1?all=yes", "all is 1 or 0, not 'yes'"),
        ("vrchat://127.0.0.1?x=1", "VRChat takes ?oscquery=, ?all=, ?listen=, ?eyes="),
        ("vrchat://127.0.0.1?listen=192.0.2.77", "cannot listen at 192.0.2.77"),
        ("vrchat://no-such-host.invalid", "cannot find the host"),
    ],
)
def test_wrong_urls_are_explained(url: str, complaint: str, arkit_rig: Rig) -> None:
    before = threading.active_count()
    with pytest.raises(BridgeError, match=re.escape(complaint)):
        open_target(url, arkit_rig, rate=60)
    assert threading.active_count() == before


def test_a_rig_without_arkit_curves_is_refused() -> None:
    rig = Rig(name="fox", controls=(Control(name="c01"),))
    with pytest.raises(BridgeError, match="--rig arkit"):
        open_target("vrchat://127.0.0.1", rig, rate=60)


def test_frames_are_quick_where_nobody_listens(arkit_rig: Rig, perform: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    sink: Any = open_target(f"vrchat://127.0.0.1:{port}?all=1", arkit_rig, rate=60)
    frames = perform(arkit_rig, 100)
    began = time.perf_counter()
    for frame in frames:
        sink.send(frame)
    # Faster than 60 a second come, however busy the machine is.
    assert time.perf_counter() - began < 100 / 60
    sink.close()
