"""Rendered heads with exactly known expressions, as training samples."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.anchors import LandmarksOf
from freeavatar.foundation.crops import MARGIN, NETWORK_SIZE, STORED_SIZE, Crop, crop_around
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.landmarks import EYE_CORNERS, places
from freeavatar.foundation.samples import Sample
from freeavatar.rigs.rotation import matrix_from_angles

from .drawing import Iris, Surface, draw, to_bytes
from .environments import background, without_face
from .expressions import expression
from .heads import Person
from .lighting import TURNS, Environment, random_light, read_environments
from .people import People

FOCAL_LENGTH = 1000.0
"""Pixels of the frame that the crop is cut from; large, since crops are at least a pixel wide."""
FINER = 2
"""Drawn pixels per stored one, in each direction."""
NO_FACE = 0.03
"""Share of the samples that show none."""
SAME_PERSON = 4
"""Consecutive samples of one person: its shape is made once, and expressions of one face differ."""
BANK = 40_000
"""Expressions that are drawn from."""
HELD_OUT = 1_000_000
"""Number from which expressions are for validation and test."""
UPPER_LIP, LOWER_LIP = places(13, 14)
DARKENING = 70.0
"""Of the mouth's inside, per metre behind the lips."""
IRISES = np.array([[.06, .03, .015], [.03, .014, .008], [.09, .12, .17], [.13, .16, .12],
                   [.05, .05, .045], [.14, .08, .03]], np.float32)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class View:
    """A head before the camera: where it is turned to and what the crop shows."""

    rotation: NDArray[np.float64]
    """(3, 3) of the head, in camera space."""
    distance: float
    """Metres from the camera to the middle between the eyes."""


