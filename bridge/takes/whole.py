"""Takes of formats that can only be written whole: a journal while performing, the file at close.

A format gives one function that writes a `Take` of a rig to a path, whole or not at all.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.spec import Rig, RigFrame, Take

from .journal import JournalWriter, read_journal
from .partfile import set_leftover_aside

log = logging.getLogger(__name__)

WriteTake = Callable[[Path, Rig, Take], None]
"""Writes a take of a rig, whole or not at all; raises BridgeError."""


class WholeWriter:
    """Keeps frames in a journal and writes the take when closed; a `Sink`."""

    def __init__(
        self, path: Path, rig: Rig, write: WriteTake, *, rate: float, subject: str = ""
    ) -> None:
        """Start the journal.

        Args:
            path: of the take.
            rig: whose frames will come.
            write: called by `close` with all of them.
            rate: nominal frames per second.
            subject: whom the take shows.

        Raises:
            BridgeError: the journal cannot be written, or another run is writing this take.
        """
        self._rig = rig
        self._write = write
        self._journal = JournalWriter(path, rig, rate=rate, subject=subject)
        self._closed = False

    def send(self, frame: RigFrame) -> None:
        """Append the frame to the journal.

        Raises:
            BridgeError: the disk is full; frames written so far stay.
        """
        self._journal.send(frame)

    def close(self) -> None:
        """Write the take and remove the journal; a take without a frame leaves neither.

        Raises:
            BridgeError: the take cannot be written; the journal is kept.
        """
        if self._closed:
            return
        self._closed = True
        journal = self._journal.file
        if self._journal.frames:
            try:
                self._write(journal.path, self._rig, read_journal(journal.part))
            except BaseException:
                journal.keep()
                raise
        journal.discard()

    def discard(self) -> None:
        """Leave no file."""
        self._closed = True
        self._journal.file.discard()


def recover_whole(path: Path, rig: Rig, write: WriteTake, suffix: str = "") -> Path | None:
    """Turn the journal an interrupted run left into a take, ``take.recovered<suffix>``.

    Args:
        path: of the take, without ``.part``.
        rig: the take is for; a journal of another rig is kept with its ``.part``.
        write: writes the recovered take.
        suffix: of the recovered take, where it is another than the take's.

    Returns:
        The recovered take, or the journal set aside where it cannot become one; None where
        nothing was left.

    Raises:
        BridgeError: another run is writing the take, or the recovered take cannot be written.
    """
    kept = set_leftover_aside(path, readable=False)
    if kept is None:
        return None
    try:
        take = read_journal(kept)
    except BridgeError as error:
        log.warning("%s", error)
        return kept
    if take.names != rig.names:
        return kept
    whole = kept.with_name(kept.name.removesuffix(".part"))
    if suffix:
        whole = free_path(whole.with_suffix(suffix))
    write(whole, rig, take)
    kept.unlink()
    log.warning("%s: the interrupted take is now %s", path.name, whole.name)
    return whole


def free_path(path: Path) -> Path:
    """The path itself, or with -2, -3, … behind its stem where a file has that name."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        BridgeError: the folder cannot be written, or the disk is full.
    """
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path``, of its suffix, to write to; it takes the name when all went well.

    Raises:
        BridgeError: the file cannot be written; an earlier file of that name is as it was.
    """
    unfinished = path.with_name(f"{path.name}.tmp{path.suffix}")
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise BridgeError(
            f"cannot write {path}: {error.strerror}; the take is kept in its .part"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
