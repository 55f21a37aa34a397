"""A small made-up rig's appearance, which needs no drawing."""

import numpy as np
import pytest

from freeavatar.renderer_net.appearance import Appearance


@pytest.fixture
def appearance() -> Appearance:
    """A ball of 6,000 points, 0.2 m across; control 0 lifts its top, control 1 moves it aside."""
    make = np.random.default_rng(0)
    normals = make.standard_normal((6000, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points = 0.1 * normals
    displacements = np.zeros((3, 6000, 3), np.float32)
    displacements[0, points[:, 1] > 0.05, 1] = 0.03
    displacements[1, :, 0] = 0.02
    joints = np.zeros((3, 6000), np.float32)
    joints[0] = points[:, 0] > 0.05
    joints[2] = 1.0
    return Appearance(
        points=points,
        displacements=displacements,
        colours=(0.5 + 0.4 * normals).astype(np.float32),
        normals=normals,
        joints=joints,
        pivots=np.array([[0.06, 0.0, 0.0], [0, 0, 0], [0.0, -0.1, 0.0]], np.float32),
        eye=np.array([0.0, 0.0, 0.8], np.float32),
        field_of_view=0.38,
        height=float(2 * 0.8 * np.tan(0.19)),
    )
