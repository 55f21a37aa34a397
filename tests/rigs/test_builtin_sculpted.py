"""What holds of both sculpted characters: exact mirror images, lids that fit, files from code."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from freeavatar.rigs.builtin import generate
from freeavatar.rigs.registry import load, source_path
from freeavatar.rigs.spec import FloatArray, Mesh, Rig

NAMES = ("toon", "fox")
PAIRS = [
    ("toon", "grin_a", "grin_b"),
    ("toon", "peepers_shut_1", "peepers_shut_2"),
    ("toon", "peepers_pop_1", "peepers_pop_2"),
    ("toon", "hoist_one", "hoist_two"),
    ("toon", "scowl_one", "scowl_two"),
    ("toon", "sidle_a", "sidle_b"),
    ("fox", "smile_L", "smile_R"),
    ("fox", "blink_L", "blink_R"),
]
LIDS = {
    "toon": ("peepers_shut_1", "peepers_pop_1", "suspicious"),
    "fox": ("blink_L", "eyeWide", "squint"),
}


@pytest.fixture(scope="module")
def rigs() -> dict[str, Rig]:
    return {name: load(name) for name in NAMES}


def mesh_of(rig: Rig) -> Mesh:
    assert rig.mesh is not None
    return rig.mesh


@pytest.mark.parametrize(("name", "left", "right"), PAIRS)
def test_pairs_are_mirror_images(rigs: dict[str, Rig], name: str, left: str, right: str) -> None:
    """As sets of (place, motion): every left one has a mirrored right one."""
    rig, mesh = rigs[name], mesh_of(rigs[name])
    flip = np.array([-1, 1, 1, -1, 1, 1], np.float32)
    rows = [
        np.hstack([mesh.vertices, mesh.deltas[rig.index[side]]])[
            np.linalg.norm(mesh.deltas[rig.index[side]], axis=1) > 2e-4
        ]
        for side in (left, right)
    ]
    assert len(rows[0]) == len(rows[1]) > 50
    for a, b in ((rows[0] * flip, rows[1]), (rows[1] * flip, rows[0])):
        assert cKDTree(a).query(b)[0].max() < 1e-5
    moved = mesh.deltas[rig.index[left]]
    if left == "sidle_a":
        assert moved[:, 0].sum() > 0
    else:
        weight = np.linalg.norm(moved, axis=1)
        assert np.average(mesh.vertices[:, 0], weights=weight) > 0.01


@pytest.mark.parametrize(("name", "control"), [(n, c) for n in NAMES for c in LIDS[n]])
@pytest.mark.parametrize("value", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_lids_never_cut_into_the_eyeball(
    rigs: dict[str, Rig],
    posed: Callable[..., FloatArray],
    vertices_of: Callable[..., NDArray[np.int32]],
    name: str,
    control: str,
    value: float,
) -> None:
    rig, mesh = rigs[name], mesh_of(rigs[name])
    eye = mesh.joint("left_eye")
    assert eye is not None
    ball = np.linalg.norm(mesh.vertices[eye.weights > 0.5] - eye.pivot, axis=1).max()
    lids = vertices_of(rig, "skin", "lash", "lid")
    # The lids' last loop is tucked against the eyeball, behind their edges.
    lids = lids[np.linalg.norm(mesh.vertices[lids] - eye.pivot, axis=1) > ball * 1.02]
    at = posed(rig, **{control: value})[lids]
    assert np.linalg.norm(at - eye.pivot, axis=1).min() > ball * 1.005


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_what_the_code_makes(rigs: dict[str, Rig], name: str) -> None:
    """Vertex by vertex, with all their motion; the file may order them otherwise."""
    rig, made = rigs[name], generate.build(name)
    assert made.names == rig.names
    rows = [
        np.hstack([m.vertices, m.deltas.transpose(1, 0, 2).reshape(len(m.vertices), -1)])
        for m in (mesh_of(rig), mesh_of(made))
    ]
    assert rows[0].shape == rows[1].shape
    assert len(mesh_of(rig).triangles) == len(mesh_of(made).triangles)
    for a, b in (rows, rows[::-1]):
        assert cKDTree(a).query(b, distance_upper_bound=1e-3)[0].max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_ships_small(rigs: dict[str, Rig], name: str) -> None:
    path = source_path(name)
    assert path is not None and path.stat().st_size <= 1_500_000
    assert 4_000 <= len(mesh_of(rigs[name]).vertices) <= 10_000
