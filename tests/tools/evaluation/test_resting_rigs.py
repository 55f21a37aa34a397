"""Rigs that should rest: what moves them is found, and named."""

import numpy as np
import pytest

from freeavatar.foundation.expression import BLENDSHAPES, Expression
from freeavatar.rigs import registry
from freeavatar.tools.evaluation.resting_rigs import RestingFace, resting_lines, restless
from freeavatar.tools.evaluation.steadiness import STILL_FRAMES, TURN


def _read(curves: np.ndarray) -> list[Expression]:
    return [
        Expression(index=i, time=i / 30.0, found=True, blendshapes=row)
        for i, row in enumerate(curves)
    ]


def _face(*, jaw: float, look: float, noise: float) -> RestingFace:
    rest = np.zeros(52, np.float32)
    rest[BLENDSHAPES.index("mouthSmileLeft")] = 0.1
    turning = np.tile(rest, (2 * TURN + 1, 1))
    away = np.abs(np.arange(-TURN, TURN + 1)) / TURN
    turning[:, BLENDSHAPES.index("jawOpen")] = jaw * away
    turning[:, BLENDSHAPES.index("eyeLookUpLeft")] = look * away
    still = np.tile(rest, (STILL_FRAMES, 1))
    still[:, BLENDSHAPES.index("cheekPuff")] = noise * (np.arange(STILL_FRAMES) % 2)
    return RestingFace(turning=_read(turning), still=_read(still))


@pytest.mark.parametrize("animator", [False, True])
def test_what_moves_a_resting_rig_is_told(animator: bool) -> None:
    rig = registry.load("mannequin")
    (calm,) = restless([rig], _face(jaw=0.0, look=0.0, noise=0.0), animator=animator)
    assert calm.turn < 0.02 and calm.noise < 1e-6
    (moved,) = restless([rig], _face(jaw=0.4, look=0.9, noise=0.2), animator=animator)
    assert 0.25 < moved.turn < 0.55
    assert moved.control == "jawOpen", "the gaze may move"
    assert moved.mean < 0.1
    assert moved.noise > 0.02
    lines = resting_lines({"somebody": {"mannequin": {"solver": moved}}})
    assert "jawOpen" in lines[1] and f"{moved.turn:.3f}" in lines[1]


def test_the_solver_gives_the_curves_exactly() -> None:
    (moved,) = restless(
        [registry.load("mannequin")], _face(jaw=0.4, look=0.0, noise=0.2), animator=False
    )
    assert moved.turn == pytest.approx(0.4, abs=1e-5)
    assert moved.noise == pytest.approx(0.1, abs=1e-5)
