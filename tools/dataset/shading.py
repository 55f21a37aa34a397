"""Light on every pixel of a rasterised mesh: sky light, a key light with its shadow, highlights,
and eyes whose iris is painted from the direction within the ball."""

import numba
import numpy as np

SHADOW_BIAS = np.float32(0.004)
"""Metres off the surface from which its own shadow is looked for."""


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _texel(texture, table, u, v, out):  # type: ignore[no-untyped-def]
    """Linear light of a texture, between its four nearest texels."""
    high, wide = texture.shape[0], texture.shape[1]
    x = min(max(u * wide - np.float32(0.5), np.float32(0)), np.float32(wide - 1.001))
    y = min(max(v * high - np.float32(0.5), np.float32(0)), np.float32(high - 1.001))
    xi, yi = int(x), int(y)
    fx, fy = x - xi, y - yi
    for k in range(3):
        top = table[texture[yi, xi, k]] * (1 - fx) + table[texture[yi, xi + 1, k]] * fx
        low = table[texture[yi + 1, xi, k]] * (1 - fx) + table[texture[yi + 1, xi + 1, k]] * fx
        out[k] = top * (1 - fy) + low * fy


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _eye(x, y, z, colour, white, radius, pupil, out):  # type: ignore[no-untyped-def]
    """Colour of an eyeball in a direction from its middle; +z is where it looks."""
    length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-9)
    angle = np.arccos(min(max(z / length, np.float32(-1)), np.float32(1)))
    share = angle / radius
    soft = np.float32(0.09)
    outside = min(max((share - 1) / soft + np.float32(0.5), np.float32(0)), np.float32(1))
    hole = min(max((share - pupil) / soft + np.float32(0.5), np.float32(0)), np.float32(1))
    turn = np.arctan2(y, x)
    rays = np.float32(0.9) + np.float32(0.1) * np.sin(turn * 17 + 3 * np.sin(turn * 5))
    ring = np.float32(1) - np.float32(0.55) * share * share * share
    red = min(max((angle - np.float32(0.7)) * np.float32(0.5), np.float32(0)), np.float32(0.4))
    for k in range(3):
        inner = colour[k] * rays * ring * hole + np.float32(0.004) * (1 - hole)
        outer = white[k] * (1 - red * (np.float32(0.35) if k == 0 else np.float32(1)))
        out[k] = inner * (1 - outside) + outer * outside


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _lit(shadow, frame, x, y, z):  # type: ignore[no-untyped-def]
    """Share of the key light that arrives, averaged over 2 × 2 places of the shadow picture."""
    size = shadow.shape[0]
    sx = (frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z) * frame[3, 0] + frame[3, 1]
    sy = (frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z) * frame[3, 0] + frame[3, 1]
    height = frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z + SHADOW_BIAS
    xi, yi = int(np.floor(sx)), int(np.floor(sy))
    if xi < 0 or yi < 0 or xi >= size - 1 or yi >= size - 1:
        return np.float32(1)
    fx, fy = np.float32(sx - xi), np.float32(sy - yi)
    lit = np.float32(0)
    if shadow[yi, xi] < height:
        lit += (1 - fx) * (1 - fy)
    if shadow[yi, xi + 1] < height:
        lit += fx * (1 - fy)
    if shadow[yi + 1, xi] < height:
        lit += (1 - fx) * fy
    if shadow[yi + 1, xi + 1] < height:
        lit += fx * fy
    return lit


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def shade(  # type: ignore[no-untyped-def]
    owner, weights, triangles, kinds, vertices, inverse, normals, coordinates, colours, texture,
    table, harmonics, environment, towards, key, gloss, shadow, frame, iris, white, radius, pupil,
    linear, kind_of,
):  # fmt: skip
    """Fill ``linear`` (S, S, 3) and ``kind_of`` (S, S); arguments as in `drawing.draw`."""
    size = owner.shape[0]
    albedo = np.zeros(3, np.float32)
    one, zero = np.float32(1), np.float32(0)
    for py in range(size):
        for px in range(size):
            t = owner[py, px]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            kind = kinds[t] & 15
            wb, wc = weights[py, px, 0] * inverse[b], weights[py, px, 1] * inverse[c]
            wa = (1 - weights[py, px, 0] - weights[py, px, 1]) * inverse[a]
            total = wa + wb + wc
            wa, wb, wc = wa / total, wb / total, wc / total
            nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
            ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
            nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
            length = np.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-9)
            nx, ny, nz = nx / length, ny / length, nz / length
            if kinds[t] & 16 and nz < 0:
                nx, ny, nz = -nx, -ny, -nz
            x = wa * vertices[a, 0] + wb * vertices[b, 0] + wc * vertices[c, 0]
            y = wa * vertices[a, 1] + wb * vertices[b, 1] + wc * vertices[c, 1]
            z = wa * vertices[a, 2] + wb * vertices[b, 2] + wc * vertices[c, 2]
            u = wa * coordinates[a, 0] + wb * coordinates[b, 0] + wc * coordinates[c, 0]
            v = wa * coordinates[a, 1] + wb * coordinates[b, 1] + wc * coordinates[c, 1]
            w = wa * coordinates[a, 2] + wb * coordinates[b, 2] + wc * coordinates[c, 2]
            if kinds[t] & 32:
                u, v = coordinates[a, 0], coordinates[a, 1]
            if kind == 2:
                _eye(u, v, w, iris, white, radius, pupil, albedo)
            elif w > 0:
                _texel(texture, table, u, v, albedo)
            else:
                albedo[0] = albedo[1] = albedo[2] = one
            facing = nx * towards[0] + ny * towards[1] + nz * towards[2]
            lit = zero
            if facing > np.float32(-0.3):
                off = SHADOW_BIAS
                lit = _lit(shadow, frame, x + off * nx, y + off * ny, z + off * nz)
            # Highlights: half way between the key light and the viewer, who is at +z.
            hx, hy, hz = towards[0], towards[1], towards[2] + 1
            half = max((nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz), zero)
            grazing = (1 - max(nz, zero)) ** 4
            shine = zero
            if kind == 1:
                shine = gloss * half**14 * np.float32(0.16) + gloss * half**40 * np.float32(0.12)
            elif kind == 2:
                shine = half**400 * np.float32(3.0)
            elif kind == 3:
                shine = half**60 * np.float32(0.35)
            mirror = np.float32(0.045) if kind == 2 else zero
            ex, ey = 0, 0
            if kind == 2 or kind == 3:
                mirror += np.float32(0.25) * grazing * (1 if kind == 2 else np.float32(0.5))
                rx, ry, rz = 2 * nz * nx, 2 * nz * ny, 2 * nz * nz - 1
                ey = int(np.arccos(min(max(ry, -one), one)) / np.float32(np.pi) * 15.99)
                ex = int((np.arctan2(-rx, rz) / np.float32(2 * np.pi) + np.float32(0.5)) * 31.99)
            elif kind == 1:
                mirror = np.float32(0.04) * gloss * grazing
            for k in range(3):
                wrap = zero
                if kind == 1:
                    wrap = np.float32(0.22) if k == 0 else np.float32(0.08)
                direct = max((facing + wrap) / (1 + wrap), zero)
                sky = (
                    harmonics[0, k]
                    + harmonics[1, k] * ny + harmonics[2, k] * nz + harmonics[3, k] * nx
                    + harmonics[4, k] * nx * ny + harmonics[5, k] * ny * nz
                    + harmonics[6, k] * (3 * nz * nz - 1)
                    + harmonics[7, k] * nx * nz + harmonics[8, k] * (nx * nx - ny * ny)
                )  # fmt: skip
                sky = max(sky, np.float32(0.02) * harmonics[0, k])
                tint = wa * colours[a, k] + wb * colours[b, k] + wc * colours[c, k]
                value = albedo[k] * tint * (sky + key[k] * direct * lit)
                shine_here = shine * min(tint, one) if kind == 3 else shine
                value += key[k] * shine_here * lit * (one if facing > 0 else zero)
                if kind == 2:
                    value += mirror * environment[ey, ex, k]
                elif kind == 3:
                    # Teeth deep in the mouth, which are dark by their colour, mirror nothing.
                    value += mirror * environment[ey, ex, k] * tint
                else:
                    value += mirror * harmonics[0, k]
                linear[py, px, k] = value
            kind_of[py, px] = 1 + kind
