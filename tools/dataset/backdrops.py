"""Tells people from the plain backdrops that portraits are taken before."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from freeavatar.foundation.expression import FloatArray

Picture = NDArray[np.uint8]
NEAR, FAR = 6.0, 20.0
"""Colour distances (CIELAB) from the backdrop within which a pixel surely is and is not of it."""
LEAST_PLAIN = 0.8
"""Share of the picture's border that must be of one smooth colour."""
LEAST_OPEN = 0.5
"""Share of what is beside the head, down to the chin, that must be backdrop."""


def person_share(photo: Picture, head: NDArray[np.bool_], chin: int) -> FloatArray | None:
    """How much of each pixel is the person, where the backdrop is plain.

    Args:
        photo: (H, W, 3) RGB.
        head: (H, W) what is the person for certain.
        chin: row of the chin; above it, what has the backdrop's colour is taken for it even where
            hair surrounds it.

    Returns:
        (H, W) 0..1, or None for a photo with anything else behind.
    """
    smooth = cv2.GaussianBlur(photo, (0, 0), 0.8)
    colours = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB), np.float32)
    border = np.zeros(head.shape, bool)
    height, width = head.shape
    side = max(2, width // 40)
    border[:side] = border[: height // 2, :side] = border[: height // 2, -side:] = True
    border &= ~head
    if border.sum() < 50:
        return None
    away = _distance(colours, border)
    if (away[border] < NEAR).mean() < LEAST_PLAIN:
        return None
    parts, _ = ndimage.label((away < NEAR * 1.3) & ~head)
    outer = np.unique(parts[border])
    behind = np.isin(parts, outer[outer > 0])
    if behind[:chin].sum() < LEAST_OPEN * (~head[:chin]).sum():
        return None
    behind[:chin] |= parts[:chin] > 0
    # Hair is partly transparent: next to the backdrop the distance decides.
    edge = cv2.dilate(behind.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    share = np.where(edge & ~head, np.clip((away - NEAR) / (FAR - NEAR), 0, 1), 1.0)
    share[behind] = 0.0
    return np.asarray(cv2.GaussianBlur(share.astype(np.float32), (0, 0), 0.7), np.float32)


def _distance(colours: FloatArray, border: NDArray[np.bool_]) -> FloatArray:
    """(H, W) from a smooth surface through the colours of the border."""
    height, width = border.shape
    y, x = (np.mgrid[0:height, 0:width] / height).astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=2)
    weights = np.array([0.6, 1.0, 1.0], np.float32)
    known, seen = terms[border][::3], colours[border][::3] * weights
    used = np.ones(len(known), bool)
    for _ in range(3):
        surface = np.linalg.lstsq(known[used], seen[used], rcond=None)[0].astype(np.float32)
        inliers = ((seen - known @ surface) ** 2).sum(axis=1) < (2.0 * NEAR) ** 2
        if inliers.sum() < 20:
            break
        used = inliers
    lightness, red, yellow = cv2.split(colours * weights - terms @ surface)
    return np.asarray(np.sqrt(lightness**2 + red**2 + yellow**2), np.float32)


def extended(photo: Picture, share: FloatArray) -> Picture:
    """(H, W, 3) the photo with the person's colours continued over the backdrop."""
    solid = share > 0.97
    if solid.all() or not solid.any():
        return photo
    # Half the resolution does for what is out of sight but for a fringe.
    coarse, small = solid[::2, ::2], photo[::2, ::2]
    nearest = ndimage.distance_transform_edt(~coarse, return_distances=False, return_indices=True)
    height, width = solid.shape
    spread = cv2.resize(small[nearest[0], nearest[1]], (2 * coarse.shape[1], 2 * coarse.shape[0]))
    return np.where(solid[..., None], photo, spread[:height, :width])


def before(photo: Picture, share: FloatArray, backdrop: Picture) -> Picture:
    """(H, W, 3) the person before another backdrop of the same size."""
    weight = share[..., None]
    # At the edge the old backdrop shines through; the person's own colours go there.
    person = extended(photo, share).astype(np.float32)
    person = np.where(weight > 0.97, photo, person)
    return np.asarray(person * weight + backdrop * (1 - weight) + 0.5, np.uint8)
