"""Feeds a training from folders of shards."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from freeavatar.foundation.errors import TrainingError

from .batch_plan import BatchPlan
from .fec import ComparedFaces, triplet_batches
from .feeding import Pictures
from .shard_index import ShardIndex
from .views import Viewer, plain_batch

REFRESH_EVERY = 500
"""Batches after which shards are looked for that have appeared while training."""


@dataclass(frozen=True, kw_only=True)
class FeedOptions:
    """What is fed."""

    folders: Sequence[str]
    """``FOLDER`` or ``FOLDER:WEIGHT``."""
    batch: int = 128
    """Pictures in each batch of each process."""
    second_views: float = 0.0
    """Part of a batch that shows its first pictures again, jittered otherwise, or their faces in
    another pose, see `BatchPlan.again`."""
    partners: float = 0.25
    """Part of a batch that is drawn to fit to another part, see `BatchPlan`."""
    fec: Path | None = None
    """Folder of triplets that people have compared, see `ComparedFaces`."""
    fec_part: float = 0.2
    """Part of a batch that shows such triplets."""
    validated: int = 2048
    """Validation pictures at most."""
    workers: int = 0
    """Processes that read ahead; 0 reads in this one."""
    seed: int = 0
    rank: int = 0
    """Number of this process among those that train together."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Told in ``run.json`` beside the data."""

    @property
    def again(self) -> int:
        """Pictures of a batch that are second views."""
        return round(self.batch * self.second_views)

    @property
    def triplets(self) -> int:
        """Triplets in a batch, at least one where there are any."""
        return 0 if self.fec is None else max(round(self.batch * self.fec_part / 3), 1)

    @property
    def drawn(self) -> int:
        """Pictures of a batch that are drawn from the shards."""
        return self.batch - self.again - 3 * self.triplets


class ShardFeed:
    """Batches out of shards.

    Args:
        options: what is fed.

    Raises:
        TrainingError: a folder, a weight or a part is wrong.
    """

    def __init__(self, options: FeedOptions) -> None:
        self.options = options
        parsed = [parse_folder(text) for text in options.folders]
        self._folders = [folder for folder, _ in parsed]
        self._weights = [weight for _, weight in parsed]
        self._index = ShardIndex(self._folders, "train")
        self._faces = _compared_faces(options)

    def training(self, start: int) -> Iterator[Pictures]:
        """Batches without end; ``start`` says how many were taken before, so that none comes
        again in a resumed run."""
        batches = _Batches(self._index, self._weights, self.options, start, self._faces)
        if not self.options.workers:
            return iter(batches)
        loader = DataLoader(
            batches,
            batch_size=None,
            num_workers=self.options.workers,
            prefetch_factor=4,
            pin_memory=torch.cuda.is_available(),
        )
        return iter(loader)

    def blendshapes(self, count: int) -> torch.Tensor:
        """(M, 52) of at most ``count`` training samples, the same ones in every process."""
        make = np.random.default_rng(self.options.seed)
        plan = BatchPlan(self._index, self._weights, make, partners=0.0)
        rows = plan.draw(min(count, len(self._index)))
        return torch.from_numpy(np.stack([self._index.blendshapes(row) for row in rows]))

    def validation(self) -> Sequence[Pictures]:
        """The same pictures each time, cut from the middle, drawn from all folders that have some.

        Raises:
            TrainingError: none has.
        """
        index = ShardIndex(_with_validation(self._folders), "validation")
        return _plain(index, self.options.validated)

    def plain(self, count: int) -> Sequence[Pictures]:
        """At most ``count`` training pictures, the same ones each time, cut from the middle."""
        return _plain(self._index, count)

    def facts(self) -> dict[str, Any]:
        """Folders, weights, counts and what their manifests say; ``fec`` where triplets are."""
        data = {}
        for number, (folder, weight) in enumerate(zip(self._folders, self._weights, strict=True)):
            manifest = folder / "manifest.json"
            data[folder.name] = {
                "weight": weight,
                "samples": int((self._index.folders == number).sum()),
                "manifest": json.loads(manifest.read_text()) if manifest.is_file() else None,
            }
        facts = {"data": data, **self.options.facts}
        if self._faces is not None and self.options.fec is not None:
            part = 3 * self.options.triplets / self.options.batch
            name = self.options.fec.resolve().name
            facts["fec"] = {name: {"part": round(part, 3), **self._faces.facts()}}
        return facts


