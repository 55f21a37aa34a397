"""What the frozen foundation reads in augmented training crops, kept for all trainings to come.

Each picture is seen `VIEWS` times: twice as a camera might, and once mirrored. Where the shards
show the face with this expression in another pose as well, the second view is of that picture, so
that the animator learns to keep still when a head turns. A view takes 25 kB, so they are kept in
parts of a folder, which a run that was interrupted completes.
"""

import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from tqdm import tqdm

from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.expression_model import ModelOutput
from freeavatar.foundation.samples import Sample
from freeavatar.foundation.training.augment import Augmenter
from freeavatar.foundation.training.shard_index import Groups, ShardIndex
from freeavatar.foundation.training.views import known

VIEWS = 3
MIRRORED = VIEWS - 1
"""Which of a picture's views is mirrored."""
PART = 256
"""Pictures in a file."""
CALM = 0.05
"""Largest true coefficient of a face that counts as at rest."""
KEPT = ("truth", "shapes", "embedding", "tokens")


class FaceReading(Protocol):
    """The foundation, as `freeavatar.foundation.expression_model.ExpressionModel` is."""

    def read(self, crops: NDArray[np.uint8]) -> ModelOutput:
        """What crops (N, 128, 128, 3) RGB express."""
        ...


@dataclass(frozen=True, kw_only=True)
class ExpressionViews:
    """M pictures, each read `VIEWS` times."""

    tokens: Sequence[NDArray[np.float16]]
    """Parts (N, `VIEWS`, 64, 192), mapped from files."""
    places: NDArray[np.int64]
    """(M, 2) part that holds each picture, and its row there."""
    shapes: FloatArray
    """(M, `VIEWS`, 52) blendshapes that the foundation read."""
    truth: FloatArray
    """(M, `VIEWS`, 52) what is shown; where that is not known, what was read."""
    embedding: FloatArray
    """(M, `VIEWS`, 64) unit length."""
    people: NDArray[np.int64]
    """(M,) equal for one person."""

    def __len__(self) -> int:
        """Pictures."""
        return len(self.people)

    def tokens_of(self, pictures: NDArray[np.int64], view: NDArray[np.int64]) -> FloatArray:
        """(N, 64, 192) finer features of some views."""
        where = zip(*self.places[pictures].T.tolist(), view.tolist(), strict=True)
        return np.stack([self.tokens[p][row, v] for p, row, v in where]).astype(np.float32)

    @property
    def resting(self) -> FloatArray:
        """(52,) what the foundation reads in faces at rest; zeros where there are too few."""
        calm = self.truth[:, 0].max(axis=1) < CALM
        if calm.sum() < 8:
            return np.zeros(self.shapes.shape[2], np.float32)
        return np.asarray(np.median(self.shapes[calm, 0], axis=0), np.float32)


def gather_views(
    folders: Sequence[Path],
    split: str,
    count: int,
    kept: Path,
    model: FaceReading,
    *,
    seed: int = 0,
) -> ExpressionViews:
    """Read pictures of shards, or what was kept of them.

    Args:
        folders: of shards with faces.
        split: train or validation.
        count: pictures at most.
        kept: folder for what was read, of this data and seed alone.
        model: the foundation.
        seed: of the choice of pictures and of their views.

    Raises:
        TrainingError: the folders have no such shards or no faces, or what was kept is damaged.
    """
    index = ShardIndex(folders, split)
    rows = np.random.default_rng(seed).permutation(len(index))[:count]
    # One person's pictures lie together: sequences show one person.
    rows = rows[np.argsort(index.people[rows], kind="stable")]
    kept.mkdir(parents=True, exist_ok=True)
    parts = np.split(rows, range(PART, len(rows), PART))
    with tqdm(total=len(rows), desc=f"{split} faces", unit=" pictures", disable=None) as bar:
        for number, part in enumerate(parts):
            path = kept / f"{number:06d}.npz"
            if not path.is_file():
                _read_part(index, part, path, model, np.random.default_rng([seed, number]))
            bar.update(len(part))
    return _views(kept, [kept / f"{n:06d}.npz" for n in range(len(parts))], parts)


