"""Projection, pixels to mesh points, and normals: exact arithmetic, no OpenGL."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.rigs.camera import face_camera
from freeavatar.rigs.rendering import surface_view
from freeavatar.rigs.spec import Mesh, Rig
from freeavatar.rigs.surface import Normals

MakeHead = Callable[..., Rig]


def test_projection_is_a_pinhole_with_y_down(toy_head: MakeHead) -> None:
    camera = face_camera(toy_head(), (400, 200))
    right, up, back = camera.rotation.T
    distance = 2.0
    middle = camera.position - back * distance
    step = distance / camera.focal_length
    pixels, depth = camera.project(np.array([middle, middle + 10 * step * right + 5 * step * up]))
    np.testing.assert_allclose(pixels, [[200, 100], [210, 95]], atol=1e-9)
    np.testing.assert_allclose(depth, [2, 2], atol=1e-12)
    half_height = distance * np.tan(camera.field_of_view / 2)
    assert camera.project(middle + half_height * up)[0][1] == pytest.approx(0, abs=1e-9)


def test_locate_finds_the_points_that_were_projected(toy_head: MakeHead) -> None:
    rig = toy_head()
    assert rig.mesh is not None
    mesh = rig.mesh
    view = surface_view(mesh, mesh.vertices, face_camera(rig, (320, 320)))
    rng = np.random.default_rng(1)
    centres = mesh.vertices[mesh.triangles].mean(axis=1)
    facing = np.flatnonzero(centres[:, 2] > 0.04)
    chosen = rng.choice(facing, 200, replace=False)
    weights = rng.dirichlet([2, 2, 2], 200)
    points = np.einsum("nk,nkc->nc", weights, mesh.vertices[mesh.triangles[chosen]])
    corners, found, hit = view.locate(view.camera.project(points)[0])
    assert hit.all()
    np.testing.assert_array_equal(corners, mesh.triangles[chosen])
    np.testing.assert_allclose(found, weights, atol=2e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def ray_distances(
    origin: NDArray[np.float64], rays: NDArray[np.float64], triangles: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(N, T) distances along rays (N, 3) to triangles (T, 3, 3) by Cramer's rule, inf: missed.

    Source: Möller and Trumbore, Fast, Minimum Storage Ray/Triangle Intersection, 1997.
    """
    corner = triangles[:, 0].astype(np.float64)
    first, second = triangles[:, 1] - corner, triangles[:, 2] - corner
    across = np.cross(rays[:, None], second[None])
    volume = (across * first).sum(axis=2)
    away = origin - corner
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (across * away).sum(axis=2) / volume
        turned = np.cross(away, first)
        v = rays @ turned.T / volume
        distance = (turned * second).sum(axis=1) / volume
        # Triangles seen from behind have a negative volume; the camera does not see them.
        inside = (volume > 0) & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
    return np.where(inside, distance, np.inf)


def test_locate_agrees_with_ray_casting_and_misses_the_background(toy_head: MakeHead) -> None:
    rig = toy_head(body=True)
    assert rig.mesh is not None
    mesh = rig.mesh
    posed = mesh.vertices + mesh.deltas[0]
    view = surface_view(mesh, posed, face_camera(rig, (64, 48)))
    columns, rows = np.meshgrid(np.arange(2, 64, 6) + 0.5, np.arange(2, 48, 6) + 0.5)
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=1)
    corners, weights, hit = view.locate(pixels)
    camera = view.camera
    local = np.column_stack(
        [pixels[:, 0] - 32, 24 - pixels[:, 1], np.full(len(pixels), -camera.focal_length)]
    )
    distances = ray_distances(camera.position, local @ camera.rotation.T, posed[mesh.triangles])
    nearest = distances.min(axis=1)
    np.testing.assert_array_equal(hit, np.isfinite(nearest))
    assert 0 < hit.sum() < len(hit)
    mine = np.einsum("nk,nkc->nc", weights, posed[corners])[hit]
    rays = (local @ camera.rotation.T)[hit]
    np.testing.assert_allclose(mine, camera.position + nearest[hit, None] * rays, atol=1e-5)


def test_locate_looks_through_triangles_left_out(toy_head: MakeHead) -> None:
    rig = toy_head()
    assert rig.mesh is not None
    mesh = rig.mesh
    view = surface_view(mesh, mesh.vertices, face_camera(rig, (64, 64)))
    centre = np.array([[32.0, 32.0]])
    assert view.locate(centre)[2][0]
    front = mesh.vertices[mesh.triangles].mean(axis=1)[:, 2] > 0
    assert not view.locate(centre, among=~front)[2][0]


def test_normals_of_a_ball_point_outward_also_at_the_seam_and_after_turning(
    toy_head: MakeHead,
) -> None:
    rig = toy_head()
    assert rig.mesh is not None
    mesh = rig.mesh
    outward = mesh.vertices - np.array([0, 1.6, 0], np.float32)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    normals = Normals(
        Mesh(
            vertices=mesh.vertices,
            triangles=mesh.triangles,
            deltas=np.zeros((0, len(mesh.vertices), 3), np.float32),
            parts=mesh.parts,
        )
    )
    got = normals.of(mesh.vertices)
    assert np.einsum("vc,vc->v", got, outward).min() > 0.995
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)
    np.testing.assert_allclose(normals.of(mesh.vertices @ turn.T), got @ turn.T, atol=1e-3)


def test_given_normals_hold_at_the_neutral(toy_head: MakeHead) -> None:
    rig = toy_head()
    assert rig.mesh is not None
    mesh = rig.mesh
    up = np.tile(np.array([0, 1, 0], np.float32), (len(mesh.vertices), 1))
    edited = Mesh(
        vertices=mesh.vertices, triangles=mesh.triangles, deltas=mesh.deltas, parts=mesh.parts,
        normals=up,
    )  # fmt: skip
    normals = Normals(edited)
    np.testing.assert_allclose(normals.of(mesh.vertices), up, atol=1e-5)
    assert np.abs(normals.of(mesh.vertices + mesh.deltas[0]) - up).max() > 0.01


def test_lips_that_touch_keep_their_own_normals() -> None:
    """Two squares meet at an edge, back to back, and open: their shared places must not weld."""
    vertices = np.array(
        [[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1], [0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]],
        np.float32,
    )
    triangles = np.array([[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]], np.int32)
    deltas = np.zeros((1, 8, 3), np.float32)
    deltas[0, 4:, 1] = -1
    got = Normals(Mesh(vertices=vertices, triangles=triangles, deltas=deltas, parts=())).of(
        vertices
    )
    np.testing.assert_allclose(got[:4], [[0, 1, 0]] * 4, atol=1e-6)
    np.testing.assert_allclose(got[4:], [[0, -1, 0]] * 4, atol=1e-6)
