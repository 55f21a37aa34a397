"""Rendered heads with exactly known expressions, as training samples."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from freeavatar.animator.anchors import LandmarksOf
from freeavatar.foundation.crops import MARGIN, NETWORK_SIZE, STORED_SIZE, crop_around
from freeavatar.foundation.landmarks import EYE_CORNERS
from freeavatar.foundation.samples import Sample
from freeavatar.rigs.rotation import matrix_from_angles

from .environments import without_face
from .expressions import BANK, HELD_OUT, expression
from .heads import Person
from .lighting import Environment, read_environments
from .people import People
from .scenes import (
    BRIGHTNESS,
    FOCAL_LENGTH,
    View,
    photographed,
    projected,
    random_view,
    surface_of,
    unpainted,
)

NO_FACE = 0.03
"""Share of the samples that show none."""
FROM_BEHIND = 0.3
"""Share of those that show a head's back."""
SAME_PERSON = 4
"""Consecutive samples of one person: its shape is made once, and expressions of one face differ."""
TWO_POSES = 0.4
"""Share of the pairs of training samples that show one person's one expression twice."""
UNPAINTED = 0.06
"""Share of the training samples whose head is of one colour, without irises."""
GLARING, GLARE = 0.5, (0.35, 0.85)
"""Share of the unpainted heads that are lit up to white, as engines do, and how bright they are,
linear light."""


class AvatarSource:
    """Makes any sample by its number; the same number gives the same sample.

    Args:
        synth: folder with the heads, textures and environment maps.
        bundle: MediaPipe's, needed until the cache has every head's face points.
        cache: folder for face points.
        split: train, validation or test; only its people appear.
        seed: of the whole source.
        bare: share of the training samples whose head is unpainted.
        bank: expressions that are drawn from; None for `BANK`.

    Raises:
        ValueError: data is missing.
    """

    def __init__(
        self,
        synth: Path,
        bundle: Path | None,
        cache: Path,
        split: str,
        seed: int,
        bare: float = UNPAINTED,
        bank: int | None = None,
    ) -> None:
        self._seed, self._split, self._bare, self._bank = seed, split, bare, bank or BANK
        self.people = People(synth, cache, split, detector(bundle))
        self.environments = read_environments(synth / "hdri")

    def sample(self, number: int) -> Sample:
        """The sample with a number."""
        crowd = np.random.default_rng([self._seed, 1, number // SAME_PERSON])
        make = np.random.default_rng([self._seed, 2, number])
        environment = self.environments[make.integers(len(self.environments))]
        if make.random() < NO_FACE:
            if make.random() < FROM_BEHIND:
                turn = matrix_from_angles(np.array([np.pi + make.normal(0, 0.4), 0.0, 0.0]))
                view = View(rotation=turn, distance=float(make.uniform(0.6, 2.0)))
                shown = self.shown(self.people.choose(crowd), environment, make, view)
                # From behind, the right eye is on the right: the crop has turned it over.
                picture = np.ascontiguousarray(shown.picture[::-1, ::-1])
            else:
                picture = without_face(environment, self.people.textures, STORED_SIZE, make)
            return Sample(picture=picture, identity="none", domain="none")
        person = self.people.choose(crowd)
        bare = not person.cartoon and self.unpainted(number)
        return self.shown(person, environment, make, again=self.twice(number), bare=bare)

    def twice(self, number: int) -> int | None:
        """The expression of both samples of some training pairs, whose poses and lights differ."""
        pair = np.random.default_rng([self._seed, 6, number // 2])
        twice = self._split == "train" and pair.random() < TWO_POSES
        return int(pair.integers(self._bank)) if twice else None

    def unpainted(self, number: int) -> bool:
        """Whether a training sample shows an unpainted head; both samples of a pair do or do not.

        Validation and test people come as they always did, so that figures can be compared.
        """
        pair = np.random.default_rng([self._seed, 7, number // 2])
        return self._split == "train" and bool(pair.random() < self._bare)

    def shown(
        self,
        person: Person,
        environment: Environment,
        make: np.random.Generator,
        view: View | None = None,
        *,
        again: int | None = None,
        bare: bool = False,
    ) -> Sample:
        """A person in some light, seen from somewhere, with a random expression or ``again``;
        ``bare`` as an unpainted head."""
        number = int(make.integers(self._bank)) + (0 if self._split == "train" else HELD_OUT)
        number = number if again is None else again
        blendshapes, eyes = expression(number)
        posed = person.posed(blendshapes, eyes)
        points = person.points(posed, eyes)
        middle = points[list(EYE_CORNERS)].mean(axis=0)
        view = view or random_view(make)
        rotation = view.rotation @ matrix_from_angles(np.array([0.0, person.pitch, 0.0]))
        flat = projected((points - middle) @ rotation.T, view.distance)[0]
        crop = crop_around(flat, size=STORED_SIZE, margin=MARGIN * STORED_SIZE / NETWORK_SIZE)
        landmarks = crop.from_frame(flat)
        seen = (middle, rotation, view.distance)
        surface = surface_of(person, posed, points, seen, crop, make, bare=bare)
        if bare:
            surface = unpainted(surface, make)
        glaring = bare and make.random() < GLARING
        brightness = make.uniform(*GLARE) if glaring else BRIGHTNESS
        picture = photographed(surface, environment, make, brightness=brightness)
        metres = crop.side * view.distance / FOCAL_LENGTH
        upright = matrix_from_angles(np.array([0.0, 0.0, crop.roll]))
        return Sample(
            picture=picture,
            identity=person.name,
            domain="cartoon" if person.cartoon else "avatar",
            expression=number,
            blendshapes=np.where(person.known, blendshapes, np.nan).astype(np.float32),
            eyes=np.asarray(eyes, np.float32),
            head=(upright @ view.rotation).astype(np.float32),
            place=np.array([*landmarks[list(EYE_CORNERS)].mean(axis=0), metres], np.float32),
            landmarks=np.where(person.marked[:, None], landmarks, np.nan).astype(np.float32),
        )


def detector(bundle: Path | None) -> Callable[[], LandmarksOf | None]:
    """Opens MediaPipe's landmark detector when it is first asked for; None without a bundle."""
    found: list[LandmarksOf] = []

    def landmarks_of() -> LandmarksOf | None:
        if not found and bundle is not None:
            from freeavatar.foundation.mediapipe_reader import landmark_finder

            found.append(landmark_finder(bundle))
        return found[0] if found else None

    return landmarks_of
