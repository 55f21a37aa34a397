"""A rig written as GLB comes back as it was."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.writer import glb_bytes, write_glb
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.normals import vertex_normals
from freeavatar.rigs.spec import Control, Joint, Mesh, Part, Rig

from .conftest import ball


def content_of(data: bytes) -> dict:
    return json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])


def same_mesh(before: Mesh, after: Mesh) -> None:
    """Equal to 1e-6, whatever the order of the vertices; those no triangle uses may be lost."""
    used = np.unique(before.triangles)
    # Vertices at one place differ by what they do, so both are looked up together.
    motion = 10 * np.concatenate([before.deltas.sum(axis=0), after.deltas.sum(axis=0)])
    keys = np.concatenate([before.vertices, after.vertices])
    keys = np.column_stack([keys, motion])
    if before.uvs is not None and after.uvs is not None:
        keys = np.column_stack([keys, np.concatenate([before.uvs, after.uvs])])
    count = len(before.vertices)
    distance, match = cKDTree(keys[count:]).query(keys[:count][used])
    assert distance.max() < 2e-5
    np.testing.assert_allclose(after.vertices[match], before.vertices[used], rtol=0, atol=1e-6)
    np.testing.assert_allclose(after.deltas[:, match], before.deltas[:, used], rtol=0, atol=1e-6)
    assert len(after.triangles) == len(before.triangles)
    assert {j.role for j in after.joints} == {j.role for j in before.joints}
    for joint in before.joints:
        back = after.joint(joint.role)
        assert back is not None
        np.testing.assert_allclose(back.pivot, joint.pivot, rtol=0, atol=1e-6)
        np.testing.assert_allclose(back.weights[match], joint.weights[used], rtol=0, atol=1e-6)


FILES = (
    "facecap_generic.glb",
    "ict_face_53.glb",
    "valid_black_m_1.glb",
    "makehuman_arkit_viseme.glb",
    "godette.vrm",
    "robot_expressive.glb",
    "threejs_facecap_meshopt.glb",
    "VRMC_vrm_expressions_isBinary_Overrides.vrm",
)


@pytest.mark.parametrize("file", FILES)
def test_every_sample_survives(shared: Path, tmp_path: Path, file: str) -> None:
    rig = load_rig(shared / "rigs" / file)
    write_glb(rig, tmp_path / "rig.glb")
    back = load_rig(tmp_path / "rig.glb")
    assert back.names == rig.names
    assert rig.mesh is not None and back.mesh is not None
    same_mesh(rig.mesh, back.mesh)
    assert (back.licence, back.units_per_metre) == (rig.licence, 1.0)
    for before, after in zip(rig.mesh.parts, back.mesh.parts, strict=True):
        # Eyes come first in a file with eye nodes; the robot and the rest keep their order.
        if not any(j.role.endswith("eye") for j in rig.mesh.joints):
            assert after.colour == pytest.approx(before.colour, abs=1e-6)
            assert (after.blend, after.unlit) == (before.blend, before.unlit)
            assert (after.texture is None) == (before.texture is None)
            if before.texture is not None and after.texture is not None:
                np.testing.assert_array_equal(after.texture, before.texture)


def made_rig(body: bool) -> Rig:
    """A head of three balls, with a body that follows it in part if wished for."""
    skull, faces = ball(0.1, (0.0, 1.5, 0.0), 12)
    left, more = ball(0.02, (0.04, 1.53, 0.08), 6)
    count, small = len(skull), len(left)
    vertices = np.concatenate([skull, left, left * np.float32([-1, 1, 1])])
    mirrored = more[:, ::-1] + count + small
    triangles = np.concatenate([faces, more + count, mirrored]).astype(np.int32)
    rows = np.arange(len(vertices))
    deltas = np.zeros((3, len(vertices), 3), np.float32)
    deltas[0, :count, 1] = np.where(skull[:, 1] < 1.45, -0.02, 0)
    deltas[1, count : count + small, 0] = 0.001
    fade = np.clip((vertices[:, 1] - 1.4) / 0.05, 0, 1) if body else np.ones(len(vertices))
    jaw = np.where(rows < count, np.clip((1.46 - vertices[:, 1]) * 20, 0, 1), 0) * fade

    def joint(role: str, pivot: tuple[float, float, float], weights: np.ndarray) -> Joint:
        return Joint(
            role=role,  # type: ignore[arg-type]
            pivot=np.array(pivot, np.float32),
            weights=weights.astype(np.float32),
        )

    joints = [
        joint("head", (0.0, 1.41, -0.02), fade),
        joint("left_eye", (0.04, 1.53, 0.08), (rows >= count) & (rows < count + small)),
        joint("right_eye", (-0.04, 1.53, 0.08), rows >= count + small),
    ]
    if body:
        joints.append(joint("jaw", (0.0, 1.47, 0.01), jaw))
    colours = np.full((4, 4, 4), 255, np.uint8)
    colours[..., :3] = np.arange(48).reshape(4, 4, 3)
    half = len(faces) // 2
    return Rig(
        name="made",
        controls=(
            Control(name="jawOpen"),
            Control(name="Bulge", minimum=-1.0, maximum=2.0, neutral=0.5),
            Control(name="nothing"),
        ),
        mesh=Mesh(
            vertices=vertices,
            triangles=triangles,
            deltas=deltas,
            parts=(
                Part(name="face", first_triangle=0, triangle_count=half, texture=colours),
                Part(name="back", first_triangle=half, triangle_count=len(faces) - half,
                     colour=(0.2, 0.3, 0.4, 0.5), blend=True, double_sided=True),
                Part(name="eyes", first_triangle=len(faces), triangle_count=2 * len(more),
                     unlit=True, roughness=0.1, metallic=0.9),
            ),
            uvs=np.random.default_rng(0).random((len(vertices), 2)).astype(np.float32),
            joints=tuple(joints),
        ),
        licence="CC0",
    )  # fmt: skip


@pytest.mark.parametrize("body", [False, True])
def test_a_rig_with_everything_survives(tmp_path: Path, body: bool) -> None:
    rig = made_rig(body)
    write_glb(rig, tmp_path / "made.glb")
    back = load_rig(tmp_path / "made.glb")
    assert back.names == rig.names and back.licence == "CC0"
    bulge = back.controls[1]
    assert (bulge.minimum, bulge.maximum, bulge.neutral) == (-1.0, 2.0, 0.5)
    assert rig.mesh is not None and back.mesh is not None
    same_mesh(rig.mesh, back.mesh)
    parts = {p.name.split(":")[-1]: p for p in back.mesh.parts}
    assert rig.mesh.parts[0].texture is not None and parts["face"].texture is not None
    np.testing.assert_array_equal(parts["face"].texture, rig.mesh.parts[0].texture)
    assert parts["back"].colour == pytest.approx((0.2, 0.3, 0.4, 0.5))
    assert parts["back"].blend and parts["back"].double_sided and not parts["face"].blend
    eyes = parts["eyes"]
    assert eyes.unlit and (eyes.roughness, eyes.metallic) == pytest.approx((0.1, 0.9))


def test_nodes_are_named_and_placed(tmp_path: Path) -> None:
    content = content_of(glb_bytes(made_rig(body=False)))
    nodes = {n["name"]: n for n in content["nodes"]}
    assert set(nodes) == {"head", "eye_left", "eye_right"}
    assert content["scenes"][0]["nodes"] == [content["nodes"].index(nodes["head"])]
    np.testing.assert_allclose(nodes["head"]["translation"], [0, 1.41, -0.02], atol=1e-7)
    np.testing.assert_allclose(nodes["eye_left"]["translation"], [0.04, 0.12, 0.1], atol=1e-7)
    head = content["meshes"][nodes["head"]["mesh"]]
    assert head["extras"]["targetNames"] == ["jawOpen", "Bulge", "nothing"]
    assert [len(p["targets"]) for p in head["primitives"]] == [3, 3]
    assert head["primitives"][0]["attributes"] == head["primitives"][1]["attributes"]
    # The left eye bulges, the right one moves under no control.
    assert "extras" in content["meshes"][nodes["eye_left"]["mesh"]]
    assert "extras" not in content["meshes"][nodes["eye_right"]["mesh"]]
    jaw = content["accessors"][head["primitives"][0]["targets"][0]["POSITION"]]
    assert "sparse" in jaw and "bufferView" not in jaw
    nothing = content["accessors"][head["primitives"][0]["targets"][2]["POSITION"]]
    assert "sparse" not in nothing and "bufferView" not in nothing


def test_writing_needs_a_mesh_and_a_place(tmp_path: Path) -> None:
    rig = made_rig(body=False)
    with pytest.raises(RigError, match="rig made has no mesh"):
        write_glb(replace(rig, mesh=None), tmp_path / "a.glb")
    with pytest.raises(RigError, match="cannot be written"):
        write_glb(rig, tmp_path / "missing" / "a.glb")


def test_normals_of_a_ball_point_outward() -> None:
    vertices, triangles = ball(1.0, (0.0, 0.0, 0.0), 40)
    closed = np.round(vertices, 5)
    _, first, where = np.unique(closed, axis=0, return_index=True, return_inverse=True)
    welded = first[where.reshape(-1)][triangles].astype(np.int32)
    normals = vertex_normals(vertices, welded)
    used = np.unique(welded)
    assert (np.sum(normals[used] * vertices[used], axis=1) > 0.999).all()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
