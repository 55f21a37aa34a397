"""However an exporter turned or scaled a face, it ends upright, in metres, looking along +z."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from freeavatar.rigs.gltf.writer import GENERATOR, glb_bytes
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.spec import Joint, Rig

UPRIGHT = np.eye(3)
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Rig space to a world with z up whose faces look along -y."""


def about_y(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def exported(rig: Rig, turn: np.ndarray, scale: float, path: Path) -> Path:
    """The rig as another tool would export it: turned, scaled, with no word of who wrote it."""
    assert rig.mesh is not None
    matrix = (scale * turn).T.astype(np.float32)
    joints = tuple(
        Joint(role=j.role, pivot=j.pivot @ matrix, weights=j.weights) for j in rig.mesh.joints
    )
    mesh = replace(
        rig.mesh,
        vertices=rig.mesh.vertices @ matrix,
        deltas=rig.mesh.deltas @ matrix,
        normals=None,
        joints=joints,
    )
    data = glb_bytes(replace(rig, mesh=mesh))
    assert data.count(GENERATOR.encode()) == 1
    path.write_bytes(data.replace(GENERATOR.encode(), b"Exporter X"))
    return path


@pytest.mark.parametrize("file", ["makehuman_arkit_viseme.glb", "facecap_generic.glb"])
@pytest.mark.parametrize(
    ("turn", "scale", "note"),
    [
        (UPRIGHT, 1.0, None),
        (UPRIGHT, 100.0, "centimetres"),
        (UPRIGHT, 1000.0, "millimetres"),
        (UPRIGHT, 10.0, "scaled by 0.1"),
        (UPRIGHT, 0.01, "scaled by 100 "),
        (about_y(180), 1.0, "looks along -z"),
        (about_y(90), 1.0, r"looks along \+x"),
        (about_y(-90), 100.0, "looks along -x"),
        (Z_UP, 1.0, "z up"),
        (Z_UP @ about_y(180), 100.0, "z up"),
    ],
)
def test_a_face_comes_back_as_it_was(
    shared: Path, tmp_path: Path, file: str, turn: np.ndarray, scale: float, note: str | None
) -> None:
    rig = load_rig(shared / "rigs" / file)
    back = load_rig(exported(rig, turn, scale, tmp_path / "face.glb"))
    assert rig.mesh is not None and back.mesh is not None
    assert back.units_per_metre == pytest.approx(scale, rel=1e-3)
    distance, match = cKDTree(back.mesh.vertices).query(rig.mesh.vertices)
    assert distance.max() < 1e-5
    np.testing.assert_allclose(back.mesh.deltas[:, match], rig.mesh.deltas, rtol=0, atol=1e-5)
    assert 0.1 <= np.ptp(back.mesh.vertices[:, 1]) <= 0.7
    said = " ".join(back.notes)
    assert re.search(note, said) if note else "turned to" not in said and "brought" not in said
    for role in ("left_eye", "right_eye"):
        before, after = rig.mesh.joint(role), back.mesh.joint(role)
        assert (before is None) == (after is None)
        if before is not None and after is not None:
            np.testing.assert_allclose(after.pivot, before.pivot, atol=1e-4)


def test_an_odd_unit_is_scaled_to_a_usual_head(shared: Path, tmp_path: Path) -> None:
    rig = load_rig(shared / "rigs" / "facecap_generic.glb")
    back = load_rig(exported(rig, UPRIGHT, 3.7, tmp_path / "face.glb"))
    assert back.mesh is not None
    assert np.ptp(back.mesh.vertices[:, 1]) == pytest.approx(0.25, rel=1e-3)
    assert any("not the metre" in note for note in back.notes)
