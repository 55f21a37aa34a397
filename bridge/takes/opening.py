"""Which writer and reader a take file's suffix stands for."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import numpy as np

from freeavatar.bridge.sink import BridgeError, Sink
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig, Take

from .arrays import nominal_rate
from .fbx import BLENDER, FbxWriter, recover_fbx
from .glb import GlbWriter, recover_glb, require_mesh
from .journal import read_journal
from .json_lines import JsonLinesWriter, read_json_lines
from .livelink_csv import LiveLinkCsvWriter, shown_rate
from .livelink_csv_reader import read_csv
from .partfile import set_leftover_aside
from .resampling import ResamplingSink
from .unity_anim import UnityAnimWriter, read_unity_anim, recover_unity_anim, require_shapes
from .usd import UsdWriter, read_usd, recover_usd
from .vrma import VrmaWriter, recover_vrma
from .vrma_reader import read_vrma


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a take is opened with, beside its file and rig."""

    rate: float
    """Nominal frames per second that are written."""
    subject: str
    timecode: str
    timecode_rate: float
    """Frames per second of the source, which FF of the timecode counts."""
    blender: str = BLENDER
    """Blender program that writes an FBX: a name on PATH or a path."""
    renderer: str | None = None
    """Path of the SkinnedMeshRenderer a Unity clip drives; None: the rig's meshes by name."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One take format."""

    title: str
    write: Callable[[Path, Rig, Wish], Sink]
    read: Callable[[Path], Take]
    read_part: Callable[[Path], Take]
    """Reads the ``.part`` an interrupted run left."""
    recover: Callable[[Path, Rig], Path | None]
    require: Callable[[Path, Rig], None] | None = None
    """Raises a BridgeError where a rig cannot be written; None where every one can."""
    grid: Callable[[float], Fraction] | None = None
    """Frames per second on which the format wants a source of some rate; None keeps its times."""


def _read_glb(path: Path) -> Take:
    from freeavatar.rigs.gltf.animation import read_animation

    try:
        take = read_animation(path)
    except RigError as error:
        raise BridgeError(str(error)) from error
    # glTF stores times in 32 bits; the rate they were made for is a rounder number.
    return replace(take, rate=nominal_rate(np.array([frame.time for frame in take.frames])))


def _read_fbx(path: Path) -> Take:
    raise BridgeError(
        f"{path}: FBX takes are only written; record a .glb or .usd beside it to read"
    )


def _usd(title: str) -> Format:
    return Format(
        title=title,
        write=lambda path, rig, wish: UsdWriter(path, rig, rate=wish.rate, subject=wish.subject),
        read=read_usd,
        read_part=read_journal,
        recover=recover_usd,
    )


