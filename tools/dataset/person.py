"""A portrait made ready to be puppeteered: texture, shape, outline and colours of one person."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from freeavatar.foundation.expression import FloatArray

from . import ict_points
from .backdrops import extended, person_share
from .glasses import Glasses
from .ict import HEAD
from .portraits import Portraits
from .puppet_rig import NECK, NECK_TOP, Posed, PuppetRig, project, rotation_matrix
from .puppet_shading import EyeLook
from .rasteriser import Visible, normals, outline
from .splits import portrait_identity

Picture = NDArray[np.uint8]

MOUTH = np.array([[95.0, 42, 40], [172, 92, 90], [185, 98, 96], [222, 212, 194]], np.float32)
"""(4, 3) usual colours of the mouth's inside, gums, tongue and teeth."""
UNIT = 10.5
"""Pixels per centimetre of a photo that serves stored crops: what they show, and a little more."""
FITTED_DISTANCE = 90.0
SOURCE_AMBIENT, SOURCE_LAMP = 0.62, 0.38
"""The light in which portraits are taken to have been made: even, and from the camera."""
SNAP = 2.5
"""Centimetres over which the texture's snapping to the landmarks fades."""
LOW_FACE, EAR = 2.0, 7.3
"""y below which skin goes on to the side of the head, and x beyond which ears stand out, cm."""
LASHES = 0.2
"""Centimetres above the margin of the upper lid over which a photo shows lashes."""
_BINS = 60
_SNAPPED = tuple(dict.fromkeys((*ict_points.SNAPPED, *ict_points.BROWS, *ict_points.OUTLINE)))


@dataclass(frozen=True, kw_only=True)
class Person:
    """What a puppet needs to know of a person."""

    name: str
    """Identity."""
    photo: Picture
    """(H, W, 3) RGB, scaled to `unit`: the texture of the head, continued over a plain backdrop."""
    surround: Picture
    """(H, W, 3) RGB, what is around the head."""
    share: FloatArray | None
    """(H, W) how much of a pixel is the person, where the backdrop is plain."""
    unit: float
    """Pixels of the photo per centimetre at the middle of the head."""
    shift: FloatArray
    """(2,) pixel of the photo at the middle of the head."""
    rotation: FloatArray
    """(3, 3) of the head in the photo."""
    neutral: FloatArray
    """(V, 3) centimetres."""
    blendshapes: FloatArray
    """(52,) what the face in the photo shows."""
    places: FloatArray
    """(V, 2) pixel of the photo that each vertex of skin and head shows."""
    points: FloatArray
    """(V, 2) pixel of the photo where each vertex is, seen or not."""
    nearness: FloatArray
    """(V,) toward the camera in the photo, centimetres."""
    shading: FloatArray
    """(V,) how light each vertex is in the photo, about 1."""
    inside: tuple[float, float]
    """Pixel of the photo inside the head."""
    reach: FloatArray
    """(RAYS,) from there to the outline of the head."""
    skin: FloatArray
    """(3,) colour of the cheeks, 0..255."""
    brightness: float
    """Of painted parts beside the photo, about 1."""
    eyes: EyeLook
    """As the photo suggests."""
    mouth: FloatArray
    """(4, 3) colours of the mouth's inside, gums, tongue and teeth, 0..255."""
    tint: FloatArray
    """(V, 3) factor on the photo's colours."""
    grey: bool
    """Whether the photo has no colours."""
    lashes: float = 0.3
    """Opacity of the lashes, 0..1."""
    wrinkles: float = 0.12
    """Depth of the folds that expressions make, 0..0.5."""
    glasses: Glasses | None = None


