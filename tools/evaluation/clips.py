"""Reads a clip once with every reader, and the figures of how well they follow the picture.

The picture is measured with MediaPipe's landmarks, the practical yardstick: they flatter
MediaPipe's own blendshapes, which are computed from the same landmarks of the same frame.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import Expression, Frame, Reader
from freeavatar.foundation.face_boxes import SAME_FACE, overlap
from freeavatar.foundation.landmarks import LANDMARKS

from .agreement import FEWEST, Follow, follow, mean_of
from .apertures import ReferenceHead, measured, performed
from .steadiness import (
    SETTLING,
    Movement,
    curves_of,
    mirror_difference,
    read_curves,
    trembling,
    with_noise,
)

Values = NDArray[np.float64]
OpenReader = Callable[[], Reader]

YARDSTICK = "mediapipe"
"""Name of the reader whose landmarks measure the picture."""
MIRROR_FRAMES = 150
"""Frames from the start of a clip that are also read mirrored."""


@dataclass
class ClipRun:
    """What was read from one clip; rows of NaN where a reader found no face."""

    name: str
    times: list[float] = field(default_factory=list)
    landmarks: list[NDArray[np.floating]] = field(default_factory=list)
    """(156, 2) of each frame, by the yardstick."""
    head: list[Values] = field(default_factory=list)
    """(3, 3) of each frame, by the yardstick."""
    curves: dict[str, list[Values]] = field(default_factory=dict)
    """Reader to (52,) of each frame."""
    mirrored: dict[str, list[Values]] = field(default_factory=dict)
    other_face: dict[str, int] = field(default_factory=dict)
    """Frames in which a reader followed another face than the yardstick; left out."""
    frontal: NDArray[np.uint8] | None = None
    """The frame whose face looks straightest into the camera."""

    @property
    def faces(self) -> int:
        """Frames in which the yardstick found the face."""
        return sum(bool(np.isfinite(h).all()) for h in self.head)


def read_clip(
    name: str,
    frames: Iterable[Frame],
    readers: Mapping[str, OpenReader],
    *,
    mirror: bool = True,
    tick: Callable[[], Any] = lambda: None,
) -> ClipRun:
    """Read a clip with every reader, in one pass.

    Args:
        name: of the clip.
        frames: in order.
        readers: name to what opens one; `YARDSTICK` must be among them.
        mirror: also read the first `MIRROR_FRAMES` frames mirrored.
        tick: called after each frame, for progress.
    """
    run = ClipRun(name=name, curves={n: [] for n in readers}, mirrored={n: [] for n in readers})
    run.other_face = dict.fromkeys(readers, 0)
    straight = {n: make() for n, make in readers.items()}
    turned = {n: make() for n, make in readers.items()} if mirror else {}
    frontness = 0.0
    try:
        for frame in frames:
            seen = {n: reader.read(frame) for n, reader in straight.items()}
            frontness = _note(run, frame, seen, frontness)
            if len(run.times) <= MIRROR_FRAMES:
                flipped = Frame(
                    picture=np.ascontiguousarray(frame.picture[:, ::-1]),
                    index=frame.index,
                    time=frame.time,
                )
                for n, reader in turned.items():
                    run.mirrored[n].append(curves_of(reader.read(flipped)))
            tick()
    finally:
        for reader in (*straight.values(), *turned.values()):
            reader.close()
    return run


def _note(run: ClipRun, frame: Frame, seen: dict[str, Expression], frontness: float) -> float:
    """Add one frame to a run; returns how straight its straightest face looks."""
    measure = seen[YARDSTICK]
    found = measure.found
    run.times.append(frame.time)
    run.landmarks.append(
        measure.landmarks[list(LANDMARKS)] if found else np.full((len(LANDMARKS), 2), np.nan)
    )
    run.head.append(measure.head if found else np.full((3, 3), np.nan))
    for name, expression in seen.items():
        curves = curves_of(expression)
        if found and expression.found and overlap(measure.box, expression.box) < SAME_FACE:
            run.other_face[name] += 1
            curves = np.full_like(curves, np.nan)
        run.curves[name].append(curves)
    if found and measure.head[2, 2] > frontness + 0.01:
        run.frontal = frame.picture.copy()
        return float(measure.head[2, 2])
    return frontness


@dataclass(frozen=True, kw_only=True)
class ReaderFigures:
    """How one reader does on one clip."""

    found: int
    """Frames in which it followed the yardstick's face."""
    other_face: int
    rows: dict[str, Follow]
    """By aperture; empty with too few frames."""
    mean: Follow | None
    """Of the apertures in which the actor moves."""
    by_head: dict[str, dict[str, Follow]]
    """The same rows on further reference heads."""
    mirror: float
    """Mean absolute difference to the mirrored clip's curves, NaN where not measured."""
    noise: Movement | None
    """Standard deviation of the channels on the still face."""


