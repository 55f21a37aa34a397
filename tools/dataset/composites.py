"""Pictures with any number of faces, to train and to judge the face finder with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.finder_targets import FACE_NUMBERS

from .composite_backgrounds import Backgrounds, read_places
from .composite_faces import Recipe, place_face
from .composite_portraits import Portrait, read_portraits, shard_portraits
from .splits import Split, portrait_identity, split_of

Picture = NDArray[np.uint8]
Numbers = NDArray[np.floating]
MOST_CROPS = 2000
"""Rendered faces of each kind that are kept in memory."""
TEST_PLACES = ("venice_sunset_1k",)
"""Environment maps that only test pictures show."""
TEST_RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "small": Recipe(sizes=(24, 64), counts=(0, 0.4, 0.3, 0.3), hidden=0, outside=0, dark=0),
        "tilted": Recipe(
            sizes=(40, 400), counts=(0, 0.6, 0.4), hidden=0, outside=0, dark=0,
            tilt=(25, 45), upright=0,
        ),
        "dark": Recipe(sizes=(40, 400), counts=(0, 0.6, 0.4), hidden=0, outside=0, dark=1),
        "occluded": Recipe(sizes=(40, 400), counts=(0, 0.6, 0.4), hidden=1, outside=0.2, dark=0),
    }
)  # fmt: skip
"""Four kinds of test pictures of 1280 x 720 pixels."""


@dataclass(frozen=True, kw_only=True)
class Composite:
    """A picture and the faces in it."""

    picture: Picture
    """(H, W, 3) RGB."""
    faces: FloatArray
    """(F, 11), see `freeavatar.foundation.finder_targets.FACE_NUMBERS`."""
    kind: str = ""


class Composer:
    """Makes composites.

    Args:
        portraits: faces to show, in groups that are drawn from alike (a few sharp portraits are
            not drowned by many small ones).
        places: environment maps, see `read_places`.
    """

    def __init__(
        self, portraits: Sequence[Sequence[Portrait]], places: Sequence[FloatArray]
    ) -> None:
        self._groups = [list(group) for group in portraits if group]
        if not self._groups:
            raise ValueError("no portraits to show; see ../shared/docs/DATA.md for where they lie")
        self._backgrounds = Backgrounds(places, [p for group in self._groups for p in group])

    def make(self, rng: np.random.Generator, recipe: Recipe, width: int, height: int) -> Composite:
        """One picture of ``width`` x ``height`` pixels."""
        picture = self._backgrounds.make(rng, width, height)
        count = int(rng.choice(len(recipe.counts), p=np.divide(recipe.counts, sum(recipe.counts))))
        faces = np.zeros((0, FACE_NUMBERS), np.float32)
        for _ in range(count):
            group = self._groups[rng.integers(len(self._groups))]
            portrait = group[rng.integers(len(group))]
            before = picture.copy()
            face = place_face(rng, picture, portrait, recipe, faces[:, :4])
            if face is not None:
                _ignore_covered(faces, before, picture)
                faces = np.concatenate([faces, face[None]])
        return Composite(picture=finish(rng, picture, recipe), faces=faces)


def _ignore_covered(faces: FloatArray, before: Picture, after: Picture) -> None:
    """Faces of which a later one covers much are neither asked for nor refused."""
    height, width = after.shape[:2]
    for face in faces:
        left, top = (int(max(v, 0)) for v in face[:2])
        right, bottom = int(min(face[2], width)), int(min(face[3], height))
        was, is_ = before[top:bottom, left:right], after[top:bottom, left:right]
        if was.size and float((was != is_).any(axis=2).mean()) > 0.35:
            face[-1] = 0.0


def finish(rng: np.random.Generator, picture: Picture, recipe: Recipe) -> Picture:
    """What light and camera do to the whole picture."""
    shown: Numbers = picture.astype(np.float32)
    dark = rng.random() < recipe.dark
    if dark:
        shown = 255 * (shown / 255) ** rng.uniform(1.0, 1.6) * rng.uniform(0.12, 0.45)
        shown *= rng.normal(1, 0.08, 3)
    elif rng.random() < 0.4:
        shown = 255 * (shown / 255) ** rng.uniform(0.6, 1.6) * rng.normal(1, 0.06, 3)
    if rng.random() < 0.15:
        shown[:] = shown.mean(axis=2, keepdims=True)
    if rng.random() >= recipe.worn:
        return np.clip(shown, 0, 255).astype(np.uint8)
    height, width = picture.shape[:2]
    kind = rng.integers(4)
    if kind == 0:
        shown = np.asarray(cv2.GaussianBlur(shown, (0, 0), rng.uniform(0.4, 1.8)), np.float32)
    elif kind == 1:
        length = int(rng.integers(2, 8))
        kernel = np.zeros((length, length), np.float32)
        ends = (
            ((0, length - 1), (length - 1, 0)) if rng.random() < 0.5 else ((0, 0), (length - 1, 0))
        )
        cv2.line(kernel, *ends, 1.0)
        shown = np.asarray(cv2.filter2D(shown, -1, kernel / kernel.sum()), np.float32)
    elif kind == 2:
        share = rng.uniform(0.45, 0.9)
        small = cv2.resize(
            shown, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA
        )
        large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        shown = np.asarray(large, np.float32)
    if rng.random() < 0.6:
        grain = rng.standard_normal((height, width, 1), dtype=np.float32)
        shown = shown + grain * np.float32(rng.uniform(1, 7 if dark else 14))
    out = np.clip(shown, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.integers(25, 90))
        _, data = cv2.imencode(".jpg", out, (cv2.IMWRITE_JPEG_QUALITY, quality))
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return out


def open_composer(
    faces: Sequence[Path],
    places: Path,
    split: Split,
    *,
    bundle: Path,
    cache: Path,
    crops: Sequence[Sequence[Path]] = (),
) -> Composer:
    """A composer of one split's people.

    Args:
        faces: folders of portraits, each a group of its own.
        places: folder of environment maps, ``*.hdr``; `TEST_PLACES` are kept for test pictures.
        split: whose people are shown.
        bundle: MediaPipe's ``face_landmarker.task``, which places the landmarks once.
        cache: folder for them.
        crops: shards of rendered faces of the same split, in groups, see `shard_portraits`.

    Raises:
        ValueError: there is no face to show.
    """
    groups = []
    for folder in faces:
        files = [(path, portrait_identity(folder.name, path.stem)) for path in _jpegs(folder)]
        mine = [(path, who) for path, who in files if split_of(who) == split]
        groups.append(read_portraits(mine, bundle, cache / f"{folder.name}_{split}.npz"))
    groups += [shard_portraits(shards, MOST_CROPS) for shards in crops]
    maps = sorted(places.glob("*.hdr"))
    shown = [m for m in maps if (m.stem in TEST_PLACES) == (split == "test")]
    return Composer(groups, read_places(shown))


def _jpegs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))


def composites_to_judge_by(
    composer: Composer, count: int = 300, seed: int = 3
) -> Iterator[Composite]:
    """The pictures that finders are compared on: a quarter of each of `TEST_RECIPES`."""
    names = list(TEST_RECIPES)
    for i in range(count):
        kind = names[i % len(names)]
        made = composer.make(np.random.default_rng((seed, i)), TEST_RECIPES[kind], 1280, 720)
        yield Composite(picture=made.picture, faces=made.faces, kind=kind)
