"""Makes one person look like others: skin, make-up, stubble, age, eyes, shape, what is behind.

Only looks change, so the landmarks and the expression of the portrait stay true.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from . import ict_points
from .backdrops import before
from .glasses import random_glasses
from .ict import SKIN, IctFace
from .person import MOUTH, Person, Picture
from .puppet_rig import PuppetRig
from .puppet_shading import EyeLook

SKINS = np.array(
    [[226, 184, 160], [205, 155, 128], [184, 132, 104], [150, 103, 78], [112, 74, 56],
     [82, 54, 42], [64, 42, 34], [132, 92, 66]], np.float32
)  # fmt: skip
"""Colours of cheeks in even light."""
IRISES = np.array(
    [[62, 42, 30], [44, 30, 22], [92, 108, 124], [86, 96, 74], [72, 56, 40], [104, 88, 58],
     [34, 24, 20]], np.float32
)  # fmt: skip
LIPSTICKS = np.array(
    [[1.0, 0.55, 0.6], [0.85, 0.4, 0.45], [1.05, 0.7, 0.75], [0.7, 0.35, 0.45], [1.0, 0.65, 0.5]],
    np.float32,
)
"""Factors on the colour of lips."""


class FaceMap:
    """Where on the ICT face make-up and beards go.

    Args:
        rig: of the face.
    """

    def __init__(self, rig: PuppetRig) -> None:
        ict = rig.ict
        at, skin = ict.neutral, ict.part == SKIN
        x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]

        def point(landmark: int) -> FloatArray:
            return np.asarray(at[ict_points.VERTICES[landmark]], np.float32)

        def blob(
            landmark: int, wide: float, high: float, dx: float = 0.0, dy: float = 0.0
        ) -> FloatArray:
            place = point(landmark)
            off = ((x - abs(place[0]) - dx) / wide) ** 2 + ((y - place[1] - dy) / high) ** 2
            return np.asarray(np.exp(-off) * skin * (z > 4), np.float32)

        lips = np.zeros(len(at), np.float32)
        lips[_inside(at, skin)] = 1.0
        self.lips: FloatArray = lips
        """(V,) 0..1, as all of these."""
        self.lids: FloatArray = np.clip(1.3 * blob(386, 1.5, 0.65, 0.0, 0.45), 0, 1)
        self.liner: FloatArray = np.clip(blob(386, 1.6, 0.25, 0.1, 0.05), 0, 1)
        self.cheeks: FloatArray = blob(425, 1.9, 1.5, 0.6, 0.6)
        mouth, chin = point(14), point(152)
        jaw = (y < mouth[1] + 1.6) & (y > chin[1] - 1.2) & (z > 1.0)
        around = np.hypot(x / 4.0, (y - mouth[1] - 1.6) / 2.6) > 0.55
        moustache = (np.abs(y - mouth[1] - 0.95) < 0.55) & (x < 2.6)
        bare = np.hypot(x / 1.1, (y - mouth[1] + 1.1) / 0.3) < 1
        beard = ((jaw & around) | moustache) & skin & ~bare
        soft = rig.smoothed(rig.smoothed(beard[:, None].astype(np.float32)))[:, 0]
        self.beard: FloatArray = soft * (1.0 - lips)
        self.chin_beard: FloatArray = self.beard * np.clip(3.4 - x, 0, 1)


def _inside(at: FloatArray, skin: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Vertices between the outer and the inner outline of the lips."""
    outer = [
        61,
        146,
        91,
        181,
        84,
        17,
        314,
        405,
        321,
        375,
        291,
        409,
        270,
        269,
        267,
        0,
        37,
        39,
        40,
        185,
    ]
    ring = at[[ict_points.VERTICES[n] for n in outer], :2].astype(np.float32)
    near = np.flatnonzero(skin & (at[:, 2] > 8.5))
    return near[
        [cv2.pointPolygonTest(ring, (float(a), float(b)), False) >= 0 for a, b in at[near, :2]]
    ]


def restyled(person: Person, where: FaceMap, ict: IctFace, make: np.random.Generator) -> Person:
    """Someone else with the same bones: every trait may change, none must.

    Args:
        person: not changed.
        where: of the same ICT face.
        ict: the face.
        make: draws the traits.
    """
    shape = ict.person(make.normal(0, 0.35, 60).astype(np.float32)) - ict.neutral
    photo, surround, skin = person.photo, person.surround, person.skin
    if make.random() < 0.6:
        gain = _new_tone(skin, make)
        photo, surround = (_toned(p, skin, gain) for p in (photo, surround))
        skin = np.clip(skin * gain, 0, 255)
    if make.random() < 0.3:
        photo = _aged(photo, make.uniform(-0.6, 1.2))
    tones = MOUTH * np.array([1.0, 1.0, 1.0, make.uniform(0.8, 1.06)], np.float32)[:, None]
    tones = tones * np.exp(make.normal(0, 0.06, (4, 3))).astype(np.float32)
    if person.grey:
        tones = np.repeat(tones.mean(axis=1, keepdims=True), 3, axis=1)
    return replace(
        person,
        photo=photo,
        surround=surround,
        skin=skin.astype(np.float32),
        neutral=person.neutral + shape * (make.random() < 0.7),
        tint=_made_up(person, where, make),
        eyes=_eyes(person, make),
        mouth=tones.astype(np.float32),
        lashes=float(make.uniform(0.1, 0.5)),
        wrinkles=float(np.abs(make.normal(0.1, 0.17))),
        glasses=random_glasses(make) if make.random() < 0.1 else None,
    )


