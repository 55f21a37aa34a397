"""The posed surface seen by a camera: normals for shading, and from pixels to mesh points."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from .camera import Camera
from .spec import FloatArray, IntArray, Mesh


class Normals:
    """Smooth vertex normals of a deforming mesh.

    Vertices that share position, motion and normal (texture seams) share one normal. Normals that
    came with the mesh are kept at the neutral and follow the change of the computed ones, so
    hand-edited shading survives.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._triangles = mesh.triangles
        self._group = _welded(mesh)
        groups = int(self._group.max()) + 1 if len(self._group) else 0
        corners = self._group[mesh.triangles].ravel()
        faces = np.repeat(np.arange(len(mesh.triangles)), 3)
        ones = np.ones(len(corners), np.float32)
        self._sum = csr_matrix((ones, (corners, faces)), shape=(groups, len(mesh.triangles)))
        self._offset: FloatArray | None = None
        if mesh.normals is not None:
            self._offset = mesh.normals - self._computed(mesh.vertices)

    def of(self, vertices: FloatArray) -> FloatArray:
        """(V, 3) posed positions to (V, 3) unit normals."""
        computed = self._computed(vertices)
        return computed if self._offset is None else _unit(computed + self._offset)

    def _computed(self, vertices: FloatArray) -> FloatArray:
        a, b, c = (vertices[self._triangles[:, i]] for i in range(3))
        u, v = b - a, c - a
        face = np.empty_like(u)  # written out: np.cross takes four times as long
        face[:, 0] = u[:, 1] * v[:, 2] - u[:, 2] * v[:, 1]
        face[:, 1] = u[:, 2] * v[:, 0] - u[:, 0] * v[:, 2]
        face[:, 2] = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        return np.asarray(_unit(self._sum @ face)[self._group], np.float32)


def _unit(vectors: FloatArray) -> FloatArray:
    length = np.sqrt(np.einsum("vc,vc->v", vectors, vectors))
    return np.asarray(vectors / np.maximum(length, 1e-20)[:, None], np.float32)


def _welded(mesh: Mesh) -> IntArray:
    """(V,) number of the group of coinciding vertices that each vertex belongs to."""
    extent = float(np.ptp(mesh.vertices, axis=0).max()) if len(mesh.vertices) else 1.0
    keys = [np.round(mesh.vertices / (max(extent, 1e-9) * 1e-6))]
    if mesh.normals is not None:
        keys.append(np.round(mesh.normals * 50))
    if mesh.deltas.size:
        # Lips that touch in the neutral move apart: tell them by a fixed mixture of their motion.
        mixture = np.random.default_rng(0).standard_normal(len(mesh.deltas)).astype(np.float32)
        moved = np.tensordot(mixture, mesh.deltas, axes=1)
        keys.append(np.round(moved / (max(extent, 1e-9) * 1e-5)))
    table = np.ascontiguousarray(np.hstack(keys).astype(np.int64))
    _, group = np.unique(table, axis=0, return_inverse=True)
    return np.asarray(group.ravel(), np.int32)


@dataclass(frozen=True, kw_only=True)
class SurfaceView:
    """What a camera sees of posed triangles; answers which mesh point lies under a pixel."""

    camera: Camera
    vertices: FloatArray
    """(V, 3) posed positions."""
    triangles: IntArray
    """(T, 3) the mesh's triangles."""
    double_sided: NDArray[np.bool_]
    """(T,) triangles that are also seen from behind."""

    def locate(
        self, pixels: NDArray[np.floating], *, among: NDArray[np.bool_] | None = None
    ) -> tuple[IntArray, FloatArray, NDArray[np.bool_]]:
        """Nearest surface point under each pixel, exact to floating point (no rasterising).

        Args:
            pixels: (N, 2) x right, y down; the centre of the first pixel is (0.5, 0.5).
            among: (T,) triangles to consider, the others are looked through; None: all.

        Returns:
            (N, 3) corner vertices of the triangle hit, (N, 3) barycentric weights on the posed
            surface, (N,) whether anything was hit; where not, corners and weights are 0.
        """
        wanted = np.asarray(pixels, np.float64).reshape(-1, 2)
        corners = np.zeros((len(wanted), 3), np.int32)
        weights = np.zeros((len(wanted), 3), np.float32)
        hit = np.zeros(len(wanted), np.bool_)
        screen, depth, kept = self._screen(among)
        low, high = screen.min(axis=1, initial=np.inf), screen.max(axis=1, initial=-np.inf)
        for n, point in enumerate(wanted):
            near = np.flatnonzero(np.all((low <= point) & (point <= high), axis=1))
            found = _nearest(point, screen[near], depth[near])
            if found is None:
                continue
            row, weights[n] = found
            corners[n], hit[n] = self.triangles[kept[near[row]]], True
        return corners, weights, hit

    def _screen(
        self, among: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
        """(S, 3, 2) pixels and (S, 3) depths of the triangles in view, and their numbers (S,)."""
        at, distance = self.camera.project(self.vertices)
        screen, depth = at[self.triangles], distance[self.triangles]
        seen = np.all(depth > self.camera.near, axis=1)
        if among is not None:
            seen &= among
        # y points down, so triangles seen from outside turn clockwise: negative doubled area.
        seen &= (_doubled_area(screen[:, 0], screen[:, 1], screen[:, 2]) < 0) | self.double_sided
        kept = np.flatnonzero(seen)
        return screen[kept], depth[kept], kept


def _doubled_area(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]
) -> NDArray[np.float64]:
    u, v = b - a, c - a
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])


def _nearest(
    point: NDArray[np.float64], screen: NDArray[np.float64], depth: NDArray[np.float64]
) -> tuple[int, FloatArray] | None:
    """Row and surface weights of the nearest of (S, 3, 2) screen triangles around a pixel."""
    a, b, c = screen[:, 0], screen[:, 1], screen[:, 2]
    total = _doubled_area(a, b, c)
    solid = np.abs(total) > 1e-12
    parts = np.stack(
        [_doubled_area(point, b, c), _doubled_area(a, point, c), _doubled_area(a, b, point)], axis=1
    )
    flat = parts / np.where(solid, total, 1.0)[:, None]
    inside = solid & np.all(flat >= -1e-9, axis=1)
    if not inside.any():
        return None
    # Weights in the picture, each over its depth, are weights on the surface (perspective).
    over_depth = flat / depth
    inverse = over_depth.sum(axis=1)
    row = int(np.argmax(np.where(inside, inverse, -np.inf)))
    return row, np.asarray(over_depth[row] / inverse[row], np.float32)