def _keep_text(path: Path, rig: Rig) -> Path | None:
    return set_leftover_aside(path, readable=True)


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        ".csv": Format(
            title="Live Link Face CSV",
            write=lambda path, rig, wish: LiveLinkCsvWriter(
                path, rig, rate=wish.timecode_rate, timecode=wish.timecode
            ),
            read=read_csv,
            read_part=read_csv,
            recover=_keep_text,
            grid=shown_rate,
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
            require=require_mesh,
        ),
        ".vrma": Format(
            title="VRM animation",
            write=lambda path, rig, wish: VrmaWriter(
                path, rig, rate=wish.rate, subject=wish.subject
            ),
            read=read_vrma,
            read_part=read_journal,
            recover=recover_vrma,
        ),
        ".anim": Format(
            title="Unity animation clip",
            write=lambda path, rig, wish: UnityAnimWriter(
                path, rig, rate=wish.rate, subject=wish.subject, renderer=wish.renderer
            ),
            read=read_unity_anim,
            read_part=read_journal,
            recover=recover_unity_anim,
            require=require_shapes,
        ),
        ".usda": _usd("USD, text"),
        ".usdc": _usd("USD, binary"),
        ".usd": _usd("USD, binary"),
        ".fbx": Format(
            title="FBX, written by Blender",
            write=lambda path, rig, wish: FbxWriter(
                path, rig, rate=wish.rate, subject=wish.subject, blender=wish.blender
            ),
            read=_read_fbx,
            read_part=read_journal,
            recover=recover_fbx,
            require=require_mesh,
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
    take_rate: float | Fraction | None = None,
    blender: str | None = None,
    renderer: str | None = None,
) -> Sink:
    """Open a take file for writing.

    Frames go to ``<path>.part`` as they come and the file takes its name when closed, in place of
    an earlier one: a run that is killed loses at most the frame it was writing and never harms an
    earlier take. What a killed run left is first set aside (`recover`). The sink's ``discard()``
    leaves no file.

    Args:
        path: its suffix is one of `FORMATS`.
        rig: whose frames will be written; a GLB needs a mesh.
        rate: nominal frames per second of the source.
        subject: whom the take shows; names the animation of a GLB.
        timecode: of the source's time 0, ``HH:MM:SS:FF``, or ``;FF`` where frame numbers are
            dropped; begins a CSV take. Empty: the first frame is now.
        take_rate: frames per second to write on a constant grid (`grid_rate` tells a format's
            own); None keeps the frames' times.
        blender: program that writes an FBX, a name on PATH or a path; None: ``blender``.
        renderer: path of the SkinnedMeshRenderer a Unity clip drives, below its Animator; None:
            the rig's meshes by name.

    Raises:
        BridgeError: unknown suffix, unfit rig, or the file cannot be written.
    """
    path = Path(path)
    entry = format_of(path)
    for given in (rate, take_rate):
        if given is not None and not (math.isfinite(given) and given > 0):
            raise BridgeError(f"{path}: {given} is no frame rate")
    if path.is_dir():
        raise BridgeError(f"{path} is a folder; name a file in it")
    if entry.require is not None:
        entry.require(path, rig)
    entry.recover(path, rig)
    wish = Wish(
        rate=rate if take_rate is None else float(take_rate),
        subject=subject,
        timecode=timecode,
        timecode_rate=rate,
        blender=blender or BLENDER,
        renderer=renderer,
    )
    sink = entry.write(path, rig, wish)
    return sink if take_rate is None else ResamplingSink(sink, take_rate, source_rate=rate)


def grid_rate(path: Path, rate: float) -> Fraction | None:
    """Frames per second that a take of a source should be written at.

    Args:
        path: of the take.
        rate: nominal frames per second of the source.

    Returns:
        The rate of a constant grid, or None where the format keeps the frames' own times.

    Raises:
        BridgeError: unknown suffix.
    """
    grid = format_of(path).grid
    return None if grid is None else grid(rate)


def read_take(path: Path) -> Take:
    """Read a take file, or the ``.part`` an interrupted run left of one.

    Raises:
        BridgeError: unknown suffix, or the file is damaged; the message says where.
    """
    path = Path(path)
    if path.suffix == ".part":
        return format_of(path.with_suffix("")).read_part(path)
    return format_of(path).read(path)


def recover(path: Path, rig: Rig) -> Path | None:
    """Set aside what a killed run left of a take, as ``<name>.recovered<suffix>``.

    A journal of a GLB take becomes a GLB when it is this rig's; another rig's keeps its ``.part``.
    `open_take` does this by itself.

    Returns:
        The recovered file, or None where nothing was left.

    Raises:
        BridgeError: another run is writing the take now.
    """
    return format_of(path).recover(path, rig)


def format_of(path: Path) -> Format:
    """What a take file's suffix stands for.

    Raises:
        BridgeError: it is none of `FORMATS`.
    """
    entry = FORMATS.get(path.suffix.lower())
    if entry is None:
        able = ", ".join(f"{suffix} ({f.title})" for suffix, f in FORMATS.items())
        raise BridgeError(f"{path}: a take's name ends in one of {able}")
    return entry
