"""Eyeballs, teeth, gums and tongue of the mannequin, millimetres."""

import numpy as np
from numpy.typing import NDArray

from .mannequin_surface import EYE, EYE_RADIUS, Array

IntArray = NDArray[np.int64]
Piece = tuple[Array, IntArray]

IRIS_ANGLE = 29.0
"""Degrees from the optical axis to the edge of the iris."""
EYE_TEXTURE_ANGLE = 105.0
"""Degrees from the optical axis to the edge of the eyeball's texture and mesh."""
_CORNEA = 0.35

_TEETH = (8.4, 6.6, 7.6, 6.9, 6.7, 9.5)
"""Widths of one side's upper teeth, first incisor to first molar."""
_LOWER_TEETH = (5.4, 5.9, 6.8, 6.9, 7.0, 10.0)
_EDGES = ((0.0, 0.2, 0.4, 1.0, 1.6, 2.2), (0.0, -0.25, -0.5, -0.9, -1.4, -1.9))
"""How much higher than the first incisors' edges those of each tooth lie, above and below. A level
upper row looks as if its corners hung down, since the lip's middle hides the incisors first."""


def grid_quads(rows: int, columns: int, *, closed: bool) -> IntArray:
    """Quads (Q, 4) of a grid of rows by columns, the columns joined up when closed."""
    n = np.arange(rows * columns).reshape(rows, columns)
    a, b = (n, np.roll(n, -1, 1)) if closed else (n[:, :-1], n[:, 1:])
    return np.stack([a[:-1], b[:-1], b[1:], a[1:]], -1).reshape(-1, 4)


def eyeball(side: float) -> tuple[Array, Array, IntArray]:
    """Front of an eyeball looking along +z: points, texture coordinates, quads."""
    degrees = np.concatenate(
        [[0.0, 4.0, 8.0, 12.0, 17.0, 22.0, 26.0], [29.0, 32.0], np.linspace(38, 105, 9)]
    )
    turn = 2.0 * np.pi * np.arange(32) / 32
    a, t = np.meshgrid(np.radians(degrees), turn, indexing="ij")
    bump = _CORNEA * np.clip(1.0 - (np.degrees(a) / 34.0) ** 2, 0.0, 1.0)
    direction = np.stack([np.sin(a) * np.cos(t), np.sin(a) * np.sin(t), np.cos(a)], -1)
    points = EYE * [side, 1.0, 1.0] + (EYE_RADIUS + bump)[..., None] * direction
    rho = 0.5 * np.degrees(a) / EYE_TEXTURE_ANGLE
    uv = np.stack([0.5 + rho * np.cos(t), 0.5 - rho * np.sin(t)], -1)
    quads = grid_quads(len(degrees), len(turn), closed=True)[:, ::-1]
    return points.reshape(-1, 3), uv.reshape(-1, 2), quads


def arch(lengths: Array, wide: float, front: float, deep: float) -> tuple[Array, Array]:
    """Points (N, 2) x, z along a dental arch and outward unit normals, at arc lengths from the
    middle, positive to the left."""
    psi = np.linspace(-1.45, 1.45, 801)
    curve = np.stack([wide * np.sin(psi), front - deep + deep * np.cos(psi)], -1)
    step = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    s = np.concatenate([[0.0], np.cumsum(step)])
    s -= s[400]
    xz = np.stack([np.interp(lengths, s, curve[:, k]) for k in (0, 1)], -1)
    tangent = np.stack([np.interp(lengths, s, np.gradient(curve[:, k], s)) for k in (0, 1)], -1)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], -1)
    return xz, normal / np.linalg.norm(normal, axis=1, keepdims=True)


UPPER_ARCH = (26.5, 97.0, 45.0)
LOWER_ARCH = (24.5, 94.2, 43.0)


