"""Writes numbered samples into shards with several processes; goes on where a run stopped."""

import multiprocessing
import os
import queue
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .balance import Counts
from .errors import DataError
from .shard_files import FACES, SampleKind, ShardFile, counted, shard_facts, writing
from .splits import Split

SHARD_SIZE = 1000
"""Samples of a shard: a minute or less of work that an interruption may cost."""
# Libraries that start a thread per core would take it from the other processes.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


S_co = TypeVar("S_co", covariant=True)


class SampleSource(Protocol[S_co]):
    """Makes any sample of an endless sequence."""

    def sample(self, number: int) -> S_co:
        """The sample with this number, always the same."""
        ...


SourceFactory = Callable[[], SampleSource[Any]]
"""Opens a source; called once in each process, so it must be picklable (a `functools.partial`)."""


def write_shards(
    source_factory: SourceFactory,
    folder: Path,
    split: Split,
    *,
    count: int,
    start: int = 0,
    workers: int = 1,
    shard_size: int = SHARD_SIZE,
    kind: SampleKind[Any] = FACES,
) -> Counts:
    """Write samples ``start`` to ``start + count`` of a source.

    Shards that are there complete stay; each new one appears at once when it is finished.

    Args:
        source_factory: opens the source.
        folder: gets ``{split}-NNNNNN.tar`` and ``facts/``.
        split: every sample must belong to it, see `freeavatar.tools.dataset.splits`.
        count: samples, 1 or more.
        start: first number; a multiple of ``shard_size``, so that parts made apart fit together.
        workers: processes; 1 works in this one.
        shard_size: samples of a shard.
        kind: of what the source makes.

    Returns:
        What all shards of the split in the folder show.

    Raises:
        DataError: a sample failed (named in the message), belongs to another split, a process was
            killed, or another run writes there.
        ValueError: a number above is out of range.
    """
    if count < 1 or shard_size < 1 or workers < 1 or start < 0 or start % shard_size:
        raise ValueError(
            f"cannot write {count} samples from {start} on in shards of {shard_size} with "
            f"{workers} workers: all must be positive, the start a multiple of the shard"
        )
    with writing(folder, split):
        jobs = [
            (number, min(number + shard_size, start + count))
            for number in range(start, start + count, shard_size)
        ]
        missing = [job for job in jobs if not _file(folder, split, job, shard_size).complete()]
        with _progress(count, sum(b - a for a, b in missing), split) as advance:
            if workers == 1 or len(missing) == 1:
                _work_here(source_factory, folder, split, missing, shard_size, kind, advance)
            elif missing:
                arguments = (source_factory, folder, split, missing, shard_size, kind)
                _work_apart(arguments, min(workers, len(missing)), advance)
    return counted(shard_facts(folder, split), kind)


def _file(folder: Path, split: Split, job: tuple[int, int], shard_size: int) -> ShardFile:
    first, end = job
    return ShardFile(folder, split, first // shard_size, {"first": first, "end": end})


@contextmanager
def _progress(count: int, missing: int, split: str) -> Iterator[Callable[[], None]]:
    from tqdm import tqdm

    with tqdm(
        total=count, initial=count - missing, desc=split, unit="", disable=None, file=sys.stderr
    ) as bar:
        yield lambda: bar.update(1) and None


def _samples(
    source: SampleSource[Any],
    split: Split,
    job: tuple[int, int],
    kind: SampleKind[Any],
    advance: Callable[[], None],
) -> Iterator[tuple[int, Any]]:
    for number in range(*job):
        try:
            sample = source.sample(number)
            kind.check(sample, split)
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"sample {number} of {split} failed: {said}") from error
        yield number, sample
        advance()


def _work_here(
    source_factory: SourceFactory,
    folder: Path,
    split: Split,
    jobs: list[tuple[int, int]],
    shard_size: int,
    kind: SampleKind[Any],
    advance: Callable[[], None],
) -> None:
    source = source_factory() if jobs else None
    for job in jobs:
        assert source is not None
        samples = _samples(source, split, job, kind, advance)
        _file(folder, split, job, shard_size).write(samples, kind)


def _work_apart(
    arguments: tuple[SourceFactory, Path, Split, list[tuple[int, int]], int, SampleKind[Any]],
    workers: int,
    advance: Callable[[], None],
) -> None:
    """Let processes take shards from one list until it is empty or one of them fails."""
    context = multiprocessing.get_context("spawn")
    reports: Any = context.Queue()
    taken = context.Value("l", 0)
    with _one_thread_each():
        processes = [
            context.Process(target=_worker, args=(*arguments, taken, reports), daemon=True)
            for _ in range(workers)
        ]
        for process in processes:
            process.start()
    try:
        _follow(processes, reports, advance)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _follow(processes: list[SpawnProcess], reports: Any, advance: Callable[[], None]) -> None:
    running = len(processes)
    while running:
        try:
            kind, said = reports.get(timeout=1.0)
        except queue.Empty:
            # Its reports come before its end, so a process that ended badly has said all it could.
            killed = [p.exitcode for p in processes if p.exitcode]
            if killed and reports.empty():
                raise DataError(
                    f"a worker process ended with code {killed[0]} (too little memory?); run the "
                    "same command again to go on, with fewer --workers if it happens again"
                ) from None
            continue
        if kind == "failed":
            raise DataError(said)
        if kind == "done":
            running -= 1
        else:
            advance()


def _worker(
    source_factory: SourceFactory,
    folder: Path,
    split: Split,
    jobs: list[tuple[int, int]],
    shard_size: int,
    kind: SampleKind[Any],
    taken: Any,
    reports: Any,
) -> None:
    # Ctrl-C reaches the whole group; the first process then ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import cv2

        cv2.setNumThreads(1)
        source = source_factory()
        while True:
            with taken.get_lock():
                place = taken.value
                taken.value += 1
            if place >= len(jobs):
                break
            job = jobs[place]
            samples = _samples(source, split, job, kind, lambda: reports.put(("sample", "")))
            _file(folder, split, job, shard_size).write(samples, kind)
    except DataError as error:
        reports.put(("failed", str(error)))
    except Exception as error:
        traceback.print_exc()
        reports.put(("failed", f"the source failed: {error}"))
    else:
        reports.put(("done", ""))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """What processes that start now read from the environment."""
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
