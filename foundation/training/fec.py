"""Triplets of faces that people have compared, as ``freeavatar data fec`` writes them.

A folder with ``triplets.jsonl`` and ``crops/NAME.jpg``. Nothing else is known of these pictures:
they act on the embedding alone, through the triplet loss.

Source:
    Vemulapalli and Agarwala, A Compact Embedding for Facial Expression Similarity, CVPR 2019.
"""

import json
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.contrastive import FAR_MARGIN, NEAR_MARGIN
from freeavatar.foundation.crops import STORED_SIZE
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.samples import Sample

from .feeding import Pictures
from .views import Viewer

MARGINS: Mapping[str, float] = MappingProxyType(
    {
        "ONE_CLASS_TRIPLET": NEAR_MARGIN,
        "TWO_CLASS_TRIPLET": FAR_MARGIN,
        "THREE_CLASS_TRIPLET": FAR_MARGIN,
    }
)
"""By how many emotions the three faces were sampled from."""


class ComparedFaces:
    """The triplets of a folder in which most people named the same face as the odd one.

    Args:
        folder: what ``freeavatar data fec`` has written.

    Raises:
        TrainingError: there are none, a line is broken (it is named), or a crop is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = folder / "triplets.jsonl"
        if not path.is_file():
            raise TrainingError(f"{folder} holds no triplets.jsonl; make it with: data fec")
        there = {file.stem for file in (folder / "crops").glob("*.jpg")}
        numbers: dict[str, int] = {}
        rows: list[tuple[int, ...]] = []
        margins: list[float] = []
        self.ties = 0
        """Triplets left out, since people did not agree."""
        with path.open("rb") as file:
            for line, text in enumerate(file, 1):
                if not text.strip():
                    continue
                try:
                    names, margin = _triplet(text, there)
                except ValueError as error:
                    raise TrainingError(f"{path} line {line}: {error}") from error
                if not names:
                    self.ties += 1
                    continue
                rows.append(tuple(numbers.setdefault(name, len(numbers)) for name in names))
                margins.append(margin)
        if not rows:
            raise TrainingError(f"{path} holds no triplet on which people agree")
        self._names = np.array(list(numbers))
        self._rows = np.array(rows, np.int32)
        self.margins = np.array(margins, np.float32)
        """(M,) of each triplet."""

    def __len__(self) -> int:
        """Triplets."""
        return len(self._rows)

    def samples(self, row: int) -> list[Sample]:
        """Anchor, positive and negative of one triplet, without labels.

        Raises:
            TrainingError: a crop cannot be read.
        """
        return [_sample(self._folder / "crops" / f"{self._names[n]}.jpg") for n in self._rows[row]]

    def facts(self) -> dict[str, Any]:
        """Counts, for ``run.json``."""
        return {"triplets": len(self), "ties": self.ties, "crops": len(self._names)}


def triplet_batches(
    faces: ComparedFaces, count: int, viewer: Viewer, make: np.random.Generator
) -> Iterator[Pictures]:
    """Endless batches of ``count`` triplets, in shuffled passes through all of them."""
    rows = _passes(len(faces), make)
    while True:
        drawn = [next(rows) for _ in range(count)]
        samples = [sample for row in drawn for sample in faces.samples(row)]
        yield viewer.triplets(samples, faces.margins[drawn], make)


def _passes(count: int, make: np.random.Generator) -> Iterator[int]:
    while True:
        yield from make.permutation(count).tolist()


def _triplet(text: bytes, there: Set[str]) -> tuple[tuple[str, ...], float]:
    """Names of anchor, positive and negative, none for a tie; and the margin."""
    try:
        facts = json.loads(text)
    except ValueError as error:
        raise ValueError(f"no JSON ({error})") from None
    if not isinstance(facts, dict):
        raise ValueError("no JSON object")
    names, odd, kind = (facts.get(key) for key in ("faces", "odd", "kind"))
    if not (isinstance(names, list) and len(names) == 3 and all(isinstance(n, str) for n in names)):
        raise ValueError("faces must be the names of three crops")
    if not isinstance(kind, str) or kind not in MARGINS:
        raise ValueError(f"kind must be one of {', '.join(MARGINS)}")
    for name in names:
        if name not in there:
            raise ValueError(f"there is no crops/{name}.jpg; run data fec again")
    if odd is None:
        return (), MARGINS[kind]
    if type(odd) is not int or odd not in (0, 1, 2):
        raise ValueError("odd must be 0, 1, 2 or null")
    alike = [name for i, name in enumerate(names) if i != odd]
    return (*alike, names[odd]), MARGINS[kind]


def _sample(path: Path) -> Sample:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None or picture.shape[:2] != (STORED_SIZE, STORED_SIZE):
        raise TrainingError(
            f"{path} is no picture of {STORED_SIZE} x {STORED_SIZE} pixels; delete it and run "
            "data fec again"
        )
    rgb: NDArray[np.uint8] = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    return Sample(picture=rgb, identity=path.stem, domain="photo", expression=-1)
