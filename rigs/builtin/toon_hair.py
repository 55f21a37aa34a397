"""Hair and clothes of the cartoon character."""

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

from .sculpt_fields import Array, first_hit, smoothstep, vector
from .sculpt_lofts import curve, profile, stack, tube
from .sculpt_pieces import Piece, marked
from .toon_shape import surface

# Locks of hair: points as (degrees around from the front toward the character's left, degrees
# above the horizon, height over the skull in mm), then half widths and half thicknesses in mm.
LOCKS: tuple[tuple[list[tuple[float, float, float]], list[float], list[float]], ...] = (
    # The fringe, swept to the character's right from a parting on the left.
    ([(44, 60, 8), (22, 60, 30), (-12, 50, 30), (-44, 27, 9)], [8, 22, 22, 1], [5, 13, 10, 1]),
    ([(40, 66, 10), (4, 66, 34), (-38, 54, 28), (-66, 22, 6)], [8, 24, 22, 1], [5, 13, 10, 1]),
    ([(48, 54, 8), (36, 52, 28), (10, 42, 27), (-14, 24, 8)], [8, 19, 18, 1], [4, 12, 10, 1]),
    ([(52, 48, 6), (48, 42, 20), (32, 33, 20), (14, 22, 7)], [6, 14, 13, 1], [4, 9, 8, 1]),
    # Left of the parting and down to the ears.
    ([(46, 62, 6), (60, 50, 20), (68, 34, 15), (58, 16, 6)], [8, 19, 17, 1], [4, 10, 8, 1]),
    ([(56, 70, 8), (78, 54, 21), (90, 30, 15), (84, 0, 4)], [8, 23, 19, 1], [4, 10, 8, 1]),
    ([(-30, 72, 8), (-66, 58, 24), (-86, 34, 17), (-80, 4, 5)], [8, 23, 20, 1], [4, 10, 8, 1]),
    # The crest.
    ([(30, 76, 8), (10, 84, 34), (-50, 80, 50), (-74, 66, 62)], [9, 22, 17, 1], [6, 13, 10, 1]),
    ([(60, 80, 8), (60, 88, 26), (-100, 84, 42), (-112, 70, 54)], [8, 20, 15, 1], [5, 11, 9, 1]),
    ([(0, 72, 10), (-30, 72, 34), (-62, 62, 36), (-84, 42, 30)], [8, 20, 16, 1], [5, 12, 9, 1]),
    # The back.
    ([(90, 70, 6), (118, 50, 18), (130, 20, 16), (122, -14, 14)], [9, 25, 23, 1], [4, 10, 9, 1]),
    (
        [(-90, 70, 6), (-118, 50, 18), (-130, 20, 16), (-122, -14, 14)],
        [9, 25, 23, 1],
        [4, 10, 9, 1],
    ),
    ([(150, 70, 6), (156, 45, 18), (160, 12, 16), (164, -24, 16)], [9, 25, 23, 1], [4, 10, 9, 1]),
    (
        [(-150, 70, 6), (-160, 45, 18), (-166, 12, 16), (-158, -22, 16)],
        [9, 25, 23, 1],
        [4, 10, 9, 1],
    ),
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


def _lock(
    points: list[tuple[float, float, float]], width: list[float], high: list[float], tone: str
) -> Piece:
    steps = 14
    path = curve(on_skull(np.array(points, np.float64)), steps)
    outward = path - vector(0, 10, -10)
    along = np.gradient(path, axis=0)
    return tube(
        path, np.cross(along, outward), profile(width, steps), profile(high, steps), tone, 10
    )


def hair() -> list[Piece]:
    """A cap over the skull and the locks on it."""
    tones = ("hair_light", "hair", "hair")
    return [_cap(), *(_lock(*lock, tones[i % 3]) for i, lock in enumerate(LOCKS))]


def _cap() -> Piece:
    around = np.linspace(-180.0, 180.0, 52, endpoint=False)
    front = smoothstep(np.abs(around), 95.0, 40.0)
    temple = np.exp(-(((np.abs(around) - 72.0) / 14.0) ** 2))
    hairline = -30.0 + 60.0 * front - 12.0 * temple + 30.0 * smoothstep(np.abs(around), 120, 70)
    rows = []
    for share in (0.0, 0.03, 0.08, 0.16, 0.28, 0.42, 0.57, 0.72, 0.86, 0.96):
        up = hairline + share * (90.0 - hairline)
        height = -5.0 + 16.0 * smoothstep(np.full(52, share), -0.02, 0.14)
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
    return [
        marked(neck, body=1.0, neck=smoothstep(neck.vertices[:, 1], -0.150, -0.095)),
        marked(_rings(top, "cloth"), body=1.0),
    ]


def _rings(rows: Sequence[tuple[float, float, float, float]], material: str) -> Piece:
    turn = np.linspace(0.0, -2.0 * np.pi, 36, endpoint=False)
    rows = PchipInterpolator(np.arange(len(rows)), rows)(np.linspace(0, len(rows) - 1, 18))
    rings = np.stack(
        [
            np.column_stack([wide * np.cos(turn), np.full(36, y), z + deep * np.sin(turn)])
            for y, wide, deep, z in rows
        ]
    )
    return stack(rings[::-1] / 1000.0, material, end=False)


def drawstrings() -> list[Piece]:
    """Two cords hanging from the collar."""
    out = []
    for side in (1.0, -1.0):
        line = curve(
            [
                vector(side * x, y, z)
                for x, y, z in ((20, -124, 40), (23, -146, 46), (24, -170, 53), (23, -192, 54))
            ],
            14,
        )
        thick = profile([2.4, 2.4, 2.4, 3.2], 14)
        out.append(marked(tube(line, np.array([1.0, 0.0, 0.0]), thick, thick, "cord", 8), body=1.0))
    return out
