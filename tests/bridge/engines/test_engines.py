"""Engines run our receivers and show what our senders send."""

import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from freeavatar.bridge.targets import open_target
from freeavatar.bridge.vmc import unity_rotation
from freeavatar.rigs import registry
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Control, Rig, RigFrame

ENGINES = Path(__file__).resolve().parents[3] / "bridge" / "engines"
CLOSE = 1e-4
"""Engines keep float32, and Godot prints six digits."""
RATE = 60.0
# What the Godot 3 script becomes in Godot 4, which is not here to run it.
GODOT_4 = {
    "# FreeAvatar receiver for Godot 3.2 and newer 3.x; ../godot4 has the same script for Godot 4.":
    "# FreeAvatar receiver for Godot 4; ../godot has the same script for Godot 3.",
    "export var ": "@export var ",
    "_socket.listen(": "_socket.bind(",
    ".empty()": ".is_empty()",
    "TYPE_REAL": "TYPE_FLOAT",
    "percent_decode": "uri_decode",
    "Quat(": "Quaternion(",
    "subarray(begin, last - 1)": "slice(begin, last)",
    "is MeshInstance:": "is MeshInstance3D:",
    "is Skeleton ": "is Skeleton3D ",
    "is Spatial:": "is Node3D:",
    "set_bone_pose(joint.bone, Transform(own, Vector3.ZERO))":
    "set_bone_pose_rotation(joint.bone, Quaternion((joint.rest * own).orthonormalized()))",
}  # fmt: skip


def scale(engine: Any) -> float:
    """What 1.0 is in an engine."""
    return 100.0 if engine.name == "unity" else 1.0


def check_weights(engine: Any, shown: dict[str, Any], rig: Rig, frame: RigFrame) -> None:
    weights = [shown["weights"][name] / scale(engine) for name in rig.names]
    np.testing.assert_allclose(weights, frame.values, rtol=0, atol=CLOSE)


def matrix_shown(engine: Any, role: str, turned: list[Any]) -> Any:
    """Rotation of the rig's space that an engine shows."""
    if engine.name == "godot":
        return np.array(turned).T
    x, y, z, w = turned
    if role == "head":  # The stage's head lies a quarter turn about x at rest.
        rest = Rotation.from_euler("x", 90, degrees=True)
        return (Rotation.from_quat([x, y, z, w]) * rest.inv()).as_matrix()
    return Rotation.from_quat([x, y, z, w]).as_matrix()


def check_turns(engine: Any, shown: dict[str, Any], frame: RigFrame) -> None:
    if engine.name == "blender":
        return  # Its receiver moves shape keys alone.
    angles = {"head": frame.head, "left_eye": frame.eyes[0], "right_eye": frame.eyes[1]}
    for role, turn in angles.items():
        wanted = matrix_from_angles(turn)
        if engine.name == "unity":
            wanted = Rotation.from_quat(unity_rotation(turn)).as_matrix()
        found = matrix_shown(engine, role, shown["turned"][role])
        np.testing.assert_allclose(found, wanted, rtol=0, atol=CLOSE, err_msg=role)


@pytest.mark.parametrize("scheme", ["osc", "vmc"])
def test_an_engine_shows_every_frame_that_is_sent(engine: Any, perform: Any, scheme: str) -> None:
    rig = registry.load("mannequin")
    sink = open_target(f"{scheme}://127.0.0.1:{engine.port}", rig, rate=RATE)
    for frame in perform(rig, 8):
        sink.send(frame)
        shown = engine.next()
        assert shown["time"] == pytest.approx(frame.time, abs=CLOSE)
        check_weights(engine, shown, rig, frame)
        check_turns(engine, shown, frame)
    sink.close()


@pytest.mark.parametrize("scheme", ["osc", "vmc"])
def test_only_whole_frames_are_shown_and_the_last_one_stays(
    engine: Any, perform: Any, scheme: str
) -> None:
    """A frame takes two datagrams; faster than the engine, one that is shown is one frame's."""
    rig = registry.load("mannequin")
    frames = perform(rig, 12)
    sink = open_target(f"{scheme}://127.0.0.1:{engine.port}", rig, rate=RATE)
    for frame in frames:
        sink.send(frame)
    for shown in engine.until(frames[-1].time):
        check_weights(engine, shown, rig, frames[round(shown["time"] * RATE)])
    sink.close()


def test_names_that_are_hard_to_write_arrive(
    engine: Any, perform: Any, odd_names: tuple[str, ...]
) -> None:
    rig = Rig(name="fox 2", controls=tuple(Control(name=name) for name in odd_names))
    sink = open_target(f"osc://127.0.0.1:{engine.port}", rig, rate=RATE)
    first, second = perform(rig, 2)
    sink.send(first)
    before = engine.next()
    check_weights(engine, before, rig, first)
    sink.send(second)
    after = engine.next()
    check_weights(engine, after, rig, second)
    sink.close()
    # Jawopen is there, so it is not taken for jawOpen.
    assert after["weights"].get("jawOpen") == before["weights"].get("jawOpen")


def text(said: str) -> bytes:
    raw = said.encode()
    return raw + bytes(4 - len(raw) % 4)


def message(address: str, tags: str, packed: bytes = b"") -> bytes:
    return text(address) + text(f",{tags}") + packed


def bundle(*elements: bytes) -> bytes:
    sized = b"".join(struct.pack(">i", len(element)) + element for element in elements)
    return b"#bundle\0" + struct.pack(">Q", 1) + sized


def number(value: float) -> bytes:
    return struct.pack(">f", value)


START_OF = "/freeavatar/mannequin"
DEEP = bundle(message(f"{START_OF}/jawOpen", "f", number(0.9)))
for _ in range(200):
    DEEP = bundle(DEEP)
