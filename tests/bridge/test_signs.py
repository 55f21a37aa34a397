"""One turn of head and eyes means the same in every protocol and file, in that one's own axes."""

import csv
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from freeavatar.bridge import livelink
from freeavatar.bridge.osc_reading import read_osc
from freeavatar.bridge.takes import open_take
from freeavatar.bridge.targets import open_target
from freeavatar.rigs.conventions import ARKIT, LIVE_LINK_CSV
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Rig, RigFrame

YAW, PITCH, ROLL = 0.3, 0.2, 0.1
HEAD = np.array([YAW, PITCH, ROLL], np.float32)
EYES = np.array([[0.25, 0.15, 0.0], [0.2, 0.1, 0.0]], np.float32)
JOINTS = ("head", "eye_left", "eye_right")
ANGLES = (HEAD, EYES[0], EYES[1])
FORWARD, UP = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])


def frame(rig: Rig, head: NDArray[np.float32] = HEAD) -> RigFrame:
    return RigFrame(
        index=0, time=0.0, values=np.zeros(len(rig.controls), np.float32), head=head, eyes=EYES
    )


def arguments(data: list[bytes], address: str) -> list[tuple[Any, ...]]:
    return [m.arguments for d in data for m in read_osc(d) if m.address.endswith(address)]


def unity_bones(rig: Rig, ear: Any, head: NDArray[np.float32] = HEAD) -> dict[str, Rotation]:
    open_target(f"vmc://127.0.0.1:{ear.port}", rig, rate=60).send(frame(rig, head))
    bones = arguments(ear.heard(), "/VMC/Ext/Bone/Pos")
    return {a[0]: Rotation.from_quat(a[4:]) for a in bones}


def test_rig_space_has_the_documented_signs() -> None:
    """The face looks along +z and the actor's left is +x: right is -x, down is -y."""
    assert (matrix_from_angles(np.array([YAW, 0, 0])) @ FORWARD)[0] < -0.25
    assert (matrix_from_angles(np.array([0, PITCH, 0])) @ FORWARD)[1] < -0.15
    assert (matrix_from_angles(np.array([0, 0, ROLL])) @ UP)[0] < -0.05


@pytest.mark.parametrize(
    ("angles", "axis", "sign"), [((YAW, 0, 0), 1, 1), ((0, PITCH, 0), 0, 1), ((0, 0, ROLL), 2, -1)]
)
def test_unity_turns_as_its_own_euler_angles_do(
    arkit_rig: Rig, ear: Any, angles: tuple[float, ...], axis: int, sign: int
) -> None:
    """In Unity, Euler (0, +, 0) turns an avatar to its right, (+, 0, 0) nods it down, and
    (0, 0, +) tilts it to its left, each a quaternion with a positive x, y or z."""
    head = np.array(angles, np.float32)
    quaternion = unity_bones(arkit_rig, ear, head)["Head"].as_quat()
    expected = np.zeros(4)
    expected[axis], expected[3] = sign * np.sin(max(angles) / 2), np.cos(max(angles) / 2)
    np.testing.assert_allclose(quaternion, expected, atol=1e-6)


def test_an_actor_who_turns_left_turns_a_unity_avatar_to_its_own_left(
    arkit_rig: Rig, ear: Any
) -> None:
    """A Unity avatar looks along +z and has its left at -x, in left-handed axes."""
    left = np.array([-YAW, 0, 0], np.float32)
    looks = unity_bones(arkit_rig, ear, left)["Head"].apply(FORWARD)
    np.testing.assert_allclose(looks, [-np.sin(YAW), 0, np.cos(YAW)], atol=1e-6)


def test_unity_bones_point_where_rig_space_mirrored_points(arkit_rig: Rig, ear: Any) -> None:
    bones = unity_bones(arkit_rig, ear)
    for name, angles in zip(("Head", "LeftEye", "RightEye"), ANGLES, strict=True):
        for direction in (FORWARD, UP):
            wanted = matrix_from_angles(angles) @ direction * [-1, 1, 1]
            np.testing.assert_allclose(bones[name].apply(direction), wanted, atol=1e-6)


def test_osc_and_live_link_carry_the_angles_as_they_are(arkit_rig: Rig, ear: Any) -> None:
    everything = np.concatenate([HEAD, EYES.ravel()])
    open_target(f"osc://127.0.0.1:{ear.port}", arkit_rig, rate=60).send(frame(arkit_rig))
    data = ear.heard()
    np.testing.assert_array_equal(arguments(data, "/head")[0], HEAD)
    np.testing.assert_array_equal(arguments(data, "/eyes")[0], EYES.ravel())
    open_target(f"livelink://127.0.0.1:{ear.port}", arkit_rig, rate=60).send(frame(arkit_rig))
    packet = ear.heard()[0]
    # Everything after the count byte, whatever our own decoder thinks.
    values = np.array(struct.unpack(">61f", packet[-244:]), np.float32)
    np.testing.assert_array_equal(values[52:], everything)
    read = livelink.decode(packet).values
    assert read is not None
    np.testing.assert_array_equal(read[52:], everything)


def test_a_csv_take_has_the_angles_and_the_sides_under_their_names(
    arkit_rig: Rig, tmp_path: Path
) -> None:
    path = tmp_path / "take.csv"
    values = np.zeros(52, np.float32)
    sides = {"jawLeft": 0.1, "jawRight": 0.2, "mouthLeft": 0.3, "mouthRight": 0.4}
    for name, value in sides.items():
        values[ARKIT.index(name)] = value
    sink = open_take(path, arkit_rig, rate=60)
    sink.send(RigFrame(index=0, time=0.0, values=values, head=HEAD, eyes=EYES))
    sink.close()
    header, row = list(csv.reader(path.open()))
    assert tuple(header) == LIVE_LINK_CSV
    assert header[17:19] == ["JawRight", "JawLeft"]
    assert header[23:25] == ["MouthRight", "MouthLeft"]
    np.testing.assert_allclose([float(c) for c in row[17:19]], [0.2, 0.1], atol=1e-7)
    np.testing.assert_allclose([float(c) for c in row[23:25]], [0.4, 0.3], atol=1e-7)
    written = [float(cell) for cell in row[-9:]]
    np.testing.assert_allclose(written, [*HEAD, *EYES.ravel()], atol=1e-7)


def test_a_glb_take_turns_its_nodes_the_same_way(mesh_rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "take.glb"
    sink = open_take(path, mesh_rig, rate=60)
    sink.send(frame(mesh_rig))
    sink.close()
    data = path.read_bytes()
    length = int.from_bytes(data[12:16], "little")
    content, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    animation = content["animations"][0]
    turned = {}
    for channel in animation["channels"]:
        if channel["target"]["path"] == "rotation":
            accessor = content["accessors"][animation["samplers"][channel["sampler"]]["output"]]
            view = content["bufferViews"][accessor["bufferView"]]
            at = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
            name = content["nodes"][channel["target"]["node"]]["name"]
            turned[name] = Rotation.from_quat(struct.unpack_from("<4f", binary, at))
    assert sorted(turned) == sorted(JOINTS)
    for name, angles in zip(JOINTS, ANGLES, strict=True):
        np.testing.assert_allclose(
            turned[name].as_matrix(), matrix_from_angles(angles), atol=1e-6, err_msg=name
        )
