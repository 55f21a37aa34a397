"""Puppeteered portraits with exactly known expressions, as training samples."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.crops import MARGIN, NETWORK_SIZE, STORED_SIZE, Crop, crop_around
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.landmarks import EYE_CORNERS
from freeavatar.foundation.samples import Sample

from .expressions import BANK, HELD_OUT, expression
from .occluders import add_occluders
from .puppet_people import PuppetPeople
from .puppet_rig import Posed, project, rotation_matrix
from .puppeteer import Framing, Light, Puppet

FINER = 1.5
"""Drawn pixels per stored one, in each direction."""
SAME_PERSON = 24
"""Consecutive samples of one person, whose portrait is made ready once."""
KEPT = 3
"""People kept ready."""
OCCLUDED = 0.18
"""Share of the pictures in which something is before the face."""
TWO_POSES = 0.4
"""Share of the pairs of training samples that show one person's one expression twice."""


class PuppetSource:
    """Makes any sample by its number; the same number gives the same sample.

    Args:
        faces: folders of portraits.
        ict: file of the ICT face.
        bundle: MediaPipe's, needed until the cache knows the folders.
        cache: folder for landmarks and fits.
        split: train, validation or test; only its people appear.
        seed: of the whole source.
        bank: expressions that are drawn from, 2 or more; None for `BANK`.

    Raises:
        ValueError: data is missing.
    """

    def __init__(
        self,
        faces: Sequence[Path],
        ict: Path,
        bundle: Path,
        cache: Path,
        split: str,
        seed: int,
        bank: int | None = None,
    ) -> None:
        self._seed, self._split, self._bank = seed, split, bank or BANK
        self.people = PuppetPeople(faces, ict, bundle, cache, split)
        self._ready: OrderedDict[int, Puppet] = OrderedDict()

    def sample(self, number: int) -> Sample:
        """The sample with a number."""
        make = np.random.default_rng([self._seed, 3, number])
        return self.shown(self._puppet(number // SAME_PERSON), self.expression_of(number), make)

    def shown(self, puppet: Puppet, number: int, make: np.random.Generator) -> Sample:
        """A puppet with an expression, seen from somewhere in some light."""
        blendshapes, eyes = expression(number)
        head = _random_head(make)
        posed = puppet.pose(blendshapes, head, _random_body(puppet, head, make))
        distance = float(90.0 * np.exp(make.normal(0, 0.35)))
        plane = project(posed.landmarks, distance)
        crop = crop_around(plane, size=STORED_SIZE, margin=MARGIN * STORED_SIZE / NETWORK_SIZE)
        picture = _developed(_shot(puppet, posed, crop, distance, make), make)
        landmarks = crop.from_frame(plane)
        depth = posed.landmarks[list(EYE_CORNERS), 2].mean()
        metres = crop.side * (1.0 - depth / distance) / 100.0
        level = rotation_matrix(np.array([0.0, 0.0, crop.roll]))
        return Sample(
            picture=picture,
            identity=puppet.person.name,
            domain="photo",
            expression=number,
            blendshapes=blendshapes,
            eyes=eyes,
            head=(level @ head).astype(np.float32),
            place=np.array([*landmarks[list(EYE_CORNERS)].mean(axis=0), metres], np.float32),
            landmarks=landmarks,
        )

    def _puppet(self, block: int) -> Puppet:
        if block not in self._ready:
            make = np.random.default_rng([self._seed, 4, block])
            self._ready[block] = Puppet(self.people.rig, self.people.choose(make))
            while len(self._ready) > KEPT:
                self._ready.popitem(last=False)
        self._ready.move_to_end(block)
        return self._ready[block]

    def expression_of(self, number: int) -> int:
        """Half of the pairs of samples show neighbours, which differ in a channel or two; of
        training pairs, most others show one expression in two poses and lights."""
        pair = np.random.default_rng([self._seed, 5, number // 2])
        first = int(pair.integers(self._bank // 2)) * 2
        neighbours, other = pair.random() < 0.5, int(pair.integers(self._bank))
        if self._split != "train":
            other += HELD_OUT
            first += HELD_OUT
        elif pair.random() < TWO_POSES / 0.5:
            other = first
        return first if number % 2 == 0 else (first + 1 if neighbours else other)


def _random_head(make: np.random.Generator) -> FloatArray:
    """(3, 3) mostly within 30 degrees of the camera, up to 50 sideways."""
    if make.random() < 0.75:
        yaw, pitch = make.normal(0, 0.24), make.normal(0, 0.15)
    else:
        yaw, pitch = make.uniform(-0.87, 0.87), make.uniform(-0.52, 0.52)
    yaw, pitch = np.clip(yaw, -0.87, 0.87), np.clip(pitch, -0.52, 0.52)
    turns = [(0.0, 0.0, make.normal(0, 0.1)), (0.0, yaw, 0.0), (pitch, 0.0, 0.0)]
    roll, turn, nod = (rotation_matrix(np.array(v)) for v in turns)
    return np.asarray(roll @ turn @ nod, np.float32)


def _random_body(puppet: Puppet, head: FloatArray, make: np.random.Generator) -> FloatArray:
    """(3, 3) the shoulders stay, or go some of the way."""
    stay = cv2.Rodrigues(puppet.person.rotation.astype(np.float64))[0][:, 0]
    go = cv2.Rodrigues(head.astype(np.float64))[0][:, 0]
    share = make.uniform(0, 1) if make.random() < 0.4 else 0.0
    return rotation_matrix(stay * (1 - share) + go * share)


def _shot(
    puppet: Puppet, posed: Posed, crop: Crop, distance: float, make: np.random.Generator
) -> FloatArray:
    """(S, S, 3) 0..255, as stored."""
    finer = Crop(centre=crop.centre, side=crop.side, roll=crop.roll, size=int(crop.size * FINER))
    frame = Framing(matrix=finer.matrix, size=finer.size)
    shot = puppet.shoot(posed, frame, light=_random_light(make), distance=distance)
    if make.random() < OCCLUDED:
        add_occluders(shot.picture, shot.landmarks, puppet.person.skin, make)
    stored = cv2.resize(shot.picture, (crop.size, crop.size), interpolation=cv2.INTER_AREA)
    return np.asarray(stored, np.float32)


def _random_light(make: np.random.Generator) -> Light:
    """Even light, or a lamp from anywhere before the face."""
    angle, height = make.uniform(-1.5, 1.5), make.uniform(-0.3, 0.9)
    direction = np.array([np.sin(angle) * np.cos(height), np.sin(height), np.cos(angle)])
    direction = direction / np.linalg.norm(direction)
    strength = make.uniform(0.1, 0.5) if make.random() < 0.6 else make.uniform(0.4, 0.95)
    tint = np.exp(make.normal(0, 0.04, 3))
    ambient = 1.0 - strength * make.uniform(0.55, 0.8)
    return Light(
        direction=direction.astype(np.float32),
        lamp=(strength * tint).astype(np.float32),
        ambient=np.full(3, max(ambient, 0.25), np.float32),
        gloss=float(make.uniform(0, 0.35) if make.random() < 0.5 else 0.0),
        sharpness=float(make.uniform(8, 40)),
    )


def _developed(picture: FloatArray, make: np.random.Generator) -> NDArray[np.uint8]:
    """Exposure, contrast and colour of some camera."""
    gain = np.exp(make.normal(-0.03, 0.15)) * np.exp(make.normal(0, 0.03, 3))
    gamma = np.exp(make.normal(0, 0.15))
    if make.random() < 0.08:
        gain = gain * make.uniform(0.25, 0.7)
    light = picture * (gain / 255.0).astype(np.float32)
    # Bright parts roll off as on film; cut off they would lose their form.
    over = np.maximum(light - 0.75, 0.0)
    light = np.minimum(light, 0.75) + over / (1.0 + 2.2 * over)
    light = np.clip(light, 0.0, 1.0) ** np.float32(gamma)
    if make.random() < 0.12:
        grey = light.mean(axis=2, keepdims=True)
        light = grey + (light - grey) * np.float32(make.uniform(0.0, 0.6))
    return np.asarray(light * 255.0 + 0.5, np.uint8)
