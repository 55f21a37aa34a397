"""The journal a GLB take is kept in while it is performed, since a GLB can only be written whole.

``take.glb.part``: one line of JSON (format, rig, control names, rate, subject), then a record of
fixed size a frame. A journal left by a killed run is a take as it stands: `read_journal` reads it,
and so do `freeavatar.bridge.takes.read_take` and everything built on it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.spec import Rig, RigFrame, Take

from .arrays import FrameArrays
from .partfile import PartFile

FORMAT = "freeavatar-journal/1"
LONGEST_HEADER = 1 << 20


def _record(controls: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("index", "<i8"),
            ("time", "<f8"),
            ("found", "u1"),
            ("values", "<f4", (controls,)),
            ("head", "<f4", (3,)),
            ("eyes", "<f4", (2, 3)),
        ]
    )


class JournalWriter:
    """Appends frames to ``<path>.part``."""

    def __init__(self, path: Path, rig: Rig, *, rate: float, subject: str) -> None:
        """Create the journal.

        Raises:
            BridgeError: it cannot be written, or another run is writing this take.
        """
        self.file = PartFile(path)
        self.frames = 0
        self._row = np.zeros(1, _record(len(rig.controls)))
        header = {
            "format": FORMAT,
            "rig": rig.name,
            "names": list(rig.names),
            "rate": rate,
            "subject": subject,
        }
        self.file.write(f"{json.dumps(header)}\n".encode())

    def send(self, frame: RigFrame) -> None:
        """Append one frame.

        Raises:
            BridgeError: the disk is full; frames written so far stay.
        """
        self._row[0] = (
            frame.index,
            frame.time,
            frame.found,
            np.nan_to_num(frame.values, nan=0.0, posinf=0.0, neginf=0.0),
            np.nan_to_num(frame.head, nan=0.0, posinf=0.0, neginf=0.0),
            np.nan_to_num(frame.eyes, nan=0.0, posinf=0.0, neginf=0.0),
        )
        self.file.write(self._row.tobytes())
        self.frames += 1


def read_journal(path: Path) -> Take:
    """Read a journal; a record cut off at its end is left out.

    Raises:
        BridgeError: it is no journal, or it has no frames.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(LONGEST_HEADER)
            header = _header(path, line)
            kind = _record(len(header["names"]))
            data = file.read()
    except OSError as error:
        raise BridgeError(f"cannot read {path}: {error.strerror}") from error
    rows = np.frombuffer(data, kind, len(data) // kind.itemsize)
    if not len(rows):
        raise BridgeError(f"{path}: the take has no frames")
    frames = FrameArrays(
        indices=rows["index"].astype(np.int64),
        times=rows["time"].astype(np.float64),
        values=rows["values"].astype(np.float32),
        head=rows["head"].astype(np.float32),
        eyes=rows["eyes"].astype(np.float32),
        found=rows["found"].astype(bool),
    )
    for name in ("times", "values", "head", "eyes"):
        if not np.isfinite(getattr(frames, name)).all():
            raise BridgeError(f"{path}: the take is damaged: its {name} are not all numbers")
    return Take(
        names=tuple(header["names"]),
        frames=frames,
        rate=header["rate"],
        subject=header["subject"],
        rig=header["rig"],
    )


def _header(path: Path, line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise BridgeError(f"{path}: no journal of a take")
    names, rate = header.get("names"), header.get("rate")
    whole = (
        isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and isinstance(rate, (int, float))
        and all(isinstance(header.get(key), str) for key in ("rig", "subject"))
    )
    if not whole:
        raise BridgeError(f"{path}: the journal's first line is damaged")
    return header
