"""Reads expressions with MediaPipe's Face Landmarker."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .expression import FloatArray
from .mediapipe_landmarker import Landmarker, area


def landmark_finder(
    bundle: Path,
) -> Callable[[NDArray[np.uint8]], FloatArray | None]:
    """A function that finds the face landmarks of single pictures.

    Args:
        bundle: the ``face_landmarker.task`` file.

    Returns:
        ``find(picture)``: picture (H, W, 3) RGB to (478, 2) landmarks in pixels, x right, y down,
        of the largest face, or None where no face is found.

    Raises:
        ReaderError: MediaPipe is missing or does not accept the bundle.
    """
    landmarker = Landmarker(bundle, max_faces=4, expressions=False)

    def find(picture: NDArray[np.uint8]) -> FloatArray | None:
        faces = landmarker.find(picture)
        return max(faces, key=area).landmarks if faces else None

    return find
