"""The mannequin's head as an implicit surface: smoothly blended primitives, millimetres.

Face space of all ``mannequin_*`` files: millimetres, x to the character's left, y up from the
pupils, z forward from the ear canals. Proportions follow published adult averages (Farkas,
Anthropometry of the Head and Face, 1994).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EYE = np.array([31.8, 0.0, 75.2])
"""Centre of the left eyeball; the right one is its mirror image."""
EYE_RADIUS = 12.8


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
    (Ball((0, 34, -2), (73, 79, 95)), 1.0),
    (Ball((0, 40, 40), (59, 58, 56)), 30.0),  # forehead
    (Ball((0, -28, 36), (58, 62, 56)), 40.0),  # face
    (Ball((0, -66, 67), (33, 36, 36)), 30.0),  # muzzle
    (Ball((0, -102, 85), (12.5, 13, 15.5)), 28.0),  # chin
    (Bone((0, -40, -15), (0, -215, -44), (44.5, 49)), 24.0),  # neck
    (Ball((0, -263, -46), (140, 80, 62)), 60.0),  # shoulders
)
_SIDES: tuple[tuple[Ball | Bone, float], ...] = (
    (Ball((49, -30, 8), (13, 36, 23)), 26.0),  # masseter and ramus
    (Bone((36.5, -71, 20), (9, -103, 80), (11, 9.5)), 34.0),  # jaw line
    (Ball((34, -55, 50), (15.5, 26, 27)), 34.0),  # cheek
    (Ball((41.5, -21, 59), (14, 12, 18)), 34.0),  # cheekbone
    (Ball((26, -30, 72), (17, 20, 15)), 30.0),  # beside the nose
    (Bone((8, 18, 85), (40, 22, 71), (10, 8)), 24.0),  # brow ridge
    (Ball((27, -54, 68), (16, 20, 18)), 26.0),  # beside the mouth
    (Ball((25.5, -80, 66), (12, 13, 16)), 26.0),  # beside the chin
    (Bone((50, -52, -14), (11, -196, 6), (8, 5.5)), 18.0),  # muscle of the neck
)
_NOSE: tuple[tuple[Ball | Bone, float], ...] = (
    (Bone((0, 8, 86), (0, -29, 105.2), (7.8, 8.2)), 22.0),  # bridge
    (Bone((0, -16, 101), (0, -32, 110.5), (5.8, 7.0)), 10.0),
    (Ball((0, -34.0, 110.5), (8.8, 7.6, 8.6)), 8.0),  # tip
    (Ball((0, -41.0, 105.5), (3.6, 4.0, 8)), 7.0),  # columella
)
_WINGS: tuple[tuple[Ball | Bone, float], ...] = (
    (Ball((11.2, -38.6, 100.4), (5.4, 5.8, 8.4)), 6.0),
    (Ball((11, -24, 88), (9, 19, 12)), 22.0),
)
_NOSTRIL = Ball((6.2, -44.6, 103.0), (2.5, 3.4, 4.2), -14.0)


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
    d = smooth_cut(d, Bone((0, -50, 108.5), (0, -58.5, 108.0), (2.3, 2.8)).distance(p), 3.6)
    return smooth_cut(d, _NOSTRIL.distance(side), 2.6)


def _carve(d: Array, side: Array) -> Array:
    """Orbits, temples, the hollow under the lower lip and beside the chin."""
    d = smooth_cut(d, Ball((30, -1, 95), (21, 14, 16), -10).distance(side), 14.0)
    d = smooth_cut(d, Ball((82, 18, 62), (14, 24, 24)).distance(side), 30.0)
    return smooth_cut(d, Ball((0, -89, 112.8), (20, 6, 12)).distance(side), 15.0)


def _eyelid_bulge(exact: Array) -> Array:
    return np.asarray(np.linalg.norm(exact - EYE, axis=-1) - (EYE_RADIUS + 1.6))


def nostril_mask(points: Array) -> Array:
    """(...) 1 inside the nostrils to 0 outside, for (..., 3) points."""
    side = np.concatenate([np.abs(points[..., :1]), points[..., 1:]], -1)
    away = np.maximum(_NOSTRIL.distance(side) - 0.2, 0.0)
    return np.asarray(np.exp(-((away / 0.9) ** 2)))


_HAIRLINE = np.array(
    [(-120, -66), (-70, -62), (-45, -50), (-26, -30), (-14, -10), (-4, -22), (6, -24), (14, -8),
     (24, 20), (38, 34), (54, 44), (66, 56), (76, 67), (86, 72), (130, 74)],
    float,
)  # fmt: skip


def hair_mask(points: Array) -> Array:
    """(...) 1 where the scalp carries hair, 0 on the face, smooth between, for (..., 3) points."""
    t = np.clip((above_hairline(points) + 4.0) / 11.0, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def above_hairline(points: Array) -> Array:
    """(...) millimetres by which (..., 3) points lie above the hairline."""
    line = np.interp(points[..., 2], _HAIRLINE[:, 0], _HAIRLINE[:, 1])
    recess = 8.0 * np.exp(-(((np.abs(points[..., 0]) - 36.0) / 14.0) ** 2)) * (points[..., 2] > 40)
    return np.asarray(points[..., 1] - line - recess)


def cast(origins: Array, directions: Array, reach: float | Array = 260.0) -> Array:
    """Outermost crossing of the skin along rays from inside the head.

    Args:
        origins: (N, 3) inside the head.
        directions: (N, 3) unit vectors pointing outward.
        reach: distance at which the search starts; crossings beyond it do not count.

    Returns:
        (N, 3) points on the skin.
    """
    t = np.zeros(len(origins)) + reach
    for _ in range(90):
        d = head_distance(origins + t[:, None] * directions)
        t -= 0.7 * d
        if np.abs(d).max() < 1e-4:
            break
    return np.asarray(origins + t[:, None] * directions)
