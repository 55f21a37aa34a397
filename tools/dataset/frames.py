"""Faces cut from a person's own videos and pictures, for pretraining; nothing is known of them."""

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.crops import MARGIN, NETWORK_SIZE, STORED_SIZE, Crop, crop_around
from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import FloatArray, Frame
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.foundation.samples import Sample
from freeavatar.foundation.sources.opening import open_source

from .balance import Counts
from .errors import DataError
from .shard_files import FACES, ShardFile, counted, shard_facts, writing
from .shards import SHARD_SIZE
from .splits import SPLITS, Split, split_of

SMALLEST = 48
"""Side of the crop in the picture, pixels, below which a face is too small to learn from."""
WIDER = MARGIN * STORED_SIZE / NETWORK_SIZE
"""Side of a stored crop in longer sides of the face's box."""

Finder = Callable[[NDArray[np.uint8]], Crop | None]
"""Where the largest face of a picture (H, W, 3) is cut, or None where there is none."""


def write_frames(
    videos: Sequence[str],
    folder: Path,
    *,
    bundle: Path | None,
    every: int = 5,
    split: str = "auto",
    finder: Finder | None = None,
) -> Counts:
    """Write the largest face of every N-th frame of some files into shards.

    Each file (or folder of pictures) is one person and has shards of its own, so a second run
    makes only what is missing.

    Args:
        videos: paths of videos, pictures or folders of pictures.
        folder: gets the shards.
        bundle: MediaPipe's, which finds faces where it is there; else the embedded reader does.
        every: frames from one crop to the next.
        split: of all files; ``auto`` goes by each file's name.
        finder: another way to find faces.

    Returns:
        The balance of the whole folder.

    Raises:
        SourceError: a file is missing or cannot be read.
        DataError: two files have one name, or another run writes there.
    """
    from tqdm import tqdm

    absent = [video for video in videos if not Path(video).exists()]
    if absent:
        raise SourceError(f"there is no file or folder {absent[0]}")
    names = [Path(video).name for video in videos]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise DataError(f"two files are called {twice.pop()}: rename one, names tell people apart")
    for video in tqdm(videos, desc="files", disable=None, file=sys.stderr):
        name = Path(video).name
        identity = f"frames/{name}"
        to: Split = split_of(identity) if split == "auto" else _split(split)
        what = {"file": name, "size": _size(Path(video)), "every": every}
        with writing(folder, to):
            if not _done(folder, to, what):
                finder = finder or open_finder(bundle)
                _write_file(folder, to, what, _samples(video, identity, every, finder))
    return counted([f for name in SPLITS for f in shard_facts(folder, name)], FACES)


def open_finder(bundle: Path | None) -> Finder:
    """The face finder there is: MediaPipe's landmarks, or the embedded reader.

    Raises:
        ReaderError: neither can run.
    """
    if bundle is not None:
        from freeavatar.foundation.mediapipe_reader import landmark_finder

        find = landmark_finder(bundle)
        return lambda picture: crop_of(find(picture), None)
    from freeavatar.foundation.readers import open_reader

    reader = open_reader("embedded")

    def read(picture: NDArray[np.uint8]) -> Crop | None:
        found = reader.read(Frame(picture=picture, index=0, time=0.0))
        return crop_of(found.landmarks, found.box) if found.found else None

    return read


def crop_of(landmarks: FloatArray | None, box: FloatArray | None) -> Crop | None:
    """The stored crop around MediaPipe's (478, 2) or our (156, 2) landmarks, else around a box."""
    if landmarks is not None and len(landmarks) > max(LANDMARKS):
        landmarks = landmarks[list(LANDMARKS)]
    if landmarks is not None and len(landmarks) == len(LANDMARKS):
        return crop_around(landmarks, size=STORED_SIZE, margin=WIDER)
    if box is None:
        return None
    left, top, right, bottom = (float(v) for v in box)
    side = max(right - left, bottom - top, 1.0) * WIDER
    middle = ((left + right) / 2, (top + bottom) / 2)
    return Crop(centre=middle, side=side, roll=0.0, size=STORED_SIZE)


def _samples(video: str, identity: str, every: int, find: Finder) -> Iterator[Sample]:
    with open_source(video, skip_damaged=True) as source:
        for frame in itertools.islice(source, 0, None, every):
            crop = find(frame.picture)
            if crop is not None and crop.side >= SMALLEST:
                yield Sample(picture=crop.cut(frame.picture), identity=identity, domain="photo")


def _write_file(
    folder: Path, split: Split, what: dict[str, Any], samples: Iterator[Sample]
) -> None:
    """Write the shards of one file; the last one says that the file is complete."""
    numbers = _numbers(folder, split, what["file"])
    chunk = list(itertools.islice(samples, SHARD_SIZE))
    for part, number in enumerate(numbers):
        following = list(itertools.islice(samples, SHARD_SIZE))
        facts = {**what, "part": part, "last": not following}
        numbered = enumerate(chunk, number * SHARD_SIZE)
        ShardFile(folder, split, number, facts).write(iter(numbered), FACES)
        if not following:
            return
        chunk = following


def _numbers(folder: Path, split: Split, file: str) -> Iterator[int]:
    """Shard numbers for a file: those it has from an earlier run, then unused ones."""
    facts = shard_facts(folder, split)
    numbers = [int(f["name"].rpartition("-")[2]) for f in facts]
    yield from (n for n, f in zip(numbers, facts, strict=True) if f["what"].get("file") == file)
    yield from itertools.count(max(numbers, default=-1) + 1)


def _done(folder: Path, split: Split, what: dict[str, Any]) -> bool:
    wanted = {**what, "last": True}
    return any(wanted.items() <= facts["what"].items() for facts in shard_facts(folder, split))


def _size(path: Path) -> int:
    """Bytes of a file or of a folder's files: another one of the same name is not taken for it."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size if path.exists() else 0


def _split(name: str) -> Split:
    return next(split for split in SPLITS if split == name)
