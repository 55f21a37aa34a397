"""Ears, tufts and the chest of the fox."""

from dataclasses import replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from .fox_shape import surface
from .sculpt_features import lifted
from .sculpt_fields import Array, first_hit, smoothstep, vector
from .sculpt_lofts import curve, profile, spine, stack, tube
from .sculpt_pieces import Piece, marked, mirrored

EAR_BASE = vector(43, 62, -14)


def ears() -> Piece:
    """Large pointed ears, dark at the tip, hollow in front."""
    rows, around = 18, 28
    share = np.linspace(0.0, 1.0, rows)
    path = curve(
        [
            EAR_BASE + vector(-3, -22, 2),
            EAR_BASE + vector(8, 26, 0),
            EAR_BASE + vector(20, 74, -10),
        ],
        rows,
    )
    wide = (
        PchipInterpolator([0, 0.2, 0.45, 0.75, 0.93, 1], [34, 35, 30, 17, 6.5, 0.8])(share) / 1000
    )
    deep = PchipInterpolator([0, 0.3, 0.7, 1], [20, 17, 9, 0.8])(share) / 1000
    angle = np.linspace(0.0, 2.0 * np.pi, around, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    # The front of an ear is a shallow bowl between raised rims.
    depth = np.where(s < 0, s * (0.20 - 0.85 * s**2), s)
    turn = 0.42
    side = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    front = np.array([np.sin(turn), 0.0, np.cos(turn)])
    rings = (
        path[:, None]
        + (wide[:, None] * c)[..., None] * side
        - (deep[:, None] * depth)[..., None] * front
    )
    piece = stack(rings, "fur")
    triangles = piece.triangles["fur"]
    row, column = np.minimum(triangles, rows * around - 1) // around, triangles % around
    tip = row.max(axis=1) > 0.72 * rows
    is_front = (np.sin(column.mean(axis=1) / around * 2 * np.pi) < -0.45) & (
        np.ptp(column, axis=1) < 3
    )
    inner = is_front & (row.max(axis=1) < 0.86 * rows)
    split = {
        "ear_inner": triangles[inner],
        "dark": triangles[tip & ~inner],
        "fur": triangles[~tip & ~inner],
    }
    along = smoothstep(piece.vertices[:, 1], EAR_BASE[1] - 0.006, EAR_BASE[1] + 0.030)
    return mirrored(marked(replace(piece, triangles=split), ear=along))


def _tuft(
    points: list[Array], side: Array, width: list[float], thick: list[float], material: str
) -> Piece:
    return tube(curve(points, 11), side, profile(width, 11), profile(thick, 11), material, 10)


def tufts() -> list[Piece]:
    """Cheek ruffs, brow spots and the tuft between the ears."""
    out = []
    for root, tip, wide in (
        ((60, -4, 2), (110, -8, -12), 17.0),
        ((58, -22, 4), (112, -42, -8), 19.0),
        ((50, -36, 8), (92, -74, -4), 19.0),
        ((34, -46, 12), (56, -92, 4), 17.0),
    ):
        a, b = vector(*root), vector(*tip)
        middle = 0.5 * (a + b) + vector(3, 5, 4)
        along = (b - a) / np.linalg.norm(b - a)
        side = np.cross(np.array([0.0, 0.0, 1.0]), along)
        piece = _tuft(
            [a, middle, b], side, [wide, wide * 0.95, wide * 0.55, 0.6], [15, 12, 7, 0.6], "cream"
        )
        out.append(mirrored(marked(piece, ruff=1.0)))
    crown = [
        ((0, 74, 6), (6, 104, 14), 11.0),
        ((9, 72, 2), (24, 96, 6), 9.0),
        ((-9, 72, 2), (-16, 98, 8), 9.0),
    ]
    for root, tip, wide in crown:
        a, b = vector(*root), vector(*tip)
        out.append(
            _tuft(
                [a, 0.5 * (a + b) + vector(0, 0, 8), b],
                np.array([1.0, 0.0, 0.0]),
                [wide, wide, wide * 0.6, 0.5],
                [8, 7, 4, 0.5],
                "fur",
            )
        )
    return [*out, brows()]


def brows() -> Piece:
    """Cream tufts over the eyes."""
    line = curve([vector(15, 42, 0), vector(28, 49, 0), vector(44, 47, 0)], 14)
    far = np.column_stack([line[:, :2], np.full(14, 0.14)])
    near_ = np.column_stack([line[:, :2], np.full(14, 0.0)])
    path = lifted(surface, first_hit(surface, far, near_), 0.0012)
    piece = tube(
        path,
        np.array([0.0, 1.0, 0.0]),
        profile([4.6, 6.2, 5.4, 0.6], 14),
        profile([2.2, 3.0, 2.6, 0.5], 14),
        "cream",
        10,
    )
    return mirrored(marked(piece, skin=1.0, brow=1.0, anchor=spine(path, 10), mouth=3.0))


def body() -> list[Piece]:
    """Neck, shoulders and the ruff of the chest."""
    rows = [
        (-20, 46, 40, -24), (-52, 47, 40, -26), (-85, 54, 46, -28), (-115, 68, 56, -30),
        (-142, 84, 66, -31), (-168, 92, 72, -32), (-184, 92, 72, -32), (-192, 86, 66, -32),
    ]  # fmt: skip
    turn = np.linspace(0.0, -2.0 * np.pi, 40, endpoint=False)
    fine = PchipInterpolator(np.arange(len(rows)), rows)(np.linspace(0, len(rows) - 1, 18))
    rings = np.stack(
        [
            np.column_stack([w * np.cos(turn), np.full(40, y), z + d * np.sin(turn)])
            for y, w, d, z in fine
        ]
    )
    trunk = stack(rings[::-1] / 1000.0, "fur")
    neck = marked(trunk, body=1.0, neck=smoothstep(trunk.vertices[:, 1], -0.150, -0.050))
    return [neck, *_bib()]


def _bib() -> list[Piece]:
    out = []
    rows: list[tuple[float, list[float], float, float]] = [
        (-112, [-22, 22], 24.0, 66),
        (-108, [0], 26.0, 78),
        (-88, [-52, -18, 18, 52], 21.0, 60),
        (-64, [-38, 0, 38], 21.0, 54),
        (-48, [-54, -20, 20, 54], 18.0, 44),
    ]
    for y, across, wide, long in rows:
        for x in across:
            depth = 66.0 * (1.0 - (x / 95.0) ** 2) ** 0.5 - 36.0 - 0.22 * (y + 112.0)
            a = vector(x * 0.85, y + 6, depth - 16)
            b = vector(x, y - 0.45 * long, depth + 6)
            tip = vector(x * 0.9, y - long, depth + 11)
            side = np.array([1.0, 0.0, -0.012 * x])
            widths = [wide * 0.7, wide, wide * 0.9, wide * 0.5, 0.5]
            piece = _tuft([a, b, tip], side, widths, [8, 9, 8, 5, 0.5], "cream")
            out.append(
                marked(piece, body=1.0, neck=smoothstep(piece.vertices[:, 1], -0.150, -0.050))
            )
    return out
