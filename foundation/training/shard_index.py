"""Random access to shards: where each sample lies, who and what it shows.

A tar stores files whole, so its table of contents is enough to read any sample at any time; that
lets batches be put together by expression and by person, and costs no memory but the index.
"""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.samples import Sample, unpack, unpack_numbers

SUFFIXES = ("jpg", "npy", "json")


@dataclass(frozen=True, kw_only=True)
class ShardIndex:
    """All samples of one split of some folders."""

    shards: tuple[NDArray[np.uint8], ...]
    """Bytes of each tar, mapped from disk."""
    where: NDArray[np.int64]
    """(M, 7) shard, then offset and length of picture, numbers and facts."""
    expressions: NDArray[np.int64]
    """(M,) number of the expression, -1 unknown."""
    people: NDArray[np.int64]
    """(M,) equal for one identity."""
    folders: NDArray[np.int64]
    """(M,) number of the folder it comes from."""

    def __len__(self) -> int:
        """Samples."""
        return len(self.where)

    def blendshapes(self, row: int) -> FloatArray:
        """(52,) of one sample, without decoding its picture."""
        shard, _, _, start, length, *_ = self.where[row]
        return unpack_numbers(self.shards[shard][start : start + length].tobytes())["blendshapes"]

    def sample(self, row: int) -> Sample:
        """Read one sample.

        Raises:
            TrainingError: it is damaged.
        """
        shard, *places = self.where[row]
        data = self.shards[shard]
        parts = zip(SUFFIXES, places[::2], places[1::2], strict=True)
        record = {suffix: data[start : start + length].tobytes() for suffix, start, length in parts}
        try:
            return unpack(record)
        except ValueError as error:
            raise TrainingError(f"a sample of the shards is damaged: {error}") from error


def index_shards(folders: Sequence[Path], split: str) -> ShardIndex:
    """Read the tables of contents of ``FOLDER/{split}-*.tar``.

    Raises:
        TrainingError: a folder has no such shard, or one is damaged.
    """
    shards: list[NDArray[np.uint8]] = []
    rows: list[tuple[int, ...]] = []
    numbers: dict[str, int] = {}
    for folder_number, folder in enumerate(folders):
        paths = sorted(folder.glob(f"{split}-*.tar"))
        if not paths:
            raise TrainingError(f"{folder} holds no shards {split}-*.tar; make them with data")
        for path in paths:
            rows += _rows(path, len(shards), folder_number, numbers)
            shards.append(np.memmap(path, mode="r"))
    table = np.array(rows, np.int64)
    return ShardIndex(
        shards=tuple(shards),
        where=table[:, :7],
        expressions=table[:, 7],
        people=table[:, 8],
        folders=table[:, 9],
    )


def _rows(path: Path, shard: int, folder: int, people: dict[str, int]) -> list[tuple[int, ...]]:
    """One row for each sample of a shard; ``people`` gets who was new."""
    out = []
    try:
        with tarfile.open(path) as tar:
            samples: dict[str, dict[str, tarfile.TarInfo]] = {}
            for member in tar.getmembers():
                key, _, suffix = member.name.rpartition(".")
                samples.setdefault(key, {})[suffix] = member
            for parts in samples.values():
                file = tar.extractfile(parts["json"])
                facts = json.loads(file.read() if file is not None else b"")
                places = [n for s in SUFFIXES for n in (parts[s].offset_data, parts[s].size)]
                person = people.setdefault(facts["identity"], len(people))
                out.append((shard, *places, int(facts["expression"]), person, folder))
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise TrainingError(f"{path} is no shard of samples: {error}") from error
    return out
