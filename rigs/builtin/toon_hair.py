"""Hair and clothes of the cartoon character."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from .sculpt_fields import Array, first_hit, smoothstep, vector
from .sculpt_lofts import curve, profile, stack, tube
from .sculpt_pieces import Piece, marked
from .toon_shape import surface

# Locks of hair: points as (degrees around from the front toward the character's left, degrees
# above the horizon, height over the skull in mm), then half widths and half thicknesses in mm.
LOCKS: tuple[tuple[list[tuple[float, float, float]], list[float], list[float]], ...] = (
    ([(35, 62, 8), (8, 62, 26), (-28, 50, 24), (-52, 30, 6)], [6, 20, 19, 1], [4, 12, 9, 1]),
    ([(45, 66, 8), (30, 58, 30), (2, 46, 26), (-22, 33, 7)], [8, 19, 16, 1], [4, 12, 9, 1]),
    ([(20, 70, 10), (-20, 68, 30), (-58, 52, 20), (-78, 22, 4)], [8, 22, 20, 1], [4, 12, 9, 1]),
    ([(48, 60, 6), (46, 50, 20), (34, 40, 15), (22, 33, 4)], [6, 13, 11, 1], [4, 8, 6, 1]),
    ([(52, 68, 6), (62, 54, 18), (70, 36, 13), (66, 18, 3)], [8, 19, 17, 1], [4, 9, 8, 1]),
    ([(60, 70, 8), (80, 55, 18), (92, 32, 13), (86, 4, 3)], [8, 22, 18, 1], [4, 9, 8, 1]),
    ([(-40, 74, 8), (-75, 58, 20), (-92, 34, 14), (-88, 4, 3)], [8, 22, 19, 1], [4, 9, 8, 1]),
    ([(20, 80, 8), (-10, 84, 32), (-60, 78, 44), (-80, 64, 52)], [8, 20, 15, 1], [5, 11, 9, 1]),
    ([(60, 82, 8), (30, 86, 24), (-100, 82, 40), (-120, 68, 48)], [8, 19, 14, 1], [5, 10, 8, 1]),
    ([(90, 70, 6), (120, 50, 16), (132, 20, 14), (126, -12, 12)], [9, 24, 22, 1], [4, 9, 8, 1]),
    ([(-90, 70, 6), (-120, 50, 16), (-132, 20, 14), (-126, -12, 12)], [9, 24, 22, 1], [4, 9, 8, 1]),
    ([(150, 70, 6), (160, 45, 16), (164, 12, 14), (168, -22, 14)], [9, 24, 22, 1], [4, 9, 8, 1]),
    ([(-150, 70, 6), (-160, 45, 16), (-164, 12, 14), (-158, -20, 14)], [9, 24, 22, 1], [4, 9, 8, 1]),
)


def on_skull(points: Array) -> Array:
    """(n, 3) degrees around, degrees up, mm over the skull, to (n, 3) metres."""
    around, up = np.radians(points[:, 0]), np.radians(points[:, 1])
    direction = np.column_stack(
        [np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)]
    )
    middle = np.broadcast_to(vector(0, 10, -10), direction.shape)
    at = first_hit(surface, middle + 0.25 * direction, middle)
    return np.asarray(at + points[:, 2:3] / 1000.0 * direction)


def _lock(points: list[tuple[float, float, float]], width: list[float], high: list[float]) -> Piece:
    steps = 16
    # Interpolated on a sphere of directions, so that locks may pass over the crown.
    path = curve(on_skull(np.array(points, np.float64)), steps)
    outward = path - vector(0, 10, -10)
    along = np.gradient(path, axis=0)
    return tube(
        path, np.cross(along, outward), profile(width, steps), profile(high, steps), "hair", 10
    )


def hair() -> list[Piece]:
    """A cap over the skull and the locks on it."""
    return [_cap(), *(_lock(*lock) for lock in LOCKS)]


def _cap() -> Piece:
    around = np.linspace(-180.0, 180.0, 64, endpoint=False)
    front = smoothstep(np.abs(around), 95.0, 40.0)
    temple = np.exp(-(((np.abs(around) - 72.0) / 14.0) ** 2))
    hairline = -30.0 + 66.0 * front - 12.0 * temple + 30.0 * smoothstep(np.abs(around), 120, 70)
    rows = []
    for share in (0.0, 0.03, 0.08, 0.16, 0.28, 0.42, 0.57, 0.72, 0.86, 0.96):
        up = hairline + share * (90.0 - hairline)
        height = -5.0 + 16.0 * smoothstep(np.full(64, share), -0.02, 0.14)
        rows.append(on_skull(np.column_stack([around, up, height])))
    return stack(np.stack(rows), "hair", start=False)


def clothes() -> list[Piece]:
    """Neck and the shoulders of a hooded top."""
    rows = [
        (-84, 30, 30, -12),
        (-100, 31, 31, -12),
        (-118, 33, 32, -14),
        (-135, 37, 35, -16),
        (-155, 46, 42, -18),
    ]
    neck = _rings(rows, "neck")
    top = [
        (-160, 38, 36, -16),
        (-140, 42, 40, -15),
        (-128, 47, 44, -15),
        (-122, 55, 51, -15),
        (-124, 63, 58, -16),
        (-133, 69, 63, -17),
        (-143, 72, 62, -18),
        (-149, 84, 62, -19),
        (-157, 103, 66, -20),
        (-169, 119, 70, -20),
        (-185, 128, 73, -20),
        (-205, 131, 74, -20),
        (-214, 126, 70, -20),
    ]
    return [marked(neck, neck=smoothstep(neck.vertices[:, 1], -0.150, -0.095)), _rings(top, "cloth")]


def _rings(rows: list[tuple[float, float, float, float]], material: str) -> Piece:
    turn = np.linspace(0.0, -2.0 * np.pi, 40, endpoint=False)
    rows = PchipInterpolator(np.arange(len(rows)), rows)(np.linspace(0, len(rows) - 1, 2 * len(rows)))
    rings = np.stack(
        [
            np.column_stack([wide * np.cos(turn), np.full(40, y), z + deep * np.sin(turn)])
            for y, wide, deep, z in rows
        ]
    )
    return stack(rings[::-1] / 1000.0, material, end=False)


def drawstrings() -> list[Piece]:
    """Two cords hanging from the collar."""
    out = []
    for side in (1.0, -1.0):
        line = curve(
            [vector(side * x, y, z) for x, y, z in ((20, -130, 44), (23, -148, 52), (24, -172, 57), (23, -192, 57))],
            14,
        )
        out.append(
            tube(line, np.array([1.0, 0.0, 0.0]), profile([2.4, 2.4, 2.4, 3.2], 14), profile([2.4, 2.4, 2.4, 3.2], 14), "cord", 8)
        )
    return out
