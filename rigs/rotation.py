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

UPRIGHT = 1e-6
"""Cosine of the pitch below which yaw and roll turn about the same axis."""


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
    """Inverse of `matrix_from_angles`, spelled out because it runs for every live frame.

    Args:
        matrix: (..., 3, 3) rotations; a head that looks straight up or down has roll 0.

    Returns:
        (..., 3) radians, pitch in ±π/2.
    """
    m = np.asarray(matrix, np.float64)
    upright = np.hypot(m[..., 1, 0], m[..., 1, 1]) > UPRIGHT
    yaw = np.where(
        upright,
        -np.arctan2(m[..., 0, 2], m[..., 2, 2]),
        np.arctan2(m[..., 2, 0], m[..., 0, 0]),
    )
    pitch = -np.arcsin(np.clip(m[..., 1, 2], -1.0, 1.0))
    roll = np.where(upright, np.arctan2(m[..., 1, 0], m[..., 1, 1]), 0.0)
    return np.stack([yaw, pitch, roll], axis=-1)
