"""Portraits of a folder with their landmarks and the ICT face fitted to each, kept in a cache."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.foundation.mediapipe_landmarker import Landmarker

from .ict import IctFace

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
VERSION = "portraits/1"
DETECTION_WIDTH = 480
"""Smaller portraits are enlarged to this width before landmarks are sought, pixels."""
MOST_NEUTRAL = 160
"""Neutral portraits from which the offsets of landmarks are learned."""


@dataclass(frozen=True, kw_only=True)
class Portraits:
    """The N portraits of a folder in which a face was found; pixels of the file."""

    folder: Path
    name: tuple[str, ...]
    """File names."""
    landmarks: FloatArray
    """(N, 478, 2) of MediaPipe."""
    seen: FloatArray
    """(N, 52) MediaPipe's own blendshapes."""
    offsets: FloatArray
    """(470, 3) of the landmarks from their ICT vertices, centimetres."""
    modes: FloatArray
    """(N, 60), and the following as in `freeavatar.tools.dataset.portrait_fit.Fit`."""
    blendshapes: FloatArray
    rotation: FloatArray
    scale: FloatArray
    shift: FloatArray
    error: FloatArray

    def picture(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB of one portrait."""
        return read_picture(self.folder / self.name[index])


_ARRAYS = tuple(f.name for f in fields(Portraits) if f.name not in ("folder", "name"))


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB.

    Raises:
        ValueError: it is not a picture.
    """
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path} is not a picture that can be read")
    return np.ascontiguousarray(picture[..., ::-1])


def load_portraits(
    folders: Sequence[Path], ict: IctFace, bundle: Path, cache: Path
) -> list[Portraits]:
    """The portraits of each folder, from the cache where it has them.

    Offsets of landmarks are learned once, from the neutral portraits of all folders.

    Args:
        folders: with picture files.
        ict: the face.
        bundle: MediaPipe's ``face_landmarker.task``.
        cache: folder for what was found; made where it is missing.

    Raises:
        ValueError: a folder holds no picture with a face.
    """
    files = [cache / f"{folder.name}-{_digest(folder)}.npz" for folder in folders]
    missing = [k for k, file in enumerate(files) if not file.is_file()]
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        found = [_found(folders[k], bundle) for k in missing]
        offsets = _offsets(found, ict, cache)
        for k, (names, landmarks, seen) in zip(missing, found, strict=True):
            _write(files[k], names, landmarks, seen, offsets, ict)
    return [_read(folder, file) for folder, file in zip(folders, files, strict=True)]


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)


def _digest(folder: Path) -> str:
    listed = [f"{p.name} {p.stat().st_size}" for p in _pictures(folder)]
    return hashlib.sha256("\n".join([VERSION, *listed]).encode()).hexdigest()[:12]


_Found = tuple[list[str], FloatArray, FloatArray]


def _found(folder: Path, bundle: Path) -> _Found:
    """Names, landmarks and MediaPipe's blendshapes of the portraits with a face."""
    names, landmarks, seen = [], [], []
    landmarker = Landmarker(bundle)
    for path in tqdm(_pictures(folder), desc=f"faces of {folder.name}", disable=None, delay=1.0):
        picture = read_picture(path)
        grow = max(1.0, DETECTION_WIDTH / picture.shape[1])
        large = cv2.resize(picture, None, fx=grow, fy=grow, interpolation=cv2.INTER_CUBIC)
        faces = landmarker.find(np.asarray(large, np.uint8))
        if faces:
            names.append(path.name)
            back = np.array(picture.shape[1::-1]) / np.array(large.shape[1::-1])
            landmarks.append(faces[0].landmarks * back)
            seen.append(faces[0].blendshapes)
    landmarker.close()
    if not names:
        raise ValueError(f"{folder} holds no picture with a face")
    return names, np.array(landmarks, np.float32), np.array(seen, np.float32)


def _offsets(found: Sequence[_Found], ict: IctFace, cache: Path) -> FloatArray:
    from .portrait_fit import learn_offsets

    file = cache / "landmark_offsets.npz"
    if file.is_file():
        with np.load(file, allow_pickle=False) as kept:
            return np.asarray(kept["offsets"], np.float32)
    landmarks = np.concatenate([f[1] for f in found])
    neutral = np.flatnonzero(_at_rest(landmarks, np.concatenate([f[2] for f in found])))
    offsets = learn_offsets(landmarks[neutral[:MOST_NEUTRAL]], ict)
    np.savez(file, offsets=offsets)
    return offsets


def _at_rest(landmarks: FloatArray, seen: FloatArray) -> NDArray[np.bool_]:
    """(N,) who looks ahead with a neutral face."""

    def mean(*names: str) -> FloatArray:
        columns = [seen[:, BLENDSHAPES.index(n)] for n in names]
        return np.asarray(np.mean(columns, axis=0, dtype=np.float32))

    right, left = landmarks[:, 234, 0], landmarks[:, 454, 0]
    turned = np.abs((landmarks[:, 4, 0] - (left + right) / 2) / (left - right))
    return np.asarray(
        (mean("mouthSmileLeft", "mouthSmileRight") < 0.08)
        & (mean("jawOpen") < 0.04)
        & (mean("eyeBlinkLeft", "eyeBlinkRight") < 0.25)
        & (mean("mouthPucker") < 0.5)
        & (mean("browInnerUp") < 0.4)
        & (turned < 0.15)
    )


def _write(
    file: Path,
    names: list[str],
    landmarks: FloatArray,
    seen: FloatArray,
    offsets: FloatArray,
    ict: IctFace,
) -> None:
    from .portrait_fit import fit_portraits, point_model

    fit = fit_portraits(landmarks, point_model(ict, offsets))
    part = file.with_suffix(".part.npz")
    np.savez(
        part,
        name=np.array(names),
        landmarks=landmarks,
        seen=seen,
        offsets=offsets,
        **{f.name: getattr(fit, f.name) for f in fields(fit)},
    )
    part.replace(file)


def _read(folder: Path, file: Path) -> Portraits:
    with np.load(file, allow_pickle=False) as kept:
        names = tuple(str(n) for n in kept["name"])
        return Portraits(folder=folder, name=names, **{n: kept[n] for n in _ARRAYS})