class AvatarSource:
    """Makes any sample by its number; the same number gives the same sample.

    Args:
        synth: folder with the heads, textures and environment maps.
        bundle: MediaPipe's, needed until the cache has every head's face points.
        cache: folder for face points.
        split: train, validation or test; only its people appear.
        seed: of the whole source.

    Raises:
        ValueError: data is missing.
    """

    def __init__(
        self, synth: Path, bundle: Path | None, cache: Path, split: str, seed: int
    ) -> None:
        self._seed, self._split = seed, split
        self._people = People(synth, cache, split, _detector(bundle))
        self._environments = read_environments(synth / "hdri")

    def sample(self, number: int) -> Sample:
        """The sample with a number."""
        crowd = np.random.default_rng([self._seed, 1, number // SAME_PERSON])
        make = np.random.default_rng([self._seed, 2, number])
        environment = self._environments[make.integers(len(self._environments))]
        if make.random() < NO_FACE:
            picture = without_face(environment, self._people.textures, STORED_SIZE, make)
            return Sample(picture=picture, identity="none", domain="none")
        return self.shown(self._people.choose(crowd), environment, make)

    def shown(self, person: Person, environment: Environment, make: np.random.Generator) -> Sample:
        """A person with a random expression, seen from somewhere in some light."""
        number = int(make.integers(BANK)) + (0 if self._split == "train" else HELD_OUT)
        blendshapes, eyes = expression(number)
        posed = person.posed(blendshapes, eyes)
        points = person.points(posed, eyes)
        middle = points[list(EYE_CORNERS)].mean(axis=0)
        view = _random_view(make)
        turned = ((posed - middle) @ view.rotation.T).astype(np.float32)
        marks = (points - middle) @ view.rotation.T
        flat = _projected(marks, view.distance)[0]
        crop = crop_around(flat, size=STORED_SIZE, margin=MARGIN * STORED_SIZE / NETWORK_SIZE)
        landmarks = crop.from_frame(flat)
        turn = int(make.integers(TURNS))
        picture = self._picture(person, turned, marks, view, crop, (environment, turn), make)
        metres = crop.side * view.distance / FOCAL_LENGTH
        level = matrix_from_angles(np.array([0.0, 0.0, -crop.roll]))
        return Sample(
            picture=picture,
            identity=person.name,
            domain="cartoon" if person.cartoon else "avatar",
            expression=number,
            blendshapes=np.where(person.known, blendshapes, np.nan).astype(np.float32),
            eyes=np.asarray(eyes, np.float32),
            head=(level @ view.rotation).astype(np.float32),
            place=np.array([*landmarks[list(EYE_CORNERS)].mean(axis=0), metres], np.float32),
            landmarks=landmarks,
        )

    def _picture(
        self,
        person: Person,
        turned: FloatArray,
        marks: FloatArray,
        view: View,
        crop: Crop,
        place: tuple[Environment, int],
        make: np.random.Generator,
    ) -> NDArray[np.uint8]:
        flat, inverse = _projected(turned, view.distance)
        size = STORED_SIZE * FINER
        head = person.head
        surface = Surface(
            vertices=turned,
            pixels=crop.from_frame(flat) * FINER,
            inverse_depth=inverse,
            triangles=head.triangles,
            kinds=head.kinds,
            coordinates=head.coordinates,
            colours=_with_dark_mouth(person, turned, marks, view.rotation, make),
            texture=person.texture,
        )
        light = random_light(*place, make)
        linear, kind = draw(surface, light, _random_iris(make), size)
        linear = _with_shaded_eyes(linear, kind)
        behind = background(*place, STORED_SIZE, make)
        shown = cv2.resize(linear, (STORED_SIZE, STORED_SIZE), interpolation=cv2.INTER_AREA)
        cover = cv2.resize(
            (kind > 0).astype(np.float32), (STORED_SIZE, STORED_SIZE), interpolation=cv2.INTER_AREA
        )[..., None]
        front = to_bytes(_exposed(shown / np.maximum(cover, 1e-3), cover, make))
        return np.asarray(front * cover + behind * (1 - cover) + 0.5, np.uint8)


def _detector(bundle: Path | None) -> Callable[[], LandmarksOf | None]:
    found: list[LandmarksOf] = []

    def landmarks_of() -> LandmarksOf | None:
        if not found and bundle is not None:
            from freeavatar.foundation.mediapipe_reader import landmark_finder

            found.append(landmark_finder(bundle))
        return found[0] if found else None

    return landmarks_of


def _random_view(make: np.random.Generator) -> View:
    if make.random() < 0.6:
        yaw, pitch = make.normal(0, 0.3), make.normal(0, 0.17)
    else:
        yaw, pitch = make.uniform(-1.05, 1.05), make.uniform(-0.61, 0.61)
    angles = np.array(
        [np.clip(yaw, -1.05, 1.05), np.clip(pitch, -0.61, 0.61), make.normal(0, 0.15)]
    )
    return View(
        rotation=matrix_from_angles(angles), distance=float(np.exp(make.uniform(-0.9, 0.9)))
    )


def _projected(points: FloatArray, distance: float) -> tuple[FloatArray, FloatArray]:
    """Pixels of the frame, y down, and one over the depths."""
    inverse = (1.0 / np.maximum(distance - points[:, 2], 0.05)).astype(np.float32)
    flat = points[:, :2] * inverse[:, None] * np.array([FOCAL_LENGTH, -FOCAL_LENGTH])
    return flat.astype(np.float32), inverse


def _with_dark_mouth(
    person: Person,
    turned: FloatArray,
    marks: FloatArray,
    rotation: NDArray[np.float64],
    make: np.random.Generator,
) -> FloatArray:
    """Colours (V, 3), darker the deeper in the mouth."""
    colours = person.colours.copy()
    rows = person.head.inside
    forward = rotation[:, 2]
    depth = marks[[UPPER_LIP, LOWER_LIP]].mean(axis=0) @ forward - turned[rows] @ forward
    dark = np.exp(-np.clip(depth - 0.006, 0.0, 0.2) * DARKENING * make.uniform(0.5, 1.2))
    colours[rows] *= dark[:, None].astype(np.float32)
    return colours


def _random_iris(make: np.random.Generator) -> Iris:
    colour = IRISES[make.integers(len(IRISES))] * np.exp(make.normal(0, 0.3))
    return Iris(
        colour=colour.astype(np.float32),
        white=(make.uniform(0.5, 0.75) * np.array([1.0, 0.95, 0.92])).astype(np.float32),
        radius=float(make.uniform(0.44, 0.53)),
        pupil=float(make.uniform(0.28, 0.55)),
    )


def _with_shaded_eyes(linear: FloatArray, kind: NDArray[np.uint8]) -> FloatArray:
    """Eyes darker toward the lids, most below the upper one."""
    eye = (kind == 3).astype(np.float32)
    near = cv2.blur(eye, (17, 17))
    lower = np.roll(near, 4, axis=0)
    share = np.clip(0.3 + 0.95 * (0.5 * near + 0.5 * lower), 0.0, 1.0)
    linear[kind == 3] *= share[kind == 3][:, None]
    return linear


def _exposed(linear: FloatArray, cover: FloatArray, make: np.random.Generator) -> FloatArray:
    """As a camera would: the head's mean brightness is brought near a middle value."""
    mean = float((linear * cover).sum() / max(float(cover.sum()) * 3, 1.0))
    wanted = 0.22 * np.exp(make.normal(0, 0.35))
    gain = (wanted / max(mean, 1e-3)) ** 0.75
    return (linear * gain).astype(np.float32)
