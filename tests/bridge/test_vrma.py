"""VRM animations: what is written, and what the VRM consortium's web player reads and plays."""

import json
import logging
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import open_take, read_take, recover
from freeavatar.bridge.takes.vrma import BONES, vrma_bytes
from freeavatar.bridge.takes.vrma_expressions import PRESETS, Expressions
from freeavatar.rigs.conventions import ARKIT, control_named, describe_controls
from freeavatar.rigs.gltf.builder import GlbBuilder
from freeavatar.rigs.gltf.document import parse_document
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Control, Rig, RigFrame, Take

RECEIVERS = Path(__file__).resolve().parent.parent / "receivers"
VRM0 = ("joy", "sorrow", "a", "blink_l", "lookup", "lookleft")


@pytest.fixture
def vrm_rig() -> Rig:
    """A VRM 0.x avatar: presets, two of them for the gaze, and two clips of its own."""
    presets = tuple(control_named("vrm0", name) for name in VRM0)
    custom = (Control(name="Sneer Ω"), Control(name="relaxed"))
    clips = dict.fromkeys([*VRM0, "Sneer Ω", "relaxed"], MappingProxyType({"binds": {}}))
    return Rig(name="vrm", controls=presets + custom, expressions=MappingProxyType(clips))


def record(path: Path, rig: Rig, frames: list[RigFrame]) -> Path:
    sink = open_take(path, rig, rate=60)
    for frame in frames:
        sink.send(frame)
    sink.close()
    return path


def extension(path: Path) -> dict[str, Any]:
    content = parse_document(path.read_bytes(), path.name).json
    found: dict[str, Any] = content["extensions"]["VRMC_vrm_animation"]
    return found


