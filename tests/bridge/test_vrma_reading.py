"""VRM animations that other tools wrote, and files that are none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import open_take, read_take
from freeavatar.rigs.gltf.builder import GlbBuilder
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Rig


def foreign(interpolation: str, x: list[float], times: list[float]) -> GlbBuilder:
    """Another tool's file: skeleton at an angle, a neck, expression keys of its own times."""
    turned = Rotation.from_euler("y", 90, degrees=True)
    bones = ("hips", "neck", "head")
    builder = GlbBuilder({"asset": {"version": "2.0"}})
    for index, bone in enumerate(bones):
        below = {"children": [index + 1]} if index < 2 else {}
        builder.append("nodes", {"name": bone, "rotation": turned.as_quat().tolist()} | below)
    builder.append("nodes", {"name": "smile"})
    keys = builder.accessor(np.float32(times), bounds=True)
    ends = builder.accessor(np.float32([0, 1]), bounds=True)
    moved = builder.accessor(np.float32([[v, 9, 9] for v in x]))
    # In the world neck and head each nod by 0.2; both stand at angles of their own.
    nod = Rotation.from_matrix(matrix_from_angles([0, 0.2, 0]))
    world = {"neck": turned**2, "head": turned**3}
    outputs = []
    for bone in ("neck", "head"):
        rest = world[bone]
        local = (rest * turned.inv()).inv() * nod * rest
        outputs.append(builder.accessor(np.float32([turned.as_quat(), local.as_quat()])))
    builder.content["extensions"] = {
        "VRMC_vrm_animation": {
            "specVersion": "1.0",
            "humanoid": {"humanBones": {b: {"node": i} for i, b in enumerate(bones)}},
            "expressions": {"preset": {"happy": {"node": 3}}},
        }
    }
    builder.content["animations"] = [
        {
            "channels": [
                {"sampler": 0, "target": {"node": 3, "path": "translation"}},
                {"sampler": 1, "target": {"node": 1, "path": "rotation"}},
                {"sampler": 2, "target": {"node": 2, "path": "rotation"}},
                {"sampler": 0, "target": {"path": "translation"}},
            ],
            "samplers": [
                {"input": keys, "output": moved, "interpolation": interpolation},
                {"input": ends, "output": outputs[0]},
                {"input": ends, "output": outputs[1]},
            ],
        }
    ]
    return builder


@pytest.mark.parametrize(
    ("interpolation", "x", "expected"),
    [
        ("LINEAR", [0.0, 0.5, 2.0], [0, 0.5, 1]),
        ("STEP", [0.25, 0.5, 1.0], [0.25, 0.5, 1]),
        ("CUBICSPLINE", [7.0, 0.1, 7.0, 7.0, 0.2, 7.0, 7.0, 0.3, 7.0], [0.1, 0.2, 0.3]),
    ],
)
def test_other_tools_files_are_read(
    tmp_path: Path, interpolation: str, x: list[float], expected: list[float]
) -> None:
    path = tmp_path / "t.vrma"
    path.write_bytes(foreign(interpolation, x, [0, 0.5, 1]).to_bytes())
    take = read_take(path)
    assert (take.names, len(take.frames), take.rig) == (("happy",), 3, "")
    np.testing.assert_allclose([f.values[0] for f in take.frames], expected, atol=1e-6)
    heads = np.stack([f.head for f in take.frames])
    np.testing.assert_allclose(heads, [[0, 0, 0], [0, 0.2, 0], [0, 0.4, 0]], atol=1e-5)
    assert not np.stack([f.eyes for f in take.frames]).any()


def test_files_that_are_none_are_refused(tmp_path: Path, mesh_rig: Rig, perform: Any) -> None:
    path = tmp_path / "t.vrma"
    glb = tmp_path / "t.glb"
    sink = open_take(glb, mesh_rig, rate=60)
    sink.send(perform(mesh_rig, 1)[0])
    sink.close()
    bones = foreign("LINEAR", [0, 0, 0], [0, 0.5, 1])
    del bones.content["extensions"]["VRMC_vrm_animation"]["expressions"]
    twice = foreign("LINEAR", [0, 0, 0], [0, 0.5, 0.5])
    for data, complaint in (
        (b"", "is not glTF"),
        (glb.read_bytes(), "no VRM animation"),
        (bones.to_bytes(), "no expression moves"),
        (twice.to_bytes(), "its times do not rise"),
    ):
        path.write_bytes(data)
        with pytest.raises(BridgeError, match=complaint) as caught:
            read_take(path)
        assert "\n" not in str(caught.value)


JUNK = (
    st.none()
    | st.integers(-2, 99)
    | st.floats()
    | st.text(max_size=3)
    | st.just([{}])
    | st.just({})
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
@given(st.data())
def test_any_damage_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """One value anywhere in the file's JSON becomes another."""
    builder = foreign("LINEAR", [0.0, 0.5, 1.0], [0, 0.5, 1])
    builder.content["animations"][0]["extras"] = {"rig": "r", "controls": {"happy": ["h", 0, 2]}}
    place: Any = builder.content
    while True:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JUNK)
    path = tmp_path / "t.vrma"
    try:
        path.write_bytes(builder.to_bytes())
    except (ValueError, TypeError, AttributeError, KeyError):
        return  # NaN is no JSON, and a file's own lists cannot all be lost
    try:
        take = read_take(path)
    except BridgeError:
        return
    for frame in take.frames:
        assert np.isfinite(frame.values).all()
        assert np.isfinite(frame.head).all()