def prepare(
    rig: PuppetRig,
    portraits: Portraits,
    index: int,
    *,
    unit: float | None = UNIT,
    name: str | None = None,
) -> Person:
    """Make a portrait ready.

    Args:
        rig: shared by all puppets.
        portraits: with fits.
        index: of the portrait.
        unit: pixels per centimetre to which the photo is scaled; None leaves it.
        name: identity; what folder and file name say where it is None.
    """
    photo = portraits.picture(index)
    grow = 1.0 if unit is None else unit / float(portraits.scale[index])
    photo = _scaled(photo, grow)
    scale, shift = float(portraits.scale[index]) * grow, portraits.shift[index] * grow
    landmarks = portraits.landmarks[index] * np.float32(grow)
    neutral = rig.ict.person(portraits.modes[index])
    rotation = rotation_matrix(portraits.rotation[index])
    posed = rig.pose(neutral, portraits.blendshapes[index], rotation, rotation)
    points = project(posed.vertices, FITTED_DISTANCE) * np.float32(scale) + shift
    inside = project(posed.inside, FITTED_DISTANCE) * np.float32(scale) + shift
    expected = project(_expected(rig, posed), FITTED_DISTANCE) * np.float32(scale) + shift
    points = _snapped(points, expected, landmarks, scale)
    head, margin = silhouette(rig, points, posed.vertices[:, 2], photo.shape)
    centre = float(inside[0] + margin[0]), float(inside[1] + margin[1])
    reach = outline(head.triangle >= 0, centre, 2.0 * head.size)
    left, top = margin.astype(int)
    covered = head.triangle[top : top + photo.shape[0], left : left + photo.shape[1]] >= 0
    share = person_share(photo, _eroded(covered, scale), int(landmarks[152, 1]))
    red, green, blue = cv2.split(photo.astype(np.float32))
    grey = bool(max((red - green).std(), (green - blue).std()) < 6)
    facing = normals(posed.vertices, rig.lit)
    skin = _skin(photo, landmarks)
    return Person(
        name=name or portrait_identity(portraits.folder.name, Path(portraits.name[index]).stem),
        photo=photo if share is None else extended(photo, share),
        surround=photo,
        share=share,
        unit=scale,
        shift=shift,
        rotation=rotation,
        neutral=neutral,
        blendshapes=portraits.blendshapes[index],
        places=_unfolded(rig, points, facing, inside, scale),
        points=points,
        nearness=posed.vertices[:, 2].copy(),
        shading=(SOURCE_AMBIENT + SOURCE_LAMP * np.maximum(facing[:, 2], 0)).astype(np.float32),
        inside=(float(inside[0]), float(inside[1])),
        reach=reach,
        skin=skin,
        brightness=float(np.clip(0.6 + 0.55 * skin.mean() / 255, 0.45, 1.1)),
        eyes=_eyes(photo, landmarks, skin),
        mouth=np.repeat(MOUTH.mean(axis=1, keepdims=True), 3, axis=1) if grey else MOUTH,
        tint=np.ones((len(neutral), 3), np.float32),
        grey=grey,
    )


def _scaled(photo: NDArray[np.uint8], grow: float) -> NDArray[np.uint8]:
    how = cv2.INTER_AREA if grow < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(photo, None, fx=grow, fy=grow, interpolation=how))


def _expected(rig: PuppetRig, posed: Posed) -> FloatArray:
    """(S, 3) where the snapped landmarks are on the posed face.

    Lids and lips have edges, and those of the mesh belong on those of the picture. Elsewhere
    landmarks lie off their vertices by what was learned.
    """
    chosen = list(_SNAPPED)
    vertices = posed.vertices[[ict_points.VERTICES[n] for n in chosen]]
    edges = {*ict_points.LIPS, *ict_points.RIGHT_EYE, *ict_points.LEFT_EYE}
    loose = np.array([[n not in edges] for n in chosen], np.float32)
    return vertices + loose * (rig.offsets[chosen] @ posed.head.T)


def _snapped(
    points: FloatArray, expected: FloatArray, landmarks: FloatArray, scale: float
) -> FloatArray:
    """(V, 2) points moved so that outline, brows, nose, lids and lips lie where they were seen."""
    at = expected.astype(np.float64) / scale
    missed = landmarks[list(_SNAPPED)] / scale - at
    spline = RBFInterpolator(at, missed, kernel="thin_plate_spline", smoothing=0.3)
    low, high = at.min(axis=0) - 2 * SNAP, at.max(axis=0) + 2 * SNAP
    flat = points / np.float32(scale)
    near = np.flatnonzero(((flat > low) & (flat < high)).all(axis=1))
    near = near[near < 11248]
    query = flat[near].astype(np.float64)
    away = cKDTree(at).query(query)[0]
    out = points.copy()
    out[near] += (spline(query) * np.exp(-((away / SNAP) ** 2))[:, None] * scale).astype(np.float32)
    return out


def silhouette(
    rig: PuppetRig, points: FloatArray, nearness: FloatArray, shape: tuple[int, ...]
) -> tuple[Visible, FloatArray]:
    """What is seen in the photo and well beyond its borders.

    Returns:
        A square picture, and (2,) whole pixels by which the photo lies in it.
    """
    side = int(1.6 * max(shape))
    margin = np.floor(np.array([side - shape[1], side - shape[0]]) / 2).astype(np.float32)
    visible = Visible(side)
    visible.draw(points + margin, np.ascontiguousarray(nearness), rig.triangles)
    return visible, margin


def _eroded(covered: NDArray[np.bool_], scale: float) -> NDArray[np.bool_]:
    """Surely the head: its fitted outline is a few millimetres off."""
    width = max(1, round(0.7 * scale))
    return cv2.erode(covered.astype(np.uint8), np.ones((width, width), np.uint8)) > 0