def node(script: str, *arguments: Path | str) -> Any:
    """Output of a receiver's script, or the test is skipped."""
    if not shutil.which("node"):
        pytest.skip("node is not installed (apt: nodejs, npm)")
    for package in ("@pixiv/three-vrm-animation", "@pixiv/three-vrm", "gltf-validator"):
        if not (RECEIVERS / "node_modules" / package).is_dir():
            pytest.skip("npm install --prefix tests/receivers --package-lock=false was not run")
    done = subprocess.run(
        ["node", RECEIVERS / script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout.splitlines()[-1])


def same_turns(found: Any, matrices: NDArray[Any]) -> None:
    turned = Rotation.from_quat(np.reshape(found, (-1, 4))).as_matrix()
    np.testing.assert_allclose(turned, matrices, atol=1e-6)


def test_the_vrm_player_reads_every_number_of_an_arkit_take(
    tmp_path: Path, arkit_rig: Rig, perform: Any
) -> None:
    frames = perform(arkit_rig, 40)
    path = record(tmp_path / "t.vrma", arkit_rig, frames)
    read = node("vrma.mjs", path)
    assert (read["animations"], read["warnings"], read["preset"], read["moved"]) == (1, [], {}, {})
    assert list(read["custom"]) == [name[0].upper() + name[1:] for name in ARKIT]
    times = np.array([f.time for f in frames], np.float32)
    values = np.stack([f.values for f in frames])
    for column, track in enumerate(read["custom"].values()):
        np.testing.assert_array_equal(np.float32(track["times"]), times)
        np.testing.assert_array_equal(np.float32(track["values"]), values[:, column])
    assert list(read["bones"]) == ["head"]
    same_turns(read["bones"]["head"]["values"], matrix_from_angles([f.head for f in frames]))
    gaze = np.array([f.eyes.mean(axis=0) * (1, 1, 0) for f in frames])
    same_turns(read["gaze"]["values"], matrix_from_angles(gaze))
    assert read["hips"] > 0.5


def test_an_avatar_shows_what_was_performed(tmp_path: Path, vrm_rig: Rig) -> None:
    """A VRM 1.0 avatar, played by the consortium's library: right names, right directions."""
    values = np.linspace(0.1, 0.8, len(vrm_rig.controls), dtype=np.float32)
    # Left and down, as the actor sees it; the head to the actor's right and up.
    eyes = np.float32([[-0.3, 0.2, 0.1], [-0.1, 0.2, 0.0]])
    head = np.float32([0.5, -0.25, 0.1])
    frames = [
        RigFrame(index=0, time=4.0, values=np.zeros_like(values)),
        RigFrame(index=1, time=4.5, values=values, head=head, eyes=eyes),
    ]
    path = record(tmp_path / "t.vrma", vrm_rig, frames)
    avatar = tmp_path / "avatar.vrm"
    avatar.write_bytes(avatar_bytes(custom=("Sneer Ω",)))
    read = node("vrma.mjs", path, avatar, "0.25,0.5")
    half, whole = read["moments"]
    names = ("happy", "sad", "aa", "blinkLeft", "", "", "Sneer Ω", "relaxed")
    expected = {name: float(v) for name, v in zip(names, values, strict=True) if name}
    for moment, share in ((half, 0.5), (whole, 1.0)):
        for name, weight in moment["weights"].items():
            if not name.startswith("look"):
                assert weight == pytest.approx(share * expected.get(name, 0.0), abs=1e-6), name
    same_turns(whole["head"], matrix_from_angles(head)[None])
    # The player's yaw is positive to the avatar's left, its pitch downwards.
    assert whole["yaw"] == pytest.approx(np.degrees(0.2), abs=1e-3)
    assert whole["pitch"] == pytest.approx(np.degrees(0.2), abs=1e-3)


def avatar_bytes(custom: tuple[str, ...]) -> bytes:
    """The smallest VRM 1.0 avatar: bones, every preset, and custom expressions."""
    builder = GlbBuilder({"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}]})
    nodes = {bone: builder.append("nodes", {"name": f"b_{bone}"}) for bone in BONES}
    for bone, (parent, place) in BONES.items():
        above = np.array(BONES[parent][1]) if parent else np.zeros(3)
        own = builder.content["nodes"][nodes[bone]]
        own["translation"] = (np.array(place) - above).tolist()
        if parent:
            above_node = builder.content["nodes"][nodes[parent]]
            above_node.setdefault("children", []).append(nodes[bone])
    look = {"inputMaxValue": 90, "outputScale": 10}
    ranges = ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp")
    builder.content["extensionsUsed"] = ["VRMC_vrm"]
    builder.content["extensions"] = {
        "VRMC_vrm": {
            "specVersion": "1.0",
            "meta": {"name": "t", "authors": ["t"], "licenseUrl": "https://vrm.dev/licenses/1.0/"},
            "humanoid": {"humanBones": {bone: {"node": n} for bone, n in nodes.items()}},
            "expressions": {
                "preset": {name: {} for name in sorted(PRESETS)},
                "custom": {name: {} for name in custom},
            },
            "lookAt": {"type": "expression", **{f"rangeMap{r}": look for r in ranges}},
        }
    }
    return builder.to_bytes()


def test_gltf_validator_finds_no_fault(tmp_path: Path, mesh_rig: Rig, perform: Any) -> None:
    path = record(tmp_path / "t.vrma", mesh_rig, perform(mesh_rig, 10))
    issues = node("validate.mjs", path)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"][:5]


def test_presets_go_under_their_names_of_vrm_1_and_looks_are_left_to_the_gaze(
    tmp_path: Path, vrm_rig: Rig, perform: Any
) -> None:
    written = extension(record(tmp_path / "t.vrma", vrm_rig, perform(vrm_rig, 2)))
    # A custom expression must not be called as a preset is, so the avatar's own "relaxed" is one.
    assert set(written["expressions"]["preset"]) == {"happy", "sad", "aa", "blinkLeft", "relaxed"}
    assert set(written["expressions"]["custom"]) == {"Sneer Ω"}
    assert written["lookAt"].keys() == {"node", "offsetFromHeadBone"}


def test_the_skeleton_has_every_bone_a_vrm_must_have_in_t_pose(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    path = record(tmp_path / "t.vrma", mesh_rig, perform(mesh_rig, 1))
    limbs = ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")
    sides = [f"{side}{limb}" for side in ("left", "right") for limb in limbs]
    written = extension(path)
    assert set(written["humanoid"]["humanBones"]) == {"hips", "spine", "head", *sides}
    places = {bone: place for bone, (_, place) in BONES.items()}
    for arm in ("UpperArm", "LowerArm", "Hand"):
        assert places[f"left{arm}"][1:] == places["leftUpperArm"][1:]
    for limb in limbs:
        x, y, z = places[f"left{limb}"]
        assert x > 0
        assert places[f"right{limb}"] == (-x, y, z)
    # Half way between the eyes, which lie 0.1 above the head's pivot plus their own height.
    np.testing.assert_allclose(written["lookAt"]["offsetFromHeadBone"], [0, 0.15, 0.06], atol=1e-6)


def test_names_never_meet() -> None:
    joy, sad = control_named("vrm0", "joy"), control_named("vrm0", "sorrow")
    controls = (joy, sad, Control(name="happy"), Control(name="happy_2"), Control(name="aa"))
    assert Expressions(Rig(name="r", controls=controls)).names == (
        "joy", "sad", "happy", "happy_2", "aa",
    )  # fmt: skip


def test_an_avatars_own_arkit_clips_keep_their_spelling(arkit_rig: Rig) -> None:
    """A player looks for the very names of the file; elsewhere Perfect Sync's spelling is safe."""
    clips = MappingProxyType(dict.fromkeys(ARKIT, MappingProxyType({"binds": {}})))
    avatar = Rig(name="r", controls=arkit_rig.controls, expressions=clips)
    assert Expressions(avatar).names == ARKIT
    assert Expressions(arkit_rig).names[17] == "JawOpen"


def test_ranges_become_weights_and_come_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wide = Control(name="puff", minimum=-1, maximum=2, neutral=0.5)
    rig = Rig(name="r", controls=(wide, Control(name="b")))
    values = np.float32([[0.5, 0], [1.25, 0.25], [2, 1], [-1, 0]])
    frames = [RigFrame(index=i, time=i / 60, values=v) for i, v in enumerate(values)]
    np.testing.assert_allclose(
        Expressions(rig).weights(values), [[0, 0], [0.5, 0.25], [1, 1], [0, 0]], atol=1e-7
    )
    with caplog.at_level(logging.WARNING):
        path = record(tmp_path / "t.vrma", rig, frames)
    assert "puff keeps only what lies above neutral" in caplog.text
    back = np.stack([f.values for f in read_take(path).frames])
    np.testing.assert_allclose(back, [[0.5, 0], [1.25, 0.25], [2, 1], [0.5, 0]], atol=1e-6)


@pytest.mark.parametrize("kind", ["arkit_rig", "vrm_rig", "mesh_rig", "odd_rig"])
def test_takes_read_back(
    tmp_path: Path, perform: Any, kind: str, request: pytest.FixtureRequest
) -> None:
    rig: Rig = request.getfixturevalue(kind)
    frames = perform(rig, 30)
    take = read_take(record(tmp_path / "t.vrma", rig, frames))
    assert (take.rate, take.rig) == (60, rig.name)
    kept = tuple(name for name in rig.names if not name.startswith("look"))
    assert set(take.names) == set(kept)
    columns = [rig.index[name] for name in take.names]
    for frame, again in zip(frames, take.frames, strict=True):
        np.testing.assert_allclose(again.values, frame.values[columns], atol=1e-6)
        np.testing.assert_allclose(again.head, frame.head, atol=1e-5)
        gaze = frame.eyes.mean(axis=0) * (1, 1, 0)
        np.testing.assert_allclose(again.eyes, [gaze, gaze], atol=1e-5)
        assert again.time == pytest.approx(frame.time, abs=1e-6)


WRITER = """
import sys
from pathlib import Path
import numpy as np
from freeavatar.bridge.takes import open_take
from freeavatar.rigs.spec import Control, Rig, RigFrame
rig = Rig(name="r", controls=(Control(name="a"), Control(name="b")))
sink = open_take(Path(sys.argv[1]), rig, rate=60)
for i in range(1000000):
    sink.send(RigFrame(index=i, time=i / 60, values=np.full(2, i / 1e6, np.float32)))
    print(i, flush=True)
"""


@pytest.mark.parametrize("suffix", [".vrma", ".anim"])
def test_a_killed_run_is_recovered(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"earlier")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 100:
                break
        writer.kill()
        printed = [100, *(int(n) for n in writer.stdout.readlines() if n.endswith("\n"))]
    left = read_take(tmp_path / f"t{suffix}.part")
    assert len(left.frames) > printed[-1]
    rig = Rig(name="r", controls=(Control(name="a"), Control(name="b")))
    kept = recover(path, rig)
    assert kept == tmp_path / f"t.recovered{suffix}"
    assert {p.name for p in tmp_path.iterdir()} == {path.name, kept.name}
    assert path.read_bytes() == b"earlier"
    if suffix == ".vrma":
        again = read_take(kept)
        assert len(again.frames) == len(left.frames)
        assert again.frames[100].values[1] == pytest.approx(1e-4, abs=1e-9)
    else:
        assert kept.read_text("ascii").endswith("  m_Events: []\n")


def test_a_minute_is_written_at_once() -> None:
    """3,600 frames of 60 controls; the bound is for a slow, busy machine."""
    rig = Rig(name="r", controls=tuple(Control(name=f"c{i}") for i in range(60)))
    random = np.random.default_rng(3)
    frames = [
        RigFrame(index=i, time=i / 60, values=random.random(60, dtype=np.float32))
        for i in range(3600)
    ]
    started = time.perf_counter()
    data = vrma_bytes(rig, Take(names=rig.names, frames=frames, rate=60))
    assert time.perf_counter() - started < 5
    # Three numbers a key and expression, the rest is little.
    assert 2_592_000 < len(data) < 3_000_000


def test_described_controls_need_no_mesh(tmp_path: Path, perform: Any) -> None:
    rig = Rig(name="r", controls=describe_controls(("viseme_aa", "viseme_E", "happy")))
    written = extension(record(tmp_path / "t.vrma", rig, perform(rig, 1)))
    assert set(written["expressions"]["custom"]) == {"viseme_aa", "viseme_E"}
    assert set(written["expressions"]["preset"]) == {"happy"}


def test_rigs_without_controls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match="rig empty has no controls"):
        open_take(tmp_path / "t.vrma", Rig(name="empty", controls=()), rate=60)
    assert not list(tmp_path.iterdir())
