"""From the comparison data's addresses to crops: found in a folder, or downloaded where asked."""

import csv
import hashlib
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from freeavatar.foundation.crops import Crop
from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.samples import JPEG_QUALITY
from freeavatar.foundation.sources.pictures import PICTURE_SUFFIXES, read_picture

from .errors import DataError
from .fec import Face, Triplet, read_triplets
from .frames import SMALLEST, Finder, crop_of, open_finder

LARGEST = 20 << 20
"""Bytes of a picture that is downloaded."""
TIMEOUT = 15.0
"""Seconds without a byte before a download counts as failed."""
AROUND = 1.0
"""What is looked at around the given box to place the crop exactly, sides of the box."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What has come of a file of triplets."""

    triplets: int
    """Written, with all three crops."""
    incomplete: int
    """Left out, since a picture is missing."""
    crops: int
    missing: dict[str, str] = field(default_factory=dict)
    """Reasons by address."""
    broken: list[tuple[int, str]] = field(default_factory=list)
    """Line and reason of rows that cannot be read."""
    reasons_file: Path

    def lines(self) -> list[str]:
        """For a person."""
        out = [f"{self.triplets} triplets of {self.crops} faces written"]
        if self.broken:
            out.append(f"{len(self.broken)} rows cannot be read; the first is line "
                       f"{self.broken[0][0]}: {self.broken[0][1]}")  # fmt: skip
        if self.missing:
            kinds = Counter(reason.split(":")[0] for reason in self.missing.values())
            said = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
            out.append(f"{self.incomplete} triplets left out for want of pictures: {said}")
        if self.broken or self.missing:
            out.append(f"each with its reason in {self.reasons_file}")
        return out


def build_fec(
    path: Path,
    folder: Path,
    *,
    pictures: Path | None,
    fetch: bool = False,
    bundle: Path | None = None,
    count: int | None = None,
    finder: Finder | None = None,
) -> Report:
    """Write ``crops/NAME.jpg``, ``triplets.jsonl`` and ``missing.csv`` into a folder.

    A line of ``triplets.jsonl``: ``faces`` (three names of crops), ``odd`` (0..2, null for a tie),
    ``kind``, ``votes``. Crops that are there stay; what was missing is tried again.

    Args:
        path: the CSV, see `read_triplets`.
        folder: gets everything; downloads lie in its ``pictures``.
        pictures: folder with pictures named as the address ends, or by the address's sha256.
        fetch: download what is not there.
        bundle: MediaPipe's, which places crops exactly; without any reader the box does.
        count: first triplets only.
        finder: another way to find a face in a picture.

    Raises:
        DataError: the file cannot be read, or none of its rows can.
    """
    from tqdm import tqdm

    broken: list[tuple[int, str]] = []
    triplets = list(islice(read_triplets(path, broken), count))
    if not triplets:
        said = f"line {broken[0][0]}: {broken[0][1]}" if broken else "it is empty"
        raise DataError(f"{path} holds no triplet of the comparison data; {said}")
    album = Album(pictures, folder / "pictures" if fetch else None)
    cutter = Cutter(album, folder / "crops", finder or _finder(bundle))
    done = []
    for triplet in tqdm(triplets, unit="triplet", disable=None, file=sys.stderr):
        # All three are tried, so that the list of what is missing is whole.
        if [cutter.cut(face) for face in triplet.faces] == [True] * 3:
            done.append(triplet)
    _write_lines(folder / "triplets.jsonl", (json.dumps(_as_json(t)) for t in done))
    reasons = folder / "missing.csv"
    with reasons.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["address or line", "reason"])
        writer.writerows([*album.missing.items(), *((f"line {n}", why) for n, why in broken)])
    return Report(
        triplets=len(done),
        incomplete=len(triplets) - len(done),
        crops=len({name_of(face) for t in done for face in t.faces}),
        missing=dict(album.missing),
        broken=broken,
        reasons_file=reasons,
    )


