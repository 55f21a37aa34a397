"""Soft shade in hollows, from a picture's depth: mouths, eye sockets, under the chin."""

import cv2
import numpy as np
from numpy.typing import NDArray

COARSE = 128
"""Pixels a side at which the surroundings are averaged; they are smooth, so this is enough."""
REACH = 0.045
"""Standard deviation of the averaged surroundings, in picture heights."""
DEEP = 0.07
"""How far below its surroundings a point must lie for full shade, in picture heights."""
DARKEST = 0.62
"""Part of the light that full shade takes away."""


def shade_hollows(
    picture: NDArray[np.uint8], depth: NDArray[np.float32], *, focus: float, height: float
) -> NDArray[np.uint8]:
    """Darken what lies deeper than its surroundings.

    Args:
        picture: (H, W, 4) sRGB; alpha says how far a pixel may be shaded (unlit parts: 0).
        depth: (H, W) metres from the camera, 0 where nothing was drawn.
        focus: metres from the camera to the face.
        height: metres that the picture's height shows there.

    Returns:
        (H, W, 3) sRGB.

    Source:
        Luft et al., Image Enhancement by Unsharp Masking the Depth Buffer, SIGGRAPH 2006.
    """
    rows, columns = depth.shape
    # The empty background counts as lying far behind, so that silhouettes, where a round form
    # turns away, are no hollows.
    filled = np.where(depth > 0, np.minimum(depth, focus + height), focus + height / 2)
    scale = min(1.0, COARSE / max(rows, columns))
    small = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    around = cv2.resize(filled, small, interpolation=cv2.INTER_AREA)
    around = cv2.GaussianBlur(around, (0, 0), max(REACH * small[1], 0.5))
    around = cv2.resize(around, (columns, rows), interpolation=cv2.INTER_LINEAR)
    below = np.clip((filled - around) * (1.0 / (DEEP * height)), 0.0, 1.0)
    below[depth <= 0] = 0.0
    taken = below * below * (3.0 - 2.0 * below) * (picture[..., 3] * (DARKEST / 255.0))
    kept = (1.0 - taken).astype(np.float32)
    colour = np.ascontiguousarray(picture[..., :3])
    return np.asarray(cv2.multiply(colour, cv2.merge([kept] * 3), dtype=cv2.CV_8U), np.uint8)