HUGE = number(3e38)
HOSTILE = {
    "empty": b"",
    "one byte": b"/",
    "no end": b"/freeavatar/mannequin/jawOpen",
    "no types": text(f"{START_OF}/jawOpen"),
    "types without comma": text(f"{START_OF}/jawOpen") + text("f") + number(0.9),
    "cut off": message(f"{START_OF}/jawOpen", "f", b"\x3f\x66"),
    "no argument": message(f"{START_OF}/jawOpen", ""),
    "text for number": message(f"{START_OF}/jawOpen", "s", text("0.9")),
    "whole number": message(f"{START_OF}/jawOpen", "i", struct.pack(">i", 1)),
    "switch": message(f"{START_OF}/jawOpen", "T"),
    "not a number": message(f"{START_OF}/jawOpen", "f", number(float("nan"))),
    "infinite": message(f"{START_OF}/jawOpen", "f", number(float("-inf"))),
    "unknown type": message(f"{START_OF}/jawOpen", "xf", number(0.9)),
    "blob too long": message(f"{START_OF}/jawOpen", "bf", struct.pack(">i", 1 << 30)),
    "blob below zero": message(f"{START_OF}/jawOpen", "bf", struct.pack(">i", -8)),
    "not UTF-8": message(f"{START_OF}/jawOpen", "f", number(0.9)).replace(b"jaw", b"\xff\xfe\xfd"),
    "half an escape": message(f"{START_OF}/%", "f", number(0.9)),
    "escaped zero": message(f"{START_OF}/%00%zz", "f", number(0.9)),
    "another's address": message("/other/mannequin/jawOpen", "f", number(0.9)),
    "only a slash": message("/", "f", number(0.9)),
    "bundle cut off": b"#bundle\0\0\0\0",
    "element of no size": b"#bundle\0" + bytes(12),
    "element below zero": b"#bundle\0" + bytes(8) + struct.pack(">i", -4) + bytes(8),
    "element too long": b"#bundle\0" + bytes(8) + struct.pack(">i", 1 << 20) + bytes(8),
    "bundles in bundles": DEEP,
    "head of two": message(f"{START_OF}/head", "ff", bytes(8)),
    "eyes of text": message(f"{START_OF}/eyes", "ssssss", text("a") * 6),
    "bone without name": message("/VMC/Ext/Bone/Pos", "fffffff", bytes(28)),
    "bone of no length": message("/VMC/Ext/Bone/Pos", "sfffffff", text("Head") + bytes(28)),
    "bone of huge length": message("/VMC/Ext/Bone/Pos", "s" + "f" * 7, text("Head") + HUGE * 7),
    "blend without value": message("/VMC/Ext/Blend/Val", "s", text("JawOpen")),
    "blend without name": message("/VMC/Ext/Blend/Val", "fs", number(0.9) + text("JawOpen")),
    "nothing of VMC": message("/VMC/Ext/", ""),
    "many types": message(f"{START_OF}/jawOpen", "T" * 60000),
}


def test_hostile_datagrams_move_nothing_and_stop_nothing(engine: Any, perform: Any) -> None:
    rig = registry.load("mannequin")
    frame = perform(rig, 1)[0]
    sink = open_target(f"osc://127.0.0.1:{engine.port}", rig, rate=RATE)
    sink.send(frame)
    engine.next()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for datagram in HOSTILE.values():
            stranger.sendto(datagram, ("127.0.0.1", engine.port))
        # Shows what the datagrams above have left behind: they must have left nothing.
        found = message(f"{START_OF}/found", "i", struct.pack(">i", 1))
        stranger.sendto(found, ("127.0.0.1", engine.port))
    check_weights(engine, engine.next(), rig, frame)
    sink.send(frame)
    shown = engine.next()
    check_weights(engine, shown, rig, frame)
    check_turns(engine, shown, frame)
    sink.close()
    assert not [line for line in engine.said if "SCRIPT ERROR" in line or "Traceback" in line]


def test_texts_and_blobs_before_a_bundle_in_a_bundle(engine: Any) -> None:
    """Types that our own sender does not use."""
    odd = message(f"{START_OF}/whatever", "sbTFif", text("é") + struct.pack(">i", 5) + bytes(16))
    last = message("/freeavatar/mannequin/found", "i", bytes(4))
    whole = bundle(odd, bundle(bundle(message(f"{START_OF}/jawOpen", "f", number(0.625)))), last)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(whole, ("127.0.0.1", engine.port))
    assert engine.next()["weights"]["jawOpen"] == pytest.approx(0.625 * scale(engine))


def test_times_are_kept_and_blender_records_at_its_scenes_rate(engine: Any, perform: Any) -> None:
    rig = registry.load("mannequin")
    frames = perform(rig, 6, rate=24.0)
    sink = open_target(f"osc://127.0.0.1:{engine.port}", rig, rate=24.0)
    for frame in frames:
        sink.send(frame)
        shown = engine.next()
        assert shown["time"] == pytest.approx(frame.time, abs=CLOSE)
    sink.close()
    assert ("keyframes" in shown) == (engine.name == "blender")
    if "keyframes" in shown:
        jaw = rig.names.index("jawOpen")
        expected = [[1 + i, frame.values[jaw]] for i, frame in enumerate(frames)]
        np.testing.assert_allclose(shown["keyframes"][:6], expected, rtol=0, atol=CLOSE)


def test_the_godot_4_script_is_the_godot_3_script_in_godot_4s_words() -> None:
    script = (ENGINES / "godot" / "freeavatar_receiver.gd").read_text()
    for of_three, of_four in GODOT_4.items():
        assert of_three in script
        script = script.replace(of_three, of_four)
    assert (ENGINES / "godot4" / "freeavatar_receiver.gd").read_text() == script
