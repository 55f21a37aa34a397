"""Reads Google's facial expression comparison data: which of three faces is the odd one out.

Source:
    Vemulapalli and Agarwala, A Compact Embedding for Facial Expression Similarity, CVPR 2019;
    faceexp-comparison-data-{train,test}-public.csv. The file has no head; each row is three times
    (url, left, right, top, bottom of the face's box as shares of the picture), the triplet's type,
    then for each annotator a name and 1, 2 or 3: the picture that is unlike the other two.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import DataError

KINDS = ("ONE_CLASS_TRIPLET", "TWO_CLASS_TRIPLET", "THREE_CLASS_TRIPLET")
_FACE = 5


@dataclass(frozen=True)
class Face:
    """A face in a picture on the web."""

    url: str
    box: tuple[float, float, float, float]
    """Left, right, top, bottom as shares 0..1 of the picture's width and height."""


@dataclass(frozen=True, kw_only=True)
class Triplet:
    """Three faces that people have compared."""

    line: int
    """In the file, from 1."""
    faces: tuple[Face, Face, Face]
    kind: str
    """One of `KINDS`: how many emotions the three were sampled from."""
    votes: tuple[tuple[str, int], ...]
    """Annotator, and the face 0, 1 or 2 that is unlike the others."""

    @property
    def odd(self) -> int | None:
        """The face that most votes name; None where two have as many."""
        counts = Counter(vote for _, vote in self.votes).most_common(2)
        return None if len(counts) > 1 and counts[0][1] == counts[1][1] else counts[0][0]


def read_triplets(path: Path, broken: list[tuple[int, str]] | None = None) -> Iterator[Triplet]:
    """All triplets of a file, in order.

    Args:
        path: the CSV.
        broken: gets line and reason of rows that cannot be read; None raises instead.

    Raises:
        DataError: the file cannot be opened, or a row is broken; names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = csv.reader(file, skipinitialspace=True)
            for row in rows:
                try:
                    if any(cell.strip() for cell in row):
                        yield _triplet(row, rows.line_num)
                except ValueError as error:
                    if broken is None:
                        raise DataError(f"{path} line {rows.line_num}: {error}") from error
                    broken.append((rows.line_num, str(error)))
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from error


def _triplet(row: list[str], line: int) -> Triplet:
    cells = [cell.strip() for cell in row]
    if len(cells) < 3 * _FACE + 3:
        raise ValueError(f"{len(cells)} columns, at least {3 * _FACE + 3} expected")
    first, second, third = (_face(cells[i : i + _FACE]) for i in range(0, 3 * _FACE, _FACE))
    kind, *rest = cells[3 * _FACE :]
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no type of triplet ({', '.join(KINDS)})")
    pairs = [(who, vote) for who, vote in zip(rest[::2], rest[1::2], strict=False) if who or vote]
    votes = tuple((who, _vote(vote)) for who, vote in pairs)
    if not votes:
        raise ValueError("nobody has compared the three faces")
    return Triplet(line=line, faces=(first, second, third), kind=kind, votes=votes)


def _face(cells: list[str]) -> Face:
    url, *numbers = cells
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no address of a picture")
    try:
        left, right, top, bottom = (float(number) for number in numbers)
    except ValueError:
        raise ValueError(f"{', '.join(numbers)} is no box of four numbers") from None
    if not (0 <= left < right <= 1.001 and 0 <= top < bottom <= 1.001):
        raise ValueError(f"the box {', '.join(numbers)} is not left, right, top, bottom in 0..1")
    return Face(url, (left, right, top, bottom))


def _vote(text: str) -> int:
    if text not in ("1", "2", "3"):
        raise ValueError(f"{text!r} names none of the faces 1, 2, 3")
    return int(text) - 1
