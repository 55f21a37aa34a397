"""Reference pictures of one rig, in shards: what the neural renderer learns from."""

import contextlib
import multiprocessing
import tarfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from freeavatar.animator.solver import ExpressionSolver
from freeavatar.renderer_net.samples import RigSample, pack
from freeavatar.rigs import registry
from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.camera import face_camera
from freeavatar.rigs.light import STUDIO, Light
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import FloatArray, Rig, RigFrame
from freeavatar.rigs.vrm_expressions import resolve_expressions

from .errors import DataError
from .expressions import expression
from .shard_files import add_record, check_recipe, writing
from .splits import SPLITS, Split

PER_SHARD = 500
LENSES = tuple(float(np.radians(a)) for a in (14.0, 22.0, 34.0))
"""Fields of view."""
KINDS = {"one": 0.12, "two": 0.15, "some": 0.25, "expression": 0.48}
"""Share of samples that set one control, two, up to eight, or show an expression of the actors'."""
STRAIGHT = 0.3
"""Share of samples whose head looks straight ahead."""
IN_STUDIO = 0.35
"""Share of samples in the studio's own light."""
YAW, PITCH, ROLL = (float(np.radians(a)) for a in (35.0, 20.0, 10.0))
"""Farthest turns of the head, radians."""
HELD_OUT = {"train": 0, "validation": 1_000_000, "test": 2_000_000}
"""Where the numbers of each split's expressions begin: no combination is in two of them."""


