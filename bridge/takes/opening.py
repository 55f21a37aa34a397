"""Which writer and reader a take file's suffix stands for."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from freeavatar.bridge.sink import BridgeError, Sink
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig, Take

from .arrays import nominal_rate
from .glb import GlbWriter, recover_glb, require_mesh
from .journal import read_journal
from .json_lines import JsonLinesWriter, read_json_lines
from .livelink_csv import LiveLinkCsvWriter
from .livelink_csv_reader import read_csv
from .partfile import set_leftover_aside


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a take is opened with, beside its file and rig."""

    rate: float
    subject: str
    timecode: str


@dataclass(frozen=True, kw_only=True)
class Format:
    """One take format."""

    title: str
    write: Callable[[Path, Rig, Wish], Sink]
    read: Callable[[Path], Take]
    read_part: Callable[[Path], Take]
    """Reads the ``.part`` an interrupted run left."""
    recover: Callable[[Path, Rig], Path | None]


def _read_glb(path: Path) -> Take:
    from freeavatar.rigs.gltf.animation import read_animation

    try:
        take = read_animation(path)
    except RigError as error:
        raise BridgeError(str(error)) from error
    # glTF stores times in 32 bits; the rate they were made for is a rounder number.
    return replace(take, rate=nominal_rate(np.array([frame.time for frame in take.frames])))


def _keep_text(path: Path, rig: Rig) -> Path | None:
    return set_leftover_aside(path, readable=True)


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        ".csv": Format(
            title="Live Link Face CSV",
            write=lambda path, rig, wish: LiveLinkCsvWriter(
                path, rig, rate=wish.rate, timecode=wish.timecode
            ),
            read=read_csv,
            read_part=read_csv,
            recover=_keep_text,
        ),
        ".jsonl": Format(
            title="JSON lines",
            write=lambda path, rig, wish: JsonLinesWriter(path, rig),
            read=read_json_lines,
            read_part=read_json_lines,
            recover=_keep_text,
        ),
        ".glb": Format(
            title="GLB with animation",
            write=lambda path, rig, wish: GlbWriter(
                path, rig, rate=wish.rate, subject=wish.subject
            ),
            read=_read_glb,
            read_part=read_journal,
            recover=recover_glb,
        ),
    }
)


def open_take(
    path: Path,
    rig: Rig,
    *,
    rate: float,
    subject: str = "",
    timecode: str = "",
) -> Sink:
    """Open a take file for writing.

    Frames go to ``<path>.part`` as they come and the file takes its name when closed, in place of
    an earlier one: a run that is killed loses at most the frame it was writing and never harms an
    earlier take. What a killed run left is first set aside (`recover`). The sink's ``discard()``
    leaves no file.

    Args:
        path: ``.csv`` (Live Link Face), ``.jsonl`` (JSON lines) or ``.glb`` (rig and animation).
        rig: whose frames will be written; a GLB needs a mesh.
        rate: nominal frames per second of the source.
        subject: whom the take shows; names the animation of a GLB.
        timecode: of the source's first frame, ``HH:MM:SS:FF``; begins a CSV take. Empty: now.

    Raises:
        BridgeError: unknown suffix, unfit rig, or the file cannot be written.
    """
    path = Path(path)
    entry = _format(path)
    if not (math.isfinite(rate) and rate > 0):
        raise BridgeError(f"{path}: {rate} is no frame rate")
    if path.is_dir():
        raise BridgeError(f"{path} is a folder; name a file in it")
    if path.suffix.lower() == ".glb":
        require_mesh(path, rig)
    entry.recover(path, rig)
    return entry.write(path, rig, Wish(rate=rate, subject=subject, timecode=timecode))


def read_take(path: Path) -> Take:
    """Read a take file, or the ``.part`` an interrupted run left of one.

    Raises:
        BridgeError: unknown suffix, or the file is damaged; the message says where.
    """
    path = Path(path)
    if path.suffix == ".part":
        return _format(path.with_suffix("")).read_part(path)
    return _format(path).read(path)


def recover(path: Path, rig: Rig) -> Path | None:
    """Set aside what a killed run left of a take, as ``<name>.recovered<suffix>``.

    A journal of a GLB take becomes a GLB when it is this rig's; another rig's keeps its ``.part``.
    `open_take` does this by itself.

    Returns:
        The recovered file, or None where nothing was left.

    Raises:
        BridgeError: another run is writing the take now.
    """
    return _format(path).recover(path, rig)


def _format(path: Path) -> Format:
    entry = FORMATS.get(path.suffix.lower())
    if entry is None:
        able = ", ".join(f"{suffix} ({f.title})" for suffix, f in FORMATS.items())
        raise BridgeError(f"{path}: a take's name ends in one of {able}")
    return entry