def teeth(upper: bool) -> Piece:
    """A row of rounded teeth."""
    widths = _TEETH if upper else _LOWER_TEETH
    points, quads, count = [], [], 0
    edge = np.concatenate([[0.0], np.cumsum(widths)])
    for k, width in enumerate(widths):
        for side in (1.0, -1.0):
            middle = side * 0.5 * (edge[k] + edge[k + 1])
            p, q = _tooth(middle, width * 0.98, k, upper)
            points.append(p)
            quads.append(q + count)
            count += len(p)
    return np.concatenate(points), np.concatenate(quads)


def depth_coordinates(points: Array) -> Array:
    """Texture coordinates (N, 2) of teeth and gums (N, 3): 0 at the front of the rows, 1 at their
    back."""
    front, deep = UPPER_ARCH[1:]
    behind = np.clip((front - points[:, 2]) / deep, 0.0, 1.0)
    return np.stack([behind, np.full(len(points), 0.5)], -1)


def _tooth(middle: float, width: float, k: int, upper: bool) -> Piece:
    """One tooth: a superellipsoid, chisel-shaped in front and blocky behind."""
    xz, normal = arch(np.array([middle]), *(UPPER_ARCH if upper else LOWER_ARCH))
    thick = (3.0, 3.0, 3.6, 4.4, 4.6, 5.0)[k]
    tall = ((10.6, 9.4, 10.2, 8.0, 7.0, 6.2) if upper else (9.2, 9.2, 10.0, 8.6, 8.0, 7.4))[k]
    lat = np.radians([-90, -82, -55, 0, 55, 82, 90])
    lon = 2 * np.pi * (np.arange(10) + 0.5) / 10
    a, b = np.meshgrid(lat, lon, indexing="ij")

    def power(x: Array, e: float) -> Array:
        return np.asarray(np.sign(x) * np.abs(x) ** e)

    across = power(np.cos(a), 0.45) * power(np.cos(b), 0.55) * width / 2
    out = power(np.cos(a), 0.6) * power(np.sin(b), 0.6) * thick / 2
    up = power(np.sin(a), 0.5) * tall / 2
    tip = -up / (tall / 2) if upper else up / (tall / 2)
    across = across * (1.0 + 0.08 * tip)
    out = out * (1.0 - 0.25 * tip) - 0.4 * tip**2
    n = normal[0]
    tangent = np.array([n[1], -n[0]])
    flat = xz[0] - n * thick * 0.5 + across[..., None] * tangent + out[..., None] * n
    edge = -70.6 + _EDGES[0][k] if upper else -70.0 + _EDGES[1][k]
    y = edge + (tall / 2 if upper else -tall / 2) + up
    points = np.stack([flat[..., 0], y, flat[..., 1]], -1).reshape(-1, 3)
    return points, grid_quads(7, 10, closed=True)[:, ::-1]


def gums(upper: bool) -> Piece:
    """A scalloped band along the necks of the teeth, with a rounded back."""
    widths = _TEETH if upper else _LOWER_TEETH
    edge = np.concatenate([[0.0], np.cumsum(widths)])
    s = np.linspace(-edge[-1] - 1.0, edge[-1] + 1.0, 73)
    xz, normal = arch(s, *(UPPER_ARCH if upper else LOWER_ARCH))
    a = np.abs(s)
    tooth = np.clip(np.searchsorted(edge, a, side="right") - 1, 0, len(widths) - 1)
    phase = (a - edge[tooth]) / np.array(widths)[tooth]
    scallop = 1.6 * np.abs(2.0 * np.clip(phase, 0, 1) - 1.0) ** 2
    angle = np.radians(np.linspace(-75, 255, 9))
    rows = []
    sign = 1.0 if upper else -1.0
    for t in angle:
        out = 4.2 * np.cos(t) - 3.6
        up = 7.0 * np.sin(t)
        rim = np.clip(-np.sin(t), 0.0, 1.0)
        y = (-62.2 + 5.4 if upper else -77.6 - 5.4) + sign * (up - scallop * rim * (np.cos(t) > 0))
        flat = xz + out * normal * np.ones_like(s)[:, None] + (0.9 * normal)
        rows.append(np.stack([flat[:, 0], y * np.ones_like(s), flat[:, 1]], -1))
    points = np.concatenate(rows)
    quads = grid_quads(len(angle), len(s), closed=False)
    return points, quads if upper else quads[:, ::-1]