@dataclass(frozen=True, kw_only=True)
class ClipFigures:
    """One clip, all readers side by side."""

    name: str
    frames: int
    faces: int
    readers: dict[str, ReaderFigures]
    times: Values
    measured: Values
    """(T, 6) apertures of the picture."""
    performed: dict[str, Values]
    """Reader to (T, 6) apertures of the first reference head."""

    @property
    def counted(self) -> bool:
        """Whether there are enough frames with a face to say anything."""
        return self.faces >= FEWEST


def clip_figures(
    run: ClipRun,
    heads: Mapping[str, ReferenceHead],
    readers: Mapping[str, OpenReader],
    *,
    still: bool = True,
) -> ClipFigures:
    """Figures of a clip that was read.

    Args:
        run: of `read_clip`.
        heads: name to reference head; the first one counts, the others are shown beside it.
        readers: as for `read_clip`; they are opened anew for the still face.
        still: measure the noise on the clip's straightest frame, too.
    """
    first = next(iter(heads.values()))
    landmarks, turn = np.stack(run.landmarks), np.stack(run.head)
    seen = measured(landmarks, turn, first)
    shown, figures = {}, {}
    for name, make in readers.items():
        curves = np.stack(run.curves[name])
        shown[name] = performed(curves, first)
        rows = follow(seen, shown[name])
        figures[name] = ReaderFigures(
            found=int(np.isfinite(curves).all(axis=1).sum()),
            other_face=run.other_face[name],
            rows=rows,
            mean=mean_of(rows),
            by_head={
                h: follow(measured(landmarks, turn, head), performed(curves, head))
                for h, head in heads.items()
            },
            mirror=_mirror(curves, run.mirrored[name]),
            noise=_noise(run.frontal, make) if still else None,
        )
    return ClipFigures(
        name=run.name,
        frames=len(run.times),
        faces=run.faces,
        readers=figures,
        times=np.array(run.times),
        measured=seen,
        performed=shown,
    )


def _mirror(curves: Values, mirrored: list[Values]) -> float:
    if not mirrored:
        return float("nan")
    return mirror_difference(curves[: len(mirrored)], np.stack(mirrored))


def _noise(picture: NDArray[np.uint8] | None, make: OpenReader) -> Movement | None:
    if picture is None:
        return None
    curves = read_curves(with_noise(picture), make)[SETTLING:]
    return trembling(curves) if np.isfinite(curves).all(axis=1).any() else None


@contextmanager
def watched(path: str) -> Iterator[Iterable[Frame]]:
    """A clip's frames under a progress bar.

    Raises:
        SourceError: it cannot be read.
    """
    from tqdm import tqdm

    from freeavatar.foundation.sources import open_source

    name = Path(path).stem
    with (
        open_source(path, skip_damaged=True) as source,
        tqdm(source, name[:24], source.count, unit="frame", disable=None, file=sys.stderr) as bar,
    ):
        yield bar
