"""Head and eye rotation: one convention, stated once.

Angles are (yaw, pitch, roll) in radians with the signs of Live Link Face's eye columns (checked on
two recordings: yaw follows EyeLookInLeft, pitch follows EyeLookDown):
yaw + turns toward the actor's right, pitch + looks down, roll + tilts toward the actor's right
shoulder. Rig space is glTF's: y up, the face looks along +z, +x is the character's left.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


def matrix_from_angles(angles: NDArray[Any]) -> NDArray[np.float64]:
    """Rotation of rig space, ``Ry(-yaw) Rx(pitch) Rz(roll)``.

    Args:
        angles: (..., 3) yaw, pitch, roll in radians.

    Returns:
        (..., 3, 3) matrices that rotate column vectors of rig space.
    """
    a = np.asarray(angles, np.float64)
    signed = a * np.array([-1.0, 1.0, 1.0])
    turned = Rotation.from_euler("YXZ", signed.reshape(-1, 3)).as_matrix()
    return np.asarray(turned.reshape(*a.shape[:-1], 3, 3))


def angles_from_matrix(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Inverse of `matrix_from_angles`; (..., 3, 3) to (..., 3) radians, pitch in ±π/2."""
    m = np.asarray(matrix, np.float64)
    angles = Rotation.from_matrix(m.reshape(-1, 3, 3)).as_euler("YXZ")
    return np.asarray((angles * np.array([-1.0, 1.0, 1.0])).reshape(*m.shape[:-2], 3))
