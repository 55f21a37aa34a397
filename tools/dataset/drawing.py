"""Draws posed triangle meshes: a z-buffer, then light per pixel. No OpenGL, one core, milliseconds.

Camera space is y up and z toward the camera; pixels are x right, y down, the centre of the first
pixel is (0.5, 0.5).
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from .shading import shade

IntArray = NDArray[np.int32]

MATT, SKIN, EYE, GLOSSY = 0, 1, 2, 3
"""Kinds of surface. An eye's look comes from the direction in its ball, not from a texture."""
SHADOW_SIZE = 128
"""Side of the picture of what the key light reaches."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """What is drawn: one array of vertices, whatever it is made of."""

    vertices: FloatArray
    """(V, 3) camera space."""
    pixels: FloatArray
    """(V, 2)."""
    inverse_depth: FloatArray
    """(V,) one over the distance along the view."""
    triangles: IntArray
    """(T, 3), counter-clockwise from outside."""
    kinds: NDArray[np.uint8]
    """(T,) `MATT`, `SKIN`, `EYE` or `GLOSSY`; 16 is added where both sides are seen."""
    coordinates: FloatArray
    """(V, 3) texture u, v (v down) and 1, or -1 in place of 1 for no texture; on an eye the
    direction from the middle of its ball, forward is +z."""
    colours: FloatArray
    """(V, 3) linear RGB that multiplies the texture."""
    texture: NDArray[np.uint8]
    """(H, W, 3) sRGB."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """Light in camera space."""

    harmonics: FloatArray
    """(9, 3) irradiance over pi as spherical harmonics: 1, y, z, x, xy, yz, 3z²-1, xz, x²-y²."""
    environment: FloatArray
    """(16, 32, 3) radiance by latitude (up first) and longitude, mirrored by eyes."""
    direction: FloatArray
    """(3,) toward the key light."""
    colour: FloatArray
    """(3,) of the key light, linear."""
    gloss: float
    """Strength of the highlights on skin."""


@dataclass(frozen=True, kw_only=True)
class Iris:
    """The look of both eyes."""

    colour: FloatArray
    """(3,) linear."""
    white: FloatArray
    """(3,) linear."""
    radius: float
    """Of the iris, radians seen from the middle of the ball."""
    pupil: float
    """As a share of the iris."""


def _table() -> FloatArray:
    s = np.arange(256) / 255.0
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4).astype(np.float32)


LINEAR = _table()
"""(256,) linear light of each sRGB byte."""


def to_bytes(linear: FloatArray) -> NDArray[np.uint8]:
    """Linear light, 1 is white, to sRGB bytes."""
    clipped = np.clip(linear, 0.0, 1.0)
    srgb = np.where(clipped < 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.asarray(srgb * 255.0 + 0.5, np.uint8)


def draw(
    surface: Surface, light: Light, iris: Iris, size: int
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Draw a surface.

    Args:
        surface: posed and projected.
        light: where it comes from.
        iris: look of the eyes.
        size: side of the picture, pixels.

    Returns:
        (S, S, 3) linear light and (S, S) what is there: 0 nothing, 1 + kind elsewhere.
    """
    normals = vertex_normals(surface.vertices, surface.triangles)
    shadow, frame = _shadow(surface, light.direction)
    owner = np.full((size, size), -1, np.int32)
    weights = np.zeros((size, size, 2), np.float32)
    nearest = np.zeros((size, size), np.float32)
    _rasterise(
        surface.pixels,
        surface.inverse_depth,
        surface.triangles,
        surface.kinds,
        nearest,
        owner,
        weights,
    )
    linear = np.zeros((size, size, 3), np.float32)
    kind = np.zeros((size, size), np.uint8)
    shade(
        owner, weights, surface.triangles, surface.kinds, surface.vertices, surface.inverse_depth,
        normals, surface.coordinates, surface.colours, surface.texture, LINEAR,
        light.harmonics, light.environment, light.direction, light.colour,
        np.float32(light.gloss), shadow, frame, iris.colour, iris.white,
        np.float32(iris.radius), np.float32(iris.pupil), linear, kind,
    )  # fmt: skip
    return linear, kind


def _shadow(surface: Surface, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nearness to the key light over a square across its direction, and that square's frame."""
    forward = direction / np.linalg.norm(direction)
    side = np.cross([0.0, 1.0, 0.0], forward)
    side /= max(float(np.linalg.norm(side)), 1e-6)
    up = np.cross(forward, side)
    frame = np.zeros((4, 3), np.float32)
    frame[:3] = side, up, forward
    # 0.36 m across hold any head.
    frame[3] = SHADOW_SIZE / 0.36, SHADOW_SIZE / 2, 0.0
    local = surface.vertices @ frame[:3].T
    nearest = np.full((SHADOW_SIZE, SHADOW_SIZE), -10.0, np.float32)
    pixels = (local[:, :2] * frame[3, 0] + frame[3, 1]).astype(np.float32)
    _nearest_to_light(pixels, np.ascontiguousarray(local[:, 2]), surface.triangles, nearest)
    return nearest, frame


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _nearest_to_light(pixels, height, triangles, nearest):  # type: ignore[no-untyped-def]
    size = nearest.shape[0]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1]
        cx, cy = pixels[c, 0], pixels[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        # y is up here: lit triangles turn counter-clockwise.
        if area <= 1e-9:
            continue
        x0, x1 = max(0, int(min(ax, bx, cx))), min(size - 1, int(max(ax, bx, cx)) + 1)
        y0, y1 = max(0, int(min(ay, by, cy))), min(size - 1, int(max(ay, by, cy)) + 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                v = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
                w = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
                u = 1 - v - w
                if u < 0 or v < 0 or w < 0:
                    continue
                at = u * height[a] + v * height[b] + w * height[c]
                if at > nearest[y, x]:
                    nearest[y, x] = at


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def vertex_normals(vertices, triangles):  # type: ignore[no-untyped-def]
    """(V, 3) unit normals of vertices (V, 3) from their triangles (T, 3)."""
    out = np.zeros_like(vertices)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        vx = vertices[c, 0] - vertices[a, 0]
        vy = vertices[c, 1] - vertices[a, 1]
        vz = vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
    for k in range(out.shape[0]):
        length = np.sqrt(out[k, 0] ** 2 + out[k, 1] ** 2 + out[k, 2] ** 2) + np.float32(1e-12)
        for i in range(3):
            out[k, i] /= length
    return out


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _rasterise(pixels, inverse, triangles, kinds, nearest, owner, weights):  # type: ignore[no-untyped-def]
    size = owner.shape[0]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1]
        cx, cy = pixels[c, 0], pixels[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area > -1e-9 and not (kinds[t] & 16 and area > 1e-9):
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
        x1 = min(size - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0 = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
        y1 = min(size - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        for y in range(y0, y1 + 1):
            py = y + np.float32(0.5) - ay
            for x in range(x0, x1 + 1):
                px = x + np.float32(0.5) - ax
                v = (px * (cy - ay) - (cx - ax) * py) / area
                w = ((bx - ax) * py - px * (by - ay)) / area
                u = 1 - v - w
                if u < -1e-4 or v < -1e-4 or w < -1e-4:
                    continue
                at = u * inverse[a] + v * inverse[b] + w * inverse[c]
                if at > nearest[y, x]:
                    nearest[y, x] = at
                    owner[y, x] = t
                    weights[y, x, 0] = v
                    weights[y, x, 1] = w
