"""Reads Live Link Face CSV takes, the app's and ours."""

import csv
import io
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freeavatar.bridge.curves import ENOUGH_CURVES
from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.conventions.arkit import ARKIT, LIVE_LINK_CSV, LIVE_LINK_UDP
from freeavatar.rigs.spec import Take

from .arrays import FrameArrays, nominal_rate
from .timecode import DAY, RATE, frame_of, seconds_of, timecode_at

log = logging.getLogger(__name__)

_ARKIT_BY_COLUMN = dict(zip(LIVE_LINK_UDP[:52], ARKIT, strict=True))
_ANGLES = LIVE_LINK_UDP[52:]
LARGEST = 1e38
"""Frames hold 32-bit numbers."""


def read_csv(path: Path) -> Take:
    """Read a Live Link Face CSV.

    Columns are found by name, so their order and missing or further ones do not matter; head and
    eye columns that are missing read as 0. ARKit's columns come out under ARKit's names
    (``jawOpen``), others under their own. The frame rate of the timecode is 60 when any FF is
    above 30, else 30, as Unreal assumes. A file cut off in its last line (``.part``) is read up to
    there.

    Raises:
        BridgeError: it is no such file; the message names line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise BridgeError(f"cannot read {path}: {reason}") from error
    if path.suffix == ".part":
        text = text[: text.rfind("\n") + 1]
    rows = _rows(path, text)
    columns = _header(path, next(rows, (1, []))[1])
    timecodes, cells = _cells(path, rows, columns)
    return _take(columns[2:], timecodes, cells, subject=_subject(path))


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with something in them, each with its line number."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise BridgeError(f"{path}: line {reader.line_num}: {error}") from error


def _header(path: Path, columns: list[str]) -> list[str]:
    # Only the app's own names are known to mean the same with spaces around them.
    known = {*LIVE_LINK_CSV, ""}
    columns = [c.strip() if c.strip() in known else c for c in columns]
    if tuple(columns[:2]) != LIVE_LINK_CSV[:2] or len(columns) < 3:
        raise BridgeError(
            f"{path}: no Live Link Face take; its first line must begin Timecode,BlendShapeCount "
            f"and name at least one curve"
        )
    twice = sorted({c for c in columns if columns.count(c) > 1})
    if twice:
        raise BridgeError(f"{path}: line 1: two columns are called {twice[0]!r}")
    return columns


def _cells(
    path: Path, rows: Iterator[tuple[int, list[str]]], columns: Sequence[str]
) -> tuple[list[str], NDArray[np.float64]]:
    timecodes: list[str] = []
    numbers: list[NDArray[np.float64]] = []
    for line, row in rows:
        if len(row) != len(columns):
            raise BridgeError(f"{path}: line {line}: {len(row)} cells under {len(columns)} columns")
        try:
            seconds_of(row[0], RATE)
        except BridgeError as error:
            raise BridgeError(f"{path}: line {line}: Timecode: {error}") from error
        timecodes.append(row[0])
        numbers.append(_numbers(path, line, row, columns))
    if not numbers:
        raise BridgeError(f"{path}: the take has no frames")
    return timecodes, np.array(numbers)


def _numbers(
    path: Path, line: int, row: Sequence[str], columns: Sequence[str]
) -> NDArray[np.float64]:
    try:
        numbers = np.array(row[2:], np.float64)
        if (np.abs(numbers) < LARGEST).all():
            return numbers
    except ValueError:
        pass
    for column, cell in zip(columns[2:], row[2:], strict=True):
        if not _is_number(cell):
            raise BridgeError(f"{path}: line {line}: {column} is {cell!r}, not a number")
    raise BridgeError(f"{path}: line {line}: not numbers")


def _is_number(cell: str) -> bool:
    try:
        return bool(np.abs(np.float64(cell)) < LARGEST)
    except ValueError:
        return False


def _take(
    columns: Sequence[str], timecodes: list[str], cells: NDArray[np.float64], *, subject: str
) -> Take:
    clock = _clock(timecodes)
    times = clock - clock[0]
    arkit = sum(column in _ARKIT_BY_COLUMN for column in columns) >= ENOUGH_CURVES
    kept = [i for i, column in enumerate(columns) if column not in _ANGLES]
    if arkit:
        # ARKit's own order first, so that most readers need not look at the names.
        order = {name: place for place, name in enumerate(LIVE_LINK_UDP)}
        kept.sort(key=lambda i: order.get(columns[i], len(order)))
    angles = np.zeros((len(cells), 9), np.float32)
    for place, name in enumerate(_ANGLES):
        if name in columns:
            angles[:, place] = cells[:, columns.index(name)]
    names = tuple(
        _ARKIT_BY_COLUMN.get(columns[i], columns[i]) if arkit else columns[i] for i in kept
    )
    frames = FrameArrays(
        indices=np.arange(len(cells)),
        times=times,
        values=cells[:, kept].astype(np.float32),
        head=angles[:, :3],
        eyes=angles[:, 3:].reshape(-1, 2, 3),
        found=np.ones(len(cells), bool),
    )
    return Take(
        names=names,
        frames=frames,
        rate=nominal_rate(times),
        subject=subject,
        timecode=timecode_at(clock[0]),
    )


def _clock(timecodes: Sequence[str]) -> NDArray[np.float64]:
    """(N,) seconds since the midnight before the take, never falling."""
    rate = RATE if max(frame_of(timecode) for timecode in timecodes) > 30 else 30
    clock = np.array([seconds_of(timecode, rate) for timecode in timecodes])
    # Past midnight the clock starts again.
    clock += DAY * np.cumsum(np.diff(clock, prepend=clock[0]) < -DAY / 2)
    if (np.diff(clock) < 0).any():
        log.warning("the timecode runs backwards in places; those frames share a time")
    return np.asarray(np.maximum.accumulate(clock))


def _subject(path: Path) -> str:
    """The subject in the app's file names, ``Slate_Take_Subject.csv``; else ""."""
    parts = path.name.removesuffix(".part").removesuffix(".csv").split("_")
    for kind in ("cal", "raw", "neutral"):
        if parts[-1] == kind:
            parts.pop()
    return "_".join(parts[2:]) if len(parts) >= 3 and parts[1].isdigit() else ""
