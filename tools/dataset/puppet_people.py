"""Who is puppeteered: people of portraits of one split, as they are, restyled or mixed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .environments import background
from .ict import load_ict
from .lighting import TURNS, read_environments
from .mixing import alike, mixed
from .person import Person, prepare
from .portraits import Portraits, load_portraits
from .puppet_rig import PuppetRig
from .splits import portrait_identity, split_of
from .styling import FaceMap, rebacked, restyled

WORST_ERROR = 0.095
"""Centimetres; portraits whose fit misses the landmarks by more on average are left out."""
MOST_TURNED = 0.4
"""Radians of yaw or pitch beyond which a portrait is left out."""
LEAST_SCALE = 4.3
"""Pixels per centimetre below which a portrait is too small (a face of 60 pixels)."""
SHARP_SCALE = 9.0
"""Pixels per centimetre from which a portrait is sharp in a stored crop."""
SHARP_SHARE = 0.55
"""Share of the pictures that show people of sharp portraits, however few they are."""
MIXED_SHARE, RESTYLED_SHARE, REBACKED_SHARE = 0.55, 0.8, 0.75
"""Shares of people who are made of two, changed in looks, and put before another backdrop."""
TRIES = 12
"""Others that are considered for a mix."""
BACKDROP_SIZE = 240
"""Pixels."""


class PuppetPeople:
    """The usable portraits of one split.

    Args:
        faces: folders of portraits.
        ict: the ICT face's file; the environment maps in ``hdri`` beside it serve as backdrops.
        bundle: MediaPipe's, needed until the cache knows the folders.
        cache: folder for landmarks and fits.
        split: train, validation or test.

    Raises:
        ValueError: no portrait of the split is usable.
    """

    def __init__(
        self, faces: Sequence[Path], ict: Path, bundle: Path, cache: Path, split: str
    ) -> None:
        face = load_ict(ict)
        self._folders = load_portraits(faces, face, bundle, cache)
        self.rig = PuppetRig(face, self._folders[0].offsets)
        self._map = FaceMap(self.rig)
        self._environments = read_environments(ict.parent / "hdri")
        usable = [
            (portraits, k)
            for portraits in self._folders
            for k in range(len(portraits.name))
            if good(portraits, k)
            and _shown(portraits, k)
            and split_of(_name(portraits, k)) == split
        ]
        self.sharp = [(p, k) for p, k in usable if p.scale[k] >= SHARP_SCALE]
        self.small = [(p, k) for p, k in usable if p.scale[k] < SHARP_SCALE]
        if not usable:
            raise ValueError(f"no portrait of the split {split} can be used")

    def choose(self, make: np.random.Generator) -> Person:
        """A random person."""
        among = self.sharp if make.random() < SHARP_SHARE else self.small
        among = among or self.sharp or self.small
        chosen = among[int(make.integers(len(among)))]
        person = self._prepared(chosen)
        if make.random() < MIXED_SHARE:
            person = self._mixed(person, chosen, among, make)
        if make.random() < RESTYLED_SHARE:
            person = restyled(person, self._map, self.rig.ict, make)
        if make.random() < REBACKED_SHARE and person.share is not None:
            environment = self._environments[int(make.integers(len(self._environments)))]
            turn = int(make.integers(TURNS))
            person = rebacked(person, background(environment, turn, BACKDROP_SIZE, make))
        return person

    def _mixed(
        self,
        person: Person,
        chosen: tuple[Portraits, int],
        among: Sequence[tuple[Portraits, int]],
        make: np.random.Generator,
    ) -> Person:
        """The person mixed with another whose face is in a similar state, if one is met."""
        for draw in make.integers(len(among), size=TRIES):
            other = among[int(draw)]
            if _name(*other) != person.name and alike(
                *(p.blendshapes[k] for p, k in (chosen, other))
            ):
                second = self._prepared(other)
                if second.grey == person.grey:
                    return mixed(person, second, self.rig, float(make.uniform(0.3, 0.7)))
        return person

    def _prepared(self, chosen: tuple[Portraits, int]) -> Person:
        return prepare(self.rig, *chosen, name=_name(*chosen))


def good(portraits: Portraits, index: int) -> bool:
    """Whether a portrait's fit can be trusted and its picture is large enough."""
    turned = np.abs(portraits.rotation[index, :2]).max()
    return bool(
        portraits.error[index] < WORST_ERROR
        and turned < MOST_TURNED
        and portraits.scale[index] >= LEAST_SCALE
    )


def _shown(portraits: Portraits, index: int) -> bool:
    """False for averaged faces, which are kept for what people are shown."""
    return not portraits.name[index].startswith("composite__")


def _name(portraits: Portraits, index: int) -> str:
    return portrait_identity(portraits.folder.name, portraits.name[index].rsplit(".", 1)[0])
