"""What rigs are shown in training, with the baseline's answers and the right ones, kept in files.

Both answers take milliseconds a frame, which a training has not; a rig's performance is computed
once. Files are numbered as the rigs; a run that was interrupted makes those that are missing.
"""

import multiprocessing
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from freeavatar.animator.columns import Columns
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression import FloatArray

from .expression_views import ExpressionViews
from .sequences import Sequences, random_sequences
from .training_rig import RigSource, TrainingRig

COLUMNS = ("controls", "signs", "upper", "motion", "picture", "flags", "found")
SHOWN = ("pictures", "view", "share", "blind", "shapes", "truth")
HALVES = ("motion", "picture", "shapes", "truth", "solver", "ideal")
"""Kept in half precision."""


@dataclass(frozen=True, kw_only=True)
class Performance:
    """One rig of C columns performing S sequences of T frames."""

    columns: Columns
    mirrored: NDArray[np.intp] | None
    """(C,) see `TrainingRig.mirrored`."""
    sequences: Sequences
    solver: FloatArray
    """(S, T, C) the nameless solver's column weights for what was read, to compare with."""
    ideal: FloatArray
    """(S, T, C) the best column weights."""


def perform(rig: TrainingRig, sequences: Sequences) -> Performance:
    """Solve every frame: what was read by the solver, what is shown by the ideal."""
    count = len(rig.columns.upper)
    shape = (*sequences.view.shape, count)

    def every(solve: Callable[[FloatArray], FloatArray], shapes: FloatArray) -> FloatArray:
        rows = [solve(row) for row in shapes.reshape(-1, shapes.shape[-1])]
        return np.stack(rows).reshape(shape).astype(np.float32)

    return Performance(
        columns=rig.columns,
        mirrored=rig.mirrored,
        sequences=sequences,
        solver=every(rig.solved, sequences.shapes),
        ideal=every(rig.ideal, sequences.truth),
    )


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How performances are made; several processes open what they need themselves."""

    open_source: Callable[[], RigSource]
    open_views: Callable[[], ExpressionViews]
    folder: Path
    pairs: int
    """Sequences of each rig, each with its mirror image."""
    seed: int = 0

    def path(self, number: int) -> Path:
        """The file of a rig."""
        return self.folder / f"{number:06d}.npz"


def gather_performances(
    stage: Stage, numbers: Sequence[int], *, workers: int = 0, what: str = "rigs"
) -> list[Performance]:
    """Make the performances that are missing, and read all.

    Args:
        stage: how.
        numbers: of the rigs.
        workers: processes; 0 works in this one.
        what: said beside the progress.

    Raises:
        TrainingError: a file is damaged, or of other pictures.
    """
    stage.folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in numbers if not stage.path(n).is_file()]
    shown = {"desc": what, "unit": " rigs", "disable": None}
    with tqdm(total=len(numbers), initial=len(numbers) - len(missing), **shown) as bar:
        for _ in _made(stage, missing, workers):
            bar.update(1)
    faces = len(stage.open_views())
    return [read_performance(stage.path(n), faces) for n in numbers]


def _made(stage: Stage, missing: Sequence[int], workers: int) -> Iterator[None]:
    if not missing:
        return
    if not workers:
        work = _Work(stage)
        for number in missing:
            work(number)
            yield
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (stage,)) as pool:
        yield from pool.map(_go_on, missing)


class _Work:
    """Makes performances in one process."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._source, self._views = stage.open_source(), stage.open_views()

    def __call__(self, number: int) -> None:
        stage = self._stage
        make = np.random.default_rng([stage.seed, 7, number])
        sequences = random_sequences(self._views, stage.pairs, make)
        done = perform(self._source.rig(number), sequences)
        write_performance(stage.path(number), done, len(self._views))


_working: list[_Work] = []


def _start(stage: Stage) -> None:
    _working[:] = [_Work(stage)]


def _go_on(number: int) -> None:
    _working[0](number)


def write_performance(path: Path, performance: Performance, faces: int) -> None:
    """Keep a performance.

    Args:
        path: ``.npz``; either whole or not there.
        performance: to be kept.
        faces: pictures in the views, which tell whether they are the same ones later.
    """
    arrays: dict[str, Any] = {name: getattr(performance.columns, name) for name in COLUMNS}
    arrays |= {name: getattr(performance.sequences, name) for name in SHOWN}
    arrays |= {"solver": performance.solver, "ideal": performance.ideal, "faces": faces}
    nobody = np.zeros(0, np.intp)
    arrays["mirrored"] = nobody if performance.mirrored is None else performance.mirrored
    for name in HALVES:
        arrays[name] = arrays[name].astype(np.float16)
    own = path.with_name(f"{path.name}.{os.getpid()}")
    with own.open("wb") as file:
        np.savez_compressed(file, **arrays)
    own.replace(path)


def read_performance(path: Path, faces: int) -> Performance:
    """What `write_performance` kept.

    Raises:
        TrainingError: it is damaged, or of other pictures.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        for name in HALVES:
            arrays[name] = arrays[name].astype(np.float32)
        if int(arrays["faces"]) != faces:
            raise TrainingError(f"{path.parent} shows other faces; delete it")
        return Performance(
            columns=Columns(**{name: arrays[name] for name in COLUMNS}),
            mirrored=arrays["mirrored"] if len(arrays["mirrored"]) else None,
            sequences=Sequences(**{name: arrays[name] for name in SHOWN}),
            solver=arrays["solver"],
            ideal=arrays["ideal"],
        )
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, zlib.error) as error:
        raise TrainingError(f"{path} is damaged ({error}); delete it") from error
