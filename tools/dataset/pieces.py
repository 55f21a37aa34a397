"""Small meshes in a head's space: the tubes and sheets of hair, glasses and hands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from .drawing import IntArray

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A mesh that is drawn with a head and turns with it; arrays as in `drawing.Surface`."""

    vertices: FloatArray
    triangles: IntArray
    kinds: NDArray[np.uint8]
    coordinates: FloatArray
    colours: FloatArray


def piece(
    vertices: Values | FloatArray,
    triangles: IntArray,
    kind: int,
    colour: Sequence[float] | Values,
    uvs: Values | None = None,
) -> Piece:
    """A piece of one kind.

    Args:
        vertices: (V, 3) metres, head space.
        triangles: (T, 3).
        kind: see `drawing`.
        colour: linear, of all or (V, 3) of each vertex.
        uvs: (V, 2) in the head's texture, or None.
    """
    coordinates = np.full((len(vertices), 3), -1.0, np.float32)
    if uvs is not None:
        coordinates[:, :2], coordinates[:, 2] = uvs, 1.0
    return Piece(
        vertices=vertices.astype(np.float32),
        triangles=triangles.astype(np.int32),
        kinds=np.full(len(triangles), kind, np.uint8),
        coordinates=coordinates,
        colours=np.broadcast_to(np.asarray(colour, np.float32), (len(vertices), 3)).copy(),
    )


def sheet_triangles(rows: int, columns: int, *, closed: bool = False) -> IntArray:
    """Triangles of a grid of rows × columns vertices; closed joins the last column to the first."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns - (not closed)), indexing="ij")
    after = (c + 1) % columns
    a, b = (r * columns + c).ravel(), (r * columns + after).ravel()
    d, e = a + columns, b + columns
    both = np.concatenate([np.stack([a, d, b], axis=1), np.stack([b, d, e], axis=1)])
    return both.astype(np.int32)


def tube(path: Values, radius: float | Values, *, sides: int = 7) -> tuple[Values, IntArray]:
    """Vertices and triangles around a path.

    Args:
        path: (N, 3) metres; the first point may equal the last.
        radius: metres, of all or (N,).
        sides: of the cross-section.
    """
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(along[:, [1]]) < 0.9, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])
    across = np.cross(along, helper)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    other = np.cross(along, across)
    turn = np.arange(sides) / sides * 2 * np.pi
    ring = np.cos(turn)[:, None] * across[:, None] + np.sin(turn)[:, None] * other[:, None]
    wide = np.broadcast_to(np.asarray(radius, np.float64), (len(path),))
    vertices = path[:, None] + ring * wide[:, None, None]
    return vertices.reshape(-1, 3), sheet_triangles(len(path), sides, closed=True)[:, ::-1]


def capsule(start: Values, end: Values, radius: float) -> tuple[Values, IntArray]:
    """A tube with round ends, as a finger is."""
    share = np.array([-1.0, -0.9, -0.6, 0.0, 0.5, 1.0, 1.6, 1.9, 2.0])
    length = max(float(np.linalg.norm(end - start)), 1e-6)
    beyond = radius / length
    t = np.where(share < 0, share * beyond, np.where(share > 1, 1 + (share - 1) * beyond, share))
    over = np.where(share < 0, -share, np.where(share > 1, share - 1, 0.0))
    wide = radius * np.sqrt(np.maximum(1 - over**2, 1e-4))
    return tube(start + t[:, None] * (end - start), wide, sides=9)


def joined(parts: Sequence[tuple[Values, IntArray]]) -> tuple[Values, IntArray]:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(v) for v, _ in parts)])
    return (
        np.concatenate([v for v, _ in parts]),
        np.concatenate([t + s for (_, t), s in zip(parts, starts, strict=False)]),
    )
