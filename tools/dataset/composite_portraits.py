"""Portraits with known face points, as material for composites."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.landmarks import LANDMARKS, LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS, places
from freeavatar.foundation.samples import unpack

MOUTH_CORNERS = places(61, 291)
PLAIN = 14
"""Levels by which a studio's backdrop may differ from one pixel to the next."""


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """One picture of one face."""

    picture: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    identity: str
    landmarks: FloatArray
    """(156, 2) pixels, in the order of `freeavatar.foundation.landmarks`."""
    silhouette: NDArray[np.uint8] | None = None
    """(H, W) 255 where there is a person, where a plain backdrop lets it be known."""
    closely_cut: bool = False
    """A crop that ends close around the face (shards), so that no shoulders can be had."""


def three_points(landmarks: FloatArray) -> FloatArray:
    """(3, 2) right eye, left eye, middle of the mouth of (156, 2) landmarks."""
    groups = (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS, MOUTH_CORNERS)
    return np.stack([landmarks[list(group)].mean(axis=0) for group in groups])


def read_portraits(files: Iterable[tuple[Path, str]], bundle: Path, cache: Path) -> list[Portrait]:
    """Portraits whose face MediaPipe finds; its landmarks are kept in ``cache`` for the next time.

    Args:
        files: picture and identity.
        bundle: the ``face_landmarker.task`` file.
        cache: an .npz file that need not exist.
    """
    known = _read_cache(cache)
    fresh = False
    out = []
    find = None
    for path, identity in files:
        read = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if read is None:
            continue
        picture = np.asarray(read, np.uint8)
        key = f"{path.parent.name}/{path.name}"
        if key not in known:
            if find is None:
                from freeavatar.foundation.mediapipe_reader import landmark_finder

                find = landmark_finder(bundle)
            points = find(picture)
            fresh = True
            known[key] = np.zeros((0, 2), np.float32) if points is None else points[list(LANDMARKS)]
        if len(known[key]):
            out.append(
                Portrait(
                    picture=picture,
                    identity=identity,
                    landmarks=known[key],
                    silhouette=silhouette(picture),
                )
            )
    if fresh:
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(cache, **{k.replace("/", "|"): v for k, v in known.items()})  # type: ignore[arg-type]
    return out


def shard_portraits(shards: Sequence[Path], most: int) -> list[Portrait]:
    """Faces of the shards that `freeavatar data puppets` and `avatars` write.

    Args:
        shards: .tar files.
        most: of all shards together; they are taken from each alike.
    """
    import webdataset

    out: list[Portrait] = []
    for shard in shards:
        mine = 0
        for record in webdataset.WebDataset(str(shard), shardshuffle=False):
            sample = unpack(record)
            if sample.face and np.isfinite(sample.landmarks).all():
                out.append(
                    Portrait(
                        picture=sample.picture,
                        identity=sample.identity,
                        landmarks=sample.landmarks,
                        closely_cut=True,
                    )
                )
                mine += 1
            if mine * len(shards) >= most:
                break
    return out


def silhouette(picture: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """(H, W) mask of the person before a plain backdrop; None where there is none such.

    The backdrop is what a flood from the two upper corners reaches.
    """
    height, width = picture.shape[:2]
    if min(height, width) < 300:
        return None
    mask = np.zeros((height + 2, width + 2), np.uint8)
    smooth = cv2.GaussianBlur(picture, (5, 5), 0)
    for corner in ((0, 0), (width - 1, 0)):
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
        level = (3, 3, 3)
        cv2.floodFill(smooth.copy(), mask, corner, (0, 0, 0), level, level, flags)
    person = 255 - mask[1:-1, 1:-1]
    share = float((person > 0).mean())
    if not 0.15 < share < 0.8:
        return None
    return np.asarray(cv2.GaussianBlur(cv2.erode(person, np.ones((5, 5), np.uint8)), (7, 7), 0))


def _read_cache(cache: Path) -> dict[str, FloatArray]:
    if not cache.is_file():
        return {}
    with np.load(cache, allow_pickle=False) as kept:
        return {name.replace("|", "/"): kept[name] for name in kept.files}
