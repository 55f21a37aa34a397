"""Random access to shards: where each sample lies, who and what it shows.

A tar stores files whole, so its headers are enough to read any sample at any time; that lets
batches be put together by expression and by person, and costs no memory but the index. Files are
mapped, so processes on one machine share what one of them has read.
"""

import json
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.samples import Sample, unpack, unpack_numbers

SUFFIXES = ("jpg", "npy", "json")
_BLOCK = 512


class ShardIndex:
    """All samples of one split of some folders.

    Args:
        folders: each holds ``{split}-*.tar``.
        split: train, validation or test.

    Raises:
        TrainingError: a folder has no such shard, or one is damaged.
    """

    def __init__(self, folders: Sequence[Path], split: str) -> None:
        self._folders, self._split = folders, split
        self._shards: list[mmap.mmap] = []
        self._seen: set[Path] = set()
        self._people: dict[str, int] = {}
        self._table = np.zeros((0, 10), np.int64)
        self.refresh()
        for number, folder in enumerate(folders):
            if not (self.folders == number).any():
                raise TrainingError(f"{folder} holds no shards {split}-*.tar; make them with: data")

    def refresh(self) -> int:
        """Take up shards that have appeared; the rows of the others stay as they are.

        Returns:
            How many samples are new.
        """
        rows: list[tuple[int, ...]] = []
        for number, folder in enumerate(self._folders):
            for path in sorted(set(folder.glob(f"{self._split}-*.tar")) - self._seen):
                rows += self._rows(path, number)
                self._seen.add(path)
        if rows:
            self._table = np.concatenate([self._table, np.array(rows, np.int64)])
        return len(rows)

    def __len__(self) -> int:
        """Samples."""
        return len(self._table)

    @property
    def expressions(self) -> NDArray[np.int64]:
        """(M,) number of the expression, -1 unknown."""
        return self._table[:, 7]

    @property
    def people(self) -> NDArray[np.int64]:
        """(M,) equal for one identity."""
        return self._table[:, 8]

    @property
    def folders(self) -> NDArray[np.int64]:
        """(M,) number of the folder it comes from."""
        return self._table[:, 9]

    @property
    def faces(self) -> NDArray[np.int64]:
        """(M,) equal for pictures that show one person with one expression, -1 unknown."""
        pairs = np.stack([self.people, self.expressions], axis=1)
        numbers = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
        return np.where(self.expressions >= 0, numbers, -1).astype(np.int64)

    def blendshapes(self, row: int) -> FloatArray:
        """(52,) of one sample, without decoding its picture."""
        shard, _, _, start, length = self._table[row, :5]
        return unpack_numbers(self._shards[shard][start : start + length])["blendshapes"]

    def sample(self, row: int) -> Sample:
        """Read one sample.

        Raises:
            TrainingError: it is damaged.
        """
        shard, *places = (int(n) for n in self._table[row, :7])
        data = self._shards[shard]
        parts = zip(SUFFIXES, places[::2], places[1::2], strict=True)
        try:
            return unpack({name: data[start : start + length] for name, start, length in parts})
        except ValueError as error:
            raise TrainingError(f"a sample of the shards is damaged: {error}") from error

    def _rows(self, path: Path, folder: int) -> list[tuple[int, ...]]:
        """One row for each sample of a shard: shard, where its files lie, facts."""
        out = []
        try:
            with path.open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            samples: dict[str, dict[str, tuple[int, int]]] = {}
            for name, start, length in _files(data):
                key, _, suffix = name.rpartition(".")
                samples.setdefault(key, {})[suffix] = (start, length)
            for parts in samples.values():
                start, length = parts["json"]
                facts = json.loads(data[start : start + length])
                places = [n for suffix in SUFFIXES for n in parts[suffix]]
                person = self._people.setdefault(str(facts["identity"]), len(self._people))
                number = int(facts["expression"])
                out.append((len(self._shards), *places, number, person, folder))
        except (KeyError, ValueError) as error:
            raise TrainingError(
                f"{path} is no shard of samples ({error}); delete it and make it again"
            ) from error
        self._shards.append(data)
        return out


class Groups:
    """Rows with equal numbers."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]

    def of(self, number: int) -> NDArray[np.int64]:
        """The rows with a number."""
        low, high = np.searchsorted(self._sorted, (number, number + 1))
        return np.asarray(self._order[low:high], np.int64)


def _files(data: mmap.mmap) -> Iterator[tuple[str, int, int]]:
    """Name, start and length of each file in a tar.

    Headers and contents fill whole blocks of 512 bytes; reading only what is needed of them is
    several times faster than the standard library, which counts with hundreds of shards.
    """
    place = 0
    while place + _BLOCK <= len(data) and data[place]:
        name = data[place : place + 100].split(b"\0", 1)[0].decode()
        length = int(data[place + 124 : place + 136].split(b"\0", 1)[0], 8)
        # Other kinds are folders and what some writers say about the file that follows.
        plain = data[place + 156 : place + 157] in (b"0", b"\0")
        place += _BLOCK
        if place + length > len(data):
            raise ValueError("it ends early")
        if plain:
            yield name, place, length
        place += -(-length // _BLOCK) * _BLOCK
