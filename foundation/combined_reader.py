"""Our reading of a face, held to the points that MediaPipe's Face Landmarker finds in it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .embedded_reader import EmbeddedReader
from .expression import Expression, FloatArray
from .face_boxes import SAME_FACE, Window, overlap, suits, window_around
from .flip_averaging import FlipAveragedModel
from .landmarks import LANDMARKS
from .mediapipe_landmarker import FoundFace, Landmarker
from .personal_curves import PersonalCurves
from .point_correction import PointCorrection, PointGains

TRUST = (1.0, 0.8, 1.0)
"""How far the apertures of mouth, lids and brows follow MediaPipe's points. A person's lids move
less or farther than the mean person's, and when they are shut the network knows better."""
REACH = ((25.0, 55.0), (25.0, 55.0), (5.0, 30.0))
"""Degrees of the head's turn up to which MediaPipe's points of mouth, lids, brows correct in full,
and from which not: those of the brows drift as a head turns."""


class CombinedReader(EmbeddedReader):
    """Follows and reads a face as `EmbeddedReader` does, both ways round, and lets mouth, lids and
    brows open as far as MediaPipe's points say.

    Where MediaPipe finds no face, our own points are taken. Takes three to four times as long a
    frame as the embedded reader, so that it is for recordings.

    Args:
        bundle: the ``face_landmarker.task`` file, see `freeavatar.foundation.bundle.find_bundle`.
        face: counts from 1 at the left; None for the largest.
        threads: most cores that our networks use.

    Raises:
        ReaderError: ``face`` below 1, MediaPipe or a network is missing or damaged.
    """

    def __init__(self, bundle: Path, *, face: int | None = None, threads: int = 1) -> None:
        model = FlipAveragedModel(threads=threads)
        curves = MeasuredCurves(model.point_gains, bundle)
        super().__init__(face, threads, model=model, curves=curves)


class MeasuredCurves(PersonalCurves):
    """Curves that follow MediaPipe's points of the same face where it finds them.

    Args:
        gains: of the network that says the curves.
        bundle: the ``face_landmarker.task`` file.

    Raises:
        ReaderError: MediaPipe is missing or does not accept the bundle.
    """

    def __init__(self, gains: PointGains | None, bundle: Path) -> None:
        super().__init__(gains)
        self._landmarker = Landmarker(bundle, video=True)
        self._window: Window | None = None
        self._measured = (
            None if gains is None else PointCorrection(gains.following(TRUST), reach=REACH)
        )

    def forget(self) -> None:
        """Another person, or another shot."""
        super().forget()
        self._window = None
        if self._measured is not None:
            self._measured.forget()

    def close(self) -> None:
        """Release MediaPipe."""
        self._landmarker.close()

    def _corrected(self, expression: Expression, picture: NDArray[np.uint8]) -> FloatArray:
        # Our own points go on being learnt from, for the frames in which MediaPipe finds no face.
        own = super()._corrected(expression, picture)
        face = self._find(expression, picture)
        if face is None or self._measured is None:
            return own
        return self._measured.corrected(
            expression.blendshapes, face.landmarks[list(LANDMARKS)], face.head, expression.time
        )

    def _find(self, expression: Expression, picture: NDArray[np.uint8]) -> FoundFace | None:
        """The face that we read, as MediaPipe sees it in a window around it."""
        height, width = picture.shape[:2]
        box = expression.box
        if self._window is None or not suits(self._window, box, width, height):
            self._window = window_around(box, width, height)
            self._landmarker.forget(expression.time)
        found = self._landmarker.find(picture, expression.time, self._window)
        return next((f for f in found if overlap(f.box, box) >= SAME_FACE), None)
