"""Analytic shapes for the generated characters: signed distances, blends and falloffs.

Distances are in metres, negative inside. All functions are vectorised over leading axes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Field = Callable[[Array], Array]


def vector(*numbers: float) -> Array:
    """A point or direction given in millimetres, returned in metres."""
    return np.array(numbers, np.float64) / 1000.0


def ellipsoid(p: Array, centre: Array, radii: Array) -> Array:
    """Approximate signed distance to an axis-aligned ellipsoid.

    Args:
        p: (..., 3) points.
        centre: (3,).
        radii: (3,) half axes.

    Source:
        Inigo Quilez, "Ellipsoid distance, bounded first-order approximation".
    """
    q = p - centre
    k0 = np.linalg.norm(q / radii, axis=-1)
    k1 = np.linalg.norm(q / radii**2, axis=-1)
    return np.asarray(k0 * (k0 - 1.0) / np.maximum(k1, 1e-9))


def capsule(p: Array, a: Array, b: Array, start: float, end: float) -> Array:
    """Signed distance to a rod from a to b whose radius runs linearly from start to end."""
    along = b - a
    t = np.clip((p - a) @ along / (along @ along), 0.0, 1.0)
    nearest = a + t[..., None] * along
    return np.asarray(np.linalg.norm(p - nearest, axis=-1) - (start + t * (end - start)))


def smooth_union(distances: Sequence[Array], width: float) -> Array:
    """Union whose seams are rounded over `width` metres (polynomial smooth minimum)."""
    total = distances[0]
    for other in distances[1:]:
        total = smooth_minimum(total, other, width)
    return total


def smooth_minimum(a: Array, b: Array, width: float) -> Array:
    """The smaller of a and b, rounded where they differ by less than `width`."""
    h = np.maximum(width - np.abs(a - b), 0.0) / width
    return np.asarray(np.minimum(a, b) - h * h * width * 0.25)


def smoothstep(x: Any, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, a cubic ease between; low > high falls instead."""
    t = np.clip((np.asarray(x, np.float64) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def bump(p: Array, centre: Array, radii: Array) -> Array:
    """Gaussian falloff, 1 at the centre; (..., 3) points to (...,)."""
    return np.asarray(np.exp(-np.sum(((p - centre) / radii) ** 2, axis=-1)))


def near(x: Array, width: float) -> Array:
    """One-dimensional Gaussian falloff."""
    return np.asarray(np.exp(-((x / width) ** 2)))


def gradient(field: Field, p: Array, step: float = 2e-4) -> Array:
    """(N, 3) central-difference gradient of a field at (N, 3) points."""
    offsets = np.eye(3) * step
    return np.stack([field(p + o) - field(p - o) for o in offsets], axis=-1) / (2.0 * step)


def slide(field: Field, start: Array, moved: Array, rounds: int = 3) -> Array:
    """Put moved points back at the distance from a surface that they started at.

    Motions defined in a plane then follow the surface, as skin over a skull.

    Args:
        field: signed distance of the surface.
        start: (N, 3) points before the motion.
        moved: (N, 3) the same points after it.
        rounds: Newton steps.

    Returns:
        (N, 3) corrected points.
    """
    wanted = field(start)
    p = moved
    for _ in range(rounds):
        g = gradient(field, p)
        size = np.maximum(np.sum(g * g, axis=-1, keepdims=True), 0.25)
        p = p - (field(p) - wanted)[:, None] * g / size
    return p


def first_hit(field: Field, outside: Array, inside: Array, steps: int = 72) -> Array:
    """First surface point on each segment, coming from outside.

    Args:
        field: signed distance.
        outside: (N, 3) segment starts, outside the surface.
        inside: (N, 3) segment ends, inside it.
        steps: samples along the segment before bisection.

    Returns:
        (N, 3) points on the surface; a segment that never enters returns its end.
    """
    low = np.zeros(len(outside))
    high = np.ones(len(outside))
    open_ = np.ones(len(outside), bool)
    for t in np.linspace(0.0, 1.0, steps + 1)[1:]:
        hit = open_ & (field(outside + t * (inside - outside)) <= 0)
        low[hit], high[hit] = t - 1.0 / steps, t
        open_ &= ~hit
    low[open_] = 1.0
    for _ in range(26):
        middle = 0.5 * (low + high)
        hit = field(outside + middle[:, None] * (inside - outside)) <= 0
        high = np.where(hit, middle, high)
        low = np.where(hit, low, middle)
    return np.asarray(outside + high[:, None] * (inside - outside))
