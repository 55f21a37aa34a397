"""What the glTF specification allows a rig file to hold, each feature in a small file."""

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeavatar.rigs.gltf.builder import GlbBuilder
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.spec import Mesh, Rig

CORNERS = np.array([[-0.1, 0, 0], [0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.2]], np.float32)
FACES = np.array([0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3], np.uint16)
MOVED = np.array([[0, 0, 0], [0, 0, 0], [0, 0.02, 0], [0, -0.05, 0.01]], np.float32)


def builder(nodes: list[dict[str, Any]], **content: Any) -> GlbBuilder:
    parents = {c for n in nodes for c in n.get("children", [])}
    roots = [i for i in range(len(nodes)) if i not in parents]
    head = {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": roots}], "nodes": nodes}
    return GlbBuilder(head | content)


def primitive(b: GlbBuilder, *targets: np.ndarray, **more: Any) -> dict[str, Any]:
    out: dict[str, Any] = {
        "attributes": {"POSITION": b.accessor(CORNERS)},
        "indices": b.accessor(FACES),
    }
    if targets:
        out["targets"] = [{"POSITION": b.sparse_accessor(t)} for t in targets]
    return out | more


def opened(b: GlbBuilder, folder: Path) -> tuple[Rig, Mesh]:
    (folder / "rig.glb").write_bytes(b.to_bytes())
    rig = load_rig(folder / "rig.glb")
    assert rig.mesh is not None
    return rig, rig.mesh


def test_skins_put_the_mesh_where_the_bones_are(tmp_path: Path) -> None:
    """The scale lies in the bind matrices, as in exports of centimetre rigs; a node's own
    transform does not touch a skinned mesh."""
    b = builder(
        [
            {"name": "surface", "mesh": 0, "skin": 0, "translation": [5, 5, 5]},
            {"name": "root", "scale": [0.01] * 3, "children": [2]},
            {"name": "Head", "translation": [0, 150, 0]},
        ]
    )
    inverse = np.tile(np.diag([100.0, 100, 100, 1]).astype(np.float32), (2, 1, 1))
    inverse[1, 3, :3] = [0, -150, 0]  # column-major: the last row is the translation
    mesh = primitive(b, MOVED)
    mesh["attributes"] |= {
        "JOINTS_0": b.accessor(np.tile(np.uint8([1, 0, 0, 0]), (4, 1))),
        "WEIGHTS_0": b.accessor(
            np.array([[255, 0, 0, 0]] * 3 + [[51, 204, 0, 0]], np.uint8), normalised=True
        ),
    }
    b.content |= {
        "meshes": [{"primitives": [mesh], "extras": {"targetNames": ["smile"]}}],
        "skins": [{"joints": [1, 2], "inverseBindMatrices": b.accessor(inverse.reshape(2, 16))}],
    }
    _, mesh_read = opened(b, tmp_path)
    # Bone 1 (Head): 0.01 · (0, 150, 0) + 0.01 · (100 v - (0, 150, 0)) = v; the root: v as well.
    np.testing.assert_allclose(mesh_read.vertices, CORNERS, atol=1e-6)
    np.testing.assert_allclose(mesh_read.deltas[0], MOVED, atol=1e-7)
    head = mesh_read.joint("head")
    assert head is None or head.weights[0] == 1


def test_a_posed_bone_moves_vertices_and_targets(tmp_path: Path) -> None:
    turn = [0, 0, np.sin(np.pi / 4), np.cos(np.pi / 4)]  # 90 degrees about z
    b = builder(
        [{"mesh": 0, "skin": 0}, {"name": "Head", "rotation": turn, "translation": [0, 1, 0]}]
    )
    mesh = primitive(b, MOVED)
    mesh["attributes"] |= {
        "JOINTS_0": b.accessor(np.zeros((4, 4), np.uint8)),
        "WEIGHTS_0": b.accessor(np.tile(np.float32([2, 0, 0, 0]), (4, 1))),
    }
    b.content |= {"meshes": [{"primitives": [mesh]}], "skins": [{"joints": [1]}]}
    rig, mesh_read = opened(b, tmp_path)
    turned = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], float).T
    np.testing.assert_allclose(mesh_read.vertices, CORNERS @ turned + [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(mesh_read.deltas[0], MOVED @ turned, atol=1e-6)
    assert rig.names == ("morph_00",)
    head = mesh_read.joint("head")
    assert head is not None and head.node == "Head"
    np.testing.assert_allclose(head.pivot, [0, 1, 0], atol=1e-6)


def test_a_jaw_bone_without_a_target_becomes_a_control(tmp_path: Path) -> None:
    b = builder(
        [
            {"name": "Head", "translation": [0, 0.1, 0], "children": [1, 2]},
            {"name": "face", "mesh": 0},
            {"name": "Jaw", "translation": [0, -0.05, 0], "children": [3]},
            {"name": "chin", "mesh": 1},
        ]
    )
    b.content["meshes"] = [{"primitives": [primitive(b)]}, {"primitives": [primitive(b)]}]
    rig, mesh = opened(b, tmp_path)
    assert rig.names == ("jawOpen",)
    jaw = mesh.joint("jaw")
    assert jaw is not None and jaw.node == "Jaw"
    np.testing.assert_allclose(jaw.pivot, [0, 0.05, 0], atol=1e-7)
    assert jaw.weights.tolist() == [0] * 4 + [1] * 4
    angle = np.radians(20)
    front = mesh.deltas[0, 7]  # the corner 0.2 m in front of the hinge
    np.testing.assert_allclose(
        front, [0, -0.2 * np.sin(angle), 0.2 * (np.cos(angle) - 1)], atol=1e-6
    )
    assert not mesh.deltas[0, :5].any()


def test_a_jaw_bone_beside_a_target_makes_no_second_control(tmp_path: Path) -> None:
    b = builder([{"name": "Jaw", "children": [1]}, {"mesh": 0}])
    names = {"extras": {"targetNames": ["Mouth_Open"]}}
    b.content["meshes"] = [{"primitives": [primitive(b, MOVED)]} | names]
    assert opened(b, tmp_path)[0].names == ("Mouth_Open",)


def test_meshes_share_controls_by_name(tmp_path: Path) -> None:
    b = builder([{"mesh": 0}, {"mesh": 1}, {"mesh": 2}, {"mesh": 0, "translation": [1, 0, 0]}])
    named = primitive(b, MOVED, 2 * MOVED, extras={"targetNames": ["smile", "smile"]})
    b.content["meshes"] = [
        {"primitives": [named]},
        {"primitives": [primitive(b, 3 * MOVED)], "extras": {"targetNames": ["smile"]}},
        {"primitives": [primitive(b, 4 * MOVED, 5 * MOVED)], "extras": {"targetNames": ["", 7]}},
    ]
    rig, mesh = opened(b, tmp_path)
    assert rig.names == ("smile", "smile_2", "morph_00", "morph_01")
    factors = [[1, 3, 0, 1], [2, 0, 0, 2], [0, 0, 4, 0], [0, 0, 5, 0]]
    blocks = mesh.deltas.reshape(4, 4, 4, 3)
    for control, row in enumerate(factors):
        for block, factor in enumerate(row):
            np.testing.assert_allclose(blocks[control, block], factor * MOVED, atol=1e-7)
    np.testing.assert_allclose(mesh.vertices[12:], CORNERS + np.float32([1, 0, 0]), atol=1e-7)


def test_quantised_interleaved_positions(tmp_path: Path) -> None:
    """KHR_mesh_quantization: 16-bit positions every 8 bytes, scaled by the node; 8-bit targets."""
    b = builder([{"mesh": 0, "scale": [0.001] * 3, "translation": [0, 1, 0]}])
    rows = np.zeros((4, 4), "<i2")
    rows[:, :3] = CORNERS * 1000
    view = b.view(rows.tobytes())
    b.content["bufferViews"][view]["byteStride"] = 8
    position = b.append(
        "accessors", {"bufferView": view, "componentType": 5122, "count": 4, "type": "VEC3"}
    )
    small = np.zeros((4, 4), "i1")
    small[:, :3] = MOVED * 1000
    view = b.view(small.tobytes())
    b.content["bufferViews"][view]["byteStride"] = 4
    target = b.append(
        "accessors", {"bufferView": view, "componentType": 5120, "count": 4, "type": "VEC3"}
    )
    normalised = b.view(np.array([-32768, -32767, 0, 32767] * 2, "<i2").tobytes())
    uv = b.append(
        "accessors",
        {"bufferView": normalised, "componentType": 5122, "count": 4, "type": "VEC2",
         "normalized": True},
    )  # fmt: skip
    b.content["extensionsRequired"] = ["KHR_mesh_quantization"]
    b.content["meshes"] = [
        {
            "primitives": [
                {
                    "attributes": {"POSITION": position, "TEXCOORD_0": uv},
                    "indices": b.accessor(FACES),
                    "targets": [{"POSITION": target}],
                }
            ]
        }
    ]
    _, mesh = opened(b, tmp_path)
    np.testing.assert_allclose(mesh.vertices, CORNERS + np.float32([0, 1, 0]), atol=1e-6)
    np.testing.assert_allclose(mesh.deltas[0], MOVED, atol=1e-6)
    assert mesh.uvs is not None and mesh.uvs.tolist() == [[-1, -1], [0, 1], [-1, -1], [0, 1]]


@pytest.mark.parametrize(
    ("mode", "indices", "triangles"),
    [
        (4, [0, 1, 2, 1, 3, 2, 0], [[0, 1, 2], [1, 3, 2]]),
        (5, [0, 1, 2, 3], [[0, 1, 2], [2, 1, 3]]),
        (6, [0, 1, 2, 3], [[0, 1, 2], [0, 2, 3]]),
        (4, None, [[0, 1, 2]]),
    ],
)
def test_triangle_modes(
    tmp_path: Path, mode: int, indices: list[int] | None, triangles: list[list[int]]
) -> None:
    b = builder([{"mesh": 0}])
    one = primitive(b, MOVED, mode=mode)
    one.pop("indices")
    if indices is not None:
        one["indices"] = b.accessor(np.array(indices, np.uint8))
    b.content["meshes"] = [{"primitives": [one]}]
    assert opened(b, tmp_path)[1].triangles.tolist() == triangles


def picture(alpha: bool) -> bytes:
    out = io.BytesIO()
    pixels = np.array([[[255, 0, 0, 255], [0, 255, 0, 100]]], np.uint8)
    Image.fromarray(pixels if alpha else pixels[..., :3]).save(out, "PNG")
    return out.getvalue()


def test_materials(tmp_path: Path) -> None:
    b = builder([{"mesh": 0}])
    uvs = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    transform = {"offset": [0.5, 0.25], "scale": [2, 4], "rotation": np.pi / 2, "texCoord": 1}
    place = {"index": 0, "extensions": {"KHR_texture_transform": transform}}
    b.content["images"] = [{"bufferView": b.view(picture(True)), "mimeType": "image/png"}]
    b.content["textures"] = [{"source": 0}]
    b.content["materials"] = [
        {"name": "skin", "pbrMetallicRoughness": {"baseColorTexture": place}},
        {"alphaMode": "MASK", "alphaCutoff": 0.5, "doubleSided": True,
         "pbrMetallicRoughness": {
             "baseColorTexture": {"index": 0}, "baseColorFactor": [1, 0.5, 0, 0.9],
             "roughnessFactor": 0.25, "metallicFactor": 0}},
    ]  # fmt: skip
    first, second = primitive(b, MOVED, material=0), primitive(b, MOVED, material=1)
    first["attributes"] |= {"TEXCOORD_0": b.accessor(uvs * 9), "TEXCOORD_1": b.accessor(uvs)}
    second["attributes"] |= {"TEXCOORD_0": b.accessor(uvs)}
    b.content["meshes"] = [{"name": "face", "primitives": [first, second]}]
    _, mesh = opened(b, tmp_path)
    skin, lash = mesh.parts
    assert (skin.name, lash.name) == ("face:skin", "face")
    assert skin.texture is not None and lash.texture is not None
    assert skin.texture[0, :, 3].tolist() == [255, 255], "opaque: alpha is ignored"
    assert lash.texture[0, :, 3].tolist() == [255, 0] and lash.blend and lash.double_sided
    assert lash.colour == (1, 0.5, 0, 0.9) and (lash.roughness, lash.metallic) == (0.25, 0)
    assert (skin.roughness, skin.metallic, skin.blend) == (1, 1, False)
    # The extension: scale, then turn, then offset: (u, v) → (4 v + 0.5, -2 u + 0.25).
    assert mesh.uvs is not None
    wanted = np.column_stack([4 * uvs[:, 1] + 0.5, -2 * uvs[:, 0] + 0.25])
    np.testing.assert_allclose(mesh.uvs[:4], wanted, atol=1e-6)
    np.testing.assert_allclose(mesh.uvs[4:], uvs, atol=1e-6)


def test_text_files_with_their_data_beside_or_inside(tmp_path: Path) -> None:
    b = builder([{"mesh": 0}])
    mesh = primitive(b, MOVED, material=0)
    mesh["attributes"]["TEXCOORD_0"] = b.accessor(CORNERS[:, :2].copy())
    b.content["meshes"] = [{"primitives": [mesh]}]
    b.content["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    b.content["textures"] = [{"source": 0}]
    b.content["images"] = [{"uri": "my%20skin.png"}]
    (tmp_path / "my skin.png").write_bytes(picture(False))
    data = b.to_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    content, chunk = json.loads(data[20 : 20 + size]), data[28 + size :]
    content["buffers"][0]["uri"] = "rig.bin"
    (tmp_path / "rig.bin").write_bytes(chunk)
    (tmp_path / "beside.gltf").write_text(json.dumps(content, indent=2))
    content["buffers"][0]["uri"] = (
        "data:application/octet-stream;base64," + base64.b64encode(chunk).decode()
    )
    (tmp_path / "inside.gltf").write_text(json.dumps(content))
    (tmp_path / "rig.glb").write_bytes(data)
    for name in ("beside.gltf", "inside.gltf", "rig.glb"):
        read = load_rig(tmp_path / name).mesh
        assert read is not None
        np.testing.assert_allclose(read.deltas[0], MOVED, atol=1e-7)
        texture = read.parts[0].texture
        assert texture is not None and texture[0, 1].tolist() == [0, 255, 0, 255]
