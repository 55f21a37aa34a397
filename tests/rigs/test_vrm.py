"""VRM expressions: which controls they become, and how binary clips and overrides act."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeavatar.rigs.check import check
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.builder import ARRAY_BUFFER, GlbBuilder
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.spec import Control, Rig
from freeavatar.rigs.vrm_expressions import resolve_expressions

CORNERS = np.array([[0, 1.5, 0], [0.2, 1.5, 0], [0, 1.7, 0], [0, 1.5, 0.2]], np.float32)
MOVES = np.zeros((4, 4, 3), np.float32)
for _k in range(4):
    MOVES[_k, _k] = [0, -0.01 * (_k + 1), 0]


def small_vrm(extension: dict[str, Any], name: str = "VRMC_vrm") -> bytes:
    """A tetrahedron with a head bone and four morph targets without names."""
    builder = GlbBuilder({"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}]})
    primitive = {
        "attributes": {"POSITION": builder.accessor(CORNERS, target=ARRAY_BUFFER, bounds=True)},
        "indices": builder.accessor(np.array([0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3], np.uint16)),
        "targets": [{"POSITION": builder.sparse_accessor(m, bounds=True)} for m in MOVES],
    }
    builder.content |= {
        "nodes": [{"name": "bone_7", "children": [1]}, {"name": "face", "mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "extensionsUsed": [name],
        "extensions": {name: extension},
    }
    return builder.to_bytes()


def version_1() -> dict[str, Any]:
    def bind(index: int, weight: float) -> dict[str, Any]:
        return {"node": 1, "index": index, "weight": weight}

    return {
        "specVersion": "1.0",
        "meta": {"licenseUrl": "https://vrm.dev/licenses/1.0/", "authors": ["A", "B"]},
        "humanoid": {"humanBones": {"head": {"node": 0}}},
        "expressions": {
            "preset": {
                "happy": {
                    "morphTargetBinds": [bind(0, 1.0), bind(1, 0.5)],
                    "overrideBlink": "blend",
                    "overrideMouth": "block",
                },
                "blink": {"morphTargetBinds": [bind(2, 1.0)], "isBinary": True},
                "aa": {"morphTargetBinds": [bind(1, 1.0)], "overrideMouth": "block"},
                "neutral": {},
            },
            "custom": {"wink": {"morphTargetBinds": [bind(2, 0.25)]}},
        },
    }


def opened(tmp_path: Path, extension: dict[str, Any], name: str = "VRMC_vrm") -> Rig:
    (tmp_path / "small.vrm").write_bytes(small_vrm(extension, name))
    return load_rig(tmp_path / "small.vrm")


def test_controls_are_clips_and_then_targets_no_clip_reaches(tmp_path: Path) -> None:
    rig = opened(tmp_path, version_1())
    assert rig.names == ("happy", "blink", "aa", "wink", "morph_03")
    assert rig.mesh is not None
    wanted = [MOVES[0] + 0.5 * MOVES[1], MOVES[2], MOVES[1], 0.25 * MOVES[2], MOVES[3]]
    np.testing.assert_allclose(rig.mesh.deltas, wanted, rtol=0, atol=1e-9)
    assert rig.licence == "https://vrm.dev/licenses/1.0/ (A, B)"
    head = rig.mesh.joint("head")
    assert head is not None and head.node == "bone_7", "the humanoid says which bone it is"
    happy = rig.expressions["happy"]
    assert happy["binds"] == {"morph_00": 1.0, "morph_01": 0.5}
    assert (happy["override_blink"], happy["override_mouth"]) == ("blend", "block")
    assert [rig.expressions[n]["binary"] for n in ("happy", "blink")] == [False, True]


def test_version_0_faces_away_and_counts_to_a_hundred(tmp_path: Path) -> None:
    groups = [
        {"name": "Joy", "presetName": "joy", "binds": [{"mesh": 0, "index": 0, "weight": 50}]},
        {"name": "Sly", "presetName": "unknown", "binds": [{"mesh": 0, "index": 3, "weight": 100}]},
        {"name": "Neutral", "presetName": "neutral", "binds": []},
    ]
    extension = {
        "meta": {"author": "Ann", "licenseName": "CC0"},
        "humanoid": {"humanBones": [{"bone": "head", "node": 0}]},
        "blendShapeMaster": {"blendShapeGroups": groups},
    }
    rig = opened(tmp_path, extension, "VRM")
    assert rig.names == ("joy", "Sly", "morph_01", "morph_02")
    assert rig.mesh is not None
    np.testing.assert_allclose(rig.mesh.vertices, CORNERS * [-1, 1, -1], atol=1e-7)
    np.testing.assert_allclose(rig.mesh.deltas[0], 0.5 * MOVES[0], atol=1e-9)
    assert rig.licence == "CC0 (Ann)"


def test_godette(shared: Path) -> None:
    rig = load_rig(shared / "rigs" / "godette.vrm")
    assert rig.names == (
        "a", "i", "u", "e", "o", "blink", "joy", "angry", "sorrow", "fun", "lookup", "lookdown",
        "lookleft", "lookright", "blink_l", "blink_r", "HideHairBalls", "HdieEarRings",
    )  # fmt: skip
    assert rig.mesh is not None
    deltas = {n: rig.mesh.deltas[i] for n, i in rig.index.items()}
    np.testing.assert_allclose(deltas["blink"], deltas["blink_l"] + deltas["blink_r"], atol=1e-7)
    joy = 0.5 * deltas["o"] + 0.25 * deltas["lookup"]
    np.testing.assert_allclose(deltas["joy"], joy, atol=1e-7)
    assert rig.expressions["blink_l"]["binary"] and not rig.expressions["blink"]["binary"]
    assert rig.licence == "CC_BY (SirRichard94)"


def values(rig: Rig, **given: float) -> np.ndarray:
    return np.array([given.get(n, 0.0) for n in rig.names], np.float32)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"blink": 0.5}, {}),
        ({"blink": 0.51}, {"blink": 1.0}),
        # "blend" takes happy's share of blink; a binary clip that loses anything is gone.
        ({"happy": 0.1, "blink": 1.0}, {"happy": 0.1}),
        # "block" takes everything as soon as happy shows.
        ({"happy": 0.1, "aa": 0.8}, {"happy": 0.1}),
        # An override of its own kind is invalid.
        ({"aa": 0.8}, {"aa": 0.8}),
        # Clips of its own making are not overridden.
        ({"happy": 1.0, "wink": 0.7}, {"happy": 1.0, "wink": 0.7}),
    ],
)
def test_binary_clips_and_overrides(
    tmp_path: Path, given: dict[str, float], shown: dict[str, float]
) -> None:
    rig = opened(tmp_path, version_1())
    np.testing.assert_allclose(
        resolve_expressions(rig, values(rig, **given)), values(rig, **shown), atol=1e-7
    )


def test_the_specification_samples(shared: Path) -> None:
    """The two samples of the specification for the interaction of isBinary and overrides."""
    rig = load_rig(shared / "rigs" / "VRMC_vrm_expressions_isBinary_Overridden.vrm")
    assert rig.names == ("happy", "blink")
    pairs = np.array([[0.0, 0.6], [0.2, 1.0], [1.0, 1.0], [0.3, 0.4]], np.float32)
    wanted = [[0.0, 1.0], [0.2, 0.0], [1.0, 0.0], [0.3, 0.0]]
    np.testing.assert_allclose(resolve_expressions(rig, pairs), wanted, atol=1e-7)
    rig = load_rig(shared / "rigs" / "VRMC_vrm_expressions_isBinary_Overrides.vrm")
    pairs = np.array([[0.4, 0.7], [0.6, 0.7], [0.0, 0.2]], np.float32)
    wanted = [[0.0, 0.7], [1.0, 0.0], [0.0, 0.2]]
    np.testing.assert_allclose(resolve_expressions(rig, pairs), wanted, atol=1e-7)
    painted = [line for line in check(rig).lines() if "materials only" in line]
    assert len(painted) == 1 and painted[0].endswith("happy, blink.")


def test_declared_presets_need_no_company(tmp_path: Path) -> None:
    """Four everyday words are no convention, but the file says that they are presets."""
    rig = opened(tmp_path, version_1())
    said = {c.name: c.convention for c in rig.controls}
    assert {n: said[n] for n in ("happy", "blink", "aa")} == dict.fromkeys(
        ("happy", "blink", "aa"), "vrm1"
    )
    assert said["wink"] != "vrm1"
    blink = rig.controls[rig.index["blink"]]
    assert dict(blink.hub) == {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
    assert any("3 of 18 VRM 1.0 names" in line for line in check(rig).lines())


def test_blended_overrides_add_up() -> None:
    clip = {"binary": False, "override_mouth": "none", "override_look_at": "none"}
    clips = {
        "happy": clip | {"preset": "happy", "override_blink": "blend"},
        "sad": clip | {"preset": "sad", "override_blink": "blend"},
        "blinkLeft": clip | {"preset": "blinkLeft", "override_blink": "none"},
    }
    rig = Rig(name="r", controls=tuple(Control(name=n) for n in clips), expressions=clips)
    out = resolve_expressions(rig, np.array([[0.25, 0.5, 0.8], [0.7, 0.6, 1.0]], np.float32))
    np.testing.assert_allclose(out, [[0.25, 0.5, 0.2], [0.7, 0.6, 0.0]], atol=1e-7)


def test_a_rig_without_clips_is_left_alone() -> None:
    rig = Rig(name="r", controls=(Control(name="happy"), Control(name="blink")))
    given = np.array([0.3, 0.9], np.float32)
    assert resolve_expressions(rig, given).tolist() == given.tolist()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("preset", "happy", "morphTargetBinds", 0, "index"), 4, "names morph target 4 of 4"),
        (("preset", "happy", "morphTargetBinds", 0, "node"), 9, r"nodes\[9\] is asked for"),
        (("preset", "happy", "morphTargetBinds", 0, "node"), 0, r"nodes\[0\]\.mesh should be"),
        (("preset", "happy", "overrideBlink"), "always", "none, block or blend"),
        (("preset", "blink", "isBinary"), 1, "isBinary should be true or false"),
        (("preset",), [], "preset should be a JSON object"),
    ],
)
def test_broken_expressions_are_named(
    tmp_path: Path, path: tuple[Any, ...], value: Any, message: str
) -> None:
    extension = version_1()
    place: Any = extension["expressions"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(RigError, match=message):
        opened(tmp_path, extension)


TEXT = json.dumps(version_1())
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 9), st.floats(-9, 9), st.text(max_size=4),
    st.just([]), st.just({}), st.just([{}]),
)  # fmt: skip


@settings(
    max_examples=200, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), value=LEAVES)
def test_any_field_may_hold_anything(tmp_path: Path, data: st.DataObject, value: Any) -> None:
    extension = json.loads(TEXT)
    place: Any = extension
    while True:
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 4)) == 0:
            break
        place = inner
    place[key] = value
    try:
        opened(tmp_path, extension)
    except RigError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message and "damaged and cannot be read" not in message


def test_a_vrm_is_a_glb(tmp_path: Path) -> None:
    data = small_vrm(version_1())
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    (tmp_path / "small.glb").write_bytes(data)
    rig = load_rig(tmp_path / "small.glb")
    assert rig.names == ("morph_00", "morph_01", "morph_02", "morph_03"), "read as plain glTF"
