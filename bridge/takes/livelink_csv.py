"""Live Link Face CSV takes: the app's own columns for ARKit rigs, a rig's own for others.

An ARKit rig's take has the app's 63 columns, under the app's names and in its order, whatever the
rig calls its controls; curves the rig lacks are 0 and controls beyond the 52 are left out (a JSON
lines take keeps them). Another rig's take has ``Timecode,BlendShapeCount``, its own controls and
the nine columns of head and eyes, which Unreal imports as Live Link properties.
"""

import csv
import io
import logging
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freeavatar.bridge.curves import Curves, is_arkit, other_controls
from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.conventions.arkit import LIVE_LINK_CSV, LIVE_LINK_UDP
from freeavatar.rigs.spec import Rig, RigFrame

from .partfile import PartFile
from .timecode import RATE, LiveLinkClock, exact_rate

log = logging.getLogger(__name__)

ANGLES = LIVE_LINK_UDP[52:]
"""Names of the nine columns of head and eyes."""
EVEN = 0.002
"""A rate within this part of one that divides 60 is shown right; 29.97 is 0.001 from 30."""


def shown_rate(rate: float) -> Fraction:
    """Frames per second at which Unreal's importer, which knows 30 and 60, shows a take right.

    Args:
        rate: of the source.

    Returns:
        The source's own where its frames fall on those of 60 a second (30, 29.97, 20, 15...), else
        60 (24, 25, 48, 50, 120...).
    """
    steps = RATE / rate
    even = round(steps) >= 1 and abs(steps / round(steps) - 1) < EVEN
    return exact_rate(rate) if even else Fraction(RATE)


class LiveLinkCsvWriter:
    """Writes one row a frame, every cell filled, ten decimals; a `Sink`."""

    def __init__(self, path: Path, rig: Rig, *, rate: float, timecode: str = "") -> None:
        """Create the file and write its header.

        Args:
            path: of the take.
            rig: whose frames come.
            rate: frames per second of the source, which FF of the timecode counts.
            timecode: of the source's time 0. Empty: the first frame is now.

        Raises:
            BridgeError: the file cannot be written, the timecode is none, or a control is called
                like one of the file's own columns.
        """
        self._clock = LiveLinkClock(timecode, rate)
        names, self._row = _arkit_columns(rig) if is_arkit(rig) else _own_columns(rig)
        self._format = ",".join(["%s", str(len(names)), *["%.10f"] * len(names)]) + "\n"
        self._file = PartFile(path)
        self._frames = 0
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow([*LIVE_LINK_CSV[:2], *names])
        self._file.write(header.getvalue().encode())

    def send(self, frame: RigFrame) -> None:
        """Append the frame's row.

        Raises:
            BridgeError: the disk is full; rows written so far stay.
        """
        values = self._row(frame)
        if not np.isfinite(values).all():
            values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        # Adding zero turns -0 into 0.
        row = self._format % (self._clock.at(frame.time), *(values + 0.0).tolist())
        self._file.write(row.encode())
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


Row = Callable[[RigFrame], NDArray[np.float64]]


def _angles(frame: RigFrame) -> NDArray[np.float64]:
    return np.concatenate([frame.head, frame.eyes.reshape(6)])


def _arkit_columns(rig: Rig) -> tuple[tuple[str, ...], Row]:
    curves = Curves(rig)
    left_out = other_controls(rig)
    if left_out:
        log.info("the CSV take holds ARKit's curves; not in it: %s", ", ".join(left_out))
    names = LIVE_LINK_CSV[2:]
    order = np.array([LIVE_LINK_UDP.index(name) for name in names])

    def row(frame: RigFrame) -> NDArray[np.float64]:
        columns = np.concatenate([curves.of(frame.values), _angles(frame)], dtype=np.float64)
        return np.asarray(columns[order])

    return names, row


def _own_columns(rig: Rig) -> tuple[tuple[str, ...], Row]:
    taken = set(rig.names) & {*ANGLES, *LIVE_LINK_CSV[:2]}
    if taken:
        raise BridgeError(
            f"a CSV take has a column {sorted(taken)[0]} of its own and rig {rig.name} a control "
            f"of that name; write a .jsonl take"
        )

    def row(frame: RigFrame) -> NDArray[np.float64]:
        return np.concatenate([frame.values, _angles(frame)], dtype=np.float64)

    return (*rig.names, *ANGLES), row
