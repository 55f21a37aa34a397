"""Expressions onto rigs: by what controls do, by what they are called, by both."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.animator.naming import SHAPE_INDEX
from freeavatar.animator.reach import reach_scales
from freeavatar.animator.reference import Reference, reference_of
from freeavatar.animator.solver import ExpressionSolver, shut_at_most
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs import registry
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Control, Rig

Values = NDArray[np.float64]
PointFace = Callable[..., Rig]

UNSEEN = ("tongueOut",)


@pytest.fixture
def head(point_face: PointFace, arkit_controls: tuple[Control, ...], arkit_points: Values) -> Rig:
    return point_face(arkit_controls, arkit_points)


@pytest.fixture
def reference(head: Rig) -> Reference:
    return reference_of(head)


def sparse(seed: int, count: int = 5) -> Values:
    make = np.random.default_rng(seed)
    shapes = np.zeros(52)
    allowed = [i for i, n in enumerate(BLENDSHAPES) if not n.startswith("eye") and n not in UNSEEN]
    shapes[make.choice(allowed, count, replace=False)] = 0.2 + 0.7 * make.random(count)
    return shapes


def shuffled(point_face: PointFace, motion: Values, **rig: object) -> tuple[Rig, list[int]]:
    """The same head with its controls in another order, under names that say nothing."""
    order = np.random.default_rng(1).permutation(52).tolist()
    controls = [Control(name=f"c{i:02}") for i in range(52)]
    return point_face(controls, motion[order], **rig), order


@pytest.mark.parametrize("seed", range(8))
def test_nameless_controls_are_found_by_what_they_do(
    point_face: PointFace, arkit_points: Values, reference: Reference, seed: int
) -> None:
    rig, order = shuffled(point_face, arkit_points)
    solver = ExpressionSolver(rig, reference=reference)
    shapes = sparse(seed)
    values = solver.solve(shapes)
    scales = reach_of(rig, reference)
    expected = np.minimum((shapes * scales)[order], 1.0)
    # What sparsity costs controls that move little (a nose sneer).
    np.testing.assert_allclose(values, expected, atol=0.06)
    assert np.sum(values > 0.02) <= 7, "sparse in, sparse out"


def reach_of(rig: Rig, reference: Reference) -> Values:
    """Scales that the solver applies, to compare values with what was asked."""
    from freeavatar.animator.features import features
    from freeavatar.animator.motion import anchor_motion, anchor_positions
    from freeavatar.animator.proportions import feature_sizes

    found = np.ones(len(reference.found), bool)
    columns = features(anchor_motion(rig) / feature_sizes(anchor_positions(rig)), found)
    return reach_scales(columns, features(reference.motion, found))


def test_names_do_not_matter_when_they_are_not_used(
    point_face: PointFace, arkit_points: Values, head: Rig, reference: Reference
) -> None:
    rig, order = shuffled(point_face, arkit_points)
    for seed in range(4):
        shapes = sparse(seed)
        by_names_off = ExpressionSolver(head, use_names=False, reference=reference).solve(shapes)
        nameless = ExpressionSolver(rig, reference=reference).solve(shapes)
        np.testing.assert_allclose(by_names_off[order], nameless, atol=1e-6)


@pytest.mark.parametrize("stretch", [(2.0, 2.0, 2.0), (1.3, 0.6, 1.1)])
def test_heads_of_other_proportions_get_the_same_values(
    point_face: PointFace, arkit_points: Values, reference: Reference, stretch: tuple[float, ...]
) -> None:
    same, _ = shuffled(point_face, arkit_points)
    other, _ = shuffled(point_face, arkit_points, stretch=stretch)
    shapes = sparse(3)
    np.testing.assert_allclose(
        ExpressionSolver(other, reference=reference).solve(shapes),
        ExpressionSolver(same, reference=reference).solve(shapes),
        atol=0.03,
    )


def test_a_full_blink_shuts_an_eye_of_any_size(
    point_face: PointFace, arkit_points: Values, reference: Reference
) -> None:
    rig, order = shuffled(point_face, arkit_points, stretch=(1.0, 2.5, 1.0))
    shapes = np.zeros(52)
    shapes[SHAPE_INDEX["eyeBlinkLeft"]] = 1.0
    values = ExpressionSolver(rig, reference=reference).solve(shapes)
    blink = order.index(SHAPE_INDEX["eyeBlinkLeft"])
    assert values[blink] > 0.99
    assert np.delete(values, blink).max() < 0.05


def test_lids_are_not_asked_to_cross() -> None:
    closing = np.zeros((2, 52))
    blink, squint = SHAPE_INDEX["eyeBlinkLeft"], SHAPE_INDEX["eyeSquintLeft"]
    closing[1, [blink, squint]] = 1.0, 0.4
    shapes = np.zeros(52)
    shapes[[blink, squint, SHAPE_INDEX["jawOpen"]]] = 0.8, 1.0, 1.0
    limited = shut_at_most(shapes, closing)
    assert closing[1] @ limited == pytest.approx(1.0)
    assert limited[blink] == 0.8
    assert limited[SHAPE_INDEX["jawOpen"]] == 1.0
    np.testing.assert_array_equal(shut_at_most(shapes * 0.5, closing), shapes * 0.5)


def test_values_stay_within_each_controls_range(
    point_face: PointFace, arkit_points: Values, reference: Reference
) -> None:
    controls = [
        Control(name=f"c{i}", minimum=-0.5 if i % 2 else 0.0, maximum=2.0 if i % 3 else 1.0)
        for i in range(52)
    ]
    solver = ExpressionSolver(point_face(controls, 0.3 * arkit_points), reference=reference)
    low = np.array([c.minimum for c in controls])
    high = np.array([c.maximum for c in controls])
    make = np.random.default_rng(2)
    for _ in range(20):
        values = solver.solve(make.random(52))
        assert np.all(values >= low - 1e-9) and np.all(values <= high + 1e-9)


def test_a_signed_control_is_driven_both_ways(
    point_face: PointFace, arkit_points: Values, reference: Reference
) -> None:
    left, smile = SHAPE_INDEX["mouthLeft"], SHAPE_INDEX["mouthSmileLeft"]
    motion = np.stack([arkit_points[left], arkit_points[smile]])
    controls = [Control(name="slide", minimum=-1.0), Control(name="grin")]
    opposite = Reference(
        motion=reference.motion.copy(), found=reference.found, closing=reference.closing
    )
    opposite.motion[SHAPE_INDEX["mouthRight"]] = -opposite.motion[left]
    solver = ExpressionSolver(point_face(controls, motion), reference=opposite)
    shapes = np.zeros(52)
    shapes[left] = 0.5
    assert solver.solve(shapes)[0] > 0.4
    shapes[left], shapes[SHAPE_INDEX["mouthRight"]] = 0.0, 0.5
    assert solver.solve(shapes)[0] < -0.4


def test_a_complete_arkit_rig_gets_the_actors_values_exactly(
    point_face: PointFace, arkit_controls: tuple[Control, ...], arkit_points: Values
) -> None:
    viseme = Control(name="viseme_aa", hub={"jawOpen": 0.6, "mouthFunnel": 0.2})
    double = Control(name="mouthOpen", hub={"jawOpen": 1.0})
    extra = Control(name="long_nose")
    motion = np.concatenate([arkit_points, arkit_points[[17, 17, 20]]])
    rig = point_face((*arkit_controls, viseme, double, extra), motion)
    shapes = np.random.default_rng(4).random(52)
    values = ExpressionSolver(rig).solve(shapes)
    np.testing.assert_allclose(values[:52], shapes, atol=1e-7)
    assert np.all(values[52:] == 0.0)


def test_visemes_and_emotions_fill_what_no_control_says() -> None:
    rig = Rig(
        name="vrm",
        controls=(
            Control(name="aa", hub={"jawOpen": 0.6}),
            Control(name="ou", hub={"mouthPucker": 0.8, "jawOpen": 0.2}),
            Control(name="blink", hub={"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}),
            Control(name="blink_l", hub={"eyeBlinkLeft": 1.0}, side="left"),
            Control(name="blink_r", hub={"eyeBlinkRight": 1.0}, side="right"),
        ),
    )
    shapes = np.zeros(52)
    shapes[SHAPE_INDEX["jawOpen"]] = 0.3
    shapes[SHAPE_INDEX["eyeBlinkLeft"]] = shapes[SHAPE_INDEX["eyeBlinkRight"]] = 0.9
    values = ExpressionSolver(rig).solve(shapes)
    assert values[0] == pytest.approx(0.5, abs=0.06)
    assert values[1] < 0.05
    np.testing.assert_allclose(values[2:], [0.0, 0.9, 0.9], atol=1e-9)


def test_names_and_anchors_work_together(
    point_face: PointFace, arkit_points: Values, reference: Reference
) -> None:
    """A few names are known; what the others do is found; nothing is doubled."""
    order = [SHAPE_INDEX[n] for n in ("jawOpen", "mouthSmileLeft", "browInnerUp", "tongueOut")]
    controls = (
        Control(name="jaw", hub={"jawOpen": 1.0}),
        Control(name="c1"),
        Control(name="c2"),
        Control(name="tongue", hub={"tongueOut": 1.0}),
    )
    solver = ExpressionSolver(point_face(controls, arkit_points[order]), reference=reference)
    shapes = np.zeros(52)
    shapes[order] = 0.5, 0.0, 0.6, 0.7
    values = solver.solve(shapes)
    assert values[0] == pytest.approx(0.5, abs=0.08)
    assert values[1] == pytest.approx(0.0, abs=0.05)
    assert values[2] == pytest.approx(0.6, abs=0.2)
    assert values[3] == pytest.approx(0.7)


def test_the_past_does_not_change_a_frame(
    point_face: PointFace, arkit_points: Values, reference: Reference
) -> None:
    rig, _ = shuffled(point_face, arkit_points)
    make = np.random.default_rng(9)
    frames = make.random((10, 52)) * (make.random((10, 52)) < 0.2)
    running = ExpressionSolver(rig, reference=reference)
    for frame in frames:
        alone = ExpressionSolver(rig, reference=reference).solve(frame)
        np.testing.assert_allclose(running.solve(frame), alone, atol=1e-8)


def test_a_rig_that_says_nothing_is_refused_with_advice() -> None:
    rig = Rig(name="blob", controls=(Control(name="c1"),))
    with pytest.raises(RigError, match=r"rig blob: no face.*no control name is known.*rig check"):
        ExpressionSolver(rig)


def test_a_weak_rig_is_not_saturated_early(
    point_face: PointFace, arkit_points: Values, reference: Reference
) -> None:
    """Brows that reach a third of what is asked for still rise steadily to the end."""
    motion = arkit_points.copy()
    brows = [i for i, n in enumerate(BLENDSHAPES) if n.startswith("brow")]
    motion[brows] /= 3.0
    controls = [Control(name=f"c{i}") for i in range(52)]
    solver = ExpressionSolver(point_face(controls, motion), reference=reference)
    shapes = np.zeros(52)
    risen = []
    for asked in (0.3, 0.6, 0.9):
        shapes[SHAPE_INDEX["browInnerUp"]] = asked
        risen.append(solver.solve(shapes)[SHAPE_INDEX["browInnerUp"]])
    np.testing.assert_allclose(risen, [0.3, 0.6, 0.9], atol=0.06)


def test_a_frame_takes_less_than_a_millisecond(
    point_face: PointFace, arkit_points: Values, reference: Reference
) -> None:
    rig, _ = shuffled(point_face, arkit_points)
    solver = ExpressionSolver(rig, reference=reference)
    make = np.random.default_rng(6)
    path = np.cumsum(0.05 * make.standard_normal((200, 52)), axis=0)
    frames = np.clip(path, 0.0, 1.0)
    took = []
    for frame in frames:
        start = time.perf_counter()
        solver.solve(frame)
        took.append(time.perf_counter() - start)
    assert np.median(took) < 2e-3, "twice the budget: other work may share the core"


def test_ears_follow_what_their_maker_said_of_them_beside_the_brows() -> None:
    """The fox's brows say all of a raise or a frown; its ears, no part of the face, go along."""
    fox = registry.load("fox")
    solver = ExpressionSolver(fox)

    def said(**shapes: float) -> dict[str, float]:
        asked = np.zeros(52)
        for name, value in shapes.items():
            asked[BLENDSHAPES.index(name)] = value
        return dict(zip(fox.names, solver.solve(asked).tolist(), strict=True))

    raised = said(browInnerUp=1.0, browOuterUpLeft=1.0, browOuterUpRight=1.0)
    assert raised["browUp"] > 0.9
    assert raised["earsPerk"] > 0.6
    assert raised["earsBack"] == 0.0
    frown = said(browDownLeft=1.0, browDownRight=1.0)
    assert frown["browDown"] > 0.9
    assert frown["earsBack"] > 0.6
    assert frown["earsPerk"] == 0.0
    half = said(browDownLeft=0.5, browDownRight=0.5)
    assert 0.3 < half["earsBack"] < frown["earsBack"]
    jaw = said(jawOpen=1.0, mouthSmileLeft=1.0)
    assert jaw["earsPerk"] == jaw["earsBack"] == 0.0
