"""Who is puppeteered: the people of portraits, those of one split only."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .ict import load_ict
from .person import Person, prepare
from .portraits import Portraits, load_portraits
from .puppet_rig import PuppetRig
from .splits import portrait_identity, split_of

WORST_ERROR = 0.095
"""Centimetres; portraits whose fit misses the landmarks by more on average are left out."""
MOST_TURNED = 0.4
"""Radians of yaw or pitch beyond which a portrait is left out."""
LEAST_SCALE = 4.3
"""Pixels per centimetre below which a portrait is too small (a face of 60 pixels)."""
SHARP_SCALE = 9.0
"""Pixels per centimetre from which a portrait is sharp in a stored crop."""
SHARP_SHARE = 0.5
"""Share of the pictures that show people of sharp portraits, however few they are."""


class PuppetPeople:
    """The usable portraits of one split.

    Args:
        faces: folders of portraits.
        ict: the ICT face's file.
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
        portraits, k = self._any(among or self.sharp or self.small, make)
        return prepare(self.rig, portraits, k, name=_name(portraits, k))

    @staticmethod
    def _any(
        among: Sequence[tuple[Portraits, int]], make: np.random.Generator
    ) -> tuple[Portraits, int]:
        return among[int(make.integers(len(among)))]


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
