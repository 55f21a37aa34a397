"""Reads every crop as it is and mirrored, and takes the mean."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .expression import SWAPPED
from .expression_model import ExpressionModel, ModelOutput
from .landmarks import MIRRORED

_ACROSS = np.array([-1.0, 1.0, 1.0], np.float32)


def mirrored_output(output: ModelOutput) -> ModelOutput:
    """What the network would say of the mirrored crops, were it the same for both sides.

    Embedding and tokens stay as they are: for them there is no such rule.
    """
    points = output.landmarks[:, list(MIRRORED)].copy()
    points[..., 0] = 1.0 - points[..., 0]
    place = output.place.copy()
    place[:, 0] = 1.0 - place[:, 0]
    return replace(
        output,
        blendshapes=output.blendshapes[:, SWAPPED],
        eyes=output.eyes[:, ::-1] * np.array([-1.0, 1.0], np.float32),
        head=output.head * _ACROSS * _ACROSS[:, None],
        place=place,
        landmarks=points,
    )


class FlipAveragedModel(ExpressionModel):
    """The expression network, each crop read as it is and mirrored: no side is preferred.

    Takes twice the time. The means are nearer to the truth than either reading.
    """

    def read(self, crops: NDArray[np.uint8]) -> ModelOutput:
        """What crops (N, 128, 128, 3) RGB express; embedding and tokens of the crops as they are.

        The confidence is the lower of the two; the head is the rotation nearest to the mean.
        """
        one = super().read(crops)
        other = mirrored_output(super().read(crops[:, :, ::-1]))
        means = {
            name: (getattr(one, name) + getattr(other, name)) / 2
            for name in ("blendshapes", "eyes", "place", "landmarks")
        }
        return replace(
            one,
            **means,
            head=_rotations(one.head + other.head),
            confidence=np.minimum(one.confidence, other.confidence),
        )


def _rotations(matrices: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 3, 3) nearest rotations (the orthogonal Procrustes problem); NaN stays NaN."""
    out = np.full_like(matrices, np.nan)
    known = np.isfinite(matrices).all(axis=(1, 2))
    u, _, v = np.linalg.svd(matrices[known].astype(np.float64))
    u[:, :, 2] *= np.linalg.det(u @ v)[:, None]
    out[known] = u @ v
    return out
