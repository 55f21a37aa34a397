"""Batches of reference pictures of rigs, from shards, each batch of one rig."""

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from freeavatar.foundation.errors import TrainingError
from freeavatar.renderer_net.samples import RigSample, unpack
from freeavatar.rigs import registry
from freeavatar.rigs.spec import Rig


@dataclass(frozen=True, kw_only=True)
class RigPictures:
    """N pictures of one rig."""

    rig: int
    """Which of the feed's."""
    pictures: Tensor
    """(N, 3, S, S) sRGB 0..1."""
    masks: Tensor
    """(N, 1, S, S) 0..1."""
    weights: Tensor
    """(N, K) unit weights."""
    head: Tensor
    """(N, 3) radians."""
    eyes: Tensor
    """(N, 2, 3) radians."""
    light: Tensor
    """(N, 8)."""
    lens: Tensor
    """(N,) radians."""

    def __len__(self) -> int:
        """Pictures."""
        return len(self.pictures)


class RigFeed:
    """Reads folders of ``freeavatar data rig-renders``.

    Pictures stay packed in memory, about 8 kB each.

    Args:
        folders: one for each rig.
        split: begins the names of the shards.
        batch: pictures of a batch.
        seed: of their order.

    Raises:
        TrainingError: a folder has no such shards, or a shard is damaged.
    """

    def __init__(self, folders: Sequence[Path], split: str, *, batch: int, seed: int = 0) -> None:
        self._records = [_records(folder, split) for folder in folders]
        self._batch, self._seed = batch, seed
        first = [self._sample(rig, 0) for rig in range(len(folders))]
        self.sources = [sample.source for sample in first]
        """What each rig is loaded by."""
        self.names = [sample.rig for sample in first]
        self._controls = [(len(s.weights), s.controls) for s in first]
        self.size = first[0].picture.shape[0]
        """Pixels a side."""
        if any(sample.picture.shape[0] != self.size for sample in first):
            raise TrainingError("the folders hold pictures of several sizes; draw them again")

    @property
    def counts(self) -> dict[str, int]:
        """Pictures of each rig."""
        return {n: len(r) for n, r in zip(self.names, self._records, strict=True)}

    def rigs(self) -> list[Rig]:
        """Load every rig.

        Raises:
            TrainingError: a rig has other controls than when it was drawn.
            RigError: a rig is not there any more.
        """
        rigs = [registry.load(source) for source in self.sources]
        for rig, (drawn, names) in zip(rigs, self._controls, strict=True):
            if len(rig.controls) != drawn:
                raise TrainingError(
                    f"rig {rig.name} has {len(rig.controls)} controls, its pictures were drawn "
                    f"with {drawn}; draw them again with: freeavatar data rig-renders"
                )
            if names and names != rig.names:
                raise TrainingError(
                    f"rig {rig.name} has other controls than its pictures were drawn with; draw "
                    "them again with: freeavatar data rig-renders"
                )
        return rigs

    def training(self, start: int = 0) -> Iterator[RigPictures]:
        """Batches without end, each of the next rig in turn; ``start`` were taken before."""
        step = start
        while True:
            make = np.random.default_rng((self._seed, step))
            rig = step % len(self._records)
            rows = make.choice(len(self._records[rig]), self._batch)
            yield self._pictures(rig, rows.tolist())
            step += 1

    def all_of(self, rig: int, most: int) -> Iterator[RigPictures]:
        """The first pictures of a rig, in batches."""
        count = min(most, len(self._records[rig]))
        for first in range(0, count, self._batch):
            yield self._pictures(rig, list(range(first, min(first + self._batch, count))))

    def _sample(self, rig: int, row: int) -> RigSample:
        try:
            return unpack(self._records[rig][row])
        except (ValueError, KeyError) as error:
            raise TrainingError(f"a sample of the shards is damaged: {error}") from error

    def _pictures(self, rig: int, rows: Sequence[int]) -> RigPictures:
        samples = [self._sample(rig, row) for row in rows]

        def stacked(name: str) -> Tensor:
            return torch.tensor(np.stack([getattr(s, name) for s in samples]))

        return RigPictures(
            rig=rig,
            pictures=stacked("picture").permute(0, 3, 1, 2).float() / 255.0,
            masks=stacked("mask")[:, None].float() / 255.0,
            weights=stacked("weights"),
            head=stacked("head"),
            eyes=stacked("eyes"),
            light=stacked("light"),
            lens=torch.tensor([s.field_of_view for s in samples]),
        )


def _records(folder: Path, split: str) -> list[Mapping[str, bytes]]:
    paths = sorted(folder.glob(f"{split}-*.tar"))
    if not paths:
        raise TrainingError(
            f"no {split}-*.tar in {folder}; make them with: freeavatar data rig-renders"
        )
    found: dict[str, dict[str, bytes]] = {}
    for path in tqdm(paths, f"reading {folder.name}", unit="shard", disable=None):
        try:
            with tarfile.open(path) as tar:
                for member in tar:
                    key, _, ending = member.name.partition(".")
                    file = tar.extractfile(member)
                    if file is not None:
                        found.setdefault(key, {})[ending] = file.read()
        except (tarfile.TarError, OSError) as error:
            raise TrainingError(f"{path} is damaged ({error}); delete it and draw again") from error
    return list(found.values())
