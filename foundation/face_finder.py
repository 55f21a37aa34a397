"""Finds the faces of a whole picture with our own small network."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from .expression import FloatArray
from .face_boxes import SAME_FACE, overlap
from .finder_grid import STRIDES, faces_of_cells, without_overlaps
from .onnx_session import WEIGHTS, Network, Signature
from .processor import has_byte_products

FINDER = WEIGHTS / "face_finder.onnx"
FULL_FINDER = WEIGHTS / "face_finder_full.onnx"
"""The same network before it was put into eight bits."""
LEAST = "threshold"
"""Key of a file's metadata that holds the lowest score of a face, where it is not `THRESHOLD`."""
INPUT = "pictures"
OUTPUTS = tuple(f"stride{stride}" for stride in STRIDES)
SIGNATURE = Signature(
    kind="face-finder/1",
    inputs={INPUT: None},
    outputs=MappingProxyType(dict.fromkeys(OUTPUTS)),
)
AREA = 640 * 360
"""Pixels of the network's picture: 1280 x 720 is halved. The cost is nearly the same for all."""
FINE = 4
"""Times `AREA` at which a larger picture is looked at again when nothing was found."""
COARSE = 4
"""Parts of `AREA` at which a picture is looked at for a large face."""
FILLS = 0.5
"""Least size of such a face, in shorter sides of the picture."""
LARGE = 0.3
"""Least size, in shorter sides of the picture, of a face that is found at that resolution at once
where the largest is wanted."""
LARGEST = 2.0
"""Most that a small picture is enlarged."""
LONGEST = 2560
"""Longest side of the network's picture, pixels."""
MULTIPLE = 32
"""Sides of the network's picture are multiples of this."""
STRETCH = 0.04
"""Most by which a side is stretched to such a multiple; otherwise grey is added."""
SKIP = 4
"""Pixels of a large picture per pixel of the network's that are averaged; more are skipped."""
GREY = 127
THRESHOLD = 0.62
"""Lowest score of a face."""
CANDIDATE = 0.3
"""Lowest score at the first look that earns a closer one."""
CERTAIN = 0.8
"""Score from which none is needed."""
TRUST = 0.7
"""Part of the closer look in the score."""
CLOSE = 192
"""Side of the network's picture in a closer look, pixels."""
AROUND = 2.4
"""Side of what it shows in sizes of the face, which then is of 80 pixels."""
MOST_CLOSE = 12
"""Closer looks at one picture."""
SURE = 0.75
"""Lowest score of a face that only a second look at the whole picture found."""
MOST_OVERLAP = 0.4
"""Two boxes of one face overlap by more than this."""


@dataclass(frozen=True, kw_only=True)
class FaceHit:
    """A face that was found."""

    box: FloatArray
    """(4,) left, top, right, bottom of the landmarks (brows to chin), pixels of the picture; it
    goes beyond the picture where the face does."""
    score: float
    """0..1."""
    points: FloatArray
    """(3, 2) right eye, left eye (the actor's), middle of the mouth, pixels of the picture."""

    @property
    def size(self) -> float:
        """The longer side of the box, pixels."""
        return float((self.box[2:] - self.box[:2]).max())


def shipped_finder() -> Path:
    """The face finder that suits this processor."""
    whole = not has_byte_products() and FULL_FINDER.is_file()
    return FULL_FINDER if whole else FINDER


