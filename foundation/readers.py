"""The readers there are, by name."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from .errors import ReaderError
from .expression import Reader


def _mediapipe(bundle: Path | None, face: int | None, threads: int) -> Reader:
    from .bundle import find_bundle
    from .mediapipe_reader import MediaPipeReader

    return MediaPipeReader(find_bundle(bundle), face=face)


def _embedded(bundle: Path | None, face: int | None, threads: int) -> Reader:
    from .embedded_reader import EmbeddedReader

    return EmbeddedReader(face=face, threads=threads)


def _averaged(bundle: Path | None, face: int | None, threads: int) -> Reader:
    from .embedded_reader import EmbeddedReader
    from .flip_averaging import FlipAveragedModel

    return EmbeddedReader(face, threads, model=FlipAveragedModel(threads=threads))


def _combined(bundle: Path | None, face: int | None, threads: int) -> Reader:
    from .bundle import find_bundle
    from .combined_reader import CombinedReader

    return CombinedReader(find_bundle(bundle), face=face, threads=threads)


def _auto(bundle: Path | None, face: int | None, threads: int) -> Reader:
    if not embedded_is_there():
        return _mediapipe(bundle, face, threads)
    if landmarker_is_there(bundle):
        return _combined(bundle, face, threads)
    return _averaged(bundle, face, threads)


NETWORKS = ("expression.onnx", "face_finder.onnx")
"""Files of the embedded reader."""
READERS: Mapping[str, Callable[[Path | None, int | None, int], Reader]] = MappingProxyType(
    {
        "auto": _auto,
        "embedded": _embedded,
        "averaged": _averaged,
        "combined": _combined,
        "mediapipe": _mediapipe,
    }
)
"""``auto`` is our own reader. Live it takes one look at each frame (``embedded``). In recordings it
looks twice, once mirrored (``averaged``); where MediaPipe and its bundle happen to be there, it is
held to the points they find as well (``combined``). Where our networks are not installed it is
MediaPipe alone."""


def embedded_is_there() -> bool:
    """Whether the networks of the embedded reader are installed."""
    from .onnx_session import WEIGHTS

    return all((WEIGHTS / name).is_file() for name in NETWORKS)


def landmarker_is_there(bundle: Path | None = None) -> bool:
    """Whether MediaPipe and its bundle are at hand.

    Args:
        bundle: one a person chose.

    Raises:
        ReaderError: a bundle that a person named does not exist.
    """
    from .bundle import bundle_at_hand

    return importlib.util.find_spec("mediapipe") is not None and bundle_at_hand(bundle) is not None


def open_reader(
    kind: str,
    *,
    bundle: Path | None = None,
    face: int | None = None,
    threads: int = 1,
    live: bool = False,
) -> Reader:
    """Make a face reader.

    Args:
        kind: a key of `READERS`.
        bundle: MediaPipe's bundle where a person chose one, see `find_bundle`.
        face: counts from 1 at the left; None for the largest face.
        threads: most cores that our own networks use for one picture; MediaPipe decides for itself.
        live: frames must be ready within a frame's time: ``auto`` then does not wait for MediaPipe.

    Raises:
        ReaderError: unknown kind, the reader's parts are missing, ``face`` or ``threads`` below 1.
    """
    if kind not in READERS:
        raise ReaderError(f"there is no reader {kind!r}; choose from {', '.join(READERS)}")
    if kind == "auto" and live and embedded_is_there():
        kind = "embedded"
    return READERS[kind](bundle, face, threads)
