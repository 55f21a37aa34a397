"""Folders of OBJ shapes."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.spec import Mesh

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * 0.2
FACES = "f 1 2 4 3\nf 5 7 8 6\nf 1 5 6 2\nf 3 4 8 7\nf 1 3 7 5\nf -7 -3 -1 -5\n"


def write(folder: Path, name: str, vertices: np.ndarray, faces: str = FACES) -> None:
    folder.mkdir(exist_ok=True)
    lines = [f"v {x:.9g} {y:.9g} {z:.9g} # a vertex" for x, y, z in vertices]
    (folder / name).write_text("# made by hand\no cube\n" + "\n".join(lines) + "\n" + faces)


def mesh_of(folder: Path) -> Mesh:
    mesh = load_rig(folder).mesh
    assert mesh is not None
    return mesh


def test_a_folder_of_shapes(tmp_path: Path) -> None:
    folder = tmp_path / "cube"
    write(folder, "Cube_Neutral.obj", CUBE)
    opened = CUBE + np.array([0, -0.03, 0]) * (CUBE[:, 1:2] == 0)
    write(folder, "jawOpen.obj", opened)
    write(folder, "brow up.OBJ", CUBE + np.array([0, 0.01, 0]), faces="")
    rig = load_rig(folder)
    assert rig.names == ("brow up", "jawOpen")
    assert rig.controls[1].hub == {"jawOpen": 1.0}
    assert rig.mesh is not None
    np.testing.assert_allclose(rig.mesh.vertices, CUBE, atol=1e-7)
    np.testing.assert_allclose(rig.mesh.deltas[1], opened - CUBE, atol=1e-7)
    assert len(rig.mesh.triangles) == 12
    edges = rig.mesh.vertices[rig.mesh.triangles]
    normal = np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0])
    volume = (normal * edges.mean(axis=1)).sum() / 6
    assert volume == pytest.approx(0.2**3, rel=1e-6), "closed, counter-clockwise from outside"
    assert [j.role for j in rig.mesh.joints] == ["head"]
    before = rig.source_sha256
    write(folder, "jawOpen.obj", CUBE)
    assert load_rig(folder).source_sha256 != before


def test_centimetres_and_seams(tmp_path: Path) -> None:
    folder = tmp_path / "cube"
    uvs = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
    faces = uvs + "f 1/1 2/2 4/3 3/4\nf 5/1/1 7/2/1 8/3/1 6/4/1\nf 1/4 5/3 6/2 2/1\n"
    write(folder, "base.obj", CUBE * 100, faces)
    write(folder, "smile.obj", CUBE * 100 + 1)
    rig = load_rig(folder)
    assert rig.units_per_metre == 100
    mesh = rig.mesh
    assert mesh is not None and mesh.uvs is not None
    np.testing.assert_allclose(mesh.vertices[:8], CUBE, atol=1e-6)
    np.testing.assert_allclose(mesh.deltas, 0.01, atol=1e-6)
    # glTF counts v downward. Vertices 1 and 2 and 5 and 6 have two UVs each, so four are repeated.
    assert len(mesh.vertices) == 12
    assert mesh.uvs[mesh.triangles[0]].tolist() == [[0, 1], [1, 1], [1, 0]]
    assert mesh.uvs[mesh.triangles[4]].tolist() == [[0, 0], [1, 0], [1, 1]]


def test_materials(tmp_path: Path) -> None:
    folder = tmp_path / "cube"
    uvs = "mtllib cube.mtl\nvt 0 0\nvt 1 0\nvt 1 1\n"
    write(folder, "rest.obj", CUBE, uvs + "usemtl skin\nf 1/1 2/2 4/3\nusemtl eye\nf 5/1 7/2 8/3\n")
    write(folder, "smile.obj", CUBE + 0.01)
    (folder / "cube.mtl").write_text(
        "newmtl skin\nmap_Kd c:\\art\\skin.png\nnewmtl eye\nKd 0 .5 1\n"
    )
    out = io.BytesIO()
    Image.new("RGB", (4, 2), (255, 0, 0)).save(out, "PNG")
    (folder / "skin.png").write_bytes(out.getvalue())
    skin, eye = mesh_of(folder).parts
    assert (skin.name, skin.first_triangle, skin.triangle_count) == ("skin", 0, 1)
    assert skin.texture is not None and skin.texture[1, 3].tolist() == [255, 0, 0, 255]
    assert (eye.first_triangle, eye.colour) == (1, (0, 0.5, 1, 1)) and eye.texture is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"cube: the folder holds no \.obj file"),
        ({"smile.obj": "v 0 0 0"}, "none of its 1 .obj files is called neutral"),
        ({"neutral.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3"}, "holds the neutral only"),
        ({"neutral.obj": "v 0 0\n"}, r"cube/neutral\.obj, line 1: 'v 0 0' is no valid OBJ line"),
        ({"neutral.obj": "v 0 0 nan\n"}, "line 1: 'v 0 0 nan'"),
        ({"neutral.obj": "v 0 0 1\nf 1 1 2\n"}, "line 2: 'f 1 1 2'"),
        ({"neutral.obj": "v 0 0 1\nf 1 1 0\n"}, "line 2: 'f 1 1 0'"),
        ({"neutral.obj": "v 0 0 1\nf 1 1\n"}, "line 2: 'f 1 1'"),
        ({"neutral.obj": "v 0 0 1\n"}, "has no faces"),
        ({"neutral.obj": "\x00\x01\x02"}, "has no vertices"),
        (
            {"neutral.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3", "smile.obj": "v 0 0 0\n"},
            r"cube/smile\.obj has 1 vertices but neutral\.obj has 3",
        ),
        (
            {"neutral.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3", "smile.obj": "v 0 zero 0\n"},
            r"cube/smile\.obj, line 1",
        ),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    folder = tmp_path / "cube"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(RigError, match=message):
        load_rig(folder)


def test_a_face_goes_through_obj_and_back(shared: Path, tmp_path: Path) -> None:
    rig = load_rig(shared / "rigs" / "makehuman_arkit_viseme.glb")
    assert rig.mesh is not None
    faces = "".join(f"f {a} {b} {c}\n" for a, b, c in rig.mesh.triangles + 1)
    folder = tmp_path / "face"
    write(folder, "neutral.obj", rig.mesh.vertices, faces)
    for name in ("jawOpen", "eyeBlinkLeft"):
        shape = rig.mesh.vertices + rig.mesh.deltas[rig.index[name]]
        write(folder, f"{name}.obj", shape, faces="")
    back = load_rig(folder)
    assert back.names == ("eyeBlinkLeft", "jawOpen") and back.mesh is not None
    np.testing.assert_allclose(back.mesh.vertices, rig.mesh.vertices, atol=1e-7)
    np.testing.assert_allclose(
        back.mesh.deltas[1], rig.mesh.deltas[rig.index["jawOpen"]], atol=1e-7
    )
    np.testing.assert_array_equal(back.mesh.triangles, rig.mesh.triangles)