class Album:
    """Finds the pictures of addresses.

    Args:
        folder: pictures that a person has; None for none.
        downloads: where downloads are kept; None downloads nothing.
    """

    def __init__(self, folder: Path | None, downloads: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise DataError(f"there is no folder {folder}")
        self.missing: dict[str, str] = {}
        """Reasons by address."""
        self._downloads = downloads
        self._files: dict[str, Path] = {}
        for root in (folder, downloads):
            for path in sorted(root.rglob("*")) if root is not None and root.is_dir() else ():
                if path.suffix.lower() in PICTURE_SUFFIXES:
                    self._files.setdefault(path.name, path)
                    self._files.setdefault(path.stem, path)

    def picture(self, url: str) -> NDArray[np.uint8] | None:
        """The picture (H, W, 3), or None with a reason in ``missing``."""
        if url in self.missing:
            return None
        name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
        file = self._files.get(name) or self._files.get(digest(url))
        try:
            if file is None:
                file = self._fetched(url)
            return read_picture(file)
        except (SourceError, OSError, HTTPException, ValueError) as error:
            self.missing[url] = f"not readable: {error}" if file else _reason(error)
            return None

    def _fetched(self, url: str) -> Path:
        if self._downloads is None:
            raise FileNotFoundError("not in the folder")
        data = download(url)
        self._downloads.mkdir(parents=True, exist_ok=True)
        path = self._downloads / f"{digest(url)}.jpg"
        path.write_bytes(data)
        self._files[path.stem] = path
        return path


class Cutter:
    """Cuts faces into files, each once."""

    def __init__(self, album: Album, folder: Path, find: Finder | None) -> None:
        self._album, self._folder, self._find = album, folder, find
        folder.mkdir(parents=True, exist_ok=True)

    def cut(self, face: Face) -> bool:
        """Whether the crop of a face is there now."""
        path = self._folder / f"{name_of(face)}.jpg"
        if path.is_file():
            return True
        picture = self._album.picture(face.url)
        if picture is None:
            return False
        crop = self._placed(picture, face)
        if crop.side < SMALLEST:
            self._album.missing[face.url] = f"too small: the face's crop has {crop.side:.0f} pixels"
            return False
        part = path.with_suffix(".part")
        Image.fromarray(crop.cut(picture)).save(part, "JPEG", quality=JPEG_QUALITY)
        part.replace(path)
        return True

    def _placed(self, picture: NDArray[np.uint8], face: Face) -> Crop:
        """Around the landmarks of the face in the box, or around the box itself."""
        height, width = picture.shape[:2]
        left, right, top, bottom = face.box
        box = np.array([left * width, top * height, right * width, bottom * height], np.float32)
        grow = AROUND * (box[2:] - box[:2]) / 2
        x0, y0 = np.maximum(box[:2] - grow, 0).astype(int)
        x1, y1 = (box[2:] + grow).astype(int) + 1
        part = np.ascontiguousarray(picture[y0:y1, x0:x1])
        found = self._find(part) if self._find is not None else None
        if found is not None:
            centre = (found.centre[0] + float(x0), found.centre[1] + float(y0))
            if box[0] <= centre[0] <= box[2] and box[1] <= centre[1] <= box[3]:
                return Crop(centre=centre, side=found.side, roll=found.roll, size=found.size)
        around = crop_of(None, box)
        assert around is not None
        return around


def download(url: str) -> bytes:
    """The file at an address, over https alone, also where the address says http.

    Raises:
        OSError: it cannot be had; ``ValueError``: it is too large.
    """
    secure = urllib.parse.urlsplit(url)._replace(scheme="https").geturl()
    request = urllib.request.Request(secure, headers={"User-Agent": "freeavatar"})
    opener = urllib.request.build_opener(_OnlyHttps)
    with opener.open(request, timeout=TIMEOUT) as answer:
        data: bytes = answer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"more than {LARGEST >> 20} MB")
    return data


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
        headers: HTTPMessage, newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        if not newurl.lower().startswith("https://"):
            raise urllib.error.URLError("it leads away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def digest(url: str) -> str:
    """By which a picture of any address can be named."""
    return hashlib.sha256(url.encode()).hexdigest()


def name_of(face: Face) -> str:
    """Name of a face's crop: a picture may show several."""
    return digest(f"{face.url} {face.box}")[:20]


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return str(error)
    if isinstance(error, urllib.error.HTTPError):
        return f"answer {error.code}: {error.reason}"
    return f"not downloaded: {error}"


def _finder(bundle: Path | None) -> Finder | None:
    return open_finder(bundle) if bundle is not None else None


def _as_json(triplet: Triplet) -> dict[str, object]:
    return {
        "faces": [name_of(face) for face in triplet.faces],
        "odd": triplet.odd,
        "kind": triplet.kind,
        "votes": [vote for _, vote in triplet.votes],
        "line": triplet.line,
    }


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    part = path.with_suffix(".part")
    part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    part.replace(path)
