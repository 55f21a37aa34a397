"""Single pictures and folders of pictures, read by Pillow into upright 8-bit RGB."""

import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import Frame

from .source import Closing

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2", ".avif"),
)
"""Files taken for still pictures; a .gif is decoded as a video."""
LARGEST_PICTURE = 120_000_000
"""Pixels; a small file can claim any size, so larger pictures are refused before decoding."""
BACKDROP = 128
"""Grey level put behind transparent pixels, so that no hidden colour becomes part of a face."""


class PictureSource(Closing):
    """Pictures as frames, ``rate`` a second.

    Args:
        files: at least one picture file, in order.
        description: a few words for a person.
        rate: frames per second of a sequence.
        start: seconds; earlier pictures are left out.
        end: seconds; pictures from here on are left out.
        skip_damaged: True leaves unreadable pictures out (counted in ``damaged``, the others keep
            their times) instead of raising SourceError.

    Raises:
        SourceError: the range holds no picture, or its first readable picture cannot be found.
    """

    audio: Path | None = None
    timecode = ""

    def __init__(
        self,
        files: list[Path],
        description: str,
        *,
        rate: float = 30.0,
        start: float | None = None,
        end: float | None = None,
        skip_damaged: bool = False,
    ) -> None:
        self.rate = rate
        self.description = description
        self.damaged = 0
        self._skip_damaged = skip_damaged
        self._told: set[Path] = set()
        self._files = [
            (position / rate, file)
            for position, file in enumerate(files)
            if (start is None or position / rate >= start - 1e-9)
            and (end is None or position / rate < end - 1e-9)
        ]
        self.count: int | None = len(self._files)
        first = next(iter(self), None)
        if first is None:
            raise SourceError(f"{description}: no readable picture in the chosen range")
        self.size = (first.picture.shape[1], first.picture.shape[0])

    def __iter__(self) -> Iterator[Frame]:
        self.damaged = 0
        index = 0
        for time, file in self._files:
            try:
                picture = read_picture(file)
            except SourceError as error:
                if not self._skip_damaged:
                    raise
                self.damaged += 1
                if file not in self._told:
                    self._told.add(file)
                    log.warning("left out: %s", error)
                continue
            yield Frame(picture=picture, index=index, time=time)
            index += 1


def pictures_in(folder: Path) -> list[Path]:
    """Picture files of a folder in natural order (img2 before img10), hidden files left out.

    Raises:
        SourceError: there is none.
    """
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    ]
    if not found:
        kinds = " ".join(PICTURE_SUFFIXES)
        raise SourceError(f"{folder} holds no pictures ({kinds})")
    return sorted(found, key=lambda path: (_natural(path.name), path.name))


def read_picture(path: Path) -> NDArray[np.uint8]:
    """One picture file as (H, W, 3) RGB, upright, transparent parts on grey.

    Raises:
        SourceError: missing, unreadable, damaged or too large; names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > LARGEST_PICTURE:
                    raise SourceError(
                        f"{path} claims {image.width}×{image.height} pixels, more than "
                        f"{LARGEST_PICTURE // 1_000_000} million; make it smaller first"
                    )
                image.load()
                return _rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise SourceError(f"{path} is not a picture that can be read") from error
    except Image.DecompressionBombError as error:
        raise SourceError(f"{path} claims far too many pixels; make it smaller first") from error
    except SourceError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{path} cannot be read as a picture: {reason}") from error


def over_backdrop(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) with straight alpha to (H, W, 3) on a grey backdrop."""
    colour = rgba[..., :3]
    if rgba[..., 3].min(initial=255) == 255:
        return np.ascontiguousarray(colour)
    alpha = rgba[..., 3:].astype(np.float32) / 255
    mixed = colour.astype(np.float32) * alpha + BACKDROP * (1 - alpha)
    return np.asarray(mixed + 0.5, np.uint8)


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _from_grey(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return over_backdrop(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _from_grey(grey: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Deep grey to 8 bits: 16-bit integers by their high byte, floats from 0..1 or 0..255."""
    values = np.nan_to_num(grey.astype(np.float64))
    if grey.dtype.kind == "f":
        levels = values * 255 if values.max(initial=0) <= 1 else values
    else:
        levels = values / 257 if values.max(initial=0) > 255 or grey.dtype == np.uint16 else values
    shades = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    return np.repeat(shades[..., None], 3, axis=-1)


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    parts = re.split(r"([0-9]+)", name.lower())
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p)
