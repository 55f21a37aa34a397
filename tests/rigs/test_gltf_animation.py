"""A take put into a rig's file moves that file's mesh exactly as the rig's own pose does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeavatar.rigs.blendshapes import pose
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.animation import add_animation, read_animation
from freeavatar.rigs.gltf.animation_reader import _channels
from freeavatar.rigs.gltf.builder import GlbBuilder
from freeavatar.rigs.gltf.document import parse_document
from freeavatar.rigs.gltf.scene import read_nodes
from freeavatar.rigs.gltf.writer import glb_bytes
from freeavatar.rigs.loaders.assembly import assemble
from freeavatar.rigs.loaders.gltf import own_hints, understand
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.loaders.morph_targets import morph_target_names
from freeavatar.rigs.loaders.vrm import is_vrm, vrm_hints
from freeavatar.rigs.spec import FloatArray, Rig, RigFrame
from freeavatar.rigs.vrm_expressions import resolve_expressions

from .conftest import make_head

FRAMES = 5
FILES = (
    "facecap_generic.glb",
    "ict_face_53.glb",
    "valid_black_m_1.glb",
    "makehuman_arkit_viseme.glb",
    "godette.vrm",
    "robot_expressive.glb",
    "threejs_facecap_meshopt.glb",
)


def performance(rig: Rig) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Times, values, head and eyes of a few lively frames."""
    make = np.random.default_rng(3)
    times = np.cumsum(make.uniform(0.01, 0.1, FRAMES)).astype(np.float32)
    values = make.uniform(0, 1, (FRAMES, len(rig.controls))).astype(np.float32)
    head = make.uniform(-0.6, 0.6, (FRAMES, 3)).astype(np.float32)
    return times, values, head, make.uniform(-0.4, 0.4, (FRAMES, 2, 3)).astype(np.float32)


def played(data: bytes, frame: int) -> FloatArray:
    """Vertices that a glTF player shows at a frame, in rig space: nodes turned, weights set."""
    document = parse_document(data, "played.glb")
    hints = vrm_hints(document) if is_vrm(document) else own_hints(document)
    placement = understand(document, hints).placement
    weights: dict[str, float] = {}
    for (node, path), channel in _channels(document, document.items("animations")[0]).items():
        if path == "rotation":
            document.json["nodes"][node]["rotation"] = channel.values[frame].tolist()
        else:
            mesh = document.json["nodes"][node]["mesh"]
            named = zip(morph_target_names(document)[mesh], channel.values[frame], strict=True)
            weights |= dict(named)
    posed = assemble(document, read_nodes(document))
    moved = np.einsum("k,kvi->vi", [weights[n] for n in posed.names], posed.deltas)
    return placement.points(posed.vertices + moved)


@pytest.mark.parametrize("file", FILES)
def test_a_player_shows_the_pose_of_every_frame(shared: Path, file: str) -> None:
    path = shared / "rigs" / file
    rig = load_rig(path)
    times, values, head, eyes = performance(rig)
    data = add_animation(path.read_bytes(), rig, times=times, values=values, head=head, eyes=eyes)
    for index in (0, FRAMES - 1):
        frame = RigFrame(
            index=index,
            time=float(times[index]),
            values=resolve_expressions(rig, values[index]),
            head=head[index],
            eyes=eyes[index],
        )
        np.testing.assert_allclose(played(data, index), pose(rig, frame), rtol=0, atol=3e-6)


@pytest.mark.parametrize("file", ["facecap_generic.glb", "godette.vrm", "valid_black_m_1.glb"])
def test_a_take_in_our_own_file_reads_back(shared: Path, tmp_path: Path, file: str) -> None:
    rig = load_rig(shared / "rigs" / file)
    times, values, head, eyes = performance(rig)
    data = add_animation(glb_bytes(rig), rig, times=times, values=values, head=head, eyes=eyes)
    (tmp_path / "take.glb").write_bytes(data)
    take = read_animation(tmp_path / "take.glb")
    assert take.names == rig.names
    assert take.rig == rig.name
    shown = resolve_expressions(rig, values)
    np.testing.assert_allclose([f.values for f in take.frames], shown, rtol=0, atol=1e-6)
    np.testing.assert_allclose([f.time for f in take.frames], times, rtol=0, atol=0)
    np.testing.assert_allclose([f.head for f in take.frames], head, rtol=0, atol=1e-5)
    if any(j.role == "left_eye" for j in rig.mesh.joints):
        np.testing.assert_allclose([f.eyes for f in take.frames], eyes, rtol=0, atol=1e-5)
    else:
        assert not np.any([f.eyes for f in take.frames])


def test_animations_of_the_file_are_replaced(shared: Path) -> None:
    path = shared / "rigs" / "robot_expressive.glb"
    rig = load_rig(path)
    times, values, head, eyes = performance(rig)
    assert len(parse_document(path.read_bytes(), "before").items("animations")) == 14
    data = add_animation(path.read_bytes(), rig, times=times, values=values, head=head, eyes=eyes)
    assert len(parse_document(data, "after").items("animations")) == 1


