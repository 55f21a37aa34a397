"""The mannequin's head as an implicit surface: smoothly blended primitives, millimetres.

Face space of all ``mannequin_*`` files: millimetres, x to the character's left, y up from the
pupils, z forward from the ear canals. Proportions follow published adult averages (Farkas,
Anthropometry of the Head and Face, 1994).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EYE = np.array([31.5, 0.0, 75.5])
"""Centre of the left eyeball; the right one is its mirror image."""
EYE_RADIUS = 12.3


@dataclass(frozen=True)
class Ball:
    """Ellipsoid, possibly turned about x (degrees, front down positive)."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    turn: float = 0.0

    def distance(self, p: Array) -> Array:
        """(..., 3) to (...): approximate signed distance, after Quilez."""
        q = p - np.array(self.centre)
        if self.turn:
            a = np.radians(self.turn)
            c, s = np.cos(a), np.sin(a)
            q = np.stack(
                [q[..., 0], c * q[..., 1] + s * q[..., 2], c * q[..., 2] - s * q[..., 1]], -1
            )
        r = np.array(self.radii)
        k0 = np.linalg.norm(q / r, axis=-1)
        k1 = np.linalg.norm(q / r**2, axis=-1)
        return np.asarray(k0 * (k0 - 1.0) / np.maximum(k1, 1e-9))


@dataclass(frozen=True)
class Bone:
    """Capsule between two points with a radius at each."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radii: tuple[float, float]

    def distance(self, p: Array) -> Array:
        """(..., 3) to (...): signed distance, the radius interpolated along the axis."""
        a, b = np.array(self.start), np.array(self.end)
        axis = b - a
        t = np.clip((p - a) @ axis / (axis @ axis), 0.0, 1.0)
        nearest = a + t[..., None] * axis
        radius = self.radii[0] + t * (self.radii[1] - self.radii[0])
        return np.asarray(np.linalg.norm(p - nearest, axis=-1) - radius)


def smooth_union(a: Array, b: Array, k: float) -> Array:
    """Minimum of two distances, rounded over a width k (Quilez, cubic)."""
    h = np.maximum(k - np.abs(a - b), 0.0) / k
    return np.asarray(np.minimum(a, b) - h**3 * k / 6.0)


def smooth_cut(a: Array, b: Array, k: float) -> Array:
    """Distance a with b removed, rounded over a width k."""
    return -smooth_union(-a, b, k)


# (primitive, blend width); a side primitive is given on the left and mirrored.
_CORE: tuple[tuple[Ball | Bone, float], ...] = (
    (Ball((0, 34, -2), (74, 80, 96)), 1.0),
    (Ball((0, 40, 40), (60, 58, 56)), 30.0),  # forehead
    (Ball((0, -28, 36), (60, 62, 56)), 40.0),  # face
    (Ball((0, -66, 67), (33, 36, 36)), 30.0),  # muzzle
    (Ball((0, -102, 84), (15, 13, 15)), 28.0),  # chin
    (Bone((0, -40, -16), (0, -230, -34), (55, 58)), 26.0),  # neck
    (Ball((0, -268, -38), (135, 78, 66)), 60.0),  # shoulders
)
_SIDES: tuple[tuple[Ball | Bone, float], ...] = (
    (Ball((54, -36, 10), (14, 44, 24)), 24.0),  # masseter and ramus
    (Bone((46, -72, 20), (13, -103, 80), (13, 11)), 34.0),  # jaw line
    (Ball((40, -56, 48), (18, 28, 30), 0), 34.0),  # cheek
    (Ball((44, -22, 60), (16, 14, 19)), 30.0),  # cheekbone
    (Bone((48, -20, 56), (62, -14, 18), (7, 6)), 30.0),  # zygomatic arch
    (Bone((8, 18, 85), (40, 22, 72), (10, 8)), 24.0),  # brow ridge
    (Ball((27, -54, 68), (16, 20, 18)), 26.0),  # beside the mouth
)
_NOSE: tuple[tuple[Ball | Bone, float], ...] = (
    (Bone((0, 8, 86), (0, -31, 106), (8.0, 9.0)), 20.0),  # bridge
    (Bone((0, -18, 102), (0, -34, 111), (6.5, 8.2)), 10.0),
    (Ball((0, -36.0, 112), (9.0, 7.8, 9)), 8.0),  # tip
    (Ball((0, -44, 104), (4, 4, 8)), 7.0),  # columella
)
_WINGS: tuple[tuple[Ball | Bone, float], ...] = (
    (Ball((12.2, -40.0, 99.5), (5.6, 6.4, 8.5)), 7.0),
    (Ball((15, -26, 88), (9, 18, 12)), 18.0),
)
_NOSTRIL = Ball((6.8, -46.5, 103.5), (3.0, 4.2, 4.6), 20.0)


def head_distance(points: Array) -> Array:
    """Signed distance, positive outside, of (..., 3) points to the skin without lips and lids."""
    p = np.asarray(points, np.float64)
    side = p.copy()
    side[..., 0] = np.sqrt(p[..., 0] ** 2 + 9.0)
    exact = p.copy()
    exact[..., 0] = np.abs(p[..., 0])
    d = _CORE[0][0].distance(p)
    for shape, k in _CORE[1:]:
        d = smooth_union(d, shape.distance(p), k)
    for shape, k in _SIDES:
        d = smooth_union(d, shape.distance(side), k)
    d = _carve(d, side)
    for shape, k in _NOSE:
        d = smooth_union(d, shape.distance(p), k)
    for shape, k in _WINGS:
        d = smooth_union(d, shape.distance(side), k)
    d = smooth_union(d, _eyelid_bulge(exact), 5.0)
    return smooth_cut(d, _NOSTRIL.distance(side), 3.0)


def _carve(d: Array, side: Array) -> Array:
    """Orbits, temples, the hollow under the lower lip and beside the chin."""
    d = smooth_cut(d, Ball((30, -1, 95), (21, 14, 16), -10).distance(side), 14.0)
    d = smooth_cut(d, Ball((80, 18, 62), (15, 24, 22)).distance(side), 24.0)
    return smooth_cut(d, Ball((0, -89, 112), (20, 6, 12)).distance(side), 14.0)


def _eyelid_bulge(exact: Array) -> Array:
    return np.asarray(np.linalg.norm(exact - EYE, axis=-1) - (EYE_RADIUS + 1.6))


def cast(origins: Array, directions: Array, reach: float = 260.0) -> Array:
    """Outermost crossing of the skin along rays from inside the head.

    Args:
        origins: (N, 3) inside the head.
        directions: (N, 3) unit vectors pointing outward.
        reach: distance at which the search starts, beyond any part of the head.

    Returns:
        (N, 3) points on the skin.
    """
    t = np.full(len(origins), reach)
    for _ in range(90):
        d = head_distance(origins + t[:, None] * directions)
        t -= 0.7 * d
        if np.abs(d).max() < 1e-4:
            break
    return np.asarray(origins + t[:, None] * directions)
