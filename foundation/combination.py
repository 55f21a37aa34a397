"""Weighs MediaPipe's landmarks and curves together with our own reading of the same face."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .crops import crop_around
from .expression import BLENDSHAPES, FloatArray
from .landmarks import LANDMARKS
from .onnx_session import WEIGHTS, Network, Signature

COMBINATION_NETWORK = WEIGHTS / "combination.onnx"
FEATURES = 2 * len(LANDMARKS) + 6 + 2 * len(BLENDSHAPES)
SIGNATURE = Signature(
    kind="combination/1",
    inputs={"features": (FEATURES,)},
    outputs={"blendshapes": (len(BLENDSHAPES),)},
)
SPREAD = 4.0
"""Brings crop fractions to about the spread of the other features."""


def combined_features(
    landmarks: FloatArray, head: NDArray[np.float64], theirs: FloatArray, ours: FloatArray
) -> FloatArray:
    """What the combining network sees of one face.

    Args:
        landmarks: (478, 2) MediaPipe's, pixels.
        head: (3, 3) MediaPipe's head rotation, as `Expression.head`.
        theirs: (52,) MediaPipe's blendshapes.
        ours: (52,) those of our own network.

    Returns:
        (FEATURES,) float32.
    """
    points = landmarks[list(LANDMARKS)]
    crop = crop_around(points)
    level = (crop.from_frame(points) / crop.size - 0.5) * SPREAD
    cos, sin = np.cos(crop.roll), np.sin(crop.roll)
    upright = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]) @ head
    return np.concatenate([level.ravel(), upright[:, :2].ravel(), theirs, ours]).astype(np.float32)


class CombinationModel:
    """Runs the combining network.

    Args:
        path: ``.onnx`` file; None for the one that ships.
        threads: most cores that one call uses.

    Raises:
        ReaderError: the network is missing, damaged or another one.
    """

    def __init__(self, path: Path | None = None, *, threads: int = 1) -> None:
        self._network = Network(path or COMBINATION_NETWORK, SIGNATURE, threads=threads)

    def read(self, features: FloatArray) -> FloatArray:
        """(N, FEATURES) to (N, 52) ARKit coefficients 0..1."""
        return np.clip(self._network.run(features=features)["blendshapes"], 0.0, 1.0)
