"""A head's skin as one patch with openings, laid out on a flat disc.

The disc is the plane of (angle from straight ahead, direction around that axis): its middle is the
tip of the nose, its rim the back of the head. Triangles are made there and carried onto the
surface by rays, so a rig's skin is one connected, evenly meshed sheet whose openings (mouth, lids)
have proper loops around them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.spatial import Delaunay

from .sculpt_fields import Array, Field, first_hit
from .sculpt_pieces import Ints, Piece


@dataclass(frozen=True, kw_only=True)
class Rays:
    """Lines from an axis in the plane x = 0 outward; each meets the surface once."""

    field: Field
    axis: Callable[[Array], Array]
    """(n,) angle from straight ahead to (n, 2) y and z of the ray's origin."""
    reach: float
    """Metres from the axis within which the surface lies."""

    def to_surface(self, disc: Array) -> Array:
        """(n, 2) disc points to (n, 3) surface points."""
        angle = np.hypot(disc[:, 0], disc[:, 1])
        flat = disc / np.maximum(angle, 1e-12)[:, None]
        direction = np.column_stack([flat * np.sin(angle)[:, None], np.cos(angle)])
        origin = np.column_stack([np.zeros(len(disc)), self.axis(angle)])
        return np.asarray(first_hit(self.field, origin + self.reach * direction, origin))

    def to_disc(self, points: Array) -> Array:
        """(n, 3) points to the (n, 2) disc points of the rays through them."""
        low = np.zeros(len(points))
        high = np.full(len(points), np.pi)
        for _ in range(50):
            angle = 0.5 * (low + high)
            yz = self.axis(angle)
            radius = np.hypot(points[:, 0], points[:, 1] - yz[:, 0])
            beyond = np.arctan2(radius, points[:, 2] - yz[:, 1]) > angle
            low, high = np.where(beyond, angle, low), np.where(beyond, high, angle)
        y = points[:, 1] - self.axis(angle)[:, 0]
        radius = np.maximum(np.hypot(points[:, 0], y), 1e-12)
        return np.asarray(np.column_stack([points[:, 0], y]) * (angle / radius)[:, None])


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Loops of vertices from the skin (first) into an opening (last)."""

    rings: Array
    """(R, N, 3); counter-clockwise seen from the front. A half opening starts and ends on x = 0."""
    materials: Sequence[str | Sequence[str]]
    """R - 1 materials, one for each band between two rings, or one for each of its quads."""
    closed: bool
    """True: the last point of a ring joins the first. False: half of an opening on x = 0."""
    attributes: Mapping[str, Array] = field(default_factory=dict)
    """(R, N) or (R, N, d) numbers of the ring vertices."""
    capped: bool = False
    """Close the innermost ring with a fan."""


def skin(
    rays: Rays, openings: Sequence[Opening], spacing: Callable[[Array], Array], rim: float = 2.9
) -> Piece:
    """Half of a head's skin (x >= 0) with openings; see `mirrored`.

    Args:
        rays: how the disc lies on the surface.
        openings: their outermost rings lie on the surface.
        spacing: (n, 2) disc points to the wanted (n,) distance between vertices, radians.
        rim: angle of the last loop; one more vertex closes the back of the head.

    Returns:
        Material "skin" besides those of the openings; attribute "sheet" is 1 on vertices that the
        rays put on the surface; uvs are the disc.
    """
    outlines = [rays.to_disc(o.rings[0]) for o in openings]
    for o, outline in zip(openings, outlines, strict=True):
        if not o.closed:
            outline[[0, -1], 0] = 0.0
    fixed = np.concatenate([*outlines, _border(openings, outlines, spacing, rim)])
    disc = _spread(fixed, outlines, spacing, rim)
    triangles = _triangulate(disc, outlines)
    flat = np.concatenate([disc, [[0.0, rim + 0.05]]])
    on_rim = np.flatnonzero(np.abs(np.hypot(disc[:, 0], disc[:, 1]) - rim) < 1e-6)
    on_rim = on_rim[np.argsort(np.arctan2(disc[on_rim, 1], disc[on_rim, 0]))]
    back = len(disc)
    fan = np.column_stack([on_rim[1:], on_rim[:-1], np.full(len(on_rim) - 1, back)])
    vertices = np.concatenate([rays.to_surface(disc), rays.to_surface(np.array([[0.0, np.pi]]))])
    sheet = Piece(
        vertices=vertices,
        triangles={"skin": np.concatenate([triangles, fan])},
        uvs=disc_uv(flat),
        attributes={"sheet": np.ones(len(vertices))},
    )
    return _with_rings(sheet, openings, rays)


def disc_uv(disc: Array) -> Array:
    """Texture coordinates of the disc's half x >= 0, which both sides of a face share.

    The front of the face gets most of the picture; a margin keeps the seam away from its edge.
    """
    angle = np.maximum(np.hypot(disc[:, 0], disc[:, 1]), 1e-12)
    radius = 0.5 * (angle / np.pi) ** 0.75
    flat = disc / angle[:, None] * radius[:, None]
    return np.column_stack([0.02 + 1.92 * flat[:, 0], 0.5 - flat[:, 1]])


def _border(
    openings: Sequence[Opening],
    outlines: Sequence[Array],
    spacing: Callable[[Array], Array],
    rim: float,
) -> Array:
    """Points on the line x = 0 outside the openings, and on the rim."""
    gaps = sorted(
        (float(line[0, 1]), float(line[-1, 1]))
        for o, line in zip(openings, outlines, strict=True)
        if not o.closed
    )
    ends = [-rim, *(y for gap in gaps for y in gap), rim]
    points = []
    for low, high in zip(ends[::2], ends[1::2], strict=True):
        y = low
        line = [low]
        while y < high:
            y += float(spacing(np.array([[0.0, y]]))[0])
            line.append(y)
        line_ = np.array(line[:-1])
        scaled = low + (line_ - low) * (high - low) / max(line[-1] - low, 1e-9)
        points.append(np.column_stack([np.zeros(len(scaled) - 1), scaled[1:]]))
    angles = np.linspace(-np.pi / 2, np.pi / 2, 25)
    points.append(rim * np.column_stack([np.cos(angles), np.sin(angles)]))
    points[-1][[0, -1], 0] = 0.0
    return np.concatenate(points)


def _spread(
    fixed: Array, outlines: Sequence[Array], spacing: Callable[[Array], Array], rim: float
) -> Array:
    """Fixed points and evenly spread ones between them (thinning, then relaxation)."""
    step = 0.55 * float(spacing(fixed).min())
    x, y = np.meshgrid(np.arange(step, rim, step), np.arange(-rim, rim, step * 0.866))
    x = x + (np.arange(len(x)) % 2)[:, None] * step / 2
    grid = np.column_stack([x.ravel(), y.ravel()])
    wanted = spacing(grid)
    keep = np.hypot(grid[:, 0], grid[:, 1]) < rim - 0.6 * wanted
    for outline in outlines:
        keep &= ~inside(grid, outline)
    grid, wanted = grid[keep], wanted[keep]
    order = np.argsort(np.round(np.hypot(grid[:, 0], grid[:, 1] + 0.3), 6), kind="stable")
    points = np.zeros((len(fixed) + len(grid), 2))
    points[: len(fixed)] = fixed
    n = len(fixed)
    for i in order:
        gap = np.sum((points[:n] - grid[i]) ** 2, axis=1)
        if gap.min() > (0.85 * wanted[i]) ** 2:
            points[n] = grid[i]
            n += 1
    points = points[:n]
    for _ in range(12):
        points = _relaxed(points, len(fixed), outlines)
    return points


def _relaxed(points: Array, fixed: int, outlines: Sequence[Array]) -> Array:
    edges = _triangulate(points, outlines)
    pairs = np.concatenate([edges[:, [0, 1]], edges[:, [1, 2]], edges[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    total = np.zeros_like(points)
    np.add.at(total, pairs[:, 0], points[pairs[:, 1]])
    count = np.bincount(pairs[:, 0], minlength=len(points))[:, None]
    middle = total / np.maximum(count, 1)
    out = points.copy()
    out[fixed:] = 0.5 * points[fixed:] + 0.5 * middle[fixed:]
    # Rounding keeps the layout the same on machines whose last digits differ.
    return np.asarray(np.round(out, 8))


def _triangulate(points: Array, outlines: Sequence[Array]) -> Ints:
    triangles = Delaunay(points).simplices.astype(np.int64)
    a, b, c = (points[triangles[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    triangles = np.where((area < 0)[:, None], triangles[:, ::-1], triangles)
    keep = np.abs(area) > 1e-9
    for outline in outlines:
        keep &= ~inside((a + b + c) / 3.0, outline)
    return np.asarray(triangles[keep])


def inside(points: Array, outline: Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(n,) whether 2D points lie in a polygon (crossing number)."""
    crossings = np.zeros(len(points), np.int64)
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        spans = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
        rise = b[1] - a[1] if b[1] != a[1] else 1e-30
        crossings += spans & (points[:, 0] < a[0] + (points[:, 1] - a[1]) / rise * (b[0] - a[0]))
    return np.asarray(crossings % 2 == 1)


