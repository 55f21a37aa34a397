"""Made-up rigs: the same by number, and what is called ideal is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from freeavatar.animator.anchor_table import ANCHORS
from freeavatar.animator.columns import columns_of
from freeavatar.animator.training.ideal_controls import IdealControls
from freeavatar.animator.training.training_rig import mirrored_columns
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.tools.dataset import procedural_rigs
from freeavatar.tools.dataset.built_in_heads import built_in_person
from freeavatar.tools.dataset.control_mixes import (
    ControlMix,
    of_names,
    own_mixes,
    random_mixes,
)
from freeavatar.tools.dataset.expressions import expression
from freeavatar.tools.dataset.heads import Motion, Person
from freeavatar.tools.dataset.people import ALL
from freeavatar.tools.dataset.procedural_rigs import ProceduralRig, ProceduralRigs
from freeavatar.tools.dataset.styles import random_style

INDEX = {name: i for i, name in enumerate(BLENDSHAPES)}
Made = Callable[..., ProceduralRig]


class Crowd:
    """Stands for everybody of a split: the mannequin."""

    def __init__(self) -> None:
        self.names = {"ict": ["ict/0000"], "makehuman": [], "valid": []}
        self.mannequin = built_in_person("mannequin", ALL)

    def person(self, name: str) -> Person:
        return replace(self.mannequin, name=name)


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return Crowd()


@pytest.fixture
def made(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> Made:
    """``made(mixes)`` gives the mannequin these controls, in its own style."""

    def build(mixes: list[ControlMix]) -> ProceduralRig:
        monkeypatch.setattr(procedural_rigs, "random_mixes", lambda make: mixes)
        monkeypatch.setattr(
            procedural_rigs, "random_style", lambda make: np.eye(52, dtype=np.float32)
        )
        monkeypatch.setattr(procedural_rigs, "MISPLACED", 0.0)
        return ProceduralRigs(crowd).whole(0)  # type: ignore[arg-type]

    return build


def one(*names: str, **kind: float | str) -> ControlMix:
    return ControlMix(shares=of_names(dict.fromkeys(names, 1.0)), **kind)  # type: ignore[arg-type]


def shapes(**values: float) -> FloatArray:
    return of_names(values)


def test_the_same_number_gives_the_same_rig_and_another_gives_another(crowd: Crowd) -> None:
    first, again, other = (ProceduralRigs(crowd).whole(n) for n in (3, 3, 4))  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.descriptors.motion, again.descriptors.motion)
    asked = expression(5)[0]
    np.testing.assert_array_equal(first.ideal(asked), again.ideal(asked))
    assert first.descriptors.motion.shape != other.descriptors.motion.shape or not np.allclose(
        first.descriptors.motion, other.descriptors.motion
    )


def test_a_rig_with_the_persons_own_shapes_is_set_to_what_is_shown(made: Made) -> None:
    rig = made([one(name) for name in BLENDSHAPES])
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkRight", "tongueOut"):
        asked = np.zeros(52, np.float32)
        asked[INDEX[name]] = 0.7
        np.testing.assert_allclose(rig.ideal(asked), asked, atol=0.05, err_msg=name)


def test_one_control_for_both_sides_does_what_both_ask(made: Made) -> None:
    rig = made([one("mouthSmile"), one("jawOpen"), one("browInnerUp")])
    found = rig.ideal(shapes(mouthSmile=0.6))
    np.testing.assert_allclose(found, [0.6, 0.0, 0.0], atol=0.05)


def test_a_control_that_goes_both_ways_answers_on_its_negative_side(made: Made) -> None:
    mixes = [one("browOuterUpLeft"), one("jawRight", lowest=-0.8)]
    rig = made(mixes)
    columns = columns_of(rig.descriptors)
    np.testing.assert_allclose(columns.upper, [1.0, 1.0, 0.8])
    right, left = rig.ideal(shapes(jawRight=0.5)), rig.ideal(shapes(jawLeft=0.5))
    assert right[1] > 0.4 and right[2] == 0.0
    assert left[2] > 0.4 and left[1] < 0.02
    assert rig.ideal(shapes(jawLeft=1.0))[2] <= 0.8


def test_controls_that_do_the_same_share_alike(made: Made) -> None:
    found = made([one("jawOpen"), one("browDown"), one("jawOpen")]).ideal(shapes(jawOpen=0.8))
    assert found[0] == pytest.approx(found[2], abs=1e-4)
    assert found[0] + found[2] == pytest.approx(0.8, abs=0.05)


def test_halves_of_a_cut_control_add_up_to_the_whole(made: Made) -> None:
    mixes = [one("mouthPucker")]
    for side in ("left", "right"):
        mixes += [one("mouthPucker", side=side, half=half) for half in ("upper", "lower")]
    motion = made(mixes).descriptors.motion
    assert np.abs(motion[0]).max() > 0.1
    np.testing.assert_allclose(motion[1:].sum(axis=0), motion[0], atol=1e-5)
    left = np.array([a.name.endswith("left") and a.region == "corners" for a in ANCHORS])
    assert np.abs(motion[3:, left]).max() < 0.2 * np.abs(motion[1:3, left]).max()


def test_no_answer_comes_closer_than_the_ideal(crowd: Crowd) -> None:
    """Against the solver's answer and random changes of its own, in the ideal's own measure."""
    make = np.random.default_rng(0)
    moved, wanted = make.standard_normal((9, 40)), make.standard_normal((52, 40))
    upper = np.full(9, 0.9, np.float32)
    ideal = IdealControls(moved, wanted, upper)
    for number in range(5):
        asked = expression(number)[0] * 0.5
        asked[[INDEX[n] for n in ("eyeBlinkLeft", "eyeBlinkRight")]] = 0.0
        found = ideal(asked)
        assert (found >= 0).all() and (found <= upper).all()

        def missed(weights: FloatArray, asked: FloatArray = asked) -> float:
            return float(np.square(weights @ moved - asked @ wanted).sum())

        for _ in range(50):
            other = np.clip(found + 0.1 * make.standard_normal(9), 0.0, upper)
            assert missed(found) <= missed(other) * 1.02 + 0.02


def test_columns_pair_up_left_and_right(made: Made) -> None:
    names = ["eyeBlinkLeft", "browDownLeft", "jawOpen", "eyeBlinkRight", "browDownRight"]
    rig = made([one(name) for name in names] + [one("jawRight", lowest=-1.0)])
    columns = columns_of(rig.descriptors)
    partner = mirrored_columns(rig.descriptors, columns)
    assert partner is not None
    assert partner.tolist() == [3, 4, 2, 0, 1, 6, 5]


def test_a_rig_that_does_more_on_one_side_has_no_pairs(made: Made) -> None:
    rig = made([one("eyeBlinkLeft"), one("mouthSmileRight"), one("jawOpen")])
    assert mirrored_columns(rig.descriptors, columns_of(rig.descriptors)) is None


def test_the_solver_is_asked_by_motion_alone(made: Made) -> None:
    rig = made([one("jawOpen"), one("browInnerUp"), one("mouthSmile")]).training
    found = rig.solved(shapes(browInnerUp=0.8))
    assert found[1] > 0.4 and found[0] < 0.1 and found[2] < 0.1


def test_a_drawn_rig_may_have_no_face_points(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.full((1, 308), 0.5, np.float32)
    monkeypatch.setattr(procedural_rigs, "FACELESS", 1.0)
    monkeypatch.setattr(procedural_rigs._MadeUp, "looks", lambda self, view: drawn)
    monkeypatch.setattr(procedural_rigs, "random_mixes", lambda make: [one("jawOpen")])
    rigs = ProceduralRigs(crowd, view=lambda crops: drawn, drawn=1.0)  # type: ignore[arg-type]
    rig = rigs.whole(0)
    assert rig.descriptors.drawn and not rig.descriptors.anchored
    assert rig.descriptors.picture[0, 0] == 0.5
    asked = shapes(jawOpen=0.5)
    assert rig.training.solved(asked).tolist() == [0.0]
    assert rig.training.ideal(asked)[0] > 0.2 and rig.training.mirrored is None


def test_a_heads_own_controls_are_those_that_move_its_skin(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With motions for teeth and tongue that no control of the head's stands for."""
    person = crowd.mannequin
    motion = person.motion.dense(len(person.vertices))
    teeth = np.zeros_like(motion[:3])
    teeth[:, person.head.inside] = 0.01
    lent = replace(
        person,
        motion=Motion.of([*motion, *teeth]),
        controls_of=lambda shapes: np.concatenate([shapes, np.zeros(3, np.float32)]),
    )
    counts: list[int] = []

    def counted(count: int, make: np.random.Generator) -> list[ControlMix]:
        counts.append(count)
        return own_mixes(count, make)

    monkeypatch.setattr(crowd, "person", lambda name: lent)
    monkeypatch.setattr(procedural_rigs, "OWN", 1.0)
    monkeypatch.setattr(procedural_rigs, "own_mixes", counted)
    ProceduralRigs(crowd).whole(0)  # type: ignore[arg-type]
    on_skin = np.abs(motion[:, person.head.skin]).max(axis=(1, 2)) > 0
    assert counts == [int(on_skin.sum())] and counts[0] <= 52


