"""New people from the portraits of two: shapes averaged, faces laid over each other and blended."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

from .ict import SKIN
from .person import Person, silhouette
from .puppet_rig import PuppetRig
from .rasteriser import interpolated

MOST_APART = 0.45
"""Difference in any blendshape but those of gaze up to which faces are alike."""
_SHAPED = tuple(k for k, name in enumerate(BLENDSHAPES) if not name.startswith("eyeLook"))


def mixed(first: Person, second: Person, rig: PuppetRig, share: float) -> Person:
    """Someone with the hair and surroundings of the first, and a face between both.

    Args:
        first: not changed.
        second: not changed.
        rig: of both.
        share: 0..1 of the second in face and shape.
    """
    height, width = first.photo.shape[:2]
    visible, margin = silhouette(rig, first.points, first.nearness, first.photo.shape)
    values = np.concatenate(
        [second.places, (_middle(first, rig) * _middle(second, rig))[:, None]], axis=1
    )
    window = (int(margin[0]), int(margin[1]), width, height)
    seen = interpolated(visible, rig.triangles, values.astype(np.float32), window)
    places, mask = np.ascontiguousarray(seen[..., :2] - 0.5), seen[..., 2]
    other = cv2.remap(
        second.photo, places[..., 0], places[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    weight = cv2.GaussianBlur(np.asarray(mask, np.float32), (0, 0), 2.5)[..., None]
    own = first.photo.astype(np.float32)
    other = _recoloured(other.astype(np.float32), own, weight[..., 0] > 0.5)
    blend = own + share * weight * (other - own)
    shape = share * (second.neutral - first.neutral)
    changed = np.clip(blend + 0.5, 0, 255).astype(np.uint8)
    # Around the head nothing changes: what lies over the outline is the first's own.
    return replace(
        first,
        name="+".join(sorted({first.name, second.name})),
        photo=changed,
        neutral=(first.neutral + shape).astype(np.float32),
        blendshapes=(first.blendshapes * (1 - share) + second.blendshapes * share),
        eyes=first.eyes if share < 0.5 else second.eyes,
    )


def alike(first: FloatArray, second: FloatArray) -> bool:
    """Whether two faces (52,) may be blended: else one's lips would shine through the other's."""
    return bool(np.abs(first - second)[list(_SHAPED)].max() < MOST_APART)


def _middle(person: Person, rig: PuppetRig) -> FloatArray:
    """(V,) 1 in the middle of the face, 0 where it turns away, at ears, hairline and neck."""
    at = rig.ict.neutral
    light = (person.shading - person.shading.min()) / np.ptp(person.shading)
    facing = np.clip((light - 0.35) / 0.3, 0, 1)
    edge = 1.0 - np.hypot(at[:, 0] / 7.2, (at[:, 1] - 0.5) / 9.5) ** 4
    middle = facing * np.clip(edge * 2.0, 0, 1) * (rig.ict.part == SKIN)
    return np.asarray(middle, np.float32)


def _recoloured(other: FloatArray, own: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    """Bring the other's mean colour to the first's, so that only form and features differ."""
    if not where.any():
        return other
    gain = (own[where].mean(axis=0) + 4.0) / (other[where].mean(axis=0) + 4.0)
    return np.asarray(other * gain.astype(np.float32), np.float32)
