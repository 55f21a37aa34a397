"""From what a person typed to the source it names."""

import re
from pathlib import Path

from freeavatar.foundation.errors import SourceError

from .source import Source


def open_source(
    text: str,
    *,
    start: float | None = None,
    end: float | None = None,
    rate: float = 30.0,
    skip_damaged: bool = False,
) -> Source:
    """Open a recording or camera.

    Args:
        text: path of a video (any container FFmpeg reads), of a picture or of a folder of
            pictures, or a camera: its number (``0``) or ``camera:0``. A file named like a number
            wins over the camera.
        start: seconds into a recording; earlier frames are left out, the others keep their time.
        end: seconds; frames from here on are left out, a camera stops there.
        rate: frames per second of a folder of pictures.
        skip_damaged: True leaves unreadable pictures of a folder out instead of raising.

    Returns:
        A source; use it in a ``with`` statement.

    Raises:
        SourceError: nothing readable there; one line that says why.
    """
    check_range(start, end)
    if not 0 < rate <= 1000:
        raise SourceError(f"a rate of {rate:g} frames per second is not usable")
    camera = camera_number(text)
    if camera is not None:
        if start:
            raise SourceError("a camera has no past: leave out --start or name a recording")
        from .camera import CameraSource

        return CameraSource(camera, end=end)
    path = Path(text).expanduser()
    if not text or not path.exists():
        raise SourceError(f"there is no file, folder or camera called {text!r}")
    if path.is_dir():
        from .pictures import PictureSource, pictures_in

        files = pictures_in(path)
        words = f"{path.name}: {len(files)} pictures, {rate:.4g} fps"
        return PictureSource(
            files, words, rate=rate, start=start, end=end, skip_damaged=skip_damaged
        )
    return _open_file(path, start, end)


def camera_number(text: str) -> int | None:
    """The camera a person named (``0`` or ``camera:0``), or None where it is something else.

    A file or folder of that name wins over the camera.
    """
    named = re.fullmatch(r"(?:camera:)?([0-9]{1,3})", text.strip())
    return int(named[1]) if named and not Path(text).expanduser().exists() else None


def _open_file(path: Path, start: float | None, end: float | None) -> Source:
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise SourceError(f"{path} is empty")
        with path.open("rb"):
            pass
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror}") from error
    from .pictures import PICTURE_SUFFIXES, PictureSource

    if path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureSource([path], f"{path.name}: a picture", start=start, end=end)
    from .video import VideoSource

    return VideoSource(path, start=start, end=end)


def check_range(start: float | None, end: float | None) -> None:
    """Refuse a part of a recording that cannot be.

    Raises:
        SourceError: ``start`` below 0, ``end`` not after it, or either no finite number of seconds.
    """
    if start is not None and not 0 <= start < float("inf"):
        raise SourceError(f"--start must be 0 seconds or more, not {start:g}")
    if end is not None and not (start or 0) < end < float("inf"):
        raise SourceError(f"--end must come after --start, not at {end:g} s")