class FaceFinder:
    """Finds faces from 24 pixels of a 1280 x 720 picture up to one that fills it, turned up to 45
    degrees.

    Args:
        path: the network; None for the one that ships: in eight bits where the processor is quick
            at that, else whole.
        threads: most cores that one call uses.
        threshold: lowest score of a face, 0..1; None for the network's own.
        second_look: where nothing was found, look again at half the resolution (for a face that
            fills the picture) and, if the picture is larger than the network saw it, at twice.

    Raises:
        ReaderError: the network is missing or damaged, or onnxruntime is missing.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        threads: int = 1,
        threshold: float | None = None,
        second_look: bool = True,
    ) -> None:
        self._network = Network(path or shipped_finder(), SIGNATURE, threads=threads)
        own = float(self._network.about.get(LEAST, THRESHOLD))
        self._threshold = own if threshold is None else threshold
        self._second_look = second_look

    def find(self, picture: NDArray[np.uint8]) -> list[FaceHit]:
        """The faces of a picture, best first.

        Args:
            picture: (H, W, 3) RGB of any size.

        Raises:
            ValueError: it is not such a picture.
        """
        if _is_empty(picture):
            return []
        return self._found_closely(picture) or self._found_again(picture)

    def find_large(self, picture: NDArray[np.uint8]) -> list[FaceHit]:
        """The faces of a picture of which the largest is wanted, best first, a third as long where
        it shows a large one plainly: smaller ones may then be missing. Else as `find`.

        Args:
            picture: (H, W, 3) RGB of any size.

        Raises:
            ValueError: it is not such a picture.
        """
        if _is_empty(picture):
            return []
        coarse = self._look(picture, AREA // COARSE, max(SURE, self._threshold))
        least = LARGE * min(picture.shape[:2])
        if any(hit.size >= least for hit in coarse):
            return coarse
        return self._found_closely(picture) or self._found_again(picture, coarse)

    def _found_closely(self, picture: NDArray[np.uint8]) -> list[FaceHit]:
        return self._closely(picture, self._look(picture, AREA, min(CANDIDATE, self._threshold)))

    def _found_again(
        self, picture: NDArray[np.uint8], coarse: list[FaceHit] | None = None
    ) -> list[FaceHit]:
        """What a second look finds; ``coarse`` where the picture was seen at half the resolution
        already."""
        if not self._second_look:
            return []
        sure = max(SURE, self._threshold)
        if coarse is None:
            coarse = self._look(picture, AREA // COARSE, sure)
        hits = [hit for hit in coarse if hit.size > FILLS * min(picture.shape[:2])]
        if not hits and picture.shape[0] * picture.shape[1] > AREA:
            hits = self._closely(picture, self._look(picture, AREA * FINE, sure))
        return hits

    def _closely(self, picture: NDArray[np.uint8], hits: list[FaceHit]) -> list[FaceHit]:
        """The hits that count; an uncertain one is looked at again at the picture's own resolution,
        and both scores together decide."""
        counted = [hit for hit in hits if hit.score >= CERTAIN]
        for hit in [h for h in hits if h.score < CERTAIN][:MOST_CLOSE]:
            middle = (hit.box[:2] + hit.box[2:]) / 2
            side = AROUND * hit.size
            corner = (middle - side / 2).astype(np.float32)
            scale = np.full(2, side / CLOSE)
            near = self._found(_window(picture, corner, side), scale, CANDIDATE)
            moved = [_moved(other, corner) for other in near]
            same = [other for other in moved if overlap(other.box, hit.box) >= SAME_FACE]
            if same:
                score = (1 - TRUST) * hit.score + TRUST * same[0].score
                counted.append(FaceHit(box=same[0].box, score=score, points=same[0].points))
        counted = [hit for hit in counted if hit.score >= self._threshold]
        return sorted(counted, key=lambda hit: -hit.score)

    def _look(self, picture: NDArray[np.uint8], area: int, threshold: float) -> list[FaceHit]:
        shown, scale = _fitted(picture, area)
        return self._found(shown, scale, threshold)

    def _found(
        self, shown: NDArray[np.uint8], scale: NDArray[np.float64], threshold: float
    ) -> list[FaceHit]:
        """Faces of the network's picture; ``scale`` leads back to the original's pixels."""
        cells = self._network.run(**{INPUT: shown[None]})
        parts = [
            faces_of_cells(cells[name][0], stride, threshold)
            for name, stride in zip(OUTPUTS, STRIDES, strict=True)
        ]
        scores, boxes, points = (np.concatenate(values) for values in zip(*parts, strict=True))
        return [
            FaceHit(
                box=(boxes[i] * np.tile(scale, 2)).astype(np.float32),
                score=float(scores[i]),
                points=(points[i] * scale).astype(np.float32),
            )
            for i in without_overlaps(boxes, scores, MOST_OVERLAP)
        ]


def _is_empty(picture: NDArray[np.uint8]) -> bool:
    """Whether the picture has no pixels.

    Raises:
        ValueError: it is no picture.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(
            f"expected a picture (H, W, 3) of uint8, found {picture.shape} of {picture.dtype}"
        )
    return 0 in picture.shape


def _moved(hit: FaceHit, by: FloatArray) -> FaceHit:
    box = (hit.box + np.tile(by, 2)).astype(np.float32)
    return FaceHit(box=box, score=hit.score, points=(hit.points + by).astype(np.float32))


def _window(picture: NDArray[np.uint8], corner: FloatArray, side: float) -> NDArray[np.uint8]:
    """A square part of the picture at `CLOSE` pixels, grey beyond the picture's border."""
    height, width = picture.shape[:2]
    low = np.clip(np.floor(corner), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(corner + side), low + 1, (width, height)).astype(int)
    part = picture[low[1] : high[1], low[0] : high[0]]
    scale = CLOSE / side
    size = np.maximum(np.round((high - low) * scale), 1).astype(int)
    small = _resized(part, int(size[0]), int(size[1]))
    out = np.full((CLOSE, CLOSE, 3), GREY, np.uint8)
    x, y = (int(v) for v in np.round((low - corner) * scale))
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + int(size[0]), CLOSE), min(y + int(size[1]), CLOSE)
    out[top:bottom, left:right] = small[top - y : bottom - y, left - x : right - x]
    return out


def _fitted(picture: NDArray[np.uint8], area: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The picture at about ``area`` pixels with sides that the network takes.

    Returns:
        Picture (H, W, 3), and (2,) pixels of the original per pixel of it, x and y.
    """
    height, width = picture.shape[:2]
    scale = min((area / (width * height)) ** 0.5, LARGEST, LONGEST / max(width, height))
    wide, high = _side(width * scale), _side(height * scale)
    small = _resized(picture, wide, high)
    right, bottom = -wide % MULTIPLE, -high % MULTIPLE
    if right or bottom:
        grey = (GREY, GREY, GREY)
        border = cv2.BORDER_CONSTANT
        framed = cv2.copyMakeBorder(small, 0, bottom, 0, right, border, value=grey)
        small = np.asarray(framed, np.uint8)
    return small, np.array([width / wide, height / high])


def _resized(picture: NDArray[np.uint8], wide: int, high: int) -> NDArray[np.uint8]:
    """The picture at another size; in large ones not every pixel is looked at, which would cost
    more than finding faces does."""
    step = int(_shrink(picture, wide, high) / SKIP)
    if step > 1:
        picture = np.ascontiguousarray(picture[::step, ::step])
    while _shrink(picture, wide, high) >= 3:
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = np.asarray(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(picture, (wide, high), interpolation=cv2.INTER_LINEAR), np.uint8)


def _shrink(picture: NDArray[np.uint8], wide: int, high: int) -> float:
    height, width = picture.shape[:2]
    return float(min(width / wide, height / high))


def _side(length: float) -> int:
    """The multiple of `MULTIPLE` near by, else the length itself in whole pixels."""
    near = max(round(length / MULTIPLE), 1) * MULTIPLE
    return near if abs(near - length) <= STRETCH * length else max(round(length), 1)
