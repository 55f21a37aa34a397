"""Finds MediaPipe's Face Landmarker bundle, or downloads it once and checks it."""

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from .errors import ReaderError

BUNDLE_URL = (
    "https://storage.googleapis.com/mediapipe-models/"
    "face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
BUNDLE_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
BUNDLE_VARIABLE = "FREEAVATAR_MEDIAPIPE_BUNDLE"
LARGEST_BUNDLE = 64 << 20
"""Bytes; a download that grows beyond this is broken off (the real one has 3.7 MB)."""
TIMEOUT = 20.0
"""Seconds without a byte before a download counts as failed."""


def cached_bundle() -> Path:
    """Where the downloaded bundle lives: ``<user cache>/freeavatar/mediapipe/``."""
    import platformdirs

    return platformdirs.user_cache_path("freeavatar") / "mediapipe" / "face_landmarker.task"


def find_bundle(explicit: Path | None = None, *, download: bool = True) -> Path:
    """Locate the Face Landmarker bundle.

    The order: ``explicit`` (``--mediapipe-bundle``), the variable FREEAVATAR_MEDIAPIPE_BUNDLE, the
    user's cache, a one-time download into that cache. A bundle a person names is taken as it is
    (MediaPipe decides whether it loads); the cached one must have the known sha256.

    Args:
        explicit: bundle a person chose.
        download: False never touches the network.

    Returns:
        Path of an existing file.

    Raises:
        ReaderError: a named bundle is missing, or none is there and none could be downloaded.
    """
    present = bundle_at_hand(explicit)
    if present is not None:
        return present
    cached = cached_bundle()
    if not download:
        raise ReaderError(f"no MediaPipe face bundle is there; {_by_hand(BUNDLE_URL, cached)}")
    download_bundle(cached, url=BUNDLE_URL, sha256=BUNDLE_SHA256)
    return cached


def bundle_at_hand(explicit: Path | None = None) -> Path | None:
    """The bundle that `find_bundle` takes without a download, or None where there is none.

    Args:
        explicit: bundle a person chose.

    Raises:
        ReaderError: a named bundle is missing.
    """
    if explicit is not None:
        return _existing(Path(explicit).expanduser(), "--mediapipe-bundle")
    named = os.environ.get(BUNDLE_VARIABLE)
    if named:
        return _existing(Path(named).expanduser(), BUNDLE_VARIABLE)
    cached = cached_bundle()
    return cached if cached.is_file() and _sha256(cached) == BUNDLE_SHA256 else None


def download_bundle(target: Path, *, url: str, sha256: str, timeout: float = TIMEOUT) -> None:
    """Download a bundle, check it and move it to ``target`` in one step.

    Args:
        target: file to write; appears only when the whole download has the right checksum.
        url: address to load from.
        sha256: expected checksum, hexadecimal.
        timeout: seconds without an answer before giving up.

    Raises:
        ReaderError: unreachable, broken off, or not the expected file; nothing is left behind.
    """
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
        os.close(handle)
        part = Path(name)
        _fetch(url, part, timeout)
        found = _sha256(part)
        if found != sha256:
            raise ReaderError(
                f"the MediaPipe face bundle from {url} is not the expected file "
                f"(sha256 {found[:12]}…, expected {sha256[:12]}…); {_by_hand(url, target)}"
            )
        part.replace(target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if type(error) is urllib.error.URLError else error
        reason = str(reason).strip() or type(error).__name__
        raise ReaderError(
            f"cannot download the MediaPipe face bundle: {reason}; {_by_hand(url, target)}"
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _fetch(url: str, part: Path, timeout: float) -> None:
    from tqdm import tqdm

    request = urllib.request.Request(url, headers={"User-Agent": "freeavatar"})
    with urllib.request.urlopen(request, timeout=timeout) as answer, part.open("wb") as out:
        expected = int(answer.headers.get("Content-Length") or 0)
        if expected > LARGEST_BUNDLE:
            raise ValueError(f"{expected} bytes are offered, far more than the bundle has")
        received = 0
        with tqdm(
            total=expected or None, unit="B", unit_scale=True, desc="MediaPipe face bundle"
        ) as bar:
            while block := answer.read(1 << 16):
                received += len(block)
                if received > LARGEST_BUNDLE:
                    raise ValueError("far more bytes arrive than the bundle has")
                out.write(block)
                bar.update(len(block))
    if received < expected:
        raise ValueError(f"the connection broke off after {received} of {expected} bytes")


def _existing(path: Path, origin: str) -> Path:
    if not path.is_file():
        raise ReaderError(
            f"{origin} names {path}, which is not a file; {_by_hand(BUNDLE_URL, path)}"
        )
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _by_hand(url: str, target: Path) -> str:
    return f"download {url} by hand and put it at {target}, or name it with --mediapipe-bundle"
