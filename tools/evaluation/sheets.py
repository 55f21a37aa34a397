"""Contact sheets of clips: the actor beside built-in characters, one moment each second."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from freeavatar.animator.performer import Performer, PerformerOptions
from freeavatar.foundation.crops import Crop
from freeavatar.foundation.expression import Expression, Frame, Reader
from freeavatar.foundation.face_boxes import box_size
from freeavatar.rigs import registry
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import Rig
from freeavatar.tools.performance import Timings, read_expressions

from .clips import OpenReader, watched

Picture = NDArray[np.uint8]

CELL = 176
"""Pixels a side of one picture."""
AROUND = 1.7
"""Side of the square around the actor's face, in sizes of the face."""
ACROSS = 4
"""Moments in a row."""
GAP = 8
RIGS = ("mannequin", "toon")
BACKDROP = (24, 25, 28)
INK = (232, 233, 237)


def sheet_of(
    frames: Iterable[Frame],
    reader: Reader,
    rigs: Sequence[Rig],
    *,
    title: str,
    every: float = 1.0,
    options: PerformerOptions | None = None,
    tick: Callable[[], Any] = lambda: None,
) -> Image.Image:
    """Perform a clip and show actor and rigs side by side at regular times.

    Args:
        frames: of the clip, in order.
        reader: finds the expressions; every frame is read, as when driving.
        rigs: each with a mesh.
        title: heading.
        every: seconds between two moments.
        options: of the performers; the defaults of ``freeavatar drive``.
        tick: called after each frame, for progress.

    Returns:
        RGB picture.

    Raises:
        RenderError: a rig has no mesh, or no OpenGL is to be had.
        ValueError: there is no frame.
    """
    performers = [Performer(rig, options) for rig in rigs]
    moments: list[tuple[str, list[Picture]]] = []
    due = -np.inf
    with ExitStack() as stack:
        draw = [stack.enter_context(Renderer(rig, size=(CELL, CELL))) for rig in rigs]
        for frame, expression in read_expressions(iter(frames), reader, Timings()):
            poses = [performer.perform(expression) for performer in performers]
            if frame.time >= due:
                due = (frame.time if np.isinf(due) else due) + every
                cells = [actor_cell(frame.picture, expression)]
                cells += [d.picture(p) for d, p in zip(draw, poses, strict=True)]
                moments.append((f"{frame.time:.2f} s", cells))
            tick()
    if not moments:
        raise ValueError(f"{title}: no frame to show")
    return arrange(moments, title=title, labels=["actor", *(rig.name for rig in rigs)])


def actor_cell(picture: Picture, expression: Expression) -> Picture:
    """(CELL, CELL, 3): a square around the face, or the middle of the picture without one."""
    height, width = picture.shape[:2]
    middle, side = (width / 2, height / 2), float(min(width, height))
    if expression.found:
        left, top, right, bottom = (float(v) for v in expression.box)
        middle, side = ((left + right) / 2, (top + bottom) / 2), AROUND * box_size(expression.box)
    cell = Crop(centre=middle, side=side, roll=0.0, size=CELL).cut(picture)
    if not expression.found:
        cv2.line(cell, (0, 0), (CELL - 1, CELL - 1), (232, 93, 64), 2)
    return cell


def arrange(
    moments: Sequence[tuple[str, Sequence[Picture]]], *, title: str, labels: Sequence[str]
) -> Image.Image:
    """Lay moments out in rows.

    Args:
        moments: caption and as many pictures (CELL, CELL, 3) as there are labels.
        title: heading.
        labels: what the pictures of a moment show.
    """
    font: Any = ImageFont.load_default(size=13)
    heading: Any = ImageFont.load_default(size=18)
    wide, high = len(labels) * CELL + GAP, CELL + 20
    columns = min(ACROSS, len(moments))
    rows = -(-len(moments) // columns)
    sheet = Image.new("RGB", (columns * wide + GAP, 34 + rows * high), BACKDROP)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 17), f"{title}:  {'  |  '.join(labels)}", font=heading, fill=INK, anchor="lm")
    for i, (caption, cells) in enumerate(moments):
        left, top = GAP + i % columns * wide, 34 + i // columns * high
        for k, cell in enumerate(cells):
            sheet.paste(Image.fromarray(cell), (left + k * CELL, top))
        draw.text((left, top + CELL + 10), caption, font=font, fill=INK, anchor="lm")
    return sheet


def sheets(
    clips: Sequence[str], readers: Mapping[str, OpenReader]
) -> Iterator[tuple[str, Image.Image]]:
    """A contact sheet of each clip for every reader, named ``CLIP.READER``.

    Raises:
        SourceError: a clip cannot be read.
        RenderError: no OpenGL is to be had.
    """
    rigs = [registry.load(name) for name in RIGS]
    for path in clips:
        for name, make in readers.items():
            reader = make()
            try:
                with watched(path) as frames:
                    sheet = sheet_of(frames, reader, rigs, title=f"{Path(path).stem}, {name}")
            finally:
                reader.close()
            yield f"{Path(path).stem}.{name}", sheet


def write_sheets(
    clips: Sequence[str], readers: Mapping[str, OpenReader], folder: Path
) -> list[Path]:
    """Write `sheets` as PNG files.

    Raises:
        SourceError: a clip cannot be read.
        RenderError: no OpenGL is to be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, sheet in sheets(clips, readers):
        written.append(folder / f"{name}.png")
        sheet.save(written[-1])
    return written