def _unfolded(
    rig: PuppetRig, points: FloatArray, facing: FloatArray, inside: FloatArray, scale: float
) -> FloatArray:
    """(V, 2) places in the photo, those that it does not show folded back from where it does.

    What faces away in the photo takes its texture from just inside the edge of what faces the
    camera: skin below the eyes, where a collar or the background begins at once, hair above.
    """
    rest, side = rig.ict.neutral, np.abs(rig.ict.neutral[:, 0])
    low_face, neck = rest[:, 1] < LOW_FACE, (rest[:, 1] < NECK[1]) & (rest[:, 2] < 7.0)
    ear = (side > EAR) & (rest[:, 1] < 5.0) & ~neck
    turned = np.where(low_face, 0.5, 0.12) - facing[:, 2]
    flat = points - inside
    # Around the head by angle, down the neck by height.
    across = np.where(neck, np.abs(flat[:, 0]), np.linalg.norm(flat, axis=1))
    angle = np.arctan2(flat[:, 1], flat[:, 0]) / (2 * np.pi) % 1.0 * _BINS
    height = np.clip((NECK_TOP - rest[:, 1]) / 7.0, 0.0, 0.99) * _BINS
    height += np.where(flat[:, 0] > 0, _BINS, 0)
    known = (rig.ict.part <= HEAD) & (turned < 0) & ~ear & ~neck
    column = (rig.ict.part <= HEAD) & neck & (rest[:, 1] < NECK_TOP - 0.5)
    head_limit = _limits(angle[known], across[known], _BINS)
    neck_limit = 0.85 * _limits(height[column], across[column], 2 * _BINS)
    limit = np.where(neck, neck_limit[height.astype(int)], head_limit[angle.astype(int) % _BINS])
    behind = np.clip(1.0 - rest[:, 2] / 8.0, 0.0, 1.0)
    wanted = np.minimum(across, limit * (0.97 - 0.12 * behind))
    hidden = np.clip(turned / 0.2, 0.0, 1.0)
    hidden *= np.where(neck, np.clip((rest[:, 1] + 13.0) / 2.0, 0.0, 1.0) * (side > 3.0), 1.0)
    hidden *= np.where(ear, facing[:, 2] < 0.35, 1.0) * (rig.ict.part <= HEAD)
    shrink = hidden * (wanted / np.maximum(across, 1e-6) - 1.0)
    return _above_lashes(rig, points, scale) + rig.smoothed(
        flat * np.stack([shrink, np.where(neck, 0, shrink)], axis=1)
    )


def _above_lashes(rig: PuppetRig, points: FloatArray, scale: float) -> FloatArray:
    """(V, 2) the upper lids take their skin from above the photo's lashes.

    Else a lid that closes would stretch them over the eye; lashes are drawn anew.
    """
    out = points.copy()
    out[:, 1] -= rig.lids * np.float32(LASHES * scale)
    return out


def _limits(place: FloatArray, across: FloatArray, bins: int) -> FloatArray:
    """(bins,) the farthest in each bin; empty ones take their neighbours'."""
    out = np.zeros(bins, np.float32)
    np.maximum.at(out, np.clip(place.astype(int), 0, bins - 1), across)
    filled = np.flatnonzero(out)
    out = np.interp(np.arange(bins), filled, out[filled]).astype(np.float32)
    smooth = np.convolve(np.pad(out, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    return smooth.astype(np.float32)


def _skin(photo: NDArray[np.uint8], landmarks: FloatArray) -> FloatArray:
    """(3,) median colour of the cheeks, the nose and between the brows."""
    height, width = photo.shape[:2]
    at = landmarks[[50, 280, 205, 425, 117, 346, 4, 5, 195, 9, 151]].astype(int)
    at = np.clip(at, 0, (width - 1, height - 1))
    return np.asarray(np.median(photo[at[:, 1], at[:, 0]], axis=0), np.float32)


def _eyes(photo: NDArray[np.uint8], landmarks: FloatArray, skin: FloatArray) -> EyeLook:
    """The iris's colour is a darker half of what lies around the pupils."""
    height, width = photo.shape[:2]
    seen = []
    for middle, ring in ((468, (469, 471)), (473, (474, 476))):
        for edge in ring:
            place = landmarks[middle] * 0.45 + landmarks[edge] * 0.55
            x, y = np.clip(place.astype(int), 0, (width - 1, height - 1))
            seen.append(photo[y, x])
    iris = np.clip(np.median(np.array(seen, np.float32), axis=0), 28, 150)
    light = np.clip(0.62 + 0.45 * skin.mean() / 255, 0.5, 1.0)
    return EyeLook(
        iris=iris.astype(np.float32),
        sclera=(np.array([226.0, 217, 212]) * light).astype(np.float32),
        flesh=(0.65 * skin + 0.35 * np.array([190.0, 100, 95])).astype(np.float32),
    )
