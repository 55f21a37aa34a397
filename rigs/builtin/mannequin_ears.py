"""Ears of the mannequin: a polar sheet over an outline, raised along the folds of the auricle."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from .mannequin_inside import grid_quads
from .mannequin_openings import smoothstep
from .mannequin_surface import Array, cast

IntArray = NDArray[np.int64]

# Plane of the ear: a forward, b up, millimetres from the middle of the concha.
_OUTLINE = np.array(
    [
        (9.5, 1), (11, 9), (11.5, 17), (8.5, 25), (2, 30), (-7, 31), (-14.5, 27), (-18.5, 18.5),
        (-19, 8), (-17, -3), (-13, -13), (-8, -21), (-3, -27.5), (3, -30), (8, -27), (9.5, -20),
        (9.8, -12), (9.4, -5),
    ],
    float,
)  # fmt: skip
_CENTRE = np.array([-1.0, -3.0])
_HELIX = [(1, -1), (6, 2.5), (9, 8), (9, 16), (6.5, 23), (1, 27.3), (-6.5, 28), (-12.5, 24.5),
          (-15.8, 17.5), (-16.3, 8), (-14.4, -2), (-11, -11)]  # fmt: skip
_ANTIHELIX = [(-3, 18), (-7, 12), (-8.6, 4), (-8.4, -5), (-6, -12), (-1.5, -16.5), (3, -16.5)]
_CRUS = [(5, 14.5), (-1, 13.5), (-7, 11)]
_SPOKES = 44
_FRONT = (1.0, 0.965, 0.92, 0.87, 0.81, 0.74, 0.66, 0.57, 0.47, 0.36, 0.25, 0.13)
_STAND = 18.0
"""Degrees between the ear and the side of the head."""
_LEAN = 10.0
"""Degrees the ear's top leans back."""
PLACE = (-14.0, -9.0)
"""Height and depth of the middle of the concha on the side of the head."""


def _near(p: Array, line: Sequence[tuple[float, float]], width: float) -> Array:
    """1 on a polyline through the ear's plane, falling off over width."""
    points = np.array(line, float)
    t = np.arange(len(points))
    fine = CubicSpline(t, points)(np.linspace(0, t[-1], 60))
    distance = np.linalg.norm(p[:, None] - fine, axis=-1).min(1)
    return np.asarray(np.exp(-((distance / width) ** 2)))


def _height(p: Array) -> Array:
    """Height of the front of the ear above its plane."""
    a, b = p.T
    h = 2.9 * _near(p, _HELIX, 2.4) + 2.8 * _near(p, _ANTIHELIX, 2.8) + 1.3 * _near(p, _CRUS, 2.4)
    bowl = ((a - 1.2) / 7.4) ** 2 + ((b + 5.0) / 10.0) ** 2
    h = h - 8.0 * np.exp(-(bowl**1.5))
    h = h + 5.0 * np.exp(-(((a - 9.0) / 3.0) ** 2) - ((b + 6.0) / 4.6) ** 2)  # tragus
    return np.asarray(h + 1.2 * np.exp(-(((a - 2) / 7) ** 2) - ((b + 24) / 5) ** 2))  # lobe


def ear_frame() -> tuple[Array, Array]:
    """Origin (3,) of the left ear's plane on the skin, and its axes (3, 3): forward, up, out."""
    y, z = PLACE
    origin = cast(np.array([[0.0, y, z]]), np.array([[1.0, 0.0, 0.0]]))[0]
    stand, lean = np.radians(_STAND), np.radians(_LEAN)
    forward = np.array([-np.sin(stand), 0.0, np.cos(stand)])
    out = np.array([np.cos(stand), 0.0, np.sin(stand)])
    up = np.array([0.0, 1.0, 0.0])
    tilted = np.cos(lean) * up - np.sin(lean) * forward
    return origin, np.stack([np.cos(lean) * forward + np.sin(lean) * up, tilted, out])


def ear() -> tuple[Array, Array, Array, IntArray]:
    """Left ear: points (N, 3), texture coordinates (N, 2), hollowness 0..1 (N,), quads."""
    closed = np.concatenate([_OUTLINE, _OUTLINE[:1]])
    spline = CubicSpline(np.arange(len(closed)), closed, bc_type="periodic")
    outline = spline(np.linspace(0, len(_OUTLINE), _SPOKES, endpoint=False))
    front = smoothstep(outline[:, 0], 4.0, 10.0)
    rings = []
    for size, depth in ((0.62, -24.0), (0.80, -10.0), (0.93, -4.6), (1.0, -2.2)):
        flat = _CENTRE + size * (outline - _CENTRE)
        low = depth - 8.0 * front
        rings.append(np.concatenate([flat, low[:, None]], 1))
    for size in _FRONT:
        flat = _CENTRE + size * (outline - _CENTRE)
        edge = smoothstep(np.full(_SPOKES, size), 0.86, 1.0)
        rise = _height(flat) - edge * 0.6
        rise = rise - 7.0 * front * smoothstep(np.full(_SPOKES, size), 0.72, 1.0)
        rings.append(np.concatenate([flat, rise[:, None]], 1))
    local = np.concatenate([*rings, np.append(_CENTRE, _height(_CENTRE[None]))[None]])
    origin, axes = ear_frame()
    points = origin + (local + np.array([0.0, 0.0, 6.5])) @ axes
    uv = np.stack([0.02 + 0.24 * (local[:, 1] + 32.0) / 64.0,
                   0.912 + 0.08 * (local[:, 0] + 21.0) / 35.0], -1)  # fmt: skip
    behind = 4 * _SPOKES  # the back of the ear takes the colour of its edge
    uv[:behind] = np.tile(uv[behind : behind + _SPOKES], (4, 1))
    inner = np.arange(len(local)) >= 5 * _SPOKES
    hollow = np.where(inner, np.clip(-local[:, 2] / 7.0, 0.0, 1.0), 0.0)
    count = len(rings)
    quads = grid_quads(count, _SPOKES, closed=True)
    last = (count - 1) * _SPOKES + np.arange(_SPOKES)
    tip = np.full(_SPOKES, count * _SPOKES)
    fan = np.stack([last, np.roll(last, -1), tip, tip], -1)
    return points, uv, hollow, np.concatenate([quads, fan])[:, ::-1]
