"""The readers there are, by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from .errors import ReaderError
from .expression import Reader


def _mediapipe(bundle: Path | None, face: int | None) -> Reader:
    from .bundle import find_bundle
    from .mediapipe_reader import MediaPipeReader

    return MediaPipeReader(find_bundle(bundle), face=face)


def _embedded(bundle: Path | None, face: int | None) -> Reader:
    from .embedded_reader import EmbeddedReader

    return EmbeddedReader(face=face)


def _auto(bundle: Path | None, face: int | None) -> Reader:
    return _embedded(bundle, face) if embedded_is_there() else _mediapipe(bundle, face)


NETWORKS = ("expression.onnx", "face_finder.onnx")
"""Files of the embedded reader."""
READERS: Mapping[str, Callable[[Path | None, int | None], Reader]] = MappingProxyType(
    {"auto": _auto, "embedded": _embedded, "mediapipe": _mediapipe}
)
"""``auto`` is our own reader, and MediaPipe where its networks are not installed."""


def embedded_is_there() -> bool:
    """Whether the networks of the embedded reader are installed."""
    from .onnx_session import WEIGHTS

    return all((WEIGHTS / name).is_file() for name in NETWORKS)


def open_reader(kind: str, *, bundle: Path | None = None, face: int | None = None) -> Reader:
    """Make a face reader.

    Args:
        kind: a key of `READERS`.
        bundle: MediaPipe's bundle where a person chose one, see `find_bundle`.
        face: counts from 1 at the left; None for the largest face.

    Raises:
        ReaderError: unknown kind, the reader's parts are missing, or ``face`` is below 1.
    """
    if kind not in READERS:
        raise ReaderError(f"there is no reader {kind!r}; choose from {', '.join(READERS)}")
    return READERS[kind](bundle, face)
