"""From a stored sample to what the network sees in training: another cut, other pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from freeavatar.foundation.crops import NETWORK_SIZE
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.landmarks import LANDMARKS

from .geometry import Jitter, moved, random_jitter, warp
from .lettering import letters, plain
from .photometry import Photometry

TARGETS: Mapping[str, tuple[int, ...]] = {
    "blendshapes": (52,),
    "eyes": (2, 2),
    "head": (3, 3),
    "place": (3,),
    "landmarks": (len(LANDMARKS), 2),
}
"""Names and shapes of what is known of one crop."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One crop for the network."""

    crop: NDArray[np.uint8]
    """(128, 128, 3) RGB."""
    targets: dict[str, FloatArray]
    """By the names of `TARGETS`, in the network's units; NaN where unknown."""
    face: bool


class Augmenter:
    """Makes views of stored samples.

    Args:
        seed: of what does not change from view to view.
    """

    def __init__(self, seed: int = 0) -> None:
        self._photometry = Photometry(seed)
        self._last: NDArray[np.uint8] | None = None

    def view(
        self,
        picture: NDArray[np.uint8],
        numbers: Mapping[str, FloatArray],
        rng: Generator,
        *,
        face: bool = True,
        mirrored: bool | None = None,
    ) -> View:
        """One random view; the view before it may lend a piece that covers this one.

        Args:
            picture: (S, S, 3) RGB, a stored crop.
            numbers: what is known of it, see `freeavatar.foundation.samples.unpack_numbers`.
            rng: decides everything else.
            face: whether there is one.
            mirrored: whether left and right change places; None for half of them. Views that
                are to say the same must agree in it.
        """
        jitter = random_jitter(rng)
        if mirrored is not None:
            jitter = replace(jitter, mirrored=mirrored)
        crop = self._photometry(warp(picture, jitter), rng, donor=self._last)
        self._last = crop
        return View(crop=crop, targets=moved(numbers, jitter, picture.shape[0]), face=face)

    def without_face(self, picture: NDArray[np.uint8], rng: Generator) -> View:
        """What a lost tracker or a wrong detection shows: beside a face, a bit of one, clutter."""
        kind = rng.random()
        if kind < 0.3:
            crop = warp(picture, _beside(rng))
        elif kind < 0.45:
            crop = warp(picture, _close(rng))
        elif kind < 0.6:
            crop = _shuffled(warp(picture, random_jitter(rng)), rng)
        elif kind < 0.7:
            crop = self._photometry.clutter(NETWORK_SIZE, rng)
        elif kind < 0.78:
            crop = plain(NETWORK_SIZE, rng)
        else:
            crop = letters(NETWORK_SIZE, rng)
        return View(crop=self._photometry(crop, rng), targets=unknown(), face=False)


def plain_view(
    picture: NDArray[np.uint8], numbers: Mapping[str, FloatArray], *, face: bool = True
) -> View:
    """The middle of a stored crop as it is, for validation."""
    jitter = Jitter()
    return View(
        crop=warp(picture, jitter), targets=moved(numbers, jitter, picture.shape[0]), face=face
    )


def unknown() -> dict[str, FloatArray]:
    """Targets of which nothing is known."""
    return {name: np.full(shape, np.nan, np.float32) for name, shape in TARGETS.items()}


def _beside(rng: Generator) -> Jitter:
    """So far off that most of the face is outside."""
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.1)
    return Jitter(
        scale=float(rng.uniform(0.8, 1.3)),
        shift=(float(np.cos(angle) * far), float(np.sin(angle) * far)),
        roll=float(rng.uniform(-0.5, 0.5)),
    )


def _close(rng: Generator) -> Jitter:
    """A patch of skin, an eye alone, a corner of the background."""
    scale = float(rng.uniform(4.0, 8.0))
    x, y = rng.uniform(-0.45, 0.45, 2) * scale
    return Jitter(scale=scale, shift=(float(x), float(y)), roll=float(rng.uniform(-0.5, 0.5)))


def _shuffled(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """The crop's tiles in another order, so that parts of a face alone do not count as one."""
    side = int(rng.choice((16, 32)))
    count = NETWORK_SIZE // side
    tiles = crop.reshape(count, side, count, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
    tiles = tiles[rng.permutation(len(tiles))].reshape(count, count, side, side, 3)
    out = np.ascontiguousarray(tiles.swapaxes(1, 2).reshape(crop.shape))
    # A network could find the seams instead of the disorder.
    return np.asarray(cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.5, 2.0))))
