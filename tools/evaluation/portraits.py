"""Real people's neutral and smiling portraits, cropped as a network sees them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from freeavatar.foundation.crops import MARGIN, NETWORK_SIZE, STORED_SIZE, crop_around
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.tools.dataset.splits import portrait_identity, split_of

Pictures = NDArray[np.uint8]

MOODS = ("neutral", "smiling")


@dataclass(frozen=True, kw_only=True)
class Portraits:
    """Test people of whom both portraits are there; never shown."""

    names: list[str]
    neutral: Pictures
    """(P, S, S, 3) stored crops."""
    smiling: Pictures


def load_portraits(
    folder: Path,
    landmarks_of: Callable[[NDArray[np.uint8]], FloatArray | None],
    *,
    split: str = "test",
    tick: Callable[[], Any] = lambda: None,
) -> Portraits:
    """Pairs of portraits of the people of one split.

    Args:
        folder: named ``webmorph``, with ``neutral_front__NNN_NN`` and ``smiling_front__NNN_NN``.
        landmarks_of: picture (H, W, 3) to (478, 2) landmarks, or None without a face.
        split: of the people.
        tick: called after each person, for progress.
    """
    pairs: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.glob("*_front__*.jpg")):
        name = portrait_identity(folder.name, path.stem)
        mood = path.stem.partition("_")[0]
        if mood in MOODS and split_of(name) == split:
            pairs.setdefault(name, {})[mood] = path
    names: list[str] = []
    crops: dict[str, list[Pictures]] = {mood: [] for mood in MOODS}
    for name, files in pairs.items():
        cut = [_cropped(files[m], landmarks_of) for m in MOODS if m in files]
        tick()
        if len(cut) == len(MOODS) and all(c is not None for c in cut):
            names.append(name)
            for mood, crop in zip(MOODS, cut, strict=True):
                crops[mood].append(np.asarray(crop))
    empty = np.zeros((0, STORED_SIZE, STORED_SIZE, 3), np.uint8)
    return Portraits(
        names=names,
        neutral=np.stack(crops["neutral"]) if names else empty,
        smiling=np.stack(crops["smiling"]) if names else empty,
    )


def _cropped(
    path: Path, landmarks_of: Callable[[NDArray[np.uint8]], FloatArray | None]
) -> Pictures | None:
    with Image.open(path) as opened:
        picture = np.asarray(opened.convert("RGB"))
    points = landmarks_of(picture)
    if points is None:
        return None
    margin = MARGIN * STORED_SIZE / NETWORK_SIZE
    return crop_around(points[list(LANDMARKS)], size=STORED_SIZE, margin=margin).cut(picture)
