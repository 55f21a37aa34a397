"""The studio's light, and how it may be changed."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from .rotation import matrix_from_angles
from .spec import FloatArray

KEY, FILL = np.array([-0.62, 0.70, 0.66]), np.array([0.85, 0.10, 0.60])
"""Directions of the lamps in the studio, rig space."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """The lamps of `freeavatar.rigs.shaders`, turned and dimmed together."""

    yaw: float = 0.0
    """Radians that the lamps are turned about the vertical, + toward the actor's right."""
    pitch: float = 0.0
    """Radians that they are turned downward."""
    strength: float = 1.0
    """Of key, fill and gloss."""
    ambient: float = 1.0
    """Of the light from all sides."""
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Linear colour of the key light, times the studio's."""

    @property
    def vector(self) -> FloatArray:
        """(8,) yaw, pitch, strength, ambient, tint, 1: as networks are told of it."""
        *numbers, tint = astuple(self)
        return np.array([*numbers, *tint, 1.0], np.float32)

    @property
    def turn(self) -> NDArray[np.float64]:
        """(3, 3) rotation of the lamps' directions, rig space."""
        return matrix_from_angles(np.array([self.yaw, self.pitch, 0.0]))

    @staticmethod
    def from_vector(numbers: NDArray[np.floating]) -> "Light":
        """What `vector` gave."""
        yaw, pitch, strength, ambient, red, green, blue = (float(n) for n in numbers[:7])
        return Light(
            yaw=yaw, pitch=pitch, strength=strength, ambient=ambient, tint=(red, green, blue)
        )


STUDIO = Light()
"""The light of every picture where nothing else is asked for."""
