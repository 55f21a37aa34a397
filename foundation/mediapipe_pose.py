"""Head pose and gaze from what MediaPipe reports, in the axes of `Expression`."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .expression import BLENDSHAPES, FloatArray
from .face_boxes import Window

HALF_VIEW = np.tan(np.radians(63.0 / 2))
"""MediaPipe takes every picture to be 63° high."""
TURN_OFF_AXIS = 0.26
"""Share of the angle between the picture's axis and the face that MediaPipe adds to the head's
rotation. Measured by moving twelve studio faces to five other places of a picture: taking it out,
the head turns by 0.9° on average instead of 3.5°."""
GAZE_YAW = np.radians(28.6)
GAZE_PITCH = np.radians(34.1)
"""Eye angle at a look curve of 1: regression of the eye angles of two Live Link Face recordings on
their own look curves (correlation 0.995 and more)."""


def pose_in_picture(
    transform: NDArray[np.float64], window: Window, size: tuple[int, int]
) -> tuple[NDArray[np.float64], FloatArray]:
    """Head rotation and position from the pose found in a part of a picture.

    MediaPipe's own axes agree with `Expression`: y up, z toward the camera, the canonical face's
    x to its left. Its pose depends on where the part was cut, so it is brought to one frame of
    reference: rotation against the line of sight (a face looking into the camera is the identity
    wherever it is in the picture), position in the camera space of the whole picture.

    Args:
        transform: (4, 4) canonical face to camera of the window, centimetres.
        window: the part of the picture MediaPipe saw.
        size: width and height of the whole picture, pixels.

    Returns:
        (3, 3) rotation and (3,) position in metres; the camera is at 0, so z is negative.
    """
    left, top, width, height = window
    rotation = Rotation.from_matrix(transform[:3, :3])
    place = transform[:3, 3]
    sight = place / max(float(np.linalg.norm(place)), 1e-9)
    axis = np.cross((0.0, 0.0, -1.0), sight)
    sine = float(np.linalg.norm(axis))
    if sine > 1e-9:
        angle = np.arctan2(sine, -sight[2])
        rotation = Rotation.from_rotvec(-TURN_OFF_AXIS * angle / sine * axis) * rotation
    pixel = -place[2] * 2 * HALF_VIEW / height
    across = left + width / 2 - size[0] / 2
    down = top + height / 2 - size[1] / 2
    moved = (
        place[0] + pixel * across,
        place[1] - pixel * down,
        place[2] * size[1] / height,
    )
    return rotation.as_matrix(), np.array(moved, np.float32) / np.float32(100)


def gaze(blendshapes: FloatArray) -> FloatArray:
    """Eye angles from the eight look curves.

    Args:
        blendshapes: (52,) in the order of `BLENDSHAPES`.

    Returns:
        (2, 3) yaw, pitch, roll of left and right eye, radians; yaw + toward the actor's right,
        pitch + down, roll 0.
    """

    def curve(name: str) -> float:
        return float(blendshapes[BLENDSHAPES.index(name)])

    out = np.zeros((2, 3), np.float32)
    # The left eye looks in and the right eye looks out when both look to the actor's right.
    out[0, 0] = GAZE_YAW * (curve("eyeLookInLeft") - curve("eyeLookOutLeft"))
    out[1, 0] = GAZE_YAW * (curve("eyeLookOutRight") - curve("eyeLookInRight"))
    out[0, 1] = GAZE_PITCH * (curve("eyeLookDownLeft") - curve("eyeLookUpLeft"))
    out[1, 1] = GAZE_PITCH * (curve("eyeLookDownRight") - curve("eyeLookUpRight"))
    return out
