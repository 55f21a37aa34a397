"""Live Link Face packets: to the byte, read by a decoder we did not write, and robustly read."""

import itertools
import re
import struct
import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylivelinkface import FaceBlendShape, PyLiveLinkFace

from freeavatar.bridge import livelink
from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.targets import open_target
from freeavatar.rigs.conventions import ARKIT, LIVE_LINK_UDP, describe_controls
from freeavatar.rigs.spec import Control, Rig, RigFrame

DEVICE = "0A1B2C3D-0000-1111-2222-333344445555"


def test_a_packet_is_these_bytes() -> None:
    values = np.arange(61, dtype=np.float32) / 64
    packet = livelink.Packet(
        device=DEVICE,
        subject="Anna",
        frame=1234567,
        subframe=0.25,
        rate=Fraction(60),
        values=values,
    )
    expected = b"\x06" + struct.pack(">i", 36) + DEVICE.encode() + struct.pack(">i", 4) + b"Anna"
    expected += struct.pack(">ifii", 1234567, 0.25, 60, 1) + b"\x3d"
    expected += struct.pack(">61f", *(i / 64 for i in range(61)))
    assert livelink.encode(packet) == expected
    assert len(expected) == 270 + 36 + 4
    read = livelink.decode(expected)
    assert read.values is not None
    assert (read.device, read.subject, read.frame, read.subframe) == (DEVICE, "Anna", 1234567, 0.25)
    assert (read.rate, read.values.tolist()) == (60, values.tolist())


def test_pylivelinkface_reads_what_we_sent(arkit_rig: Rig, ear: Any, perform: Any) -> None:
    sink = open_target(f"livelink://127.0.0.1:{ear.port}?subject=Anna", arkit_rig, rate=60)
    frames = perform(arkit_rig, 5)
    for frame in frames:
        sink.send(frame)
    datagrams = ear.heard()
    assert len(datagrams) == 5
    for frame, datagram in zip(frames, datagrams, strict=True):
        seen, read = PyLiveLinkFace.decode(datagram)
        assert seen
        assert read.name == "Anna"
        assert read.fps == 60
        said = np.array([read.get_blendshape(FaceBlendShape(i)) for i in range(61)])
        everything = np.concatenate([frame.values, frame.head, frame.eyes.reshape(6)])
        np.testing.assert_array_equal(said.astype(np.float32), everything)
    assert FaceBlendShape.TongueOut.value == ARKIT.index("tongueOut")


def test_the_device_id_is_a_uuid_that_stays(arkit_rig: Rig, ear: Any, perform: Any) -> None:
    seen = []
    for subject in ("Anna", "Anna", "Bert"):
        url = f"livelink://127.0.0.1:{ear.port}?subject={subject}"
        open_target(url, arkit_rig, rate=60).send(perform(arkit_rig, 1)[0])
        seen.append(livelink.decode(ear.heard()[0]).device)
    assert all(re.fullmatch("[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", device) for device in seen)
    assert seen[0] == seen[1] != seen[2]


@pytest.mark.parametrize(
    ("option", "rate", "fraction"),
    [("", 25, Fraction(60)), ("?fps=24", 60, Fraction(24)), ("", 120, Fraction(120)),
     ("?fps=29.97", 30, Fraction(30000, 1001)), ("?fps=24000/1001", 24, Fraction(24000, 1001))],
)  # fmt: skip
def test_frame_numbers_follow_the_frames_times(
    arkit_rig: Rig, ear: Any, perform: Any, option: str, rate: float, fraction: Fraction
) -> None:
    sink = open_target(f"livelink://127.0.0.1:{ear.port}{option}", arkit_rig, rate=rate)
    frames = perform(arkit_rig, 10, rate=rate)
    now = time.localtime()
    for frame in frames:
        sink.send(frame)
    packets = [livelink.decode(d) for d in ear.heard()]
    assert {p.rate for p in packets} == {fraction}
    assert {p.subject for p in packets} == {"arkit"}
    clock = np.array([p.frame + p.subframe for p in packets]) / float(fraction)
    steps = (clock - clock[0] - [f.time for f in frames] + 43200) % 86400 - 43200
    np.testing.assert_allclose(steps, 0, atol=1e-4)
    seconds = now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec
    assert -1 < (clock[0] - seconds + 43200) % 86400 - 43200 < 5


