"""The mannequin's skin: one sheet of quads with loops round eyes and mouth, cast on the surface.

A grid of columns (angle round the head) and rows (neck to crown) covers the head; a rectangle of
it is replaced round each eye and round the mouth by rings that end in lid margins and lips.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mannequin_openings import LID_RINGS, LIP_RINGS, lid_crease, lid_ring, lip_ring, smoothstep
from .mannequin_scalp import ear_beds, hair_growth
from .mannequin_surface import EYE, Array, cast

IntArray = NDArray[np.int64]

ORIGIN = np.array([0.0, 0.0, 5.0])
"""Where the rays of the head start; every part of face and skull is seen from here once."""

EYE_COLUMNS = (8, 20)
EYE_ROWS = (39, 47)
MOUTH_COLUMNS = (-14, 14)
MOUTH_ROWS = (11, 21)
NECK_ROWS = 10
_BEVEL = ((0.012, 1.0), (0.04, 2.0), (0.09, 2.5), (0.3, 2.6))
"""Rounded edge of the bust's cut: share of the way to its middle and millimetres down."""


@dataclass
class Skin:
    """Vertices of the sheet in millimetres and what is known of each."""

    points: Array
    """(V, 3)."""
    quads: IntArray
    """(Q, 4) counter-clockwise from outside; triangles repeat a corner."""
    angles: Array
    """(V, 2) angle round the head and elevation of the ray, radians; folded inside the lips."""
    ring: Array
    """(V,) 0 at the border of an opening's rectangle, 1 at the lid margin or lip seam, beyond 1
    inside; -1 elsewhere."""
    where: NDArray[np.int64]
    """(V,) 0 grid, 1 left eye, 2 right eye, 3 mouth."""
    upper: Array
    """(V,) +1 on upper lid or lip, -1 on lower, 0 elsewhere and at corners."""


def _column_angles() -> Array:
    """(C,) angles of the columns in degrees from the left of the back round to it again."""
    half = np.concatenate(
        [
            np.linspace(0.0, 8.0, 9),
            np.linspace(8.0, 34.0, 13)[1:],
            34.0 + 146.0 * (np.linspace(0, 1, 21)[1:] ** 1.25),
        ]
    )
    return np.concatenate([-half[:0:-1], half[:-1]])


