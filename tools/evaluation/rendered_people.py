"""Textured test people of the data engine as actors: one look each, before a still camera."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.crops import crop_around
from freeavatar.foundation.expression import BLENDSHAPES, Frame
from freeavatar.foundation.landmarks import EYE_CORNERS
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.tools.dataset.accessories import body
from freeavatar.tools.dataset.avatars import detector
from freeavatar.tools.dataset.expressions import eyes_of
from freeavatar.tools.dataset.heads import Person
from freeavatar.tools.dataset.lighting import Environment, read_environments
from freeavatar.tools.dataset.people import People
from freeavatar.tools.dataset.scenes import photographed, projected, surface_of

from .rendered_actors import Moments

Values = NDArray[np.float64]

PEOPLE = {"valid": 3, "ict": 3}
"""How many of each kind perform, evenly taken from those of the split."""
SPLIT = "test"
PICTURE_SIZE = 320
"""Pixels a side of their pictures."""
ROOM = 2.0
"""Side of the picture in longer sides of the face's box."""
DISTANCE = 1.0
"""Metres from the camera to the middle between the eyes."""


@dataclass(frozen=True)
class PersonActor:
    """A person in clothes and hair, in the light of an environment; see `rendered_actors.Actor`."""

    person: Person
    environment: Environment

    @property
    def name(self) -> str:
        """The person's."""
        return self.person.name

    @property
    def shown(self) -> NDArray[np.bool_]:
        """(52,) the channels that this head shows."""
        return self.person.known

    def frames(self, moments: Moments, head: Values) -> Iterator[Frame]:
        """Pictures (`PICTURE_SIZE` a side), see `rendered_actors.Actor`."""
        person = self.person
        level = matrix_from_angles(np.array([0.0, person.pitch, 0.0]))
        rest, ahead = np.zeros(len(BLENDSHAPES), np.float32), np.zeros((2, 2), np.float32)
        points = person.points(person.posed(rest, ahead), ahead)
        middle = points[list(EYE_CORNERS)].mean(axis=0)
        flat = projected((points - middle) @ level.T.astype(np.float32), DISTANCE)[0]
        crop = crop_around(flat, size=PICTURE_SIZE, margin=ROOM)
        for i, curves in enumerate(moments.curves):
            # The same chances in every frame: the look and the light stay.
            make = np.random.default_rng([1, *person.name.encode()])
            eyes = np.asarray(eyes_of(curves), np.float32)
            posed = person.posed(curves, eyes)
            seen = (middle, matrix_from_angles(head[i]) @ level, DISTANCE)
            points = person.points(posed, eyes)
            # The people of VALID have clothes of their own.
            worn = [] if person.name.startswith("valid/") else [body(person, make)]
            surface = surface_of(person, posed, points, seen, crop, make, worn=worn)
            picture = photographed(surface, self.environment, make, size=PICTURE_SIZE)
            yield Frame(picture=picture, index=i, time=float(moments.times[i]))


def people_actors(synth: Path, bundle: Path | None, cache: Path) -> list[PersonActor]:
    """Test people (`PEOPLE`), each in an environment of its own.

    Args:
        synth: folder with the heads, textures and environment maps.
        bundle: MediaPipe's, needed until the cache has the face points of their heads.
        cache: folder for face points.

    Raises:
        ValueError: data is missing.
    """
    people = People(synth, cache, SPLIT, detector(bundle))
    environments = read_environments(synth / "hdri")
    names = []
    for kind, count in PEOPLE.items():
        known = people.names[kind]
        rows = np.linspace(0, len(known) - 1, min(count, len(known))).astype(int)
        names += [known[row] for row in rows]
    return [
        PersonActor(people.person(name), environments[i % len(environments)])
        for i, name in enumerate(names)
    ]