@pytest.mark.parametrize("second", [0.0, 0.1, 1 / 3, 43210.7, 86399.0])
def test_frame_numbers_step_by_one_and_stay_below_the_next_frame(
    arkit_rig: Rig, ear: Any, perform: Any, monkeypatch: pytest.MonkeyPatch, second: float
) -> None:
    monkeypatch.setattr(livelink, "_time_of_day", lambda: second)
    sink = open_target(f"livelink://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    for frame in perform(arkit_rig, 120):
        sink.send(frame)
    packets = [livelink.decode(d) for d in ear.heard()]
    assert {(b.frame - a.frame) % 5184000 for a, b in itertools.pairwise(packets)} == {1}
    assert all(0 <= p.subframe < 1 for p in packets)


def test_frame_numbers_start_again_at_midnight(
    arkit_rig: Rig, ear: Any, perform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(livelink, "_time_of_day", lambda: 86400 - 2 / 60 + 0.001)
    sink = open_target(f"livelink://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    for frame in perform(arkit_rig, 4):
        sink.send(frame)
    numbers = [livelink.decode(d).frame for d in ear.heard()]
    assert numbers == [5183998, 5183999, 0, 1]


def test_a_rig_of_other_names_speaks_through_their_meaning(ear: Any) -> None:
    controls = (
        Control(name="aa", hub={"jawOpen": 0.7, "mouthFunnel": 0.2}, minimum=0, maximum=100),
        Control(name="brow up", hub={"browInnerUp": 0.5}, side="left"),
        Control(name="brow up R", hub={"browInnerUp": 0.5}, side="right"),
        Control(name="ears"),
    )
    rig = Rig(name="toon", controls=controls)
    values = np.array([50, 1, 0.5, 1], np.float32)
    open_target(f"livelink://127.0.0.1:{ear.port}", rig, rate=60).send(
        RigFrame(index=0, time=0, values=values)
    )
    sent = livelink.decode(ear.heard()[0]).values
    assert sent is not None
    expected = dict.fromkeys(LIVE_LINK_UDP, 0.0)
    expected |= {"JawOpen": 0.35, "MouthFunnel": 0.1, "BrowInnerUp": 0.75}
    np.testing.assert_allclose(sent, list(expected.values()), atol=1e-7)


def test_spelling_variants_are_the_same_curves(ear: Any) -> None:
    names = [n.replace("Left", "_L").replace("Right", "_R") for n in ARKIT if n != "tongueOut"]
    rig = Rig(name="facecap", controls=describe_controls(names))
    values = np.linspace(0, 1, 51, dtype=np.float32)
    open_target(f"livelink://127.0.0.1:{ear.port}", rig, rate=60).send(
        RigFrame(index=0, time=0, values=values)
    )
    sent = livelink.decode(ear.heard()[0]).values
    assert sent is not None
    by_name = dict(zip(ARKIT, sent[:52].tolist(), strict=True))
    wanted = zip((n for n in ARKIT if n != "tongueOut"), values.tolist(), strict=True)
    assert by_name == {**dict(wanted), "tongueOut": 0.0}


def test_values_that_are_not_numbers_are_sent_as_zero(arkit_rig: Rig, ear: Any) -> None:
    values = np.full(52, 0.5, np.float32)
    values[0] = np.nan
    head = np.array([np.inf, 0.1, -np.inf], np.float32)
    open_target(f"livelink://127.0.0.1:{ear.port}", arkit_rig, rate=60).send(
        RigFrame(index=0, time=0, values=values, head=head)
    )
    sent = livelink.decode(ear.heard()[0]).values
    assert sent is not None
    assert sent[:2].tolist() == [0, 0.5]
    assert sent[52:55].tolist() == [0, head[1], 0]


def test_a_rig_without_any_meaning_is_refused(odd_rig: Rig) -> None:
    with pytest.raises(BridgeError, match=r"fox 2 has none.*--rig arkit"):
        open_target("livelink://127.0.0.1", odd_rig, rate=60)


def test_a_packet_without_a_face_has_no_values() -> None:
    packet = livelink.Packet(
        device=DEVICE, subject="A", frame=1, subframe=0, rate=Fraction(60), values=None
    )
    data = livelink.encode(packet)
    assert len(data) == 25 + 37
    assert livelink.decode(data).values is None


WHOLE = livelink.encode(
    livelink.Packet(
        device=DEVICE, subject="A", frame=1, subframe=0, rate=Fraction(60),
        values=np.full(61, 0.5, np.float32),
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "first byte nothing"),
        (b"\x05" + WHOLE[1:], "first byte 5"),
        (WHOLE[:3], "length of the device id"),
        (WHOLE[:1] + b"\xff\xff\xff\xff" + WHOLE[5:], "length -1 of the device id"),
        (WHOLE[:1] + b"\x7f\xff\xff\xff" + WHOLE[5:], "length 2147483647 of the device id"),
        (WHOLE[:45] + b"\xff" + WHOLE[46:], "subject is not UTF-8"),
        (WHOLE[:50], "frame number and rate"),
        (WHOLE[:-4], "has 60"),
        (WHOLE + b"\0", "has 61.25"),
        (WHOLE[:62] + b"\x34" + WHOLE[63:], "says 52"),
        (WHOLE[:54] + bytes(4) + WHOLE[58:], "rate 0/1"),
        (WHOLE[:-4] + b"\x7f\xc0\0\0", "RightEyeRoll is not a number"),
    ],
)
def test_broken_packets_are_described(data: bytes, complaint: str) -> None:
    with pytest.raises(BridgeError, match=re.escape(complaint)):
        livelink.decode(data)


@given(st.binary(max_size=400) | st.builds(lambda cut, junk: WHOLE[:cut] + junk,
       st.integers(0, len(WHOLE)), st.binary(max_size=60)))  # fmt: skip
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        packet = livelink.decode(data)
    except BridgeError:
        return
    assert packet.values is None or np.isfinite(packet.values).all()