def _read_part(
    index: ShardIndex,
    rows: NDArray[np.int64],
    path: Path,
    model: FaceReading,
    make: Generator,
) -> None:
    augmenter = Augmenter(0)
    samples = [(row, index.sample(row)) for row in rows]
    faces = [(row, sample) for row, sample in samples if sample.face]
    turned = _turned(index, [row for row, _ in faces])
    read = [
        _read([sample, index.sample(other), sample], augmenter, model, make)
        for (_, sample), other in zip(faces, turned, strict=True)
    ]
    out: dict[str, Any] = {k: np.stack([one[k] for one in read]) for k in KEPT} if read else {}
    tokens = out.pop("tokens", np.zeros((0, VIEWS, 64, 192), np.float16))
    people = np.array([index.people[row] for row, _ in faces], np.int64)
    _written(path.with_suffix(".tokens.npy"), lambda file: np.save(file, tokens))
    # Written last: a part is whole where this file is.
    _written(path, lambda file: np.savez(file, rows=rows, people=people, **out))


def _turned(index: ShardIndex, rows: Sequence[int]) -> list[int]:
    """Another picture of each one's person with the same expression, or that one again."""
    numbers = index.faces
    groups, out = Groups(numbers), []
    for row in rows:
        same = groups.of(int(numbers[row])) if numbers[row] >= 0 else np.zeros(0, np.int64)
        out.append(next((int(n) for n in same if n != row), row))
    return out


def _read(
    samples: Sequence[Sample], augmenter: Augmenter, model: FaceReading, make: Generator
) -> dict[str, NDArray[Any]]:
    """The views of one face, of a picture each."""
    views = [
        augmenter.view(sample.picture, known(sample), make, mirrored=number == MIRRORED)
        for number, sample in enumerate(samples)
    ]
    seen = model.read(np.stack([view.crop for view in views]))
    shown = np.stack([view.targets["blendshapes"] for view in views])
    return {
        "truth": np.where(np.isfinite(shown), shown, seen.blendshapes).astype(np.float32),
        "shapes": seen.blendshapes.astype(np.float32),
        "embedding": seen.embedding.astype(np.float32),
        "tokens": seen.tokens.astype(np.float16),
    }


def _written(path: Path, write: Callable[[Any], None]) -> None:
    own = path.with_name(f"{path.name}.{os.getpid()}")
    with own.open("wb") as file:
        write(file)
    own.replace(path)


def _views(
    kept: Path, paths: Sequence[Path], parts: Sequence[NDArray[np.int64]]
) -> ExpressionViews:
    numbers, tokens = [], []
    try:
        for path, rows in zip(paths, parts, strict=True):
            with np.load(path, allow_pickle=False) as file:
                part = {name: file[name] for name in file.files}
            if not np.array_equal(part["rows"], rows):
                raise TrainingError(f"{kept} was read from other shards; delete it")
            numbers.append(part)
            tokens.append(
                np.load(path.with_suffix(".tokens.npy"), mmap_mode="r", allow_pickle=False)
            )
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, zlib.error) as error:
        raise TrainingError(f"{kept} is damaged ({error}); delete it") from error
    return _joined(kept, numbers, tokens)


def _joined(
    kept: Path, numbers: Sequence[dict[str, NDArray[Any]]], tokens: Sequence[NDArray[np.float16]]
) -> ExpressionViews:
    filled = [i for i, part in enumerate(numbers) if len(part["people"])]
    if not filled:
        raise TrainingError(f"{kept}: the shards show no faces")
    places = [(i, row) for i in filled for row in range(len(numbers[i]["people"]))]

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([numbers[i][name] for i in filled])

    return ExpressionViews(
        tokens=tokens,
        places=np.array(places, np.int64),
        shapes=joined("shapes"),
        truth=joined("truth"),
        embedding=joined("embedding"),
        people=joined("people"),
    )
