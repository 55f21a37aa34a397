"""The studio's lights, as `freeavatar.rigs.shaders` has them: directions and linear colours."""

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs import light


def _unit(vector: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in vector / np.linalg.norm(vector))


KEY, KEY_COLOUR = _unit(light.KEY), (0.76, 0.72, 0.665)
FILL, FILL_COLOUR = _unit(light.FILL), (0.13, 0.15, 0.18)
AMBIENT_DOWN, AMBIENT_UP = (0.09, 0.085, 0.085), (0.20, 0.21, 0.235)
