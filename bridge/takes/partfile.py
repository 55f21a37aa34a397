"""A take file while it is being written: beside its final name, then moved there whole.

Each write reaches the operating system at once, so a killed program loses nothing it had written,
and the disk about once a second, for the sake of power cuts; ``take.csv.part`` is then a readable
take. It keeps that name until the take is closed, so a run
that fails never harms an earlier take.
"""

import contextlib
import fcntl
import logging
import os
import threading
import time
from pathlib import Path

from freeavatar.bridge.sink import BridgeError

log = logging.getLogger(__name__)

SYNC_EVERY = 1.0
"""Seconds between asking the system to put what was written on the disk."""


def part_path(path: Path) -> Path:
    """Where a take is kept while it is written."""
    return path.with_name(f"{path.name}.part")


def recovered_path(path: Path) -> Path:
    """A free name for what an interrupted run left behind: take.recovered.csv, then -2, -3 …"""
    number = 1
    while True:
        suffix = "" if number == 1 else f"-{number}"
        free = path.with_name(f"{path.stem}.recovered{suffix}{path.suffix}")
        if not free.exists() and not part_path(free).exists():
            return free
        number += 1


class PartFile:
    """Appends whole records to ``<path>.part``; `finish` moves it to ``<path>``."""

    def __init__(self, path: Path) -> None:
        """Create the part file and lock it against a second writer.

        Raises:
            BridgeError: the folder cannot be written, or another run is writing this take.
        """
        self.path = path
        self.part = part_path(path)
        self._end = 0
        try:
            self._file = os.open(self.part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise BridgeError(f"cannot write {path}: {error.strerror}") from error
        self._open = True
        self._synced = time.monotonic()
        self._syncing: threading.Thread | None = None
        if not _lock(self._file):
            self._release()
            raise BridgeError(f"{path}: another run is writing this take")
        os.ftruncate(self._file, 0)

    def write(self, record: bytes) -> None:
        """Append one record.

        Raises:
            BridgeError: it does not fit on the disk; the records before it stay whole.
        """
        rest = memoryview(record)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            os.ftruncate(self._file, self._end)
            os.lseek(self._file, self._end, os.SEEK_SET)
            raise BridgeError(
                f"cannot go on writing {self.path.name}: {error.strerror}; "
                f"the take is whole up to here"
            ) from error
        self._end += len(record)
        self._sync_sometimes()

    def _sync_sometimes(self) -> None:
        """Start a sync once a second, beside the frames: a slow disk must not hold them up."""
        now = time.monotonic()
        if now - self._synced < SYNC_EVERY or (self._syncing and self._syncing.is_alive()):
            return
        self._synced = now
        self._syncing = threading.Thread(target=self._sync, daemon=True)
        self._syncing.start()

    def _sync(self) -> None:
        # A disk that is failing tells the next write, or `finish`.
        with contextlib.suppress(OSError):
            os.fdatasync(self._file)

    def finish(self) -> None:
        """Make the take durable and give it its name."""
        if not self._open:
            return
        try:
            os.fsync(self._file)
            self.part.replace(self.path)
        except OSError as error:
            raise BridgeError(
                f"cannot finish {self.path}: {error.strerror}; the take is in {self.part.name}"
            ) from error
        finally:
            self._release()

    def keep(self) -> None:
        """Leave what was written under its part name. Does nothing after `finish`."""
        if self._open:
            self._release()

    def discard(self) -> None:
        """Remove what was written. Does nothing after `finish` or `keep`."""
        if self._open:
            self.part.unlink(missing_ok=True)
            self._release()

    def _release(self) -> None:
        self._open = False
        if self._syncing:
            self._syncing.join()
        os.close(self._file)


def set_leftover_aside(path: Path, *, readable: bool) -> Path | None:
    """Keep what an interrupted run left of this take, before a new run writes over it.

    Args:
        path: of the take, without ``.part``.
        readable: the part file is a take of its suffix (CSV, JSON lines) and loses its ``.part``.

    Returns:
        The recovered file, or None where nothing was left.

    Raises:
        BridgeError: another run is writing the take now.
    """
    part = part_path(path)
    try:
        leftover = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not _lock(leftover):
            raise BridgeError(f"{path}: another run is writing this take")
        if os.fstat(leftover).st_size == 0:
            return None
        kept = recovered_path(path)
        kept = kept if readable else part_path(kept)
        part.rename(kept)
    except OSError as error:
        raise BridgeError(f"cannot set {part} aside: {error.strerror}") from error
    finally:
        os.close(leftover)
    log.warning("%s: what an interrupted run left is kept as %s", path.name, kept.name)
    return kept


def _lock(file: int) -> bool:
    """Claim an open file for this process; False when another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Some network drives know no locks; two runs at once are the rarer trouble.
        return True
    return True
