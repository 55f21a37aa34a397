"""Painted textures of the generated characters."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

from .sculpt_fields import Array, smoothstep
from .sculpt_pieces import Piece

Picture = NDArray[np.uint8]


def colour(code: str) -> Array:
    """An sRGB colour "#rrggbb" as three numbers 0..1."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0


def mix(under: Array, over: Array, amount: Array) -> Array:
    """Pictures (..., 3) blended by (...,) amounts."""
    return np.asarray(under + (over - under) * amount[..., None])


def picture(rgb: Array) -> Picture:
    """(H, W, 3) numbers 0..1 to (H, W, 4) bytes, opaque."""
    full = np.concatenate([np.clip(rgb, 0.0, 1.0), np.ones((*rgb.shape[:2], 1))], axis=-1)
    return np.asarray(np.round(full * 255.0), np.uint8)


def positions(sheet: Piece, size: int) -> Array:
    """(size, size, 3) surface point at x >= 0 under every texel of a skin's texture.

    Args:
        sheet: a skin from `skin`; only vertices whose attribute "sheet" is 1 are used.
        size: texels a side.
    """
    use = (sheet.attributes["sheet"] > 0) & (sheet.vertices[:, 0] >= 0)
    if sheet.uvs is None:
        raise ValueError("the piece has no texture coordinates")
    uv, at = sheet.uvs[use], sheet.vertices[use]
    texel = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(texel, texel)
    where = np.column_stack([u.ravel(), v.ravel()])
    out = LinearNDInterpolator(uv, at)(where)
    empty = np.isnan(out[:, 0])
    out[empty] = NearestNDInterpolator(uv, at)(where[empty])
    return np.asarray(out.reshape(size, size, 3))


def iris(
    size: int,
    white: str,
    outer: str,
    inner: str,
    ring: str,
    *,
    iris_radius: float,
    pupil: tuple[float, float],
    highlight: float,
) -> Picture:
    """An eye's texture, the pupil in the middle, radius 0.5 at the eye's equator and behind.

    Args:
        size: texels a side.
        white: colour of the sclera.
        outer: colour of the iris at its upper rim.
        inner: colour of the iris low around the pupil.
        ring: dark line around the iris, and the pupil.
        iris_radius: share of the picture.
        pupil: half width and half height, share of the picture.
        highlight: radius of the larger reflection, share of the picture.
    """
    texel = (np.arange(size) + 0.5) / size - 0.5
    x, y = np.meshgrid(texel, texel)
    r, soft = np.hypot(x, y), 1.2 / size
    out = np.broadcast_to(colour(white), (size, size, 3))
    out = out * (1.0 - 0.16 * smoothstep(r, 0.12, 0.5))[..., None]
    shade = smoothstep(y, -iris_radius, iris_radius)
    body = mix(np.broadcast_to(colour(outer), out.shape), colour(inner), shade)
    streak = 0.5 + 0.5 * np.cos(np.arctan2(y, x) * 38.0)
    body = body * (1.0 + 0.05 * (streak - 0.5) * smoothstep(r, 0.03, 0.1))[..., None]
    body = mix(body, colour(ring), 0.85 * smoothstep(r, iris_radius * 0.80, iris_radius * 0.97))
    out = mix(out, body, smoothstep(r, iris_radius + soft, iris_radius - soft))
    hole = np.hypot(x / pupil[0], y / pupil[1])
    edge = soft / min(pupil)
    out = mix(out, colour(ring) * 0.45, smoothstep(hole, 1.0 + edge, 1.0 - edge))
    for dx, dy, size_, strength in ((-0.42, -0.48, 1.0, 1.0), (0.42, 0.50, 0.5, 0.75)):
        far = np.hypot(x - dx * iris_radius, y - dy * iris_radius)
        spot = highlight * size_
        out = mix(out, np.ones(3), strength * smoothstep(far, spot + soft, spot - soft))
    return picture(out)
