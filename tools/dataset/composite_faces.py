"""Faces put into a picture: cut out, turned, lit, hidden in part."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from .composite_backgrounds import limbs, skin
from .composite_portraits import Portrait, three_points

Picture = NDArray[np.uint8]
Numbers = NDArray[np.floating]
LEAST = 9.0
"""Longer side of a face's box, pixels, below which it is neither shown nor missed."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the faces of a picture are shown."""

    sizes: tuple[float, float] = (9.0, 440.0)
    """Longer sides of their boxes, pixels; even in the logarithm."""
    counts: tuple[float, ...] = (0.15, 0.40, 0.15, 0.10, 0.08, 0.06, 0.06)
    """Chances of none, one, two … faces."""
    tilt: tuple[float, float] = (0.0, 52.0)
    """Degrees by which they are turned to either side."""
    upright: float = 0.5
    """Share that is turned by less than 12 degrees whatever ``tilt`` says."""
    dark: float = 0.2
    """Share of pictures with little light."""
    hidden: float = 0.3
    """Share of faces with something before them."""
    worn: float = 0.6
    """Share of pictures with blur, noise, few pixels or strong compression."""
    outside: float = 0.35
    """Most of a face, in its sides, beyond the picture's border."""


def place_face(
    rng: np.random.Generator,
    picture: Picture,
    portrait: Portrait,
    recipe: Recipe,
    taken: FloatArray,
) -> FloatArray | None:
    """Put one face into the picture.

    Args:
        rng: decides everything.
        picture: (H, W, 3) RGB, changed.
        portrait: whose face.
        recipe: how.
        taken: (F, 4) boxes of the faces that are there.

    Returns:
        (11,) numbers as `freeavatar.foundation.finder_targets.FACE_NUMBERS`, or None where no
        room was found.
    """
    height, width = picture.shape[:2]
    for _ in range(8):
        size = float(np.exp(rng.uniform(*np.log(recipe.sizes))))
        matrix = _way(rng, portrait, size, recipe, width, height)
        landmarks = portrait.landmarks @ matrix[:, :2].T + matrix[:, 2]
        box = np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])
        # Hair and shoulders must not cover others either.
        wide = box + np.array([-0.35, -0.5, 0.35, 0.35]) * size
        if not _overlaps(wide, taken):
            break
    else:
        return None
    _paint(rng, picture, portrait, matrix)
    shown = 1.0
    if rng.random() < recipe.hidden:
        shown = _hide(rng, picture, landmarks, size)
    points = three_points(landmarks.astype(np.float32))
    if np.linalg.det(matrix[:, :2]) < 0:
        points = points[[1, 0, 2]]  # in a mirror the left eye is a right one
    numbers = np.concatenate([box, points.ravel(), [1.0]])
    low, high = np.maximum(box[:2], 0), np.minimum(box[2:], (width, height))
    inside = np.prod(np.maximum(high - low, 0)) / max(np.prod(box[2:] - box[:2]), 1e-6)
    if shown < 0.42 or inside < 0.5 or float((box[2:] - box[:2]).max()) < LEAST:
        numbers[-1] = 0.0
    return numbers.astype(np.float32)


def _way(
    rng: np.random.Generator,
    portrait: Portrait,
    size: float,
    recipe: Recipe,
    width: int,
    height: int,
) -> Numbers:
    """(2, 3) from the portrait's pixels to the picture's."""
    points = portrait.landmarks
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    low, high = recipe.tilt
    tilt = rng.uniform(0, 12) if rng.random() < recipe.upright else rng.uniform(low, high)
    angle = np.deg2rad(tilt * rng.choice((-1, 1)))
    cos, sin = np.cos(angle), np.sin(angle)
    # Narrower and skewed as a head turned a little away is.
    shape = np.array([[rng.uniform(0.72, 1.08), 0.0], [rng.normal(0, 0.06), 1.0]])
    if rng.random() < 0.5:
        shape[:, 0] *= -1
    turn = np.array([[cos, -sin], [sin, cos]]) @ shape
    turned = (points - middle) @ turn.T
    low_corner, high_corner = turned.min(axis=0), turned.max(axis=0)
    turn *= size / float((high_corner - low_corner).max())
    half = (high_corner - low_corner) / 2 * (size / float((high_corner - low_corner).max()))
    free = half * (1 - 2 * recipe.outside)
    span = np.maximum((width, height) - 2 * free, 1.0)
    where = np.array([width, height]) / 2 + rng.uniform(-0.5, 0.5, 2) * span
    where -= (low_corner + high_corner) / 2 * (half.max() * 2 / (high_corner - low_corner).max())
    return np.concatenate([turn, (where - turn @ middle)[:, None]], axis=1)


