"""Lashes, drawn over a picture as soft dark bands. Compiled by numba."""

from typing import Any

import numba
import numpy as np

from freeavatar.foundation.expression import FloatArray

from .ict import IntArray
from .rasteriser import Visible

DEPTH = 0.3
"""Centimetres that a lash may lie behind what is seen."""


def draw_lashes(
    picture: FloatArray,
    points: FloatArray,
    nearness: FloatArray,
    opacity: FloatArray,
    triangles: IntArray,
    visible: Visible,
) -> None:
    """Darken the picture (S, S, 3) where lashes lie in front of what is seen.

    Args:
        picture: changed in place.
        points: (V, 2) pixels.
        nearness: (V,)
        opacity: (V,) 0..1.
        triangles: (T, 3) of the lashes, seen from either side.
        visible: what each pixel sees without them.
    """
    _lashes(picture, points, nearness, opacity, triangles, visible.nearness)


@numba.njit(cache=True, fastmath=True)
def _lashes(
    picture: Any, points: Any, nearness: Any, opacity: Any, triangles: Any, near: Any
) -> None:
    size = picture.shape[0]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, x1, y1 = points[a, 0], points[a, 1], points[b, 0], points[b, 1]
        x2, y2 = points[c, 0], points[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-6:
            continue
        for y in range(
            max(0, int(np.ceil(min(y0, y1, y2) - 0.5))),
            min(size - 1, int(np.floor(max(y0, y1, y2) - 0.5))) + 1,
        ):
            for x in range(
                max(0, int(np.ceil(min(x0, x1, x2) - 0.5))),
                min(size - 1, int(np.floor(max(x0, x1, x2) - 0.5))) + 1,
            ):
                px, py = x + 0.5, y + 0.5
                w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) / area
                w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) / area
                w0 = 1.0 - w1 - w2
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                depth = w0 * nearness[a] + w1 * nearness[b] + w2 * nearness[c]
                if depth < near[y, x] - DEPTH:
                    continue
                dark = w0 * opacity[a] + w1 * opacity[b] + w2 * opacity[c]
                for k in range(3):
                    picture[y, x, k] *= 1.0 - dark
