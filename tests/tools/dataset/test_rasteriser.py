"""The rasteriser against a plain one, and outlines against known shapes."""

import numpy as np

from freeavatar.tools.dataset.rasteriser import (
    NOTHING,
    RAYS,
    Visible,
    add_shape,
    interpolated,
    normals,
    outline,
)


def _nearest(points, nearness, triangles, x, y):  # type: ignore[no-untyped-def]
    best, found = -np.inf, NOTHING
    for t, corners in enumerate(triangles):
        a, b, c = points[corners].astype(np.float64)
        basis = np.stack([b - a, c - a], axis=1)
        if np.linalg.det(basis) >= 0:
            continue
        u, v = np.linalg.solve(basis, np.array([x + 0.5, y + 0.5]) - a)
        inside = min(u, v, 1 - u - v)
        depth = nearness[corners] @ np.array([1 - u - v, u, v])
        if inside > 1e-3 and depth > best:
            best, found = depth, t
        if abs(inside) <= 1e-3:
            return None  # on an edge either answer is right
    return found


def test_every_pixel_sees_the_nearest_triangle_that_faces_it() -> None:
    make = np.random.default_rng(0)
    points = make.uniform(-4, 28, (36, 2)).astype(np.float32)
    nearness = make.uniform(0, 1, 36).astype(np.float32)
    triangles = np.arange(36, dtype=np.int32).reshape(12, 3)
    visible = Visible(24)
    visible.draw(points, nearness, triangles)
    wrong = [
        (x, y)
        for y in range(24)
        for x in range(24)
        if (want := _nearest(points, nearness, triangles, x, y)) is not None
        and want != visible.triangle[y, x]
    ]
    assert not wrong
    assert (visible.triangle != NOTHING).mean() > 0.2


def test_numbers_of_vertices_are_interpolated_linearly() -> None:
    points = np.array([[0, 0], [0, 32], [32, 0]], np.float32)
    visible = Visible(16)
    visible.draw(points, np.zeros(3, np.float32), np.array([[0, 1, 2]], np.int32))
    values = points.copy()
    seen = interpolated(visible, np.array([[0, 1, 2]], np.int32), values, (2, 3, 5, 4))
    y, x = np.mgrid[3:7, 2:7] + 0.5
    np.testing.assert_allclose(seen, np.stack([x, y], axis=2), atol=1e-4)


def test_the_outline_of_a_disc_is_its_radius() -> None:
    y, x = np.mgrid[0:100, 0:100] + 0.5
    reach = outline(np.hypot(x - 50, y - 45) < 30, (50.0, 45.0), 200.0)
    assert reach.shape == (RAYS,)
    np.testing.assert_allclose(reach, 30, atol=1.2)


def test_shapes_are_added_where_they_belong() -> None:
    vertices = np.zeros((4, 3), np.float32)
    add_shape(vertices, np.array([2], np.int32), np.array([[1, 2, 3]], np.float32), 0.5)
    np.testing.assert_allclose(vertices[2], [0.5, 1.0, 1.5])
    assert not vertices[[0, 1, 3]].any()


def test_normals_of_a_flat_square_point_to_its_front() -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    facing = normals(square, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    np.testing.assert_allclose(facing, np.tile([0, 0, 1], (4, 1)), atol=1e-6)
