"""The cartoon character: what its controls do to its own mesh, and that it can be recognised."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from freeavatar.rigs.blendshapes import blend
from freeavatar.rigs.builtin import generate
from freeavatar.rigs.conventions import describe_controls
from freeavatar.rigs.registry import load, source_path
from freeavatar.rigs.spec import FloatArray, Mesh, Rig

Seen = Callable[[Rig, FloatArray, FloatArray], list[str]]
NAMES = [
    "chomp", "zip_it", "grin_a", "grin_b", "glum", "stretchy", "oo_face", "yuck", "bleh",
    "chipmunk", "peepers_shut_1", "peepers_shut_2", "peepers_pop_1", "peepers_pop_2",
    "suspicious", "hoist_one", "hoist_two", "scowl_one", "scowl_two", "worry", "gnash_top",
    "gnash_low", "sidle_a", "sidle_b",
]  # fmt: skip
PAIRS = [
    ("grin_a", "grin_b"),
    ("peepers_shut_1", "peepers_shut_2"),
    ("peepers_pop_1", "peepers_pop_2"),
    ("hoist_one", "hoist_two"),
    ("scowl_one", "scowl_two"),
    ("sidle_a", "sidle_b"),
]
INSIDE = {"mouth", "teeth", "tongue"}


@pytest.fixture(scope="module")
def toon() -> Rig:
    return load("toon")


def mesh_of(rig: Rig) -> Mesh:
    assert rig.mesh is not None
    return rig.mesh


def posed(rig: Rig, **values: float) -> FloatArray:
    weights = np.zeros(len(rig.controls), np.float32)
    for name, value in values.items():
        weights[rig.index[name]] = value
    mesh = mesh_of(rig)
    return blend(mesh.vertices, mesh.deltas, weights)


def vertices_of(rig: Rig, *parts: str) -> NDArray[np.int32]:
    mesh = mesh_of(rig)
    runs = [
        mesh.triangles[p.first_triangle : p.first_triangle + p.triangle_count]
        for p in mesh.parts
        if p.name.rpartition(":")[2] in parts
    ]
    return np.unique(np.concatenate(runs))


def eye_grid(rig: Rig, role: str) -> FloatArray:
    """Points over the front of an eyeball, (N, 3)."""
    mesh = mesh_of(rig)
    joint = next(j for j in mesh.joints if j.role == role)
    radius = float(np.ptp(mesh.vertices[joint.weights > 0.5, 1])) / 2
    x, y = np.meshgrid(np.linspace(-0.75, 0.75, 13), np.linspace(-0.6, 0.6, 11))
    z = np.sqrt(1.0 - x**2 - y**2)
    return np.asarray(
        joint.pivot + radius * np.stack([x, y, z], axis=-1).reshape(-1, 3), np.float32
    )


def mouth_grid(rig: Rig, vertices: FloatArray) -> FloatArray:
    """Points over the lips and what is between them, (N, 3)."""
    lips = vertices[vertices_of(rig, "lips")]
    low, high = lips.min(axis=0), lips.max(axis=0)
    x, y = np.meshgrid(np.linspace(low[0], high[0], 21), np.linspace(low[1], high[1], 15))
    return np.column_stack([x.ravel(), y.ravel(), np.full(x.size, high[2])]).astype(np.float32)


def test_has_its_controls_and_no_convention_knows_them(toon: Rig) -> None:
    assert list(toon.names) == NAMES
    assert all(not c.hub for c in describe_controls(NAMES))


def test_every_control_moves_the_face_visibly_and_not_wildly(toon: Rig) -> None:
    assert mesh_of(toon).motion.min() > 0.005
    assert mesh_of(toon).motion.max() < 0.08


def test_head_is_of_human_size_and_looks_ahead(toon: Rig) -> None:
    mesh = mesh_of(toon)
    size = np.ptp(mesh.vertices[vertices_of(toon, "skin")], axis=0)
    assert 0.2 < size[1] < 0.3
    assert [j.role for j in mesh.joints] == ["head", "left_eye", "right_eye"]
    left, right = mesh.joints[1].pivot, mesh.joints[2].pivot
    assert left[0] > 0.02
    np.testing.assert_allclose(right, left * [-1, 1, 1], atol=1e-7)
    head = mesh.joints[0].weights
    assert head[vertices_of(toon, "cloth", "cord")].max() == 0.0
    assert head[vertices_of(toon, "skin", "eye", "hair", "teeth", "tongue")].min() == 1.0


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_pairs_are_mirror_images(toon: Rig, left: str, right: str) -> None:
    """As sets of (place, motion): every left one has a mirrored right one."""
    mesh = mesh_of(toon)
    flip = np.array([-1, 1, 1, -1, 1, 1], np.float32)
    rows = [
        np.hstack([mesh.vertices, mesh.deltas[toon.index[name]]])[
            np.linalg.norm(mesh.deltas[toon.index[name]], axis=1) > 2e-4
        ]
        for name in (left, right)
    ]
    assert len(rows[0]) == len(rows[1]) > 50
    for a, b in ((rows[0] * flip, rows[1]), (rows[1] * flip, rows[0])):
        assert cKDTree(a).query(b)[0].max() < 1e-5
    moved = mesh.deltas[toon.index[left]]
    weight = np.linalg.norm(moved, axis=1)
    if left == "sidle_a":
        assert moved[:, 0].sum() > 0
    else:
        assert np.average(mesh.vertices[:, 0], weights=weight) > 0.01


@pytest.mark.parametrize(("name", "role"), [("1", "left_eye"), ("2", "right_eye")])
def test_blink_covers_the_eye_and_nothing_else_does(
    toon: Rig, seen: Seen, name: str, role: str
) -> None:
    grid = eye_grid(toon, role)
    other = eye_grid(toon, "right_eye" if role == "left_eye" else "left_eye")
    opened = seen(toon, mesh_of(toon).vertices, grid).count("eye")
    shut = posed(toon, **{f"peepers_shut_{name}": 1.0})
    assert opened > 0.5 * len(grid)
    assert seen(toon, shut, grid).count("eye") == 0
    assert seen(toon, shut, other).count("eye") == opened


@pytest.mark.parametrize("name", ["peepers_shut_1", "peepers_pop_1", "suspicious"])
@pytest.mark.parametrize("value", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_lids_never_cut_into_the_eyeball(toon: Rig, name: str, value: float) -> None:
    mesh = mesh_of(toon)
    eye = next(j for j in mesh.joints if j.role == "left_eye")
    ball = np.linalg.norm(mesh.vertices[eye.weights > 0.5] - eye.pivot, axis=1).max()
    lids = vertices_of(toon, "skin", "lash", "lid")
    # The lids' last loop is tucked against the eyeball, behind their edges.
    away = np.linalg.norm(mesh.vertices[lids] - eye.pivot, axis=1) > ball * 1.02
    lids = lids[away]
    at = posed(toon, **{name: value})[lids]
    assert np.linalg.norm(at - eye.pivot, axis=1).min() > ball * 1.005


def test_chomp_opens_the_closed_mouth(toon: Rig, seen: Seen) -> None:
    closed = mesh_of(toon).vertices
    assert not INSIDE & set(seen(toon, closed, mouth_grid(toon, closed)))
    opened = posed(toon, chomp=1.0)
    inside = [p for p in seen(toon, opened, mouth_grid(toon, opened)) if p in INSIDE]
    assert len(inside) > 80
    assert {"teeth", "tongue", "mouth"} == set(inside)


@pytest.mark.parametrize("name", ["zip_it", "stretchy", "sidle_a", "glum", "chipmunk", "worry"])
def test_a_closed_mouth_hides_its_teeth(toon: Rig, seen: Seen, name: str) -> None:
    pose = posed(toon, **{name: 1.0})
    assert not {"teeth", "tongue"} & set(seen(toon, pose, mouth_grid(toon, pose)))


def test_the_file_is_what_the_code_makes(toon: Rig) -> None:
    """Vertex by vertex, with all their motion; the file may order them otherwise."""
    made = generate.build("toon")
    assert made.names == toon.names
    rows = [
        np.hstack([m.vertices, m.deltas.transpose(1, 0, 2).reshape(len(m.vertices), -1)])
        for m in (mesh_of(toon), mesh_of(made))
    ]
    assert rows[0].shape == rows[1].shape
    assert len(mesh_of(toon).triangles) == len(mesh_of(made).triangles)
    for a, b in (rows, rows[::-1]):
        assert cKDTree(a).query(b, distance_upper_bound=1e-3)[0].max() < 1e-5


def test_a_face_reader_sees_a_face_with_lids_and_lips_in_place(toon: Rig, shared: Path) -> None:
    from freeavatar.foundation.mediapipe_reader import landmark_finder
    from freeavatar.rigs.camera import face_camera
    from freeavatar.rigs.rendering import Renderer

    camera = face_camera(toon, (512, 512))
    with Renderer(toon, camera=camera) as renderer:
        picture = renderer.picture_of(mesh_of(toon).vertices)
    landmarks = landmark_finder(shared / "mediapipe" / "face_landmarker.task")(picture)
    assert landmarks is not None
    lips = camera.project(mesh_of(toon).vertices[vertices_of(toon, "lips")])[0]
    wide = np.ptp(lips[:, 0])
    corners = landmarks[[61, 291]]
    np.testing.assert_allclose(
        corners[:, 0], [lips[:, 0].min(), lips[:, 0].max()], atol=0.15 * wide
    )
    np.testing.assert_allclose(corners[:, 1].mean(), lips[:, 1].mean(), atol=0.15 * wide)
    for iris, role in ((473, "left_eye"), (468, "right_eye")):
        pivot = next(j for j in mesh_of(toon).joints if j.role == role).pivot
        assert np.linalg.norm(landmarks[iris] - camera.project(pivot)[0]) < 0.4 * wide


def test_ships_small(toon: Rig) -> None:
    path = source_path("toon")
    assert path is not None and path.stat().st_size <= 1_500_000
    assert 4_000 <= len(mesh_of(toon).vertices) <= 10_000
