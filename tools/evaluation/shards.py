"""The pictures a network is judged by: a fixed choice of a data set's test shards."""

import hashlib
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.samples import Sample, unpack

Values = NDArray[np.float64]

MOST_PEOPLE = 120
"""Identities of one domain, so that each is seen often enough to be recognised by a probe."""
MOST_ALIKE = 8
"""Pictures of one expression in one domain."""
WITHOUT_FACE = 0.1
"""Share of pictures without a face, where there are any."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is known of N pictures with a face; NaN where unknown."""

    pictures: NDArray[np.uint8]
    """(N, S, S, 3) stored crops, RGB."""
    identity: NDArray[np.str_]
    """(N,)"""
    domain: NDArray[np.str_]
    """(N,) photo, avatar or cartoon."""
    expression: NDArray[np.int64]
    """(N,) numbers, -1 for none."""
    blendshapes: Values
    """(N, 52)"""
    eyes: Values
    """(N, 2, 2) yaw, pitch, radians."""
    head: Values
    """(N, 3, 3)"""
    landmarks: Values
    """(N, 156, 2) pixels of the stored crop."""
    faceless: NDArray[np.uint8]
    """(M, S, S, 3) pictures without a face."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One record of a shard, before its picture is read."""

    shard: Path
    key: str
    identity: str
    domain: str
    expression: int


def test_shards(folders: Sequence[Path]) -> list[Path]:
    """The test shards in some folders.

    Raises:
        SourceError: a folder has none.
    """
    if not folders:
        raise SourceError("no folder of test pictures: name one that `freeavatar data` has written")
    found = []
    for folder in folders:
        here = sorted(folder.glob("test-*.tar"))
        if not here:
            raise SourceError(
                f"{folder} holds no test-*.tar: name a folder that `freeavatar data` has written"
            )
        found += here
    return found


def load_truth(
    folders: Sequence[Path], *, limit: int = 2000, tick: Callable[[], Any] = lambda: None
) -> Truth:
    """Read pictures of test identities.

    Domains take equal parts; within each, the same expressions are preferred, so that pairs of one
    expression on several people and in several domains are among them. The choice depends only on
    the shards and the limit.

    Args:
        folders: with ``test-*.tar``.
        limit: most pictures with a face.
        tick: called after each shard and each picture, for progress.

    Raises:
        SourceError: there are no shards, or no faces in them.
    """
    entries = []
    for shard in test_shards(folders):
        entries += _entries(shard)
        tick()
    faces = choose([e for e in entries if e.domain != "none"], limit)
    if not faces:
        raise SourceError("the test shards hold no picture of a face")
    empty = sorted((e for e in entries if e.domain == "none"), key=lambda e: _order(e.key))
    chosen = {(e.shard, e.key) for e in (*faces, *empty[: round(WITHOUT_FACE * limit)])}
    samples = [s for shard in test_shards(folders) for s in _samples(shard, chosen, tick)]
    return truth_of(samples)


def truth_of(samples: Iterable[Sample]) -> Truth:
    """Samples as arrays."""
    every = list(samples)
    faces = [s for s in every if s.face]
    shape = every[0].picture.shape
    empty = [s.picture for s in every if not s.face]

    def column(name: str) -> Values:
        return np.stack([getattr(s, name) for s in faces]).astype(np.float64)

    return Truth(
        pictures=np.stack([s.picture for s in faces]),
        identity=np.array([s.identity for s in faces]),
        domain=np.array([s.domain for s in faces]),
        expression=np.array([s.expression for s in faces], np.int64),
        blendshapes=column("blendshapes"),
        eyes=column("eyes"),
        head=column("head"),
        landmarks=column("landmarks"),
        faceless=np.stack(empty) if empty else np.zeros((0, *shape), np.uint8),
    )


def choose(entries: Sequence[_Entry], limit: int) -> list[_Entry]:
    """At most ``limit`` entries, see `load_truth`."""
    domains = sorted({e.domain for e in entries})
    people: dict[str, set[str]] = {}
    for domain in domains:
        names = sorted({e.identity for e in entries if e.domain == domain}, key=_order)
        people[domain] = set(names[:MOST_PEOPLE])
    usable = [e for e in entries if e.identity in people[e.domain]]
    often = Counter(e.expression for e in usable)
    order = sorted(usable, key=lambda e: (often[e.expression] < 2, _order(e.expression), e.key))
    chosen: list[_Entry] = []
    for i, domain in enumerate(domains):
        # What one domain leaves unused goes to the next.
        share = (limit - len(chosen)) // (len(domains) - i)
        alike: Counter[int] = Counter()
        mine: list[_Entry] = []
        for entry in order:
            if entry.domain != domain or len(mine) >= share:
                continue
            if entry.expression < 0 or alike[entry.expression] < MOST_ALIKE:
                alike[entry.expression] += 1
                mine.append(entry)
        chosen += mine
    return chosen


def _order(what: object) -> str:
    """A fixed shuffle."""
    return hashlib.sha256(str(what).encode()).hexdigest()


def _entries(shard: Path) -> list[_Entry]:
    out = []
    with _opened(shard) as tar:
        for member in tar:
            if member.name.endswith(".json"):
                facts = json.loads(_bytes(tar, member))
                out.append(
                    _Entry(
                        shard=shard,
                        key=member.name[: -len(".json")],
                        identity=str(facts["identity"]),
                        domain=str(facts["domain"]),
                        expression=int(facts["expression"]),
                    )
                )
    return out


def _samples(
    shard: Path, chosen: set[tuple[Path, str]], tick: Callable[[], Any]
) -> Iterable[Sample]:
    parts: dict[str, dict[str, bytes]] = {}
    with _opened(shard) as tar:
        for member in tar:
            key, _, kind = member.name.rpartition(".")
            if (shard, key) in chosen:
                record = parts.setdefault(key, {})
                record[kind] = _bytes(tar, member)
                if len(record) == 3:
                    yield unpack(parts.pop(key))
                    tick()


def _opened(shard: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(shard)
    except tarfile.TarError as error:
        raise SourceError(f"{shard} is no readable shard: {error}") from error


def _bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None:
        raise SourceError(f"{tar.name!r}: {member.name} is not a file")
    return file.read()
