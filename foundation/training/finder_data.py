"""Training pictures for the face finder: read from shards, varied, put into batches."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.finder_grid import STRIDES
from freeavatar.foundation.finder_targets import FACE_NUMBERS, targets

MIXED = 4
"""Shards that are mixed with one another."""
LEAST = 9.0
"""Longer side of a face's box, pixels, below which it is ignored."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pictures and what should be found in them."""

    pictures: Tensor
    """(N, H, W, 3) uint8 RGB."""
    wanted: list[tuple[Tensor, Tensor, Tensor]]
    """For each stride, see `freeavatar.foundation.finder_targets.targets`."""

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        wanted = [(a.to(device), b.to(device), c.to(device)) for a, b, c in self.wanted]
        return Batch(pictures=self.pictures.to(device), wanted=wanted)


def shards_of(folder: Path, split: str) -> list[Path]:
    """The shards of a split.

    Raises:
        TrainingError: there are none.
    """
    found = sorted(folder.glob(f"{split}-*.tar"))
    if not found:
        raise TrainingError(
            f"{folder} has no {split}-*.tar; make composites first: freeavatar data composites"
        )
    return found


def read_shard(path: Path) -> list[tuple[bytes, FloatArray]]:
    """Encoded pictures and their faces (F, 11).

    Raises:
        TrainingError: the shard holds something else.
    """
    import webdataset

    out = []
    for record in webdataset.WebDataset(str(path), shardshuffle=False, empty_check=False):
        try:
            faces = np.load(io.BytesIO(record["npy"]), allow_pickle=False)
            picture = record["jpg"]
        except (KeyError, ValueError) as error:
            raise TrainingError(f"{path} holds no composites: {error}") from error
        if faces.ndim != 2 or faces.shape[1] != FACE_NUMBERS:
            raise TrainingError(f"{path}: expected faces (F, {FACE_NUMBERS}), found {faces.shape}")
        out.append((picture, faces.astype(np.float32)))
    return out


def decoded(data: bytes) -> Picture:
    """(H, W, 3) RGB of an encoded picture."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise TrainingError("a picture of the shards does not decode")
    return np.asarray(picture, np.uint8)


def batches(
    folder: Path, size: int, seed: int, *, rank: int = 0, count: int = 1
) -> Iterator[Batch]:
    """Batches without end, varied afresh each time.

    New shards that appear in the folder are taken in as they come.

    Args:
        folder: of ``train-*.tar``.
        size: pictures of a batch.
        seed: of order and variation.
        rank: number of this process; different processes see different pictures.
        count: of processes.
    """
    rng = np.random.default_rng((seed, rank))
    rest: list[tuple[bytes, FloatArray]] = []
    while True:
        shards = shards_of(folder, "train")
        mine = shards[rank::count] or shards
        order = rng.permutation(len(mine))
        for start in range(0, len(order), MIXED):
            for i in order[start : start + MIXED]:
                rest += read_shard(mine[i])
            rest = [rest[i] for i in rng.permutation(len(rest))]
            while len(rest) >= size:
                yield collate([varied(rng, decoded(d), f) for d, f in rest[:size]])
                rest = rest[size:]


def collate(samples: Sequence[tuple[Picture, FloatArray]]) -> Batch:
    """A batch of pictures of one size."""
    wanted = [targets(faces, picture.shape[:2]) for picture, faces in samples]
    stacked = []
    for level in range(len(STRIDES)):
        heat, weight, numbers = (
            torch.from_numpy(np.stack([w[level][part] for w in wanted])) for part in range(3)
        )
        stacked.append((heat, weight, numbers))
    pictures = torch.from_numpy(np.stack([picture for picture, _ in samples]))
    return Batch(pictures=pictures, wanted=stacked)


def varied(
    rng: np.random.Generator, picture: Picture, faces: FloatArray
) -> tuple[Picture, FloatArray]:
    """The picture mirrored, zoomed, shifted, under another light, each by chance."""
    faces = faces.copy()
    if rng.random() < 0.5:
        picture, faces = mirrored(picture, faces)
    if rng.random() < 0.6:
        picture, faces = _zoomed(rng, picture, faces)
    if rng.random() < 0.5:
        gain = rng.uniform(0.6, 1.4) * rng.normal(1, 0.07, 3)
        levels = np.arange(256)[:, None] / 255
        curve = levels ** rng.uniform(0.7, 1.4) * gain + rng.normal(0, 0.04)
        table = np.clip(curve * 255, 0, 255).astype(np.uint8)
        picture = np.asarray(cv2.LUT(picture, table[:, None].reshape(1, 256, 3)))
    if rng.random() < 0.1:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        picture = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))
    return np.ascontiguousarray(picture), faces


def mirrored(picture: Picture, faces: FloatArray) -> tuple[Picture, FloatArray]:
    """Left and right exchanged, the eyes too."""
    width = picture.shape[1]
    out = faces.copy()
    out[:, [0, 2]] = width - faces[:, [2, 0]]
    out[:, 4:10] = faces[:, [6, 7, 4, 5, 8, 9]]
    out[:, 4:10:2] = width - out[:, 4:10:2]
    return picture[:, ::-1], out


def _zoomed(
    rng: np.random.Generator, picture: Picture, faces: FloatArray
) -> tuple[Picture, FloatArray]:
    height, width = picture.shape[:2]
    scale = float(np.exp(rng.uniform(np.log(0.55), np.log(1.5))))
    shift = (1 - scale) * rng.uniform(0, 1, 2) * (width, height)
    half = 0.5 * scale - 0.5 + shift
    warp = np.array([[scale, 0, half[0]], [0, scale, half[1]]])
    colour = tuple(int(v) for v in rng.integers(0, 256, 3))
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    if scale < 0.8:
        # Averages, where sampling would skip pixels.
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.35 / scale))
    picture = np.asarray(
        cv2.warpAffine(picture, warp, (width, height), flags=flags, borderValue=colour)
    )
    faces[:, :10] = (faces[:, :10].reshape(-1, 2) * scale + shift).reshape(-1, 10)
    low, high = np.maximum(faces[:, :2], 0), np.minimum(faces[:, 2:4], (width, height))
    inside = np.maximum(high - low, 0).prod(axis=1)
    whole = np.maximum(faces[:, 2:4] - faces[:, :2], 1e-6)
    faces[(inside < 0.5 * whole.prod(axis=1)) | (whole.max(axis=1) < LEAST), 10] = 0.0
    return picture, faces[inside > 0]