def test_frames_that_do_not_increase_are_left_out(shared: Path, tmp_path: Path) -> None:
    path = shared / "rigs" / "facecap_generic.glb"
    rig = load_rig(path)
    _, values, head, eyes = performance(rig)
    times = np.array([0.0, 0.1, 0.1, 0.05, 0.2])
    data = add_animation(path.read_bytes(), rig, times=times, values=values, head=head, eyes=eyes)
    (tmp_path / "take.glb").write_bytes(data)
    take = read_animation(tmp_path / "take.glb")
    np.testing.assert_allclose([f.values for f in take.frames], values[[0, 1, 4]], atol=1e-6)


def test_a_take_of_another_rig_is_refused(shared: Path) -> None:
    rig = load_rig(shared / "rigs" / "valid_black_m_1.glb")
    times, values, head, eyes = performance(rig)
    other = (shared / "rigs" / "robot_expressive.glb").read_bytes()
    with pytest.raises(RigError, match="none of the controls of rig valid_black_m_1"):
        add_animation(other, rig, times=times, values=values, head=head, eyes=eyes)
    with pytest.raises(RigError, match="no frame"):
        add_animation(other, rig, times=times[:0], values=values[:0], head=head[:0], eyes=eyes[:0])


def test_a_neck_that_follows_in_part_plays_right(tmp_path: Path) -> None:
    """Our own file of a body: a skin whose vertices follow the head by fractions."""
    made = make_head(body=True)
    assert made.mesh is not None
    fade = np.clip((made.mesh.vertices[:, 1] - 1.4) / 0.15, 0, 1).astype(np.float32)
    head_joint = replace(made.mesh.joints[0], weights=fade)
    (tmp_path / "body.glb").write_bytes(
        glb_bytes(replace(made, mesh=replace(made.mesh, joints=(head_joint,))))
    )
    rig = load_rig(tmp_path / "body.glb")
    assert rig.mesh is not None
    assert ((rig.mesh.joints[0].weights > 0.1) & (rig.mesh.joints[0].weights < 0.9)).any()
    times, values, head, eyes = performance(rig)
    data = add_animation(
        (tmp_path / "body.glb").read_bytes(), rig, times=times, values=values, head=head, eyes=eyes
    )
    frame = RigFrame(index=2, time=0.0, values=values[2], head=head[2], eyes=eyes[2])
    np.testing.assert_allclose(played(data, 2), pose(rig, frame), rtol=0, atol=3e-6)


def test_a_jaw_bone_turns_where_no_target_opens_the_jaw(tmp_path: Path) -> None:
    corners = np.array([[-0.1, 0, 0], [0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.2]], np.float32)
    faces = np.array([0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3], np.uint16)
    lifted = np.float32([[0, 0, 0]] * 3 + [[0, 0.01, 0]])  # the tip in front
    quarter = [0.0, np.sin(np.pi / 4), 0.0, np.cos(np.pi / 4)]  # the bone's axes lie askew
    back = [0.0, -np.sin(np.pi / 4), 0.0, np.cos(np.pi / 4)]
    nodes = [
        {"name": "Head", "children": [1, 2]},
        {"name": "face", "mesh": 0},
        {"name": "Jaw", "translation": [0, 0.05, 0], "rotation": quarter, "children": [3]},
        {"name": "chin", "mesh": 1, "rotation": back},
    ]
    content = {"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "nodes": nodes}
    builder = GlbBuilder(content)
    for moves in (True, False):
        primitive = {
            "attributes": {"POSITION": builder.accessor(corners, bounds=True)},
            "indices": builder.accessor(faces),
        }
        if moves:
            primitive["targets"] = [{"POSITION": builder.accessor(lifted, bounds=True)}]
        builder.append("meshes", {"primitives": [primitive]})
    builder.content["meshes"][0]["extras"] = {"targetNames": ["browInnerUp"]}
    source = builder.to_bytes()
    (tmp_path / "jaw.glb").write_bytes(source)
    rig = load_rig(tmp_path / "jaw.glb")
    assert rig.names == ("browInnerUp", "jawOpen") and rig.mesh is not None
    still = np.zeros((2, 3), np.float32)
    values = np.array([[0.0, 0.0], [0.3, 0.5]], np.float32)
    data = add_animation(
        source, rig, times=np.array([0.0, 1.0]), values=values, head=still, eyes=np.zeros((2, 2, 3))
    )
    shown = played(data, 1)
    angle = np.radians(10)
    chin = np.float32([0, 0.05 - 0.2 * np.sin(angle), 0.2 * np.cos(angle)])
    np.testing.assert_allclose(shown[7], chin, atol=1e-6)
    np.testing.assert_allclose(shown[:4], corners + 0.3 * lifted, atol=1e-6)
