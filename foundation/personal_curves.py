"""A video's curves of one person: they follow the points of the face, and keep still with it."""

import numpy as np
from numpy.typing import NDArray

from .expression import Expression, FloatArray
from .point_correction import PointCorrection, PointGains
from .steadiness import Steadiness


class PersonalCurves:
    """Refines one person's curves, frame by frame.

    Args:
        gains: how points correct the curves of the network that says them; None leaves that out.
    """

    def __init__(self, gains: PointGains | None) -> None:
        self._correction = None if gains is None else PointCorrection(gains)
        self._steadiness = Steadiness()

    def forget(self) -> None:
        """Another person, or another shot."""
        if self._correction is not None:
            self._correction.forget()
        self._steadiness.forget()

    def refined(self, expression: Expression, picture: NDArray[np.uint8]) -> FloatArray:
        """The curves (52,) of the next frame, 0..1.

        Args:
            expression: of a frame with a face, as the network says it.
            picture: (H, W, 3) RGB, the frame.
        """
        return self._steadiness.steadied(self._corrected(expression, picture), expression.time)

    def _corrected(self, expression: Expression, picture: NDArray[np.uint8]) -> FloatArray:
        if self._correction is None:
            return expression.blendshapes
        return self._correction.corrected(
            expression.blendshapes, expression.landmarks, expression.head, expression.time
        )

    def close(self) -> None:
        """Release what it holds."""
