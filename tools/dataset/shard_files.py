"""A folder of shards on disk: complete files only, what each holds, and the manifest.

``FOLDER/train-000000.tar`` is a WebDataset shard, ``FOLDER/facts/train-000000.json`` says how many
samples it has and what is shown, ``FOLDER/manifest.json`` sums that up for people.
"""

import fcntl
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from freeavatar.foundation.samples import Sample, pack

from .balance import Balance, Counts
from .errors import DataError
from .splits import SPLITS, Split, split_of

MANIFEST = "manifest.json"
S = TypeVar("S")


@dataclass(frozen=True)
class SampleKind(Generic[S]):
    """How samples of one sort get into shards; made of functions that can be pickled."""

    pack: Callable[[S, str], Mapping[str, str | bytes]]
    """A sample as the files of the record with a key."""
    counts: Callable[[], Counts]
    """Opens the counts of what is shown."""
    check: Callable[[S, Split], None]
    """Raises ValueError where a sample may not be in a split."""


def _check_face(sample: Sample, split: Split) -> None:
    if sample.face and split_of(sample.identity) != split:
        raise ValueError(f"{sample.identity} is a face of {split_of(sample.identity)}")


FACES = SampleKind(pack=pack, counts=Balance, check=_check_face)
"""Crops of faces with what is known of them."""


class ShardFile:
    """Writes one shard; under its name only once it is complete.

    Args:
        folder: where shards lie.
        split: begins the name.
        number: of the shard.
        what: facts that tell whether a shard that lies there is the one that is wanted.
    """

    def __init__(self, folder: Path, split: str, number: int, what: Mapping[str, Any]) -> None:
        name = f"{split}-{number:06d}"
        self.path = folder / f"{name}.tar"
        self._split = split
        self._facts = folder / "facts" / f"{name}.json"
        self._what = dict(what)

    def complete(self) -> bool:
        """Whether this very shard is there."""
        facts = _read_json(self._facts)
        return self.path.is_file() and facts is not None and facts.get("what") == self._what

    def write(self, samples: Iterator[tuple[int, S]], kind: SampleKind[S]) -> None:
        """Write numbered samples; another shard of this name is replaced at the end."""
        self._facts.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        counts = kind.counts()
        try:
            with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
                for number, sample in samples:
                    add_record(tar, kind.pack(sample, f"{self._split}-{number:09d}"))
                    counts.add(sample)
            # The facts of the old shard must not speak for the new one, nor the other way round.
            self._facts.unlink(missing_ok=True)
            part.replace(self.path)
            write_json(self._facts, {"what": self._what, **counts.as_json()})
        finally:
            part.unlink(missing_ok=True)


def add_record(tar: tarfile.TarFile, record: Mapping[str, str | bytes]) -> None:
    """Add the files of one record, with no time or owner: equal data gives equal bytes."""
    key = str(record["__key__"])
    for ending, data in record.items():
        if isinstance(data, bytes):
            member = tarfile.TarInfo(f"{key}.{ending}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@contextmanager
def writing(folder: Path, split: str) -> Iterator[None]:
    """Hold a split of a folder for this run alone.

    Raises:
        DataError: another run writes it now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{split}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"another run is writing {split} shards in {folder}; "
                "wait for it or use another --out"
            ) from None
        # What a killed run left half written.
        for part in folder.glob(f"{split}-*.part"):
            part.unlink()
        yield


def shard_facts(folder: Path, split: str) -> list[dict[str, Any]]:
    """What the complete shards of a split hold, in order: ``name``, ``what``, `Counts.as_json`."""
    paths = sorted((folder / "facts").glob(f"{split}-*.json"))
    found = ((path.stem, _read_json(path)) for path in paths)
    return [{"name": name, **facts} for name, facts in found if facts is not None]


def counted(facts: Sequence[Mapping[str, Any]], kind: SampleKind[Any]) -> Counts:
    """The counts of several shards (`shard_facts`) together."""
    counts = kind.counts()
    for part in facts:
        counts.add_counts(part)
    return counts


def check_recipe(folder: Path, recipe: Mapping[str, Any]) -> None:
    """Refuse to mix data of different recipes in one folder.

    Raises:
        DataError: the folder's manifest speaks of another recipe; the message names what differs.
    """
    known = _read_json(folder / MANIFEST)
    if known is None:
        write_json(folder / MANIFEST, {"recipe": dict(recipe)})
        return
    old = known.get("recipe", {})
    wrong = [k for k in sorted({*old, *recipe}) if old.get(k) != recipe.get(k)]
    if wrong:
        said = ", ".join(f"{k} {old.get(k)!r} instead of {recipe.get(k)!r}" for k in wrong)
        raise DataError(f"{folder} holds data made with {said}; use another --out")


def write_manifest(
    folder: Path,
    recipe: Mapping[str, Any],
    command: str,
    licence: Sequence[str],
    kind: SampleKind[Any] = FACES,
) -> None:
    """Say what the folder holds, what is shown, how it was made and under which licences."""
    splits = {}
    for split in SPLITS:
        facts = shard_facts(folder, split)
        if facts:
            counts = counted(facts, kind)
            splits[split] = {
                "shards": len(facts),
                "samples": counts.samples,
                "balance": counts.summary(),
            }
    commands = (_read_json(folder / MANIFEST) or {}).get("commands", [])
    write_json(
        folder / MANIFEST,
        {
            "recipe": dict(recipe),
            "commands": [*(c for c in commands if c != command), command],
            "licence": list(licence),
            "splits": splits,
        },
    )


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None
