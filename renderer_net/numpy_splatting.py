"""The maps of `splatting` without torch, for one frame at a time."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs import light as studio
from freeavatar.rigs.rendering import BACKGROUND
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import FloatArray

from .appearance import Appearance
from .dots import BEHIND, FULL, GLANCING, LEVELS
from .painting import to_linear, to_srgb

STUDIO: FloatArray = np.array([0, 0, 1, 1, 1, 1, 1, 1], np.float32)
"""The light of the reference pictures, as `freeavatar.rigs.light.Light.vector`."""


class PointPictures:
    """Draws one rig's points.

    Args:
        appearance: of the rig.
    """

    def __init__(self, appearance: Appearance) -> None:
        self._look = appearance
        self._moves = np.flatnonzero(np.abs(appearance.displacements).max(axis=(1, 2)) > 0)
        self._moved = appearance.displacements[self._moves].reshape(len(self._moves), -1)
        studio = diffuse(appearance.normals, STUDIO)
        self._albedo = to_linear(appearance.colours) / studio
        self._focal = 0.5 / float(np.tan(appearance.field_of_view / 2))

    def maps(
        self,
        weights: FloatArray,
        head: FloatArray,
        eyes: FloatArray,
        light: FloatArray,
        size: int,
        lens: float | None = None,
    ) -> FloatArray:
        """One frame.

        Args:
            weights: (K,) unit weights.
            head: (3,) yaw, pitch, roll, radians.
            eyes: (2, 3) the same of the left and the right eye.
            light: (8,).
            size: pixels a side.
            lens: field of view, radians, see `splatting.Points.maps`.

        Returns:
            (`dots.MAPS`, size, size).

        Raises:
            ValueError: the weights are not this rig's.
        """
        look = self._look
        if weights.shape != (len(look.displacements),):
            raise ValueError(
                f"the rig has {len(look.displacements)} controls, not weights {weights.shape}"
            )
        at = look.points + (weights[self._moves] @ self._moved).reshape(look.points.shape)
        normals = look.normals
        for row, angles in enumerate((eyes[0], eyes[1], head)):
            if np.any(angles):
                at, normals = self._turned(row, angles, at, normals)
        colours = to_srgb(self._albedo * diffuse(normals, light))
        focal = self._focal if lens is None else 0.5 / float(np.tan(lens / 2))
        nearer = (focal - self._focal) * look.height
        seen = look.eye + np.array((0.0, 0.0, nearer), np.float32) - at
        length = np.sqrt(np.einsum("nc,nc->n", seen, seen))
        facing = np.einsum("nc,nc->n", seen, normals) / np.maximum(length, 1e-9)
        fade = np.clip((facing + GLANCING) / (2 * GLANCING), 0.0, 1.0)
        depth = np.maximum(seen[:, 2], 1e-3)
        pixels = seen[:, :2] * [-1.0, 1.0] * (focal / depth)[:, None]
        pixels = (pixels + 0.5) * size - 0.5
        away = (depth - focal * look.height) / look.height
        values = np.concatenate([colours, normals, -away[:, None]], axis=1)
        return _filled(_splatted(pixels, away, fade, values, size))

    def _turned(
        self, row: int, angles: FloatArray, at: FloatArray, normals: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        share = self._look.joints[row]
        which = np.flatnonzero(share > 0)
        turn = matrix_from_angles(angles).T.astype(np.float32)
        share = share[which, None]
        local = at[which] - self._look.pivots[row]
        at, normals = at.copy(), normals.copy()
        at[which] += share * (local @ turn - local)
        turned = normals[which] + share * (normals[which] @ turn - normals[which])
        normals[which] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
        return at, normals


def _splatted(
    pixels: NDArray[Any], depth: NDArray[Any], fade: NDArray[Any], values: NDArray[Any], size: int
) -> FloatArray:
    """(8, S, S) weighted sums of the values (N, 7) in every pixel, and of the weights."""
    low = np.floor(pixels)
    part, corner = pixels - low, low.astype(np.int64)
    cells, shares, sources = [], [], []
    for x in (0, 1):
        for y in (0, 1):
            at = corner + np.array((x, y))
            share = (part[:, 0] if x else 1 - part[:, 0]) * (part[:, 1] if y else 1 - part[:, 1])
            share = share * fade
            keep = np.flatnonzero(np.all((at >= 0) & (at < size), axis=1) & (share > 0))
            cells.append(at[keep, 1] * size + at[keep, 0])
            shares.append(share[keep])
            sources.append(keep)
    cell, share, source = (np.concatenate(p) for p in (cells, shares, sources))
    own = depth[source]
    nearest = np.full(size * size, np.inf, own.dtype)
    counted = share > 0.1
    np.minimum.at(nearest, cell[counted], own[counted])
    front = np.where(np.isfinite(nearest[cell]), nearest[cell], own)
    weight = share * np.exp(-np.maximum((own - front) / BEHIND, 0.0))
    sums = np.empty((8, size * size), np.float32)
    for channel in range(7):
        sums[channel] = np.bincount(cell, weight * values[source, channel], minlength=size * size)
    sums[7] = np.bincount(cell, weight, minlength=size * size)
    return sums.reshape(8, size, size)


def _filled(sums: FloatArray) -> FloatArray:
    """(8, S, S) sums to the maps."""
    size = sums.shape[-1]
    grid = np.ascontiguousarray(sums.transpose(1, 2, 0))
    values: Any = None
    coverage: Any = None
    for level in reversed(range(LEVELS + 1)):
        pooled: Any = grid
        if level:
            small = (size >> level, size >> level)
            pooled = cv2.resize(grid, small, interpolation=cv2.INTER_AREA)
        mean: Any = pooled[..., :7] / np.maximum(pooled[..., 7:], 1e-4)
        covered: Any = np.minimum(pooled[..., 7:] / FULL, 1.0)
        if level:
            mean = cv2.resize(mean, (size, size), interpolation=cv2.INTER_LINEAR)
            covered = cv2.resize(covered, (size, size), interpolation=cv2.INTER_LINEAR)[..., None]
        if values is None:
            values, coverage = mean, covered * (covered > 0.5)
        else:
            values = values + covered * (mean - values)
            coverage = np.maximum(coverage * (coverage > 0.5), covered)
    own = np.minimum(grid[..., 7:] / FULL, 1.0)
    backdrop = np.array(BACKGROUND, np.float32)
    colours = backdrop + coverage * (values[..., :3] - backdrop)
    maps = np.concatenate([colours, coverage * values[..., 3:], coverage, coverage - own], axis=2)
    return np.ascontiguousarray(maps.transpose(2, 0, 1), np.float32)


def diffuse(normals: FloatArray, light: FloatArray) -> FloatArray:
    """(N, 3) light that reaches points with these normals (N, 3), linear, under a light (8,)."""
    turn = matrix_from_angles(np.array([light[0], light[1], 0.0]))
    up = (0.5 + 0.5 * normals[:, 1:2]).astype(np.float32)
    low, high = np.array(studio.AMBIENT_DOWN, np.float32), np.array(studio.AMBIENT_UP, np.float32)
    out = light[3] * (low + up * (high - low))
    for place, colour, wrap, tint in (
        (studio.KEY, studio.KEY_COLOUR, studio.KEY_WRAP, light[4:7]),
        (studio.FILL, studio.FILL_COLOUR, studio.FILL_WRAP, np.ones(3, np.float32)),
    ):
        toward = (turn @ place).astype(np.float32)
        reach = np.maximum((normals @ toward + wrap) / (1.0 + wrap), 0.0)[:, None]
        soft = reach * reach * (1.0 - 0.5 * wrap) + reach * 0.5 * wrap
        out = out + light[2] * tint * np.array(colour, np.float32) * soft
    lit: FloatArray = np.maximum(out, 0.02).astype(np.float32)
    return lit
