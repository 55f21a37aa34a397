"""Angles and matrices: inverse to each other, and the same as another library's."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from freeavatar.rigs.rotation import angles_from_matrix, matrix_from_angles


def test_angles_come_back_from_their_matrix() -> None:
    random = np.random.default_rng(0)
    angles = random.uniform([-3.1, -1.5, -3.1], [3.1, 1.5, 3.1], (500, 3))
    np.testing.assert_allclose(angles_from_matrix(matrix_from_angles(angles)), angles, atol=1e-9)


def test_angles_are_those_that_scipy_finds() -> None:
    turned = Rotation.random(200, random_state=1).as_matrix()
    theirs = Rotation.from_matrix(turned).as_euler("YXZ") * np.array([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(
        angles_from_matrix(turned.reshape(20, 10, 3, 3)), theirs.reshape(20, 10, 3), atol=1e-9
    )


@pytest.mark.parametrize("pitch", [np.pi / 2, -np.pi / 2])
def test_a_head_straight_up_or_down_still_has_angles_of_its_rotation(pitch: float) -> None:
    matrix = matrix_from_angles(np.array([0.3, pitch, 0.2]))
    angles = angles_from_matrix(matrix)
    assert angles[2] == 0.0
    np.testing.assert_allclose(matrix_from_angles(angles), matrix, atol=1e-6)


def test_rounding_beyond_one_is_no_error() -> None:
    matrix = matrix_from_angles(np.array([0.0, np.pi / 2, 0.0]))
    assert np.isfinite(angles_from_matrix(matrix * (1 + 1e-6))).all()
