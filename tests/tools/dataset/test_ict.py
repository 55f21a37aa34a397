"""The ICT face as our data uses it."""

from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.tools.dataset.expressions import expression, eyes_of
from freeavatar.tools.dataset.ict import GUM, IctFace, eye_rotation, gaze, load_ict
from freeavatar.tools.dataset.wrinkles import Wrinkles


@pytest.fixture(scope="module")
def ict(shared: Path) -> IctFace:
    return load_ict(shared / "synth" / "ict_face.npz")


@pytest.mark.parametrize("number", [3, 44, 1071])
def test_eyes_turn_as_the_numbered_expressions_say(number: int) -> None:
    """The puppets' eyeballs and the labels of all other data must mean the same."""
    blendshapes, eyes = expression(number)
    np.testing.assert_allclose(gaze(blendshapes), eyes, atol=1e-6)
    np.testing.assert_allclose(gaze(blendshapes), eyes_of(blendshapes), atol=1e-6)


def test_an_eye_turned_to_the_right_and_down_looks_there() -> None:
    """The actor's right is -x of the head, down is -y."""
    forward = eye_rotation(0.3, 0.2) @ np.array([0.0, 0.0, 1.0])
    assert forward[0] == pytest.approx(-np.sin(0.3) * np.cos(0.2), abs=1e-6)
    assert forward[1] == pytest.approx(-np.sin(0.2), abs=1e-6)


def test_every_blendshape_moves_something(ict: IctFace) -> None:
    assert len(ict.shapes) == len(BLENDSHAPES)
    for name, shape in zip(BLENDSHAPES, ict.shapes, strict=True):
        moved = np.linalg.norm(shape.offsets, axis=1).max()
        assert moved > 0.1, name


def test_the_tongue_comes_out_and_nothing_else_moves(ict: IctFace) -> None:
    tongue = ict.shapes[BLENDSHAPES.index("tongueOut")]
    assert set(ict.part[tongue.vertices]) == {GUM}
    tip = ict.tongue[tongue.vertices] > 0.97
    lips = ict.neutral[ict.part == 0][:, 2][np.abs(ict.neutral[ict.part == 0][:, 1] + 3.4) < 0.3]
    out = ict.neutral[tongue.vertices[tip]] + tongue.offsets[tip]
    assert out[:, 2].min() > lips.max() + 0.5
    assert np.abs(out[:, 0]).max() < 1.5


def test_a_smile_on_one_side_creases_that_side_only(ict: IctFace) -> None:
    wrinkles = Wrinkles(ict)
    smile = np.zeros(52, np.float32)
    np.testing.assert_array_equal(wrinkles.shading(smile, 0.3), 1.0)
    smile[BLENDSHAPES.index("mouthSmileLeft")] = 1.0
    shade = wrinkles.shading(smile, 0.3)
    assert shade.min() < 0.85
    assert np.abs(shade[ict.neutral[:, 0] < -1.0] - 1.0).max() < 1e-6