def _plain(index: ShardIndex, most: int) -> Sequence[Pictures]:
    """Batches of the middle of some pictures, the same ones each time."""
    count = min(most, len(index))
    rows = np.random.default_rng(0).permutation(len(index))[:count]
    return [
        plain_batch([index.sample(row) for row in part], index.people[part])
        for part in np.array_split(rows, -(-count // 128))
    ]


class _Batches(IterableDataset[Pictures]):
    """Endless batches of this process, or of one of its readers."""

    def __init__(
        self,
        index: ShardIndex,
        weights: Sequence[float],
        options: FeedOptions,
        start: int,
        faces: ComparedFaces | None,
    ) -> None:
        self._index, self._weights, self._options, self._start = index, weights, options, start
        self._faces = faces

    def __iter__(self) -> Iterator[Pictures]:
        cv2.setNumThreads(1)
        options, reader = self._options, get_worker_info()
        seeds = [options.seed, options.rank, reader.id if reader else 0, self._start]
        make = np.random.default_rng(seeds)
        viewer = Viewer(options.seed)
        plan = BatchPlan(self._index, self._weights, make, partners=options.partners)
        again = options.again
        triplets: Iterator[Pictures] | None = None
        if self._faces is not None:
            # Dice of their own: without triplets the other pictures stay as they are.
            dice = np.random.default_rng([*seeds, 1])
            triplets = triplet_batches(self._faces, options.triplets, Viewer(options.seed), dice)

        for count in itertools.count(1):
            if count % REFRESH_EVERY == 0 and self._index.refresh():
                plan.refresh()
            rows = plan.draw(options.drawn)
            rows = np.concatenate([rows, plan.again(rows[:again])])
            samples = [self._index.sample(row) for row in rows]
            people = self._index.people[rows]
            batch = viewer.batch(samples, people, make, second_views=again)
            yield batch if triplets is None else batch.with_triplets(next(triplets))


def _compared_faces(options: FeedOptions) -> ComparedFaces | None:
    if options.fec is None:
        return None
    if not 0.0 < options.fec_part < 1.0:
        raise TrainingError(f"--fec-part {options.fec_part:g}: a part lies between 0 and 1")
    if options.drawn < max(options.again, 1):
        raise TrainingError(
            f"a batch of {options.batch} has no room for {options.triplets} triplets; take a "
            "larger --batch or a smaller --fec-part or --second-views"
        )
    return ComparedFaces(options.fec)


def parse_folder(text: str) -> tuple[Path, float]:
    """``FOLDER`` or ``FOLDER:WEIGHT``.

    Raises:
        TrainingError: there is no such folder, or the weight is no number above 0.
    """
    name, colon, weight = text.rpartition(":")
    if not colon or Path(text).is_dir():
        name, weight = text, "1"
    try:
        value = float(weight)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise TrainingError(f"{text}: write FOLDER:WEIGHT with a weight above 0")
    if not Path(name).is_dir():
        raise TrainingError(f"{name}: there is no such folder of shards")
    return Path(name), value


def _with_validation(folders: Sequence[Path]) -> list[Path]:
    """Folders of unlabelled frames may well have none."""
    chosen = [folder for folder in folders if any(folder.glob("validation-*.tar"))]
    if not chosen:
        raise TrainingError("no folder holds validation-*.tar; make some with: data")
    return chosen


def some_crops(folders: Sequence[str], *, count: int = 16) -> NDArray[np.uint8]:
    """Validation crops (N, 128, 128, 3) of folders."""
    index = ShardIndex(_with_validation([parse_folder(text)[0] for text in folders]), "validation")
    rows = np.random.default_rng(0).permutation(len(index))[:count]
    return plain_batch([index.sample(row) for row in rows], index.people[rows]).crops.numpy()
