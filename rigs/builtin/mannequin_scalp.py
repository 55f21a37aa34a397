"""What is changed of the cast head: hair raises the scalp, ears lie in beds. Millimetres."""

import numpy as np

from .mannequin_ears import ear_frame
from .mannequin_openings import smoothstep
from .mannequin_surface import Array, above_hairline, hair_mask


def hair_growth(points: Array) -> Array:
    """Displacement (N, 3) of the scalp where it carries hair, thicker toward the crown."""
    top = smoothstep(points[:, 1], 10.0, 95.0)
    full = smoothstep(above_hairline(points), 0.0, 45.0)
    thickness = hair_mask(points) * (1.2 + full * (1.5 + 6.5 * top))
    outward = points - np.array([0.0, 20.0, 0.0])
    outward[:, 1] = np.maximum(outward[:, 1], 0.0)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    return np.asarray(thickness[:, None] * outward)


def ear_beds(points: Array) -> Array:
    """Displacement (N, 3) that sinks the head under the ears, so that it shows in no hollow."""
    origin, axes = ear_frame()
    left = np.concatenate([np.abs(points[:, :1]), points[:, 1:]], 1)
    forward, up, out = ((left - origin) @ axes.T).T
    oval = np.hypot((forward + 3.0) / 16.5, (up - 1.0) / 27.0)
    sink = 9.0 * (1.0 - smoothstep(oval, 0.75, 1.0)) * (np.abs(out) < 30.0)
    return np.stack([-np.sign(points[:, 0]) * sink, np.zeros_like(sink), np.zeros_like(sink)], -1)