def test_control_sets_are_of_many_kinds() -> None:
    sets = [random_mixes(np.random.default_rng(n)) for n in range(40)]
    counts = [len(mixes) for mixes in sets]
    assert min(counts) >= 3 and min(counts) < 25 and max(counts) > 70
    every = [mix for mixes in sets for mix in mixes]
    assert any(mix.lowest < 0 for mix in every) and all(-1 <= mix.lowest <= 0 for mix in every)
    assert any(mix.side for mix in every) and any(mix.half for mix in every)
    assert any((mix.shares > 0).sum() > 2 for mix in every), "no sounds or moods"
    assert any(not mix.shares.any() for mix in every), "nothing that keeps still"
    assert all(np.isfinite(mix.shares).all() for mix in every)


def test_own_expressions_become_controls_of_their_number() -> None:
    mixes = own_mixes(65, np.random.default_rng(0))
    assert all(mix.shares.shape == (65,) for mix in mixes)
    assert 30 < len(mixes) < 80


def test_styles_keep_blinks_and_go_the_same_way_on_both_sides() -> None:
    style = random_style(np.random.default_rng(2))
    for name in ("eyeBlinkLeft", "eyeLookDownRight", "tongueOut"):
        np.testing.assert_array_equal(style[INDEX[name]], np.eye(52)[INDEX[name]])
    assert style[INDEX["mouthSmileLeft"], INDEX["mouthSmileLeft"]] == pytest.approx(
        style[INDEX["mouthSmileRight"], INDEX["mouthSmileRight"]]
    )
    assert not np.allclose(style, np.eye(52))