def tongue() -> Piece:
    """Root to tip along +z, with a shallow groove on top."""
    along = 1.0 - np.linspace(0.0, 1.0, 15) ** 1.3
    around = 2 * np.pi * np.arange(18) / 18
    rows = []
    for t in along[::-1]:
        taper = np.sqrt(max(1.0 - t**4.5, 0.0))
        z = 42.0 + 45.0 * t
        x = (18.5 - 5.0 * t) * taper * np.cos(around)
        h = (10.5 - 4.5 * t) * taper
        y = np.where(np.sin(around) > 1e-9, 0.75, 1.0) * h * np.sin(around)
        y -= 1.6 * taper * np.exp(-((x / 3.5) ** 2)) * (np.sin(around) > 1e-9)
        rise = -79.0 + 6.5 * np.sin(np.pi * (0.15 + 0.5 * t)) * 0.6
        rows.append(np.stack([x, rise + y, np.full(18, z)], -1))
    points = np.concatenate(rows)
    return points, grid_quads(15, 18, closed=True)


def lashes(margin: Array, count: int = 101) -> Piece:
    """Upper lashes of the left eye: one curled band with a notched edge along the lid (N, 3)."""
    make = np.random.default_rng(9)
    u = np.linspace(0.0, 1.0, count)
    at = (0.02 + 0.965 * u) * (len(margin) - 1)
    root = np.stack([np.interp(at, np.arange(len(margin)), margin[:, k]) for k in range(3)], -1)
    length = 0.7 + 3.3 * np.sin(np.pi * (0.03 + 0.8 * u)) ** 0.9
    tip = np.where(np.arange(count) % 2, 1.0, 0.62) * make.uniform(0.85, 1.05, count)
    fan = np.stack([(u - 0.4) * 0.8, np.full(count, 0.05), np.ones(count)], -1)
    rows = []
    for t in (np.zeros(count), np.full(count, 0.3), tip):
        bend = t[:, None] ** 2
        rows.append(
            root
            + [0, -0.25, -0.4]
            + length[:, None] * (fan * t[:, None] + (CURL - 0.3 * fan) * bend)
        )
    return np.concatenate(rows), grid_quads(3, count, closed=False)


CURL = np.array([0.0, 0.5, 0.0])
"""How far a lash of unit length bends upward at its tip."""


def eye_corners() -> Piece:
    """Pink tissue of the left eye between lids and eyeball."""
    points, quads = [], []
    lat = np.radians(np.linspace(-88, 88, 9))
    lon = 2 * np.pi * np.arange(12) / 12
    a, b = np.meshgrid(lat, lon, indexing="ij")
    ball = np.stack([np.cos(a) * np.sin(b), np.sin(a), np.cos(a) * np.cos(b)], -1).reshape(-1, 3)
    for k, (centre, radii) in enumerate(_EYE_CORNERS):
        points.append(EYE + np.array(centre) + ball * radii)
        quads.append(grid_quads(9, 12, closed=True) + k * len(ball))
    return np.concatenate(points), np.concatenate(quads)


_EYE_CORNERS = (((-14.2, -1.4, 0.3), (4.4, 4.8, 4.6)), ((0.0, 0.0, -4.0), (14.8, 14.8, 14.8)),
                ((13.4, 0.2, -2.2), (3.2, 4.2, 4.4)))  # fmt: skip
"""Centres from the eye's and radii: inner corner, fold all round the eyeball, outer corner."""
