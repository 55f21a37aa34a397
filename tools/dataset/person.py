"""A portrait made ready to be puppeteered: texture, shape, outline and colours of one person."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from freeavatar.foundation.expression import FloatArray

from . import ict_points
from .ict import HEAD
from .portraits import Portraits
from .puppet_rig import NECK, NECK_TOP, PuppetRig, project, rotation_matrix
from .puppet_shading import EyeLook
from .rasteriser import Visible, normals, outline

UNIT = 10.5
"""Pixels per centimetre of a photo that serves stored crops: what they show, and a little more."""
FITTED_DISTANCE = 90.0
SOURCE_AMBIENT, SOURCE_LAMP = 0.62, 0.38
"""The light in which portraits are taken to have been made: even, and from the camera."""
SNAP = 2.5
"""Centimetres over which the texture's snapping to the landmarks fades."""
LOW_FACE, EAR = 2.0, 7.3
"""y below which skin goes on to the side of the head, and x beyond which ears stand out, cm."""
_BINS = 60
_SNAPPED = tuple(dict.fromkeys(ict_points.SNAPPED))


@dataclass(frozen=True, kw_only=True)
class Person:
    """What a puppet needs to know of a person."""

    name: str
    """Identity."""
    photo: NDArray[np.uint8]
    """(H, W, 3) RGB, scaled to `unit`."""
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
    seen: FloatArray
    """(V, 2) pixel of the photo where each vertex lies in it, seen there or hidden."""
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
    lashes: float = 0.3
    """Opacity of the lashes, 0..1."""


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
        name: identity; the file's folder and name where it is None.
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
    points = _snapped(points, landmarks, scale)
    reach = _reach(rig, points, posed.vertices, photo.shape, inside)
    facing = normals(posed.vertices, rig.lit)
    skin = _skin(photo, landmarks)
    return Person(
        name=name or f"{portraits.folder.name}/{portraits.name[index].rsplit('.', 1)[0]}",
        photo=photo,
        unit=scale,
        shift=shift,
        rotation=rotation,
        neutral=neutral,
        blendshapes=portraits.blendshapes[index],
        places=_unfolded(rig, points, facing, inside),
        seen=points,
        shading=(SOURCE_AMBIENT + SOURCE_LAMP * np.maximum(facing[:, 2], 0)).astype(np.float32),
        inside=(float(inside[0]), float(inside[1])),
        reach=reach,
        skin=skin,
        brightness=float(np.clip(0.6 + 0.55 * skin.mean() / 255, 0.45, 1.1)),
        eyes=_eyes(photo, landmarks, skin),
    )


def _scaled(photo: NDArray[np.uint8], grow: float) -> NDArray[np.uint8]:
    how = cv2.INTER_AREA if grow < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(photo, None, fx=grow, fy=grow, interpolation=how))


def _snapped(points: FloatArray, landmarks: FloatArray, scale: float) -> FloatArray:
    """(V, 2) points moved so that brows, nose, lids and lips lie where they were seen."""
    vertices = [ict_points.VERTICES[n] for n in _SNAPPED]
    at = points[vertices].astype(np.float64) / scale
    missed = landmarks[list(_SNAPPED)] / scale - at
    spline = RBFInterpolator(at, missed, kernel="thin_plate_spline", smoothing=0.3)
    low, high = at.min(axis=0) - 2 * SNAP, at.max(axis=0) + 2 * SNAP
    flat = points / np.float32(scale)
    near = np.flatnonzero(((flat > low) & (flat < high)).all(axis=1))
    near = near[near < 11248]
    query = flat[near].astype(np.float64)
    away = np.min(np.linalg.norm(query[:, None] - at, axis=2), axis=1)
    out = points.copy()
    out[near] += (spline(query) * np.exp(-((away / SNAP) ** 2))[:, None] * scale).astype(np.float32)
    return out


def _reach(
    rig: PuppetRig,
    points: FloatArray,
    vertices: FloatArray,
    shape: tuple[int, ...],
    inside: FloatArray,
) -> FloatArray:
    """(RAYS,) from a point of the photo to the outline of the head."""
    side = int(1.6 * max(shape))
    margin = np.array([side - shape[1], side - shape[0]], np.float32) / 2
    visible = Visible(side)
    visible.draw(
        (points + margin).astype(np.float32), np.ascontiguousarray(vertices[:, 2]), rig.triangles
    )
    centre = inside + margin
    return outline(visible.triangle >= 0, (float(centre[0]), float(centre[1])), 2.0 * side)


def _unfolded(
    rig: PuppetRig, points: FloatArray, facing: FloatArray, inside: FloatArray
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
    wanted = np.minimum(across, limit * (0.985 - 0.12 * behind))
    hidden = np.clip(turned / 0.2, 0.0, 1.0)
    hidden *= np.where(neck, np.clip((rest[:, 1] + 13.0) / 2.0, 0.0, 1.0) * (side > 3.0), 1.0)
    hidden *= np.where(ear, facing[:, 2] < 0.0, 1.0) * (rig.ict.part <= HEAD)
    shrink = hidden * (wanted / np.maximum(across, 1e-6) - 1.0)
    return points + rig.smoothed(flat * np.stack([shrink, np.where(neck, 0, shrink)], axis=1))


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
