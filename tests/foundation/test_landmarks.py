"""The face points of the networks are the points that rigs are anchored by."""

import pytest

from freeavatar.animator.anchor_table import ANCHORS, IRISES
from freeavatar.foundation.landmarks import (
    EYE_CORNERS,
    LANDMARKS,
    LEFT_EYE_CORNERS,
    MIRRORED,
    RIGHT_EYE_CORNERS,
    places,
)


def test_they_are_the_anchors_and_the_irises() -> None:
    assert (*(a.landmark for a in ANCHORS), *IRISES) == LANDMARKS
    assert len(set(LANDMARKS)) == len(LANDMARKS) == 156


def test_mirroring_swaps_partners() -> None:
    assert MIRRORED[: len(ANCHORS)] == tuple(a.partner for a in ANCHORS)
    assert [LANDMARKS[MIRRORED[i]] for i in places(*IRISES)] == [473, 468]
    assert [MIRRORED[i] for i in MIRRORED] == list(range(156))


def test_eye_corners() -> None:
    assert [LANDMARKS[i] for i in EYE_CORNERS] == [33, 133, 263, 362]
    assert {MIRRORED[i] for i in RIGHT_EYE_CORNERS} == set(LEFT_EYE_CORNERS)
    with pytest.raises(ValueError, match="not in tuple"):
        places(477)
