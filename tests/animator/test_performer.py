"""From expressions to frames, and from recorded takes to expressions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeavatar.animator.calibration import measure_neutral
from freeavatar.animator.performer import (
    FINISHED_TAKE,
    Performer,
    PerformerOptions,
    expressions_from_take,
)
from freeavatar.bridge.takes.opening import read_take
from freeavatar.foundation.expression import BLENDSHAPES, Expression
from freeavatar.rigs import registry
from freeavatar.rigs.blendshapes import pose
from freeavatar.rigs.conventions import describe_controls
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Control, Rig, RigFrame, Take

RAW = PerformerOptions(smooth=0.0, automatic_neutral=False)
JAW, CLOSE = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthClose")


def seen(index: int, found: bool = True, rate: float = 30.0, **values: float) -> Expression:
    shapes = np.zeros(52, np.float32)
    for name, value in values.items():
        shapes[BLENDSHAPES.index(name)] = value
    return Expression(index=index, time=index / rate, found=found, blendshapes=shapes)


def moving(count: int = 60) -> list[Expression]:
    make = np.random.default_rng(0)
    path = np.clip(np.cumsum(0.1 * make.standard_normal((count, 52)), axis=0), 0, 1)
    angles = np.cumsum(0.02 * make.standard_normal((count, 3)), axis=0)
    return [
        Expression(
            index=i,
            time=i / 30,
            found=i % 20 < 15,
            blendshapes=path[i].astype(np.float32),
            head=matrix_from_angles(angles[i]),
            eyes=np.tile(angles[i], (2, 1)).astype(np.float32),
        )
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def arkit() -> Rig:
    return registry.load("arkit")


def test_curves_pass_through_exactly_when_nothing_is_asked(arkit: Rig) -> None:
    angles = np.array([0.3, -0.2, 0.1])
    expression = Expression(
        index=7,
        time=0.5,
        found=True,
        blendshapes=np.linspace(0, 1, 52, dtype=np.float32),
        head=matrix_from_angles(angles),
        eyes=np.full((2, 3), 0.25, np.float32),
    )
    frame = Performer(arkit, RAW).perform(expression)
    expected = expression.blendshapes.copy()
    expected[CLOSE] = min(expected[CLOSE], expected[JAW])
    np.testing.assert_allclose(frame.values, expected, atol=1e-6)
    np.testing.assert_allclose(frame.head, angles, atol=1e-6)
    np.testing.assert_allclose(frame.eyes, 0.25, atol=1e-6)
    assert (frame.index, frame.time, frame.found) == (7, 0.5, True)


def test_lips_close_no_further_than_the_jaw_is_open(arkit: Rig) -> None:
    performer = Performer(arkit)
    for i in range(20):
        frame = performer.perform(seen(i, jawOpen=0.5 - 0.02 * i, mouthClose=0.9))
        assert frame.values[CLOSE] <= frame.values[JAW]


def test_both_halves_of_closing_lips_stay_below_the_jaw() -> None:
    names = ("jawOpen", "mouthClose_L", "mouthClose_R")
    performer = Performer(Rig(name="halves", controls=describe_controls(names)), RAW)
    frame = performer.perform(seen(0, jawOpen=0.3, mouthClose=0.9))
    np.testing.assert_allclose(frame.values, 0.3, atol=1e-6)


@pytest.mark.parametrize("part", ["blendshapes", "head", "eyes"])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_no_number_is_held_like_a_lost_face(arkit: Rig, part: str, number: float) -> None:
    performer = Performer(arkit)
    for i in range(30):
        before = performer.perform(seen(i, jawOpen=0.6))
    broken = seen(30, jawOpen=0.6)
    spoilt = getattr(broken, part).copy()
    spoilt.flat[1] = number
    held = performer.perform(replace(broken, **{part: spoilt}))
    assert not held.found
    np.testing.assert_allclose(held.values, before.values, atol=1e-3)
    for i in range(31, 60):
        after = performer.perform(seen(i, jawOpen=0.6))
    assert after.found
    np.testing.assert_allclose(after.values, before.values, atol=1e-3)
    np.testing.assert_allclose(after.head, 0.0, atol=1e-6)
    np.testing.assert_allclose(after.eyes, 0.0, atol=1e-6)


def test_a_source_whose_time_starts_again_goes_on_moving(arkit: Rig) -> None:
    performer = Performer(arkit)
    for i in range(30):
        performer.perform(replace(seen(i), time=100.0 + i / 30))
    for i in range(30):
        frame = performer.perform(seen(i, jawOpen=0.8))
    assert frame.values[JAW] > 0.7
    assert frame.time == 29 / 30


def test_frame_by_frame_equals_a_fresh_start_and_reset_forgets(arkit: Rig) -> None:
    performer = Performer(arkit)
    first = [performer.perform(e) for e in moving()]
    performer.reset()
    again = [performer.perform(e) for e in moving()]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.head, b.head)
        np.testing.assert_array_equal(a.eyes, b.eyes)


def test_the_future_changes_nothing(arkit: Rig) -> None:
    long, short = Performer(arkit), Performer(arkit)
    frames = moving()
    whole = [long.perform(e).values for e in frames]
    part = [short.perform(e).values for e in frames[:25]]
    np.testing.assert_array_equal(np.array(whole[:25]), np.array(part))


def test_a_lost_face_holds_then_rests(arkit: Rig) -> None:
    performer = Performer(arkit, RAW)
    performer.perform(seen(0, jawOpen=0.8))
    shown = [performer.perform(seen(i, found=False)).values[JAW] for i in range(1, 90)]
    assert shown[14] == pytest.approx(0.8)
    assert shown[-1] == 0.0
    assert not performer.perform(seen(90, found=False)).found


def test_smoothing_and_gains_apply_in_order(arkit: Rig, tmp_path: Path) -> None:
    path = tmp_path / "gains.toml"
    path.write_text("[jawOpen]\ngain = 2.0\nmaximum = 0.9\n")
    raw = Performer(arkit, PerformerOptions(smooth=0.0, automatic_neutral=False, gain_file=path))
    assert raw.perform(seen(0, jawOpen=0.3)).values[JAW] == pytest.approx(0.6)
    assert raw.perform(seen(1, jawOpen=0.7)).values[JAW] == pytest.approx(0.9)
    smooth = Performer(arkit, PerformerOptions(smooth=1.0, automatic_neutral=False))
    smooth.perform(seen(0, jawOpen=0.0))
    assert 0.0 < smooth.perform(seen(1, jawOpen=0.1)).values[JAW] < 0.05


def test_a_measured_neutral_straightens_face_head_and_gaze(arkit: Rig) -> None:
    tilted = matrix_from_angles(np.array([0.1, 0.3, 0.0]))
    resting = [
        Expression(
            index=i,
            time=i / 30,
            found=True,
            blendshapes=np.full(52, 0.2, np.float32),
            head=tilted,
            eyes=np.full((2, 3), 0.1, np.float32),
        )
        for i in range(15)
    ]
    options = PerformerOptions(smooth=0.0, neutral=measure_neutral(resting, 0.0, 0.5))
    frame = Performer(arkit, options).perform(resting[0])
    np.testing.assert_allclose(frame.values, 0.0, atol=1e-6)
    np.testing.assert_allclose(frame.head, 0.0, atol=1e-6)
    np.testing.assert_allclose(frame.eyes, 0.0, atol=1e-6)


def test_takes_of_any_arkit_spelling_become_expressions() -> None:
    names = ("JawOpen", "EyeBlink_L", "browInnerUp_L", "browInnerUp_R")
    frame = RigFrame(
        index=3,
        time=0.1,
        values=np.array([0.5, 0.25, 0.2, 0.4], np.float32),
        head=np.array([0.2, 0.0, 0.0], np.float32),
    )
    expression = next(expressions_from_take(Take(names=names, frames=[frame], rate=30.0)))
    assert expression.blendshapes[JAW] == 0.5
    assert expression.blendshapes[BLENDSHAPES.index("eyeBlinkLeft")] == 0.25
    assert expression.blendshapes[BLENDSHAPES.index("browInnerUp")] == pytest.approx(0.3)
    np.testing.assert_allclose(expression.head, matrix_from_angles(frame.head), atol=1e-6)
    assert (expression.index, expression.time, expression.found) == (3, 0.1, True)


def test_a_take_without_arkit_curves_is_refused() -> None:
    with pytest.raises(RigError, match="no ARKit columns"):
        next(expressions_from_take(Take(names=("a17", "b"), frames=[], rate=30.0)))


def test_smoothing_strength_is_checked(arkit: Rig) -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.1"):
        Performer(arkit, PerformerOptions(smooth=1.5))


def test_an_iphone_take_passes_through_unchanged(arkit: Rig, shared: Path) -> None:
    take = read_take(shared / "curves" / "alex_rom_3.csv")
    performer = Performer(arkit, FINISHED_TAKE)
    column = take.names.index("jawOpen") if "jawOpen" in take.names else take.names.index("JawOpen")
    for i, expression in enumerate(expressions_from_take(take)):
        if i % 97 == 0:
            frame = performer.perform(expression)
            asked = take.frames[i]
            assert frame.values[JAW] == pytest.approx(asked.values[column], abs=1e-6)
            np.testing.assert_allclose(frame.head, asked.head, atol=1e-5)
            np.testing.assert_allclose(frame.eyes, asked.eyes, atol=1e-5)


@pytest.fixture(scope="module")
def toon() -> Rig:
    rig = registry.load("toon")
    assert rig.anchors is not None, "run: python -m freeavatar.tools.builtin_anchors"
    return rig


def height(rig: Rig, frame: RigFrame, name: str) -> float:
    """y of a face point of a posed rig, head still."""
    assert rig.anchors is not None
    i = rig.anchors.names.index(name)
    vertices = pose(rig, frame, turn_head=False)
    return float(rig.anchors.barycentric[i] @ vertices[rig.anchors.vertices[i], 1])


def opening(rig: Rig, frame: RigFrame, slit: str) -> float:
    upper, lower = slit.replace("*", "upper"), slit.replace("*", "lower")
    return height(rig, frame, upper) - height(rig, frame, lower)


@pytest.mark.parametrize("animator", [True, False])
def test_the_cartoon_whose_names_mean_nothing_performs(toon: Rig, animator: bool) -> None:
    """Its mouth opens with the jaw, its eyes shut with the actor's, one at a time, brows rise."""
    performer = Performer(toon, replace(RAW, animator=animator))
    rest = performer.perform(seen(0))
    assert np.all(np.abs(rest.values) <= (0.01 if animator else 0.0))
    eye = opening(toon, rest, "lid_*_mid_left")
    jaw = performer.perform(seen(1, jawOpen=0.8))
    assert opening(toon, jaw, "*_lip_line") > opening(toon, rest, "*_lip_line") + 0.3 * eye
    wink = performer.perform(seen(2, eyeBlinkLeft=1.0))
    assert abs(opening(toon, wink, "lid_*_mid_left")) < 0.25 * eye
    assert opening(toon, wink, "lid_*_mid_right") > 0.8 * eye
    brows = performer.perform(seen(3, browInnerUp=1.0, browOuterUpLeft=1.0, browOuterUpRight=1.0))
    for side in ("left", "right"):
        name = f"brow_mid_upper_{side}"
        assert height(toon, brows, name) > height(toon, rest, name) + 0.05 * eye
    smile = performer.perform(seen(4, mouthSmileLeft=1.0, mouthSmileRight=1.0))
    for side in ("left", "right"):
        name = f"mouth_corner_{side}"
        assert height(toon, smile, name) > height(toon, rest, name) + 0.02 * eye


def test_the_cartoon_follows_a_recorded_jaw(toon: Rig, shared: Path) -> None:
    performer = Performer(toon, FINISHED_TAKE)
    take = read_take(shared / "curves" / "alex_rom_3.csv")
    asked, shown = [], []
    for expression in expressions_from_take(take):
        if expression.index % 40 == 0:
            frame = performer.perform(expression)
            # The lips part by what the jaw opens less what mouthClose takes back.
            asked.append(expression.blendshapes[JAW] - expression.blendshapes[CLOSE])
            shown.append(opening(toon, frame, "*_lip_line"))
    assert np.corrcoef(asked, shown)[0, 1] > 0.9


def test_controls_without_a_face_or_a_name_are_refused() -> None:
    with pytest.raises(RigError, match="rig check"):
        Performer(Rig(name="box", controls=(Control(name="x1"),)))