class RigRenders:
    """Makes any sample of a rig by its number; the same number gives the same sample.

    Args:
        source: a rig's name or file.
        split: numbers of one split never give an expression of another.
        size: pixels a side.
        seed: of the whole source.

    Raises:
        RigError: there is no such rig.
        RenderError: it has no mesh, or there is no OpenGL.
    """

    def __init__(self, source: str, split: Split, *, size: int = 128, seed: int = 0) -> None:
        self.rig: Rig = registry.load(source)
        self._source, self._split, self._seed = source, split, seed
        self._stack = contextlib.ExitStack()
        self._renderers = [
            self._stack.enter_context(
                Renderer(
                    self.rig,
                    size=(size, size),
                    camera=face_camera(self.rig, (size, size), field_of_view=lens),
                )
            )
            for lens in LENSES
        ]
        self._solver = _solver(self.rig)
        self._span = np.array([c.maximum - c.neutral for c in self.rig.controls], np.float32)
        self._lowest = np.array(
            [(c.minimum - c.neutral) / (c.maximum - c.neutral) for c in self.rig.controls]
        )

    def sample(self, number: int) -> RigSample:
        """The sample with a number."""
        make = np.random.default_rng((self._seed, SPLITS.index(self._split), number))
        weights, eyes = self._pose(make)
        head = np.zeros(3, np.float32)
        if make.random() >= STRAIGHT:
            head[:] = make.uniform(-1, 1, 3) * (YAW, PITCH, ROLL)
        light = _light(make)
        lens = int(make.integers(len(LENSES)))
        values = self.rig.neutral + self._span * weights
        frame = RigFrame(index=number, time=0.0, values=values, head=head, eyes=eyes)
        picture, mask = self._renderers[lens].drawn(frame, light)
        return RigSample(
            picture=picture,
            mask=mask,
            # A VRM's binary and override flags decide what is shown of what was set.
            weights=unit_weights(self.rig, resolve_expressions(self.rig, values)),
            head=head,
            eyes=eyes,
            light=light.vector,
            field_of_view=LENSES[lens],
            rig=self.rig.name,
            source=self._source,
        )

    def close(self) -> None:
        """Free the graphics memory."""
        self._stack.close()

    def _pose(self, make: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """(K,) unit weights and (2, 3) eye angles."""
        count = len(self.rig.controls)
        eyes = np.zeros((2, 3), np.float32)
        kind = str(make.choice(list(KINDS), p=list(KINDS.values())))
        if kind == "expression" and self._solver is not None:
            number = HELD_OUT[self._split] + int(make.integers(500_000))
            shapes, gaze = expression(number)
            if make.random() < 0.5:
                eyes[:, :2] = gaze
            return unit_weights(self.rig, self._solver.solve(shapes)), eyes
        chosen = {"one": 1, "two": 2}.get(kind) or int(make.integers(3, 9))
        weights = np.zeros(count, np.float32)
        which = make.choice(count, min(chosen, count), replace=False)
        weights[which] = make.random(len(which)) ** 0.7
        down = which[(self._lowest[which] < 0) & (make.random(len(which)) < 0.5)]
        weights[down] = self._lowest[down] * make.random(len(down))
        if make.random() < 0.3:
            eyes[:, :2] = make.uniform(-0.4, 0.4, 2)
        return weights, eyes


def _solver(rig: Rig) -> ExpressionSolver | None:
    from freeavatar.rigs.errors import RigError

    try:
        return ExpressionSolver(rig)
    except RigError:
        return None


def _light(make: np.random.Generator) -> Light:
    if make.random() < IN_STUDIO:
        return STUDIO
    warm = float(make.normal(0, 0.15))
    return Light(
        yaw=float(make.uniform(-1.6, 1.6)),
        pitch=float(make.uniform(-0.5, 0.7)),
        strength=float(make.uniform(0.3, 1.3)),
        ambient=float(make.uniform(0.4, 1.8)),
        tint=(1.0 + max(warm, 0), 1.0, 1.0 - min(max(warm, -0.5), 0.5)),
    )


OpenRenders = Callable[[], RigRenders]
_renders: RigRenders | None = None
"""Of this worker process."""


def write_rig_renders(
    opened: OpenRenders,
    out: Path,
    split: Split,
    *,
    recipe: dict[str, object],
    count: int,
    workers: int = 1,
) -> int:
    """Write shards of `PER_SHARD` pictures; those that are there stay as they are.

    Args:
        opened: makes the source, in each process; a function that can be pickled.
        out: folder of ``SPLIT-%06d.tar``.
        split: begins the names.
        recipe: what the folder is made of; another one is refused there.
        count: pictures, rounded up to whole shards.
        workers: processes.

    Returns:
        Pictures written now.

    Raises:
        DataError: the folder holds another rig's pictures, or another run writes there.
    """
    from tqdm import tqdm

    out.mkdir(parents=True, exist_ok=True)
    check_recipe(out, recipe)
    with writing(out, split):
        paths = {n: out / f"{split}-{n:06d}.tar" for n in range(-(-count // PER_SHARD))}
        missing = {n: path for n, path in paths.items() if not path.is_file()}
        bar = tqdm(
            total=len(paths) * PER_SHARD,
            initial=(len(paths) - len(missing)) * PER_SHARD,
            desc=f"{split} pictures",
            unit="",
            disable=None,
        )
        with bar:
            if workers == 1 or len(missing) <= 1:
                _open(opened)
                for number, path in missing.items():
                    _write(path, split, number)
                    bar.update(PER_SHARD)
            else:
                _write_apart(opened, missing, split, workers, lambda: bar.update(PER_SHARD))
    return len(missing) * PER_SHARD


def _write_apart(
    opened: OpenRenders,
    missing: dict[int, Path],
    split: str,
    workers: int,
    advance: Callable[[], object],
) -> None:
    from concurrent.futures import as_completed
    from concurrent.futures.process import BrokenProcessPool

    fresh = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(
            min(workers, len(missing)), mp_context=fresh, initializer=_open, initargs=(opened,)
        ) as pool:
            jobs = [pool.submit(_write, path, split, number) for number, path in missing.items()]
            for job in as_completed(jobs):
                job.result()
                advance()
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process ended (too little memory?); run the same command again to go on, "
            "with fewer --workers if it happens again"
        ) from error


def _open(opened: OpenRenders) -> None:
    global _renders
    cv2.setNumThreads(1)
    _renders = opened()


def _write(path: Path, split: str, number: int) -> None:
    """Write one shard, whole or not at all."""
    assert _renders is not None
    part = path.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
        for i in range(number * PER_SHARD, (number + 1) * PER_SHARD):
            add_record(tar, pack(_renders.sample(i), f"{split}-{i:09d}"))
    part.replace(path)
