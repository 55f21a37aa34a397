"""VMC: names receivers know, bones in Unity's axes, Apply at the end."""

import struct
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from freeavatar.bridge.osc_reading import read_osc
from freeavatar.bridge.targets import open_target
from freeavatar.bridge.vmc import unity_position, unity_rotation
from freeavatar.rigs.conventions import ARKIT
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Control, Rig, RigFrame

LARGEST = 1400
MIRROR = np.diag([-1.0, 1.0, 1.0])


def messages(ear: Any) -> list[tuple[str, tuple[Any, ...]]]:
    return [(m.address, m.arguments) for d in ear.heard() for m in read_osc(d)]


def send(rig: Rig, frame: RigFrame, ear: Any) -> list[tuple[str, tuple[Any, ...]]]:
    open_target(f"vmc://127.0.0.1:{ear.port}", rig, rate=60).send(frame)
    return messages(ear)


def test_all_52_perfect_sync_names_then_apply_every_frame(
    arkit_rig: Rig, ear: Any, perform: Any
) -> None:
    sink = open_target(f"vmc://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    for frame in perform(arkit_rig, 3):
        sink.send(frame)
        datagrams = ear.heard()
        assert all(len(d) <= LARGEST and d.startswith(b"#bundle\0") for d in datagrams)
        sent = [(m.address, m.arguments) for d in datagrams for m in read_osc(d)]
        assert sent[-1] == ("/VMC/Ext/Blend/Apply", ())
        assert sent[0] == ("/VMC/Ext/OK", (1,))
        assert sent[1] == ("/VMC/Ext/T", (np.float32(frame.time),))
        blends = [arguments for address, arguments in sent if address == "/VMC/Ext/Blend/Val"]
        names = [name[0].upper() + name[1:] for name in ARKIT]
        assert blends == list(zip(names, frame.values.tolist(), strict=True))


def test_closing_says_goodbye_once(arkit_rig: Rig, ear: Any) -> None:
    sink = open_target(f"vmc://127.0.0.1:{ear.port}", arkit_rig, rate=60)
    sink.close()
    sink.close()
    ok = b"/VMC/Ext/OK\0" + b",i\0\0" + struct.pack(">i", 0)
    assert ear.heard() == [b"#bundle\0" + struct.pack(">Qi", 1, len(ok)) + ok]


def test_a_bone_is_these_bytes_in_unity_axes(mesh_rig: Rig, ear: Any) -> None:
    """Yaw + is toward the actor's right: about -y in rig space, about +y in Unity's."""
    half = np.radians(30) / 2
    frame = RigFrame(
        index=0,
        time=0,
        values=np.zeros(3, np.float32),
        head=np.array([np.radians(30), 0, 0], np.float32),
    )
    open_target(f"vmc://127.0.0.1:{ear.port}", mesh_rig, rate=60).send(frame)
    data = b"".join(ear.heard())
    head = b"/VMC/Ext/Bone/Pos\0\0\0,sfffffff\0\0\0Head\0\0\0\0"
    head += struct.pack(">7f", 0, 0.09, 0, 0, np.sin(half), 0, np.cos(half))
    at = data.find(head[:40])
    assert at > 0
    np.testing.assert_allclose(
        struct.unpack_from(">7f", data, at + 40), struct.unpack_from(">7f", head, 40), atol=1e-7
    )


def test_eyes_rest_where_the_rig_has_them_and_turn_about_the_mirrored_axes(
    mesh_rig: Rig, ear: Any, perform: Any
) -> None:
    frame = perform(mesh_rig, 1)[0]
    sent = [a for address, a in send(mesh_rig, frame, ear) if address == "/VMC/Ext/Bone/Pos"]
    bones = {a[0]: np.array(a[1:]) for a in sent}
    # The character's left is +x in rig space and -x in Unity.
    np.testing.assert_allclose(bones["LeftEye"][:3], [-0.03, 0.15, 0.06], atol=1e-6)
    np.testing.assert_allclose(bones["RightEye"][:3], [0.03, 0.15, 0.06], atol=1e-6)
    turned = {"Head": frame.head, "LeftEye": frame.eyes[0], "RightEye": frame.eyes[1]}
    for name, angles in turned.items():
        mirrored = MIRROR @ matrix_from_angles(angles) @ MIRROR
        found = Rotation.from_quat(bones[name][3:]).as_matrix()
        np.testing.assert_allclose(found, mirrored, atol=1e-6)
    assert bones["Neck"][3:].tolist() == [0, 0, 0, 1]


def test_mirroring_keeps_rotated_points_together() -> None:
    """Turning then mirroring a point is mirroring then turning it."""
    random = np.random.default_rng(3)
    for angles in random.uniform(-1, 1, (20, 3)):
        point = random.normal(size=3)
        there = unity_position(matrix_from_angles(angles) @ point)
        here = Rotation.from_quat(unity_rotation(angles)).apply(unity_position(point))
        np.testing.assert_allclose(here, there, atol=1e-12)


def test_vrm_presets_have_their_versions_spelling(ear: Any) -> None:
    for convention, given, wire in (
        ("vrm0", ("joy", "a", "blink_l", "LookUp"), ["Joy", "A", "Blink_L", "LookUp"]),
        ("vrm1", ("happy", "aa", "blinkleft"), ["happy", "aa", "blinkLeft"]),
        ("", ("joy", "jawOpen"), ["joy", "jawOpen"]),
    ):
        rig = Rig(name="v", controls=tuple(Control(name=n, convention=convention) for n in given))
        values = np.arange(len(given), dtype=np.float32) / 8
        sent = send(rig, RigFrame(index=0, time=0, values=values), ear)
        blends = [a for address, a in sent if address == "/VMC/Ext/Blend/Val"]
        assert blends == list(zip(wire, values.tolist(), strict=True))


def test_an_arkit_rigs_other_controls_follow_under_their_own_names(
    arkit_rig: Rig, ear: Any
) -> None:
    viseme = Control(name="viseme_aa", convention="oculus", hub={"jawOpen": 0.6})
    rig = Rig(name="both", controls=(viseme, *arkit_rig.controls))
    values = np.zeros(53, np.float32)
    values[0], values[1 + ARKIT.index("jawOpen")] = 0.75, 0.25
    sent = send(rig, RigFrame(index=0, time=0, values=values), ear)
    blends = dict(a for address, a in sent if address == "/VMC/Ext/Blend/Val")
    assert len(blends) == 53
    assert blends["viseme_aa"] == 0.75
    assert blends["JawOpen"] == 0.25
