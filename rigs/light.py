"""The studio's light, and how it may be changed."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from .rotation import matrix_from_angles
from .spec import FloatArray


def _unit(*vector: float) -> NDArray[np.float64]:
    return np.asarray(np.array(vector) / np.linalg.norm(vector))


KEY, FILL = _unit(-0.62, 0.70, 0.66), _unit(0.85, 0.10, 0.60)
"""Directions toward the lamps in the studio, rig space, unit length."""
KEY_COLOUR, FILL_COLOUR = (0.76, 0.72, 0.665), (0.13, 0.15, 0.18)
"""Their linear colours."""
KEY_WRAP, FILL_WRAP = 0.25, 0.5
"""How far their light reaches past the edge of its half-sphere."""
AMBIENT_DOWN, AMBIENT_UP = (0.09, 0.085, 0.085), (0.20, 0.21, 0.235)
"""Linear colours of the light from the floor and from the sky."""


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