def rebacked(person: Person, backdrop: Picture) -> Person:
    """The person before another backdrop, where the photo allows it."""
    if person.share is None:
        return person
    height, width = person.surround.shape[:2]
    behind = np.asarray(cv2.resize(backdrop, (width, height)), np.uint8)
    return replace(person, surround=before(person.surround, person.share, behind))


def _new_tone(skin: FloatArray, make: np.random.Generator) -> FloatArray:
    """(3,) factor that takes a skin some of the way to another."""
    wanted = SKINS[make.integers(len(SKINS))] * np.exp(make.normal(0, 0.06, 3))
    gain = (wanted / np.maximum(skin, 20.0)) ** make.uniform(0.4, 1.0)
    return np.asarray(np.clip(gain, 0.33, 1.8), np.float32)


def _toned(photo: Picture, skin: FloatArray, gain: FloatArray) -> Picture:
    """Colour what has the hue of the skin; eyes are painted and hair differs."""
    ratio = photo.astype(np.float32) + 8.0
    hue = ratio / ratio.sum(axis=2, keepdims=True)
    own = (skin + 8.0) / (skin + 8.0).sum()
    away = np.linalg.norm(hue - own, axis=2) / 0.07
    bright = ratio.sum(axis=2) / (skin.sum() + 24.0)
    share = np.exp(-(away**2)) * np.clip((bright - 0.18) / 0.2, 0, 1) * np.clip(2.6 - bright, 0, 1)
    share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 1.0)[..., None]
    changed = photo * (1.0 + share * (gain - 1.0))
    return np.asarray(np.clip(changed + 0.5, 0, 255), np.uint8)


def _aged(photo: Picture, amount: float) -> Picture:
    """Deepen (or, below 0, soften) what is uneven in the skin."""
    smooth = cv2.GaussianBlur(photo, (0, 0), 2.2).astype(np.float32)
    detail = photo - smooth
    return np.asarray(np.clip(photo + detail * amount, 0, 255), np.uint8)


def _made_up(person: Person, where: FaceMap, make: np.random.Generator) -> FloatArray:
    """(V, 3) factor on the photo's colours."""
    tint = np.ones((len(person.neutral), 3), np.float32)

    def dye(mask: FloatArray, colour: FloatArray, strength: float) -> None:
        tint[:] *= 1.0 + (strength * mask)[:, None] * (colour - 1.0)

    draw = make.random(5)
    if draw[0] < 0.3:
        dye(where.lips, LIPSTICKS[make.integers(len(LIPSTICKS))], make.uniform(0.3, 1.0))
    if draw[1] < 0.22:
        dye(where.lids, make.uniform(0.4, 1.0, 3).astype(np.float32), make.uniform(0.3, 0.9))
    if draw[2] < 0.18:
        dye(where.liner, np.full(3, 0.25, np.float32), make.uniform(0.3, 0.8))
    if draw[3] < 0.15:
        dye(where.cheeks, np.array([1.08, 0.82, 0.85], np.float32), make.uniform(0.3, 1.0))
    if draw[4] < 0.14:
        region = where.beard if make.random() < 0.6 else where.chin_beard
        grain = np.exp(make.normal(0, 0.25, len(region))).astype(np.float32)
        hair = make.uniform(0.2, 0.75) * np.array([1.0, 0.97, 0.96], np.float32)
        dye(np.clip(region * grain, 0, 1), hair, make.uniform(0.3, 0.75))
    if person.grey:
        tint = np.repeat(tint.mean(axis=1, keepdims=True), 3, axis=1)
    return tint


def _eyes(person: Person, make: np.random.Generator) -> EyeLook:
    iris = person.eyes.iris
    if make.random() < 0.35:
        iris = IRISES[make.integers(len(IRISES))] * person.brightness
    iris = iris * np.exp(make.normal(0, 0.12, 3) + make.normal(0, 0.15))
    if person.grey:
        iris = np.full(3, iris.mean())
    edge = make.uniform(0.41, 0.475)
    return replace(
        person.eyes,
        iris=np.clip(iris, 12, 170).astype(np.float32),
        sclera=(person.eyes.sclera * make.uniform(0.78, 1.03)).astype(np.float32),
        iris_edge=float(edge),
        pupil_edge=float(edge * make.uniform(0.26, 0.52)),
        fibres=float(make.uniform(0, 6)),
        highlight=float(make.uniform(0.0, 1.0)),
        highlight_size=float(make.uniform(0.06, 0.16)),
        shadow=float(make.uniform(0.3, 0.65)),
    )