def _row_angles() -> Array:
    """(R,) elevations of the head's rows in degrees, under the chin to just short of the crown."""
    knots = [
        (0, -66.0),
        (4, -57.5),
        (11, -43.5),
        (21, -28.2),
        (24, -25.2),
        (32, -19.2),
        (39, -9.5),
        (47, 9.5),
        (60, 46.0),
    ]
    rows, elevations = np.array(knots).T
    face = np.interp(np.arange(61), rows, elevations)
    face = np.convolve(np.pad(face, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    return np.concatenate([face, np.linspace(46.0, 87.5, 11)[1:]])


COLUMNS = np.radians(_column_angles())
ROWS = np.radians(_row_angles())
MIDDLE = len(COLUMNS) // 2


def rays(angles: Array) -> Array:
    """Directions (N, 3) of rays at (N, 2) angles; rows rise toward the nape to follow the jaw."""
    round_head, elevation = angles[:, 0], angles[:, 1]
    back = 0.5 - 0.5 * np.cos(round_head)
    low = np.clip((np.radians(-28.0) - elevation) / np.radians(38.0), 0.0, 1.0)
    phi = elevation + np.radians(26.0) * back * low
    return np.stack(
        [np.sin(round_head) * np.cos(phi), np.sin(phi), np.cos(round_head) * np.cos(phi)], -1
    )


def angles_to_points(angles: Array) -> Array:
    """(N, 2) ray angles to (N, 3) points on the surface without lips and lids.

    Rays under the nose start higher, to meet the nostrils' plane less slantingly.
    """
    straight = rays(angles)
    up = np.clip(1.0 - (np.degrees(angles[:, 1]) / 5.8 + 22.3 / 5.8) ** 2, 0.0, 1.0) ** 2
    middle = np.clip(1.0 - (np.degrees(angles[:, 0]) / 15.0) ** 2, 0.0, 1.0) ** 2
    origins = ORIGIN + (up * middle)[:, None] * np.array([0.0, 42.0, 30.0])
    directions = ORIGIN + 104.0 * straight - origins
    return cast(origins, directions / np.linalg.norm(directions, axis=1, keepdims=True))


def points_to_angles(points: Array) -> Array:
    """Ray angles (N, 2) that pass through points (N, 3) of the face (front of the head only)."""
    d = points - ORIGIN
    round_head = np.arctan2(d[:, 0], d[:, 2])
    phi = np.arctan2(d[:, 1], np.hypot(d[:, 0], d[:, 2]))
    back = 0.5 - 0.5 * np.cos(round_head)
    low, high = np.full(len(d), -1.6), np.full(len(d), 1.6)
    for _ in range(50):
        mid = 0.5 * (low + high)
        fall = np.clip((np.radians(-28.0) - mid) / np.radians(38.0), 0.0, 1.0)
        above = mid + np.radians(26.0) * back * fall > phi
        high, low = np.where(above, mid, high), np.where(above, low, mid)
    return np.stack([round_head, 0.5 * (low + high)], -1)


def make_skin() -> Skin:
    """The whole sheet: neck, head grid, crown, eye rings, mouth rings."""
    columns, rows = len(COLUMNS), len(ROWS)
    grid = np.stack(np.meshgrid(COLUMNS, ROWS), -1).reshape(-1, 2)
    head = angles_to_points(grid)
    number = np.arange(rows * columns).reshape(rows, columns)
    keep = np.ones((rows, columns), bool)
    quads: list[IntArray] = []
    holes = [
        (EYE_ROWS, (MIDDLE + EYE_COLUMNS[0], MIDDLE + EYE_COLUMNS[1]), 1),
        (EYE_ROWS, (MIDDLE - EYE_COLUMNS[1], MIDDLE - EYE_COLUMNS[0]), 2),
        (MOUTH_ROWS, (MIDDLE + MOUTH_COLUMNS[0], MIDDLE + MOUTH_COLUMNS[1]), 3),
    ]
    for (bottom, top), (left, right), _ in holes:
        keep[bottom:top, left:right] = False
    a, b = number, np.roll(number, -1, axis=1)
    cells = np.stack([a[:-1], b[:-1], b[1:], a[1:]], -1)
    quads.append(cells[keep[:-1]].reshape(-1, 4))
    skin = Skin(
        points=head,
        quads=np.zeros((0, 4), np.int64),
        angles=grid,
        ring=np.full(len(head), -1.0),
        where=np.zeros(len(head), np.int64),
        upper=np.zeros(len(head)),
    )
    for rectangle_rows, rectangle_columns, kind in holes:
        border = _border(number, rectangle_rows, rectangle_columns)
        quads.append(_add_rings(skin, border, kind))
    quads.append(_add_neck(skin, number[0]))
    quads.append(_add_crown(skin, number[-1]))
    skin.quads = np.concatenate(quads)
    skin = _without_unused(skin)
    _relax(skin)
    lids = np.isin(skin.where, (1, 2))
    sideways = np.abs(skin.points[lids, 0]) - EYE[0]
    skin.points[lids, 2] += lid_crease(skin.ring[lids], skin.upper[lids], sideways)
    skin.points += np.where(skin.where == 0, 1.0, 0.0)[:, None] * hair_growth(skin.points)
    skin.points += ear_beds(skin.points)
    return skin


def _border(number: IntArray, rows: tuple[int, int], columns: tuple[int, int]) -> IntArray:
    """Vertices round a rectangle, counter-clockwise seen from the front, from the middle of the
    side at the smaller angle."""
    (low, high), (left, right) = rows, columns
    loop = np.concatenate(
        [number[low, left:right], number[low:high, right], number[high, right:left:-1],
         number[high:low:-1, left]]
    )  # fmt: skip
    return np.roll(loop, (high - low) // 2)


def _add_rings(skin: Skin, border: IntArray, kind: int) -> IntArray:
    """Append the rings of one opening inside its rectangle; returns their quads."""
    n = len(border)
    outer = skin.angles[border]
    steps = LIP_RINGS if kind == 3 else LID_RINGS
    spokes = _spokes(n)
    previous, quads = border, []
    for t in steps:
        if kind == 3:
            points, angles, upper = lip_ring(t, spokes, outer, angles_to_points, points_to_angles)
        else:
            points, angles, upper = lid_ring(
                t, spokes, outer, 1.0 if kind == 1 else -1.0, angles_to_points, points_to_angles
            )
        new = _append(skin, points, angles, t, kind, upper)
        a, b = previous, np.roll(previous, -1)
        c, d = np.roll(new, -1), new
        quads.append(np.stack([a, b, c, d], -1))
        previous = new
    if kind == 3:
        centre = _append(
            skin, skin.points[previous].mean(0)[None], skin.angles[previous].mean(0)[None],
            steps[-1] + 1.0, kind, np.zeros(1),
        )  # fmt: skip
        b = np.roll(previous, -1)
        quads.append(np.stack([previous, b, np.full(n, centre[0]), np.full(n, centre[0])], -1))
    return np.concatenate(quads)


def _spokes(count: int) -> Array:
    """(count,) positions round an opening: 0 its corner at the smaller angle, 1 the other corner
    by the lower side, back to 2 by the upper side."""
    return np.asarray(2.0 * np.arange(count) / count)


def _append(
    skin: Skin, points: Array, angles: Array, ring: float, kind: int, upper: Array
) -> IntArray:
    first = len(skin.points)
    skin.points = np.concatenate([skin.points, points])
    skin.angles = np.concatenate([skin.angles, angles])
    skin.ring = np.concatenate([skin.ring, np.full(len(points), ring)])
    skin.where = np.concatenate([skin.where, np.full(len(points), kind, np.int64)])
    skin.upper = np.concatenate([skin.upper, upper])
    return np.arange(first, first + len(points))


def _add_neck(skin: Skin, top: IntArray) -> IntArray:
    """Rows from under the jaw down to the cut of the bust, and the cap that closes it."""
    start = skin.points[top]
    round_head = COLUMNS
    end_direction = np.stack([np.sin(round_head), np.zeros(len(top)), np.cos(round_head)], -1)
    end_origin = np.array([0.0, -176.0, -39.0])
    end = cast(np.tile(end_origin, (len(top), 1)), end_direction)
    quads, previous = [], top
    for k in range(1, NECK_ROWS + 1):
        s = k / NECK_ROWS
        guide = start + s * (end - start)
        origin = np.array([0.0, -95.0, -8.0]) * (1 - s) + end_origin * s
        direction = guide - origin
        reach = np.linalg.norm(direction, axis=1) + 8.0
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        points = cast(np.tile(origin, (len(top), 1)), direction, reach)
        angles = np.stack([round_head, np.full(len(top), ROWS[0] - 0.055 * k)], -1)
        new = _append(skin, points, angles, -1.0, 0, np.zeros(len(top)))
        quads.append(np.stack([new, np.roll(new, -1), np.roll(previous, -1), previous], -1))
        previous = new
    axis = skin.points[previous].mean(0) * [0.0, 1.0, 1.0]
    edge = skin.points[previous]
    for k, (inset, drop) in enumerate(_BEVEL, 1):
        points = edge + inset * (axis - edge) - [0.0, drop, 0.0]
        angles = np.stack([round_head, skin.angles[previous, 1] - 0.01 * k], -1)
        new = _append(skin, points, angles, -1.0, 0, np.zeros(len(top)))
        quads.append(np.stack([new, np.roll(new, -1), np.roll(previous, -1), previous], -1))
        previous = new
    middle = skin.points[previous].mean(0, keepdims=True) * [0.0, 1.0, 1.0]
    below = np.array([[0.0, ROWS[0] - 0.055 * (NECK_ROWS + 1)]])
    centre = np.full(len(top), _append(skin, middle, below, -1.0, 0, np.zeros(1))[0])
    quads.append(np.stack([np.roll(previous, -1), previous, centre, centre], -1))
    return np.concatenate(quads)


def _add_crown(skin: Skin, ring: IntArray) -> IntArray:
    points = angles_to_points(np.array([[0.0, np.pi / 2]]))
    centre = _append(skin, points, np.array([[0.0, np.pi / 2]]), -1.0, 0, np.zeros(1))[0]
    n = np.full(len(ring), centre)
    return np.stack([ring, np.roll(ring, -1), n, n], -1)


def _relax(skin: Skin, passes: int = 3) -> None:
    """Even out the skin round the eyes, where lids meet the face, in place."""
    share = np.where(np.isin(skin.where, (1, 2)), smoothstep(0.95 - skin.ring, 0.0, 0.35), 0.0)
    share[skin.ring < 0] = 0.0
    start = np.concatenate([skin.quads, np.roll(skin.quads, -1, 1)]).ravel()
    end = np.concatenate([np.roll(skin.quads, -1, 1), skin.quads]).ravel()
    count = np.bincount(start, minlength=len(skin.points))[:, None]
    for _ in range(passes):
        total = np.zeros_like(skin.points)
        np.add.at(total, start, skin.points[end])
        skin.points += 0.6 * share[:, None] * (total / np.maximum(count, 1) - skin.points)


def _without_unused(skin: Skin) -> Skin:
    used = np.zeros(len(skin.points), bool)
    used[skin.quads] = True
    renumber = np.cumsum(used) - 1
    return Skin(
        points=skin.points[used],
        quads=renumber[skin.quads],
        angles=skin.angles[used],
        ring=skin.ring[used],
        where=skin.where[used],
        upper=skin.upper[used],
    )
