"""Simple solids for the generated characters: balls, tubes along curves, stacked rings."""

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import CubicSpline

from .sculpt_fields import Array
from .sculpt_pieces import Ints, Piece


def curve(points: Sequence[Array] | Array, count: int) -> Array:
    """(count, 3) points evenly along the parameter of a smooth curve through the given ones."""
    p = np.asarray(points, np.float64)
    if len(p) == 2:
        return np.asarray(p[0] + np.linspace(0.0, 1.0, count)[:, None] * (p[1] - p[0]))
    spline = CubicSpline(np.linspace(0.0, 1.0, len(p)), p, axis=0)
    return np.asarray(spline(np.linspace(0.0, 1.0, count)))


def profile(values: Sequence[float], count: int) -> Array:
    """(count,) numbers in millimetres, eased between given ones, returned in metres."""
    x = np.linspace(0.0, 1.0, len(values))
    return np.asarray(np.interp(np.linspace(0.0, 1.0, count), x, values)) / 1000.0


def blunt(count: int) -> Array:
    """(count,) thickness along a slab: narrower at its start, full, closed round at its end."""
    return np.asarray(np.sqrt(np.clip(1.0 - np.linspace(-0.75, 0.999, count) ** 6, 0.0, 1.0)))


def stack(rings: Array, material: str, *, start: bool = True, end: bool = True) -> Piece:
    """A solid from closed rings of points; `start` and `end` close it with a fan.

    Args:
        rings: (R, N, 3); seen against the direction from first to last ring, counter-clockwise.
        material: of all its triangles.
        start: close the first ring.
        end: close the last ring.
    """
    r, n = rings.shape[:2]
    index = np.arange(r * n).reshape(r, n)
    a, b = index[:-1], index[1:]
    a1, b1 = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
    quads = [np.stack([a, a1, b1], axis=-1), np.stack([a, b1, b], axis=-1)]
    triangles: list[Ints] = [q.reshape(-1, 3) for q in quads]
    vertices = [rings.reshape(-1, 3)]
    u = np.tile(np.linspace(0.0, 1.0, n), (r, 1))
    v = np.tile(np.linspace(0.0, 1.0, r)[:, None], (1, n))
    uvs = [np.column_stack([u.ravel(), v.ravel()])]
    total = r * n
    for wanted, ring, turn, at in ((start, 0, -1, 0.0), (end, -1, 1, 1.0)):
        if wanted:
            loop = index[ring][::turn]
            fan = np.column_stack([loop, np.roll(loop, -1), np.full(n, total)])
            triangles.append(fan)
            vertices.append(rings[ring].mean(axis=0, keepdims=True))
            uvs.append(np.array([[0.5, at]]))
            total += 1
    return Piece(
        vertices=np.concatenate(vertices),
        triangles={material: np.concatenate(triangles)},
        uvs=np.concatenate(uvs),
    )


def tube(
    path: Array, side: Array, width: Array, height: Array, material: str, around: int = 10
) -> Piece:
    """A lens-shaped tube along a path, closed at both ends.

    Args:
        path: (R, 3) centre line.
        side: (3,) or (R, 3) direction the width is measured along, roughly.
        width: (R,) half width along `side`, metres.
        height: (R,) half thickness across it.
        material: of all its triangles.
        around: vertices of each ring.
    """
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.broadcast_to(np.asarray(side, np.float64), path.shape)
    side = side - np.sum(side * along, axis=1, keepdims=True) * along
    side = side / np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(along, side)
    angle = np.linspace(0.0, 2.0 * np.pi, around, endpoint=False)
    rings = (
        path[:, None]
        + (width[:, None] * np.cos(angle))[..., None] * side[:, None]
        + (height[:, None] * np.sin(angle))[..., None] * up[:, None]
    )
    return stack(rings, material)


def spine(path: Array, around: int) -> Array:
    """(n, 3) point of the path that each vertex of a `tube` belongs to."""
    return np.concatenate([np.repeat(path, around, axis=0), path[:1], path[-1:]])


def ball(
    centre: Array, radii: Array | float, material: str, rings: int = 14, around: int = 24
) -> Piece:
    """An ellipsoid whose poles lie on the z axis."""
    angle = np.linspace(0.0, np.pi, rings + 2)[1:-1]
    turn = np.linspace(0.0, 2.0 * np.pi, around, endpoint=False)
    unit = np.stack(
        [
            np.sin(angle)[:, None] * np.cos(turn),
            np.sin(angle)[:, None] * np.sin(turn),
            np.repeat(-np.cos(angle)[:, None], around, axis=1),
        ],
        axis=-1,
    )
    piece = stack(unit, material)
    vertices = piece.vertices.copy()
    vertices[-2:] = [[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]]
    return Piece(vertices=centre + vertices * radii, triangles=piece.triangles, uvs=piece.uvs)


def moved_uvs(piece: Piece, uvs: Array) -> Piece:
    """The piece with other texture coordinates."""
    return Piece(
        vertices=piece.vertices,
        triangles=piece.triangles,
        uvs=uvs,
        attributes=piece.attributes,
        mirror=piece.mirror,
    )