def _overlaps(box: Numbers, taken: FloatArray) -> bool:
    if not len(taken):
        return False
    low, high = np.maximum(taken[:, :2], box[:2]), np.minimum(taken[:, 2:], box[2:])
    return bool((np.maximum(high - low, 0).prod(axis=1) > 0).any())


def _paint(rng: np.random.Generator, picture: Picture, portrait: Portrait, matrix: Numbers) -> None:
    mask = _mask(rng, portrait)
    source, matrix, mask = _shrunk(portrait.picture, matrix, mask)
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * source.shape[1::-1]
    there = corners @ matrix[:, :2].T + matrix[:, 2]
    left, top = np.clip(there.min(axis=0) - 1, 0, (width, height)).astype(int)
    right, bottom = np.clip(there.max(axis=0) + 2, 0, (width, height)).astype(int)
    if right <= left or bottom <= top:
        return
    # OpenCV counts from the middle of the first pixel.
    half = matrix[:, :2] @ (0.5, 0.5) + matrix[:, 2] - 0.5 - (left, top)
    warp = np.concatenate([matrix[:, :2], half[:, None]], axis=1)
    size = (int(right - left), int(bottom - top))
    border = cv2.BORDER_REFLECT
    cut = cv2.warpAffine(source, warp, size, flags=cv2.INTER_LINEAR, borderMode=border)
    cover = cv2.warpAffine(mask, warp, size, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    face = relight(rng, np.asarray(cut, np.uint8), cover)
    part = picture[top:bottom, left:right]
    part[:] = (part + (face - part) * cover[..., None]).astype(np.uint8)


def _mask(rng: np.random.Generator, portrait: Portrait) -> Picture:
    """(H, W) of the portrait: what of it is shown, by one of the ways of cutting it out."""
    height, width = portrait.picture.shape[:2]
    kind = rng.random()
    if portrait.silhouette is not None and kind < 0.45:
        return portrait.silhouette
    if kind < 0.6 or (portrait.closely_cut and kind < 0.8):
        mask = np.full((height, width), 255, np.uint8)
        if rng.random() < 0.6:
            edge = max(int(min(height, width) * rng.uniform(0.02, 0.1)), 1)
            mask[:edge] = mask[-edge:] = 0
            mask[:, :edge] = mask[:, -edge:] = 0
            return np.asarray(cv2.blur(mask, (2 * edge + 1, 2 * edge + 1)), np.uint8)
        return mask
    mask = np.zeros((height, width), np.uint8)
    points = portrait.landmarks
    low, high = points.min(axis=0), points.max(axis=0)
    middle, side = (low + high) / 2, high - low
    if kind < 0.78:
        hull = cv2.convexHull(points.astype(np.float32))[:, 0]
        hull = (hull - middle) * rng.uniform(1.0, 1.15) + middle
        cv2.fillPoly(mask, [hull.astype(np.int32)], 255)
    else:
        # With hair: more above than below.
        grow = rng.uniform(0.65, 0.95)
        head = (middle - (0, side[1] * 0.18)).astype(int).tolist()
        axes = (side * (grow * 0.95, grow * 1.1)).astype(int).tolist()
        cv2.ellipse(mask, head, axes, 0, 0, 360, 255, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), float(side.max()) * rng.uniform(0.01, 0.05)))


