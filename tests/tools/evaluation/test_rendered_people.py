"""Test people perform: only the face moves and the head turns, look and light stay."""

import os
from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.tools.dataset.splits import split_of
from freeavatar.tools.evaluation.rendered_actors import Moments, truth_of
from freeavatar.tools.evaluation.rendered_people import (
    PEOPLE,
    PICTURE_SIZE,
    PersonActor,
    people_actors,
)


@pytest.fixture(scope="module")
def people(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[PersonActor]:
    kept = os.environ.get("FREEAVATAR_TEST_CACHE")
    cache = Path(kept) if kept else tmp_path_factory.mktemp("points")
    bundle = shared / "mediapipe" / "face_landmarker.task"
    return people_actors(shared / "synth", bundle, cache)


@pytest.mark.slow
def test_people_are_kept_for_tests_and_show_what_their_heads_can(people: list[PersonActor]) -> None:
    names = [actor.name for actor in people]
    assert len(set(names)) == len(names) == sum(PEOPLE.values())
    assert {split_of(name) for name in names} == {"test"}
    for kind, count in PEOPLE.items():
        assert sum(name.startswith(f"{kind}/") for name in names) == count
    assert all(actor.shown.all() for actor in people if actor.name.startswith("ict/"))
    textured = next(actor for actor in people if actor.name.startswith("valid/"))
    truth = truth_of(textured, np.full((2, 52), 0.5, np.float32))
    assert np.isnan(truth[:, ~textured.shown]).all() and (truth[:, textured.shown] == 0.5).all()


@pytest.mark.slow
def test_between_frames_nothing_but_face_and_head_changes(people: list[PersonActor]) -> None:
    curves = np.zeros((4, 52), np.float32)
    curves[1, BLENDSHAPES.index("jawOpen")] = 0.8
    head = np.zeros((4, 3))
    head[3, 0] = np.radians(20)
    moments = Moments(times=np.arange(4) / 30.0, curves=curves)
    for actor in (people[0], people[-1]):
        frames = list(actor.frames(moments, head))
        assert [frame.index for frame in frames] == [0, 1, 2, 3]
        still, jaw, again, turned = (frame.picture.astype(int) for frame in frames)
        assert still.shape == (PICTURE_SIZE, PICTURE_SIZE, 3)
        assert (still == again).all()
        moved = np.abs(jaw - still).max(axis=2) > 24
        assert moved.sum() > 300
        # The upper half holds no mouth: but for the exposure it stays.
        assert moved[: PICTURE_SIZE // 3].mean() < 0.01 < moved[PICTURE_SIZE // 3 :].mean()
        assert (np.abs(turned - still).max(axis=2) > 24).sum() > moved.sum()
