"""Writes composites as shards, with several processes, going on where an earlier run stopped."""

import io
import multiprocessing
import tarfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from .composite_faces import Recipe
from .composites import Composer
from .shard_files import add_record

SIDE = 384
"""Side of a training picture, pixels."""
PER_SHARD = 1000
JPEG_QUALITY = 93

OpenComposer = Callable[[], Composer]
_composer: Composer | None = None
"""Of this worker process."""


def write_shards(
    opened: OpenComposer, out: Path, split: str, *, count: int, seed: int = 1, workers: int = 1
) -> int:
    """Write shards of `PER_SHARD` pictures; those that are there stay as they are.

    A sample holds ``KEY.jpg`` and ``KEY.npy``, (F, 11) float32 as
    `freeavatar.foundation.finder_targets.FACE_NUMBERS`.

    Args:
        opened: makes the composer, in each process; a function that can be pickled.
        out: folder of ``SPLIT-%06d.tar``.
        split: begins the names.
        count: pictures, rounded up to whole shards.
        seed: another one makes other pictures.
        workers: processes.

    Returns:
        Shards written now.
    """
    from tqdm import tqdm

    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{split}-{number:06d}.tar" for number in range(-(-count // PER_SHARD))]
    missing = [(number, path) for number, path in enumerate(paths) if not path.is_file()]
    if not missing:
        return 0
    # A forked process would wait for ever for the threads that MediaPipe has here.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=fresh, initializer=_open, initargs=(opened,)
    ) as pool:
        done = [pool.submit(write_shard, path, number, seed) for number, path in missing]
        for future in tqdm(done, desc="composites", unit="shard", disable=None):
            future.result()
    return len(missing)


def _open(opened: OpenComposer) -> None:
    global _composer
    cv2.setNumThreads(1)
    _composer = opened()


def write_shard(path: Path, number: int, seed: int, count: int = PER_SHARD) -> None:
    """Write pictures ``number * count`` to ``(number + 1) * count``; whole or not at all."""
    assert _composer is not None
    part = path.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
        for i in range(number * count, (number + 1) * count):
            made = _composer.make(np.random.default_rng((seed, i)), Recipe(), SIDE, SIDE)
            _, data = cv2.imencode(
                ".jpg", made.picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
            )
            numbers = io.BytesIO()
            np.save(numbers, made.faces, allow_pickle=False)
            record: dict[str, str | bytes] = {
                "__key__": f"{i:09d}",
                "jpg": data.tobytes(),
                "npy": numbers.getvalue(),
            }
            add_record(tar, record)
    part.replace(path)