def _shrunk(source: Picture, matrix: Numbers, mask: Picture) -> tuple[Picture, Numbers, Picture]:
    """Source and mask at no more than twice the resolution that is wanted."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale > 0.6:
        return source, matrix, mask
    size = [max(round(n * scale * 1.3), 2) for n in source.shape[1::-1]]
    grow = np.array(source.shape[1::-1]) / size
    area = cv2.INTER_AREA
    small = np.asarray(cv2.resize(source, size, interpolation=area), np.uint8)
    small_mask = np.asarray(cv2.resize(mask, size, interpolation=area), np.uint8)
    return small, np.concatenate([matrix[:, :2] * grow, matrix[:, 2:]], axis=1), small_mask


def relight(rng: np.random.Generator, face: Picture, cover: Numbers) -> Numbers:
    """The face under another light: level, tint, light from one side, contrast."""
    lit: Numbers = face.astype(np.float32)
    if rng.random() < 0.3:
        lit[:] = lit.mean(axis=2, keepdims=True)
    lit *= rng.uniform(0.5, 1.35) * rng.normal(1, 0.06, 3).astype(np.float32)
    if rng.random() < 0.4:
        height, width = cover.shape
        way = rng.normal(0, 0.5, 2)
        across = (
            np.linspace(-1, 1, width)[None] * way[0] + np.linspace(-1, 1, height)[:, None] * way[1]
        )
        lit *= np.clip(1 + across, 0.12, 2.2)[..., None].astype(np.float32)
    if rng.random() < 0.3:
        lit = 255 * np.clip(lit / 255, 0, 1) ** np.float32(rng.uniform(0.6, 1.8))
    return np.clip(lit, 0, 255)


def _hide(rng: np.random.Generator, picture: Picture, landmarks: Numbers, size: float) -> float:
    """Put a hand, a mask, a bar, hair, glasses before the face; returns the share still shown."""
    height, width = picture.shape[:2]
    before = picture.copy()
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    colour = skin(rng) if rng.random() < 0.5 else rng.uniform(0, 255, 3)
    tone = tuple(int(v) for v in colour)
    kind = rng.integers(5)
    eyes, mouth = three_points(landmarks.astype(np.float32))[:2], landmarks.mean(axis=0)
    if kind == 0:
        limbs(rng, picture, tuple(rng.uniform(low, high)), size * rng.uniform(0.3, 0.8))
    elif kind == 1:
        # Over mouth and chin, as a mask or a scarf.
        axis = np.array([-(eyes[1] - eyes[0])[1], (eyes[1] - eyes[0])[0]])
        axis = axis / max(float(np.linalg.norm(axis)), 1e-6) * np.sign(axis[1] or 1)
        lower = landmarks[(landmarks - mouth) @ axis > size * rng.uniform(-0.02, 0.15)]
        if len(lower) > 3:
            hull = cv2.convexHull(lower.astype(np.float32))[:, 0]
            hull = (hull - hull.mean(axis=0)) * 1.08 + hull.mean(axis=0)
            cv2.fillPoly(picture, [hull.astype(np.int32)], tone, cv2.LINE_AA)
    elif kind == 2:
        start, way = rng.uniform(low, high), rng.normal(0, 1, 2)
        way *= 1.5 * size / max(float(np.linalg.norm(way)), 1e-6)
        ends = [_pixel(start + s * way) for s in (-1, 1)]
        cv2.line(
            picture,
            ends[0],
            ends[1],
            tone,
            max(int(size * rng.uniform(0.04, 0.25)), 1),
            cv2.LINE_AA,
        )
    elif kind == 3:
        side = rng.uniform(0.2, 0.6, 2) * size
        corner = rng.uniform(low - side / 2, high - side / 2)
        ends = [_pixel(p) for p in (corner, corner + side)]
        cv2.rectangle(picture, ends[0], ends[1], tone, -1)
    else:
        for eye in eyes:
            radius = max(int(size * rng.uniform(0.1, 0.17)), 1)
            place = _pixel(eye)
            thick = -1 if rng.random() < 0.5 else max(int(size * 0.02), 1)
            cv2.circle(picture, place, radius, tuple(int(v * 0.3) for v in colour), thick)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(landmarks.astype(np.int32)), 1)
    changed = (picture != before).any(axis=2) & (inside > 0)
    return 1.0 - float(changed.sum()) / max(int(inside.sum()), 1)


def _pixel(point: Numbers) -> tuple[int, int]:
    return int(point[0]), int(point[1])
