"""GLB takes: the rig with its morph and head animation, for Blender, browsers and engines."""

import hashlib
import logging
import os
from pathlib import Path

from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig, RigFrame, Take

from .arrays import FrameArrays
from .journal import JournalWriter, read_journal
from .partfile import set_leftover_aside

log = logging.getLogger(__name__)


class GlbWriter:
    """Keeps frames in a journal and writes the GLB when closed; a `Sink`."""

    def __init__(self, path: Path, rig: Rig, *, rate: float, subject: str = "") -> None:
        """Start the journal.

        Raises:
            BridgeError: the rig has no mesh, or the journal cannot be written.
        """
        require_mesh(path, rig)
        self._rig = rig
        self._journal = JournalWriter(path, rig, rate=rate, subject=subject)
        self._closed = False

    def send(self, frame: RigFrame) -> None:
        """Append the frame to the journal.

        Raises:
            BridgeError: the disk is full; frames written so far stay.
        """
        self._journal.send(frame)

    def close(self) -> None:
        """Write the GLB and remove the journal; a take without a frame leaves neither.

        Raises:
            BridgeError: the GLB cannot be written; the journal is kept.
        """
        if self._closed:
            return
        self._closed = True
        journal = self._journal.file
        if self._journal.frames:
            try:
                write_glb_take(journal.path, self._rig, read_journal(journal.part))
            except BaseException:
                journal.keep()
                raise
        journal.discard()

    def discard(self) -> None:
        """Leave no file."""
        self._closed = True
        self._journal.file.discard()


def require_mesh(path: Path, rig: Rig) -> None:
    """Refuse rigs that a GLB cannot show.

    Raises:
        BridgeError: the rig has no mesh.
    """
    if rig.mesh is None:
        raise BridgeError(
            f"{path}: a GLB needs a rig with a mesh and {rig.name} has none; choose another --rig "
            f"or write a .csv or .jsonl take"
        )


def recover_glb(path: Path, rig: Rig) -> Path | None:
    """Turn the journal an interrupted run left into a GLB, ``take.recovered.glb``.

    Args:
        path: of the take, without ``.part``.
        rig: the take is for; a journal of another rig is kept as ``take.recovered.glb.part``.

    Returns:
        The recovered take, or None where nothing (or nothing with frames) was left.

    Raises:
        BridgeError: another run is writing the take, or the GLB cannot be written.
    """
    kept = set_leftover_aside(path, readable=False)
    if kept is None:
        return None
    try:
        take = read_journal(kept)
    except BridgeError as error:
        log.warning("%s", error)
        return kept
    if take.names != rig.names or rig.mesh is None:
        return kept
    glb = kept.with_name(kept.name.removesuffix(".part"))
    write_glb_take(glb, rig, take)
    kept.unlink()
    log.warning("%s: the interrupted take is now %s", path.name, glb.name)
    return glb


def write_glb_take(path: Path, rig: Rig, take: Take) -> None:
    """Write a take of a rig as GLB, whole or not at all; its animation begins at 0 s.

    Raises:
        BridgeError: the rig cannot be written as GLB, or the disk is full.
    """
    from freeavatar.rigs.gltf.animation import add_animation

    frames = FrameArrays.of(take.frames)
    try:
        glb = add_animation(
            _source(rig),
            rig,
            times=frames.times - frames.times[0],
            values=frames.values,
            head=frames.head,
            eyes=frames.eyes,
            name=take.subject or "take",
        )
    except RigError as error:
        raise BridgeError(f"cannot write {path}: {error}") from error
    _write_whole(path, glb)


def _source(rig: Rig) -> bytes:
    """The GLB the rig was registered from, else its mesh as we write it."""
    from freeavatar.rigs.gltf.writer import glb_bytes
    from freeavatar.rigs.registry import source_path

    original = source_path(rig.name)
    if original is not None and original.suffix.lower() in (".glb", ".vrm"):
        data = original.read_bytes()
        if hashlib.sha256(data).hexdigest() == rig.source_sha256:
            return data
    return glb_bytes(rig)


def _write_whole(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise BridgeError(
            f"cannot write {path}: {error.strerror}; the take is kept in its .part"
        ) from error
