"""JSON lines takes: one object a source frame, also where no face was found.

``{"frame": 0, "time": 0.0, "found": true, "controls": {"jawOpen": 0.25, …},
"head": [yaw, pitch, roll], "eyes": [[yaw, pitch, roll], [yaw, pitch, roll]], "rig": "fox"}``;
angles in radians, left eye first, signs in `freeavatar.rigs.rotation`.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.spec import Rig, RigFrame, Take

from .arrays import FrameArrays, nominal_rate
from .partfile import PartFile


class JsonLinesWriter:
    """Writes one line a frame; a `Sink`."""

    def __init__(self, path: Path, rig: Rig) -> None:
        """Create the file.

        Raises:
            BridgeError: it cannot be written.
        """
        self._rig = rig
        self._file = PartFile(path)
        self._frames = 0

    def send(self, frame: RigFrame) -> None:
        """Append the frame's line.

        Raises:
            BridgeError: the disk is full; lines written so far stay.
        """
        line = {
            "frame": frame.index,
            "time": round(float(frame.time), 9),
            "found": bool(frame.found),
            "controls": dict(zip(self._rig.names, _shortest(frame.values), strict=True)),
            "head": _shortest(frame.head),
            "eyes": [_shortest(eye) for eye in frame.eyes],
            "rig": self._rig.name,
        }
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        self._file.write(f"{text}\n".encode())
        self._frames += 1

    def close(self) -> None:
        """Give the file its name; a take without a frame leaves none. Safe to call twice."""
        if self._frames:
            self._file.finish()
        else:
            self._file.discard()

    def discard(self) -> None:
        """Leave no file."""
        self._file.discard()


def _shortest(values: NDArray[np.floating]) -> list[float]:
    """Values with the fewest digits that read back as the same 32-bit numbers."""
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return [float(text) for text in finite.astype("U32")]


def read_json_lines(path: Path) -> Take:
    """Read a JSON lines take.

    Controls that a line leaves out keep the value of the line before; a line cut off at the end
    of a ``.part`` is left out.

    Raises:
        BridgeError: it is no such file; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise BridgeError(f"cannot read {path}: {reason}") from error
    lines = text.split("\n")
    if path.suffix == ".part":
        lines.pop()
    rows = list(_rows(path, lines))
    if not rows:
        raise BridgeError(f"{path}: the take has no frames")
    names = tuple(dict.fromkeys(name for _, row in rows for name in row["controls"]))
    frames = _frames(path, rows, names)
    rig = rows[0][1].get("rig", "")
    return Take(
        names=names,
        frames=frames,
        rate=nominal_rate(frames.times),
        rig=rig if isinstance(rig, str) else "",
    )


def _rows(path: Path, lines: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BridgeError(f"{path}: line {number}: no JSON object: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get("controls"), dict):
            raise BridgeError(f'{path}: line {number}: no object with "controls"')
        yield number, row


def _frames(
    path: Path, rows: Sequence[tuple[int, dict[str, Any]]], names: tuple[str, ...]
) -> FrameArrays:
    count = len(rows)
    arrays = FrameArrays(
        indices=np.zeros(count, np.int64),
        times=np.zeros(count),
        values=np.zeros((count, len(names)), np.float32),
        head=np.zeros((count, 3), np.float32),
        eyes=np.zeros((count, 2, 3), np.float32),
        found=np.ones(count, bool),
    )
    last = dict.fromkeys(names, 0.0)
    for i, (number, row) in enumerate(rows):
        where = f"{path}: line {number}"
        last.update(row["controls"])
        arrays.indices[i] = _index(where, row.get("frame", i))
        arrays.times[i] = _number(where, "time", row.get("time"))
        arrays.values[i] = [_number(where, name, last[name]) for name in names]
        arrays.head[i] = _angles(where, "head", row.get("head", [0, 0, 0]), (3,))
        arrays.eyes[i] = _angles(where, "eyes", row.get("eyes", [[0, 0, 0]] * 2), (2, 3))
        arrays.found[i] = row.get("found") is not False
        if i and arrays.times[i] < arrays.times[i - 1]:
            raise BridgeError(f"{where}: its time is before the line above")
    return arrays


def _number(where: str, name: str, value: Any) -> float:
    # A float32 must hold it; bool is a number to Python, not to us.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and abs(value) < 1e38:
        return float(value)
    raise BridgeError(f"{where}: {name} is {value!r}, not a number")


def _index(where: str, value: Any) -> int:
    number = _number(where, "frame", value)
    if abs(number) < 1 << 53:
        return int(number)
    raise BridgeError(f"{where}: frame is {value!r}, not the number of a frame")


def _angles(where: str, name: str, value: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    try:
        angles = np.array(value, np.float32)
    except (ValueError, TypeError, OverflowError):
        angles = np.full(0, np.nan, np.float32)
    if angles.shape != shape or not np.isfinite(angles).all():
        raise BridgeError(f"{where}: {name} must be {'x'.join(map(str, shape))} numbers")
    return angles