def _with_rings(sheet: Piece, openings: Sequence[Opening], rays: Rays) -> Piece:
    """Hang the rings of every opening on the sheet, whose first vertices are the outlines."""
    vertices = [sheet.vertices.copy()]
    uvs = [sheet.uvs if sheet.uvs is not None else np.zeros((0, 2))]
    triangles: dict[str, list[Ints]] = {"skin": [sheet.triangles["skin"]]}
    names = {n: v.shape[2:] for o in openings for n, v in o.attributes.items()}
    columns = {n: [np.zeros((len(sheet.vertices), *shape))] for n, shape in names.items()}
    total, first = len(sheet.vertices), 0
    for o in openings:
        rings, n = o.rings, o.rings.shape[1]
        vertices[0][first : first + n] = rings[0]
        for name, values in o.attributes.items():
            columns[name][0][first : first + n] = values[0]
        index = np.concatenate(
            [np.arange(first, first + n), np.arange(total, total + (len(rings) - 1) * n)]
        ).reshape(len(rings), n)
        flat = rings[1:].reshape(-1, 3)
        added = [flat, *([rings[-1].mean(axis=0, keepdims=True)] if o.capped else [])]
        if o.capped and not o.closed:
            added[-1][:, 0] = 0.0
        extra = int(o.capped)
        vertices += added
        uvs.append(disc_uv(rays.to_disc(rings[1:].reshape(-1, 3))))
        uvs.append(np.full((extra, 2), 0.5))
        for name, shape in names.items():
            values = o.attributes.get(name, np.zeros((len(rings), n, *shape)))
            columns[name].append(values[1:].reshape(-1, *shape))
            columns[name].append(np.repeat(values[-1].mean(axis=0)[None], extra, axis=0))
        for material, band in zip(o.materials, _bands(index, o.closed), strict=True):
            each = [material] * len(band) if isinstance(material, str) else material
            for name in dict.fromkeys(each):
                mine = band[[m == name for m in each]].reshape(-1, 3)
                triangles.setdefault(name, []).append(mine)
        if o.capped:
            centre = total + (len(rings) - 1) * n
            last = index[-1]
            pairs = np.column_stack([last, np.roll(last, -1)])[: n if o.closed else n - 1]
            fan = np.column_stack([pairs, np.full(len(pairs), centre)])
            triangles[str(o.materials[-1])].append(fan)
        total += (len(rings) - 1) * n + extra
        first += n
    sheet_mark = np.zeros(total)
    sheet_mark[: len(sheet.vertices)] = 1.0
    return Piece(
        vertices=np.concatenate(vertices),
        triangles={name: np.concatenate(t) for name, t in triangles.items()},
        uvs=np.concatenate(uvs),
        attributes={**{n: np.concatenate(c) for n, c in columns.items()}, "sheet": sheet_mark},
    )


def _bands(index: Ints, closed: bool) -> list[Ints]:
    """For each band between rings its quads, (n, 2, 3) triangles."""
    out = []
    for outer, inner in pairwise(index):
        nexts = (np.roll(outer, -1), np.roll(inner, -1))
        count = len(outer) if closed else len(outer) - 1
        o0, o1, i0, i1 = outer[:count], nexts[0][:count], inner[:count], nexts[1][:count]
        quads = np.stack([np.column_stack([o0, o1, i1]), np.column_stack([o0, i1, i0])], axis=1)
        out.append(quads)
    return out
