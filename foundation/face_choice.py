"""Which of several faces is followed."""

from collections.abc import Sequence

from .errors import ReaderError
from .expression import FloatArray
from .face_boxes import Face, area, distance

REACH = 1.5
"""Sizes of the face within which a lost face is expected to appear again."""
FORGET = 1.0
"""Seconds after which a lost face may be replaced by another one."""


class FaceChoice:
    """Chooses a face where the first is seen and stays with it.

    The largest face, or the ``face``-th from the left. It is then the one nearest to where it was
    last; lost for longer than `FORGET`, another face may take its place.

    Args:
        face: counts from 1 at the left; None for the largest.

    Raises:
        ReaderError: ``face`` below 1.
    """

    def __init__(self, face: int | None) -> None:
        if face is not None and face < 1:
            raise ReaderError(f"faces are counted from 1 at the left; there is no face {face}")
        self.face = face
        self.box: FloatArray | None = None
        """(4,) where the face was last seen, pixels; None before, and after `forget`."""
        self._seen = 0.0

    def keep(self, box: FloatArray, time: float) -> None:
        """Note where the face is now."""
        self.box, self._seen = box, time

    def forget(self) -> None:
        """Choose as at the start."""
        self.box = None

    @property
    def wants_large(self) -> bool:
        """Whether small faces are of no interest while there are large ones."""
        return self.face is None and self.box is None

    def recent(self, time: float) -> FloatArray | None:
        """Where the face was, unless it has been lost for longer than `FORGET`."""
        return self.box if time - self._seen < FORGET else None

    def choose(self, faces: Sequence[Face], time: float, *, anew: bool = False) -> Face | None:
        """The face to follow, or None where only others are in the picture.

        Args:
            faces: all faces of the picture, in any order.
            time: seconds.
            anew: choose as at the start, wherever the face was.
        """
        if not faces:
            return None
        last = None if anew else self.box
        if last is not None:
            nearest = min(faces, key=lambda face: distance(face.box, last))
            if distance(nearest.box, last) < REACH:
                return nearest
            if self.recent(time) is not None:
                return None
            return nearest if self.face is not None else max(faces, key=area)
        if self.face is None:
            return max(faces, key=area)
        if len(faces) < self.face:
            return None
        return sorted(faces, key=lambda face: float(face.box[0] + face.box[2]))[self.face - 1]
