"""The cartoon character: what its controls do to its own mesh, and that it can be recognised."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.rigs.conventions import describe_controls
from freeavatar.rigs.registry import load
from freeavatar.rigs.spec import FloatArray, Mesh, Rig

Seen = Callable[[Rig, FloatArray, FloatArray], list[str]]
Posed = Callable[..., FloatArray]
VerticesOf = Callable[..., NDArray[np.int32]]
NAMES = [
    "chomp", "zip_it", "grin_a", "grin_b", "glum", "stretchy", "oo_face", "yuck", "bleh",
    "chipmunk", "peepers_shut_1", "peepers_shut_2", "peepers_pop_1", "peepers_pop_2",
    "suspicious", "hoist_one", "hoist_two", "scowl_one", "scowl_two", "worry", "gnash_top",
    "gnash_low", "sidle_a", "sidle_b",
]  # fmt: skip
INSIDE = {"mouth", "teeth", "tongue"}


@pytest.fixture(scope="module")
def toon() -> Rig:
    return load("toon")


def mesh_of(rig: Rig) -> Mesh:
    assert rig.mesh is not None
    return rig.mesh


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


def mouth_grid(lips: FloatArray) -> FloatArray:
    """Points over the lips and what is between them, (N, 3)."""
    low, high = lips.min(axis=0), lips.max(axis=0)
    x, y = np.meshgrid(np.linspace(low[0], high[0], 21), np.linspace(low[1], high[1], 15))
    return np.column_stack([x.ravel(), y.ravel(), np.full(x.size, high[2])]).astype(np.float32)


def test_has_its_controls_and_no_convention_knows_them(toon: Rig) -> None:
    assert list(toon.names) == NAMES
    assert all(not c.hub for c in describe_controls(NAMES))


def test_every_control_moves_the_face_visibly_and_not_wildly(toon: Rig) -> None:
    assert mesh_of(toon).motion.min() > 0.005
    assert mesh_of(toon).motion.max() < 0.08


def test_head_is_of_human_size_and_looks_ahead(toon: Rig, vertices_of: VerticesOf) -> None:
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


@pytest.mark.parametrize(("name", "role"), [("1", "left_eye"), ("2", "right_eye")])
def test_blink_covers_the_eye_and_nothing_else_does(
    toon: Rig, seen: Seen, name: str, role: str, posed: Posed
) -> None:
    grid = eye_grid(toon, role)
    other = eye_grid(toon, "right_eye" if role == "left_eye" else "left_eye")
    opened = seen(toon, mesh_of(toon).vertices, grid).count("eye")
    shut = posed(toon, **{f"peepers_shut_{name}": 1.0})
    assert opened > 0.5 * len(grid)
    assert seen(toon, shut, grid).count("eye") == 0
    assert seen(toon, shut, other).count("eye") == opened


def test_chomp_opens_the_closed_mouth(
    toon: Rig, seen: Seen, posed: Posed, vertices_of: VerticesOf
) -> None:
    closed = mesh_of(toon).vertices
    assert not INSIDE & set(seen(toon, closed, mouth_grid(closed[vertices_of(toon, "lips")])))
    opened = posed(toon, chomp=1.0)
    inside = [
        p for p in seen(toon, opened, mouth_grid(opened[vertices_of(toon, "lips")])) if p in INSIDE
    ]
    assert len(inside) > 80
    assert {"teeth", "tongue", "mouth"} == set(inside)


@pytest.mark.parametrize("name", ["zip_it", "stretchy", "sidle_a", "glum", "chipmunk", "worry"])
def test_a_closed_mouth_hides_its_teeth(
    toon: Rig, seen: Seen, name: str, posed: Posed, vertices_of: VerticesOf
) -> None:
    pose = posed(toon, **{name: 1.0})
    assert not {"teeth", "tongue"} & set(
        seen(toon, pose, mouth_grid(pose[vertices_of(toon, "lips")]))
    )


def test_a_face_reader_sees_a_face_with_lids_and_lips_in_place(
    toon: Rig, shared: Path, vertices_of: VerticesOf
) -> None:
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
