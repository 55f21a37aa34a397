"""A depth-buffer rasteriser on the processor: which triangle every pixel sees, and where on it.

Compiled by numba at its first use and cached. Pixel (0, 0) has its middle at (0.5, 0.5); y down.
"""

from typing import Any, cast

import numba
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from .ict import IntArray

_compiled = numba.njit(cache=True, fastmath=True, boundscheck=False)
NOTHING = -1
"""In `Visible.triangle` where no triangle is."""


class Visible:
    """What each pixel of a square picture sees; one object is filled again and again."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.triangle: IntArray = np.full((size, size), NOTHING, np.int32)
        """(S, S) number of the nearest triangle, or `NOTHING`."""
        self.nearness: FloatArray = np.zeros((size, size), np.float32)
        """(S, S) of the surface, in the units of the vertices; greater is nearer."""
        self.weights: FloatArray = np.zeros((size, size, 2), np.float32)
        """(S, S, 2) weights of the triangle's second and third corner."""

    def draw(self, points: FloatArray, nearness: FloatArray, triangles: IntArray) -> None:
        """Fill the picture anew; triangles seen from behind are left out.

        Args:
            points: (V, 2) pixels.
            nearness: (V,)
            triangles: (T, 3), clockwise in the picture's axes (y down) where seen from the front.
        """
        _draw(points, nearness, triangles, self.triangle, self.nearness, self.weights)


@_compiled
def _draw(points: Any, nearness: Any, triangles: Any, winner: Any, near: Any, weights: Any) -> None:
    height, width = winner.shape
    winner[:] = -1
    near[:] = -1e9
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0 = points[a, 0], points[a, 1]
        x1, y1 = points[b, 0], points[b, 1]
        x2, y2 = points[c, 0], points[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area >= -1e-9:
            continue
        left = max(0, int(np.ceil(min(x0, x1, x2) - 0.5)))
        right = min(width - 1, int(np.floor(max(x0, x1, x2) - 0.5)))
        top = max(0, int(np.ceil(min(y0, y1, y2) - 0.5)))
        bottom = min(height - 1, int(np.floor(max(y0, y1, y2) - 0.5)))
        if left > right or top > bottom:
            continue
        inverse = np.float32(1.0) / area
        n0, n1, n2 = nearness[a], nearness[b], nearness[c]
        for y in range(top, bottom + 1):
            py = np.float32(y) + np.float32(0.5)
            for x in range(left, right + 1):
                px = np.float32(x) + np.float32(0.5)
                w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) * inverse
                w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) * inverse
                w0 = np.float32(1.0) - w1 - w2
                if w0 < -1e-4 or w1 < -1e-4 or w2 < -1e-4:
                    continue
                depth = w0 * n0 + w1 * n1 + w2 * n2
                if depth > near[y, x]:
                    near[y, x] = depth
                    winner[y, x] = t
                    weights[y, x, 0] = w1
                    weights[y, x, 1] = w2


def add_shape(vertices: FloatArray, rows: IntArray, offsets: FloatArray, amount: float) -> None:
    """Add ``amount`` times offsets (M, 3) to the rows (M,) of vertices (V, 3), in place."""
    _add_shape(vertices, rows, offsets, np.float32(amount))


@_compiled
def _add_shape(vertices: Any, rows: Any, offsets: Any, amount: Any) -> None:
    for m in range(rows.shape[0]):
        v = rows[m]
        vertices[v, 0] += amount * offsets[m, 0]
        vertices[v, 1] += amount * offsets[m, 1]
        vertices[v, 2] += amount * offsets[m, 2]


def normals(vertices: FloatArray, triangles: IntArray) -> FloatArray:
    """(V, 3) unit normals of a mesh, weighted by area; zero where a vertex is in no triangle."""
    return cast(FloatArray, _normals(vertices, triangles))


@_compiled
def _normals(vertices: Any, triangles: Any) -> Any:
    out = np.zeros_like(vertices)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        vx, vy, vz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
    for v in range(out.shape[0]):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + np.float32(1e-9)
        for k in range(3):
            out[v, k] /= length
    return out


RAYS = 180
"""Directions in which an outline is measured."""


def outline(covered: NDArray[np.bool_], centre: tuple[float, float], farthest: float) -> FloatArray:
    """How far a silhouette reaches from a point inside it.

    Args:
        covered: (H, W)
        centre: pixel from which the rays start.
        farthest: pixels at which a ray ends.

    Returns:
        (RAYS,) pixels to where each ray first leaves what is covered, smoothed around the circle;
        ray k has the angle 2 pi k / RAYS from x toward y.
    """
    reach = _outline(covered, np.float32(centre[0]), np.float32(centre[1]), np.float32(farthest))
    kernel = np.array([0.1, 0.2, 0.4, 0.2, 0.1], np.float32)
    ring = np.concatenate([reach[-2:], reach, reach[:2]])
    return np.convolve(ring, kernel, mode="valid").astype(np.float32)


@_compiled
def _outline(covered: Any, x0: Any, y0: Any, farthest: Any) -> Any:
    height, width = covered.shape
    out = np.zeros(RAYS, np.float32)
    for k in range(RAYS):
        angle = 2 * np.pi * k / RAYS
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        distance = np.float32(1.0)
        misses = 0
        while distance < farthest:
            x, y = int(np.floor(x0 + cos * distance)), int(np.floor(y0 + sin * distance))
            if x < 0 or y < 0 or x >= width or y >= height:
                break
            # A hair's breadth between two triangles is no outline.
            misses = 0 if covered[y, x] else misses + 1
            if misses == 3:
                break
            distance += np.float32(1.0)
        out[k] = distance - misses
    return out


def interpolated(
    visible: Visible, triangles: IntArray, values: FloatArray, window: tuple[int, int, int, int]
) -> FloatArray:
    """Numbers of the vertices at each pixel of a part of the picture.

    Args:
        visible: what each pixel sees.
        triangles: (T, 3)
        values: (V, K)
        window: left, top, width, height.

    Returns:
        (height, width, K), 0 where nothing is.
    """
    left, top, width, height = window
    part = (slice(top, top + height), slice(left, left + width))
    corners = triangles[np.maximum(visible.triangle[part], 0)]
    second, third = visible.weights[part][..., :1], visible.weights[part][..., 1:]
    out = values[corners[..., 0]] * (1 - second - third)
    out += values[corners[..., 1]] * second + values[corners[..., 2]] * third
    return np.asarray(out * (visible.triangle[part] != NOTHING)[..., None], np.float32)
