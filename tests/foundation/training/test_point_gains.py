"""How curves are to be corrected by points, measured on people with faces of their own."""

import numpy as np

from freeavatar.foundation.apertures import APERTURES
from freeavatar.foundation.expression import BLENDSHAPES, GROUPS
from freeavatar.foundation.training.point_gains import gains

UP, OPEN = BLENDSHAPES.index("browOuterUpLeft"), BLENDSHAPES.index("jawOpen")
BROW, MOUTH = APERTURES.index("brow left"), APERTURES.index("mouth open")


def test_what_points_know_better_is_corrected_and_what_curves_know_stays() -> None:
    make = np.random.default_rng(0)
    people = np.repeat(np.arange(60), 20).astype(float)
    truth = make.uniform(0, 1, (1200, 52))
    change = np.zeros((52, 6))
    change[UP, BROW], change[OPEN, MOUTH] = 0.06, 0.5
    own = make.normal(0, 0.1, (60, 6))[people.astype(int)]
    shown = truth @ change + own
    seen = shown + make.normal(0, 0.002, shown.shape)
    said = truth.copy()
    said[:, UP] = 0.5 + make.normal(0, 0.05, 1200)  # the network does not see the brow move

    found = gains(said, truth, seen, shown, people)

    np.testing.assert_allclose(found.change[UP, BROW], 0.06, atol=0.003)
    np.testing.assert_allclose(found.change[OPEN, MOUTH], 0.5, atol=0.01)
    np.testing.assert_allclose(found.correct[BROW, UP], 1 / 0.06, rtol=0.1)
    assert abs(found.correct[MOUTH, OPEN]) < 0.01
    assert not found.correct[:, list(GROUPS["gaze"])].any()
    assert not found.correct[:, list(GROUPS["cheeks and nose"])].any()
    untouched = BLENDSHAPES.index("mouthFrownLeft")  # opens nothing here
    assert not found.correct[:, untouched].any()
