"""Where the pictures of a preview lie, and what is written on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

GAP = 4
"""Pixels between panels."""
BACKDROP = (18, 19, 22)
"""sRGB between and around panels."""
LOST_COLOUR = (232, 93, 64)
"""sRGB of what says that no face is seen."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One panel's place."""

    left: int
    top: int
    width: int
    height: int
    label: str


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A film's size (even) and its panels, the actor first where there is one."""

    width: int
    height: int
    cells: tuple[Cell, ...]


def arrange(labels: Sequence[str], panel: int, actor: tuple[int, int] | None) -> Layout:
    """Place panels of one height in rows, so that the film comes nearest to a screen's shape.

    Args:
        labels: one for each rig panel; these are square.
        panel: pixels a side of a rig panel, and the height of the actor's.
        actor: width and height of the actor's pictures, whose panel comes first; None for none.
    """
    names, widths = list(labels), [panel] * len(labels)
    if actor is not None:
        # Beyond these shapes bars are better than a film of strange proportions.
        shape = float(np.clip(actor[0] / max(actor[1], 1), 9 / 16, 16 / 9))
        names, widths = ["actor", *names], [2 * round(panel * shape / 2), *widths]
    rows = _rows(widths, panel)
    width = max((_length(row) for row in rows), default=2)
    cells: list[Cell] = []
    for number, row in enumerate(rows):
        left = (width - _length(row)) // 2
        for wide in row:
            top = number * (panel + GAP)
            label = names[len(cells)]
            cells.append(Cell(left=left, top=top, width=wide, height=panel, label=label))
            left += wide + GAP
    height = max(len(rows), 1) * (panel + GAP) - GAP
    return Layout(width=width + width % 2, height=height + height % 2, cells=tuple(cells))


def _rows(widths: Sequence[int], height: int) -> list[list[int]]:
    """Break panels into rows, in order, nearest to 16:9 as a whole and to rows of equal length."""
    best: list[list[int]] = []
    cost = np.inf
    count = len(widths)
    limits = {_length(widths[i:j]) for i in range(count) for j in range(i + 1, count + 1)}
    for limit in sorted(limits):
        rows: list[list[int]] = [[]]
        for wide in widths:
            if rows[-1] and _length([*rows[-1], wide]) > limit:
                rows.append([])
            rows[-1].append(wide)
        wides = [_length(row) for row in rows]
        shape = max(wides) / (len(rows) * (height + GAP) - GAP)
        ragged = 1 - min(wides) / max(wides)
        off = abs(np.log(shape / (16 / 9))) + 0.7 * ragged
        if off < cost - 1e-9:
            best, cost = rows, off
    return best


def _length(row: Sequence[int]) -> int:
    return sum(row) + GAP * (len(row) - 1)


class Board:
    """Puts pictures on the layout; reuses one array, so take a copy of what must last."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._picture = np.empty((layout.height, layout.width, 3), np.uint8)
        self._picture[:] = BACKDROP
        self._labels = [_Stamp(cell.label, (235, 236, 240), cell.height) for cell in layout.cells]
        self._lost = _Stamp("no face", LOST_COLOUR, max(layout.height, 1))

    def compose(
        self, pictures: Sequence[NDArray[np.uint8]], *, found: bool = True, actor: bool = True
    ) -> NDArray[np.uint8]:
        """Show one moment.

        Args:
            pictures: (h, w, 3) each, one for each cell, of any size; fitted without stretching.
            found: False marks the first cell as having lost the face.
            actor: whether the first cell is the actor's.

        Returns:
            (H, W, 3), overwritten by the next call.
        """
        for cell, picture, label in zip(self.layout.cells, pictures, self._labels, strict=True):
            area = self._area(cell)
            _fit(picture, area)
            label.put(area, at_top=False)
        if not found and actor and self.layout.cells:
            self._mark_lost(self._area(self.layout.cells[0]))
        return self._picture

    def _area(self, cell: Cell) -> NDArray[np.uint8]:
        return self._picture[cell.top : cell.top + cell.height, cell.left : cell.left + cell.width]

    def _mark_lost(self, area: NDArray[np.uint8]) -> None:
        line = max(2, area.shape[0] // 128)
        for edge in (area[:line], area[-line:], area[:, :line], area[:, -line:]):
            edge[:] = LOST_COLOUR
        self._lost.put(area, at_top=True)


class _Stamp:
    """A word drawn once: colour (h, w, 3) and cover (h, w, 1) 0..1, with a dark pill behind it."""

    def __init__(self, text: str, colour: tuple[int, int, int], height: int) -> None:
        size = max(11, min(22, height // 24))
        font: Any = ImageFont.load_default(size=size)
        width = font.getlength(text)
        pad = size // 2
        shape = (int(width) + 2 * pad, int(size * 1.2) + pad)
        pill = Image.new("RGBA", shape, (0, 0, 0, 0))
        draw = ImageDraw.Draw(pill)
        draw.rounded_rectangle(
            (0, 0, shape[0] - 1, shape[1] - 1), radius=shape[1] // 2, fill=(0, 0, 0, 150)
        )
        draw.text((pad, shape[1] / 2), text, font=font, fill=(*colour, 255), anchor="lm")
        drawn = np.asarray(pill, np.float32)
        self._cover = drawn[..., 3:] / 255
        self._colour = drawn[..., :3] * self._cover
        self._margin = max(4, size // 2)

    def put(self, area: NDArray[np.uint8], *, at_top: bool) -> None:
        """Draw into a panel (h, w, 3), in its lower or upper left corner."""
        high, wide = self._cover.shape[:2]
        top = self._margin if at_top else area.shape[0] - self._margin - high
        if top < 0 or area.shape[1] <= self._margin:
            return
        target = area[top : top + high, self._margin : self._margin + wide]
        rows, columns = target.shape[:2]
        mixed = target * (1 - self._cover[:rows, :columns]) + self._colour[:rows, :columns]
        target[:] = np.round(mixed).astype(np.uint8)


def _fit(picture: NDArray[np.uint8], area: NDArray[np.uint8]) -> None:
    """Scale a picture into a panel, keeping its shape, bars where it does not fill it."""
    if picture.shape == area.shape:
        area[:] = picture
        return
    import cv2

    height, width = picture.shape[:2]
    scale = min(area.shape[0] / height, area.shape[1] / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    size = (min(size[0], area.shape[1]), min(size[1], area.shape[0]))
    smoothing = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (area.shape[1] - size[0]) // 2, (area.shape[0] - size[1]) // 2
    area[:] = BACKDROP
    area[top : top + size[1], left : left + size[0]] = cv2.resize(
        np.ascontiguousarray(picture), size, interpolation=smoothing
    )
