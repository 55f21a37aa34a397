"""One picture of everything a rig can do: the neutral and every control at its maximum."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .camera import face_camera
from .check_motion import Motion
from .rendering import Renderer
from .spec import Rig, RigFrame

BACKDROP = (24, 25, 28)
INK = (232, 233, 237)
DEAD = (232, 93, 64)
DIFFERENCE = np.array([92, 200, 255], np.float32)
"""sRGB of the tint on pixels that a control changes."""
VISIBLE = 14
"""Steps of 255 from which a changed pixel is tinted fully."""


def contact_sheet(
    rig: Rig,
    *,
    cell: int = 192,
    columns: int | None = None,
    values: Mapping[str, float] | None = None,
    tint: bool = True,
    progress: Callable[[], None] | None = None,
) -> Image.Image:
    """Draw the neutral, then every control at its maximum, labelled.

    Args:
        rig: with a mesh.
        cell: pixels a side of one picture.
        columns: None chooses a sheet a little wider than high.
        values: control values to show instead of each control's maximum, by name.
        tint: faintly colours the pixels that a control changes, so that small motion is found.
        progress: called after each picture, one for the neutral and one for each control.

    Returns:
        RGB picture; controls that move nothing are crossed out.

    Raises:
        RenderError: the rig has no mesh, or no OpenGL is to be had.
    """
    font: Any = ImageFont.load_default(size=max(10, cell // 15))
    strip = round(font.size * 1.9)
    count = len(rig.controls) + 1
    across = columns or max(1, round(np.sqrt(count * 1.5)))
    down = -(-count // across)
    title = round(font.size * 3)
    sheet = Image.new("RGB", (across * cell, title + down * (cell + strip)), BACKDROP)
    draw = ImageDraw.Draw(sheet)
    heading: Any = ImageFont.load_default(size=round(font.size * 1.5))
    still = set(Motion(rig).still) if rig.mesh is not None else set()
    draw.text(
        (font.size, title / 2), _heading(rig, len(still)), font=heading, fill=INK, anchor="lm"
    )
    with _portrait(rig, cell) as renderer:
        neutral = renderer.picture(RigFrame(index=0, time=0.0, values=rig.neutral))
        for i in range(count):
            left, top = i % across * cell, title + i // across * (cell + strip)
            picture, name, dead = neutral, "neutral", False
            if i:
                name = rig.controls[i - 1].name
                value = (values or {}).get(name, rig.controls[i - 1].maximum)
                picture = renderer.picture(_only(rig, i - 1, value))
                dead = i - 1 in still
                if tint:
                    picture = _tinted(neutral, picture)
            sheet.paste(Image.fromarray(picture), (left, top))
            if dead:
                _cross_out(draw, left, top, cell)
            text = f"{name}: moves nothing" if dead else name
            label = _shortened(text, font, cell - 6)
            middle = (left + cell / 2, top + cell + strip / 2)
            draw.text(middle, label, font=font, fill=DEAD if dead else INK, anchor="mm")
            if progress is not None:
                progress()
    return sheet


def _portrait(rig: Rig, cell: int) -> Renderer:
    """A renderer close to the face: on a sheet the head does not turn."""
    size = (cell, cell)
    camera = face_camera(rig, size, turning=False) if rig.mesh is not None else None
    return Renderer(rig, size=size, camera=camera)


def _heading(rig: Rig, dead: int) -> str:
    text = f"{rig.name}   {len(rig.controls)} controls"
    return text + (f", {dead} without effect" if dead else "")


def _only(rig: Rig, control: int, value: float) -> RigFrame:
    values = rig.neutral.copy()
    values[control] = value
    return RigFrame(index=0, time=0.0, values=values)


def _tinted(neutral: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a faint tint over the pixels that differ from the neutral's."""
    changed = np.abs(picture.astype(np.float32) - neutral).max(axis=2, keepdims=True)
    amount = np.clip(changed / VISIBLE, 0, 1) * 0.22
    return np.asarray(np.round(picture * (1 - amount) + DIFFERENCE * amount), np.uint8)


def _cross_out(draw: ImageDraw.ImageDraw, left: int, top: int, cell: int) -> None:
    edge, line = cell // 12, max(2, cell // 64)
    low, high = edge, cell - edge
    draw.line((left + low, top + low, left + high, top + high), fill=DEAD, width=line)
    draw.line((left + low, top + high, left + high, top + low), fill=DEAD, width=line)


def _shortened(text: str, font: Any, width: int) -> str:
    """The text, its middle left out where it is wider than the cell."""
    if font.getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        short = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
        if font.getlength(short) <= width:
            return short
    return text[:1]
