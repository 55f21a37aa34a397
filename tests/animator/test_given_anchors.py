"""A few points that a person gives become all face points of a rig."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.animator.anchor_table import ANCHOR_INDEX, ANCHOR_NAMES
from freeavatar.animator.features import features
from freeavatar.animator.given_anchors import (
    FRONT_SIZE,
    anchors_from,
    front_camera,
    parse_points,
)
from freeavatar.animator.motion import anchor_motion, anchor_positions
from freeavatar.animator.proportions import feature_sizes
from freeavatar.rigs import registry
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig

GIVEN = (
    "eye_corner_outer_left", "eye_corner_inner_left", "lid_upper_mid_left", "lid_lower_mid_left",
    "brow_mid_upper_left", "nose_tip", "mouth_corner_left", "upper_lip_line", "chin",
    "jaw_angle_left",
)  # fmt: skip


@pytest.fixture(scope="module")
def toon() -> Rig:
    """A cartoon head, whose own face points were found by a detector."""
    return registry.load("toon")


@pytest.fixture(scope="module")
def places(toon: Rig) -> NDArray[np.float64]:
    return anchor_positions(toon)


def given(places: NDArray[np.float64]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(places[ANCHOR_INDEX[name]].tolist()) for name in GIVEN}


def relative_error(rig: Rig, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(A,) distance of a rig's face points to places, in heights of the face."""
    height = abs(np.subtract(*places[[ANCHOR_INDEX["nose_root"], ANCHOR_INDEX["chin"]], 1]))
    error = np.linalg.norm(anchor_positions(rig) - places, axis=1) / height
    assert rig.anchors is not None
    return error[rig.anchors.found]


@pytest.fixture(scope="module")
def filled(toon: Rig, places: NDArray[np.float64]) -> Rig:
    """The same head, its face points made from `GIVEN` alone."""
    return replace(toon, anchors=anchors_from(toon, given(places)))


def test_ten_points_place_the_other_hundred_and_forty(
    filled: Rig, places: NDArray[np.float64]
) -> None:
    error = relative_error(filled, places)
    assert len(error) > 145 and np.median(error) < 0.04
    # Lids and lips move on to the margins of the mesh; the others stay where they were given.
    for name in ("nose_tip", "brow_mid_upper_left", "mouth_corner_left", "chin", "jaw_angle_left"):
        off = anchor_positions(filled)[ANCHOR_INDEX[name]] - places[ANCHOR_INDEX[name]]
        assert np.linalg.norm(off) < 0.01 * np.ptp(places[:, 1]), name


def test_the_motion_is_that_of_the_found_points(toon: Rig, filled: Rig) -> None:
    """What counts is what controls seem to do: the cosine with what the detector's points see."""
    assert filled.anchors is not None and toon.anchors is not None
    both = filled.anchors.found & toon.anchors.found
    a, b = (
        features(anchor_motion(r) / feature_sizes(anchor_positions(r)), both)
        for r in (filled, toon)
    )
    length = np.linalg.norm(b, axis=1)
    cosine = np.einsum("kf,kf->k", a, b) / np.maximum(np.linalg.norm(a, axis=1) * length, 1e-9)
    assert np.median(cosine[length > 0.05]) > 0.93


def test_pixels_of_the_front_view_are_as_good_as_metres(
    toon: Rig, filled: Rig, places: NDArray[np.float64]
) -> None:
    pixels = front_camera(toon).project(places)[0]
    assert pixels.min() > 0 and pixels.max() < FRONT_SIZE
    flat = {name: tuple(pixels[ANCHOR_INDEX[name]].tolist()) for name in GIVEN}
    found = anchors_from(toon, flat)
    assert filled.anchors is not None
    np.testing.assert_array_equal(found.vertices, filled.anchors.vertices)
    np.testing.assert_allclose(found.barycentric, filled.anchors.barycentric, atol=1e-5)


def test_a_side_that_is_not_given_mirrors_the_other(filled: Rig) -> None:
    """Only points of the left: those of the right come out as far from the middle."""
    at = anchor_positions(filled)
    middle = at[ANCHOR_INDEX["nose_tip"], 0]
    for name in ("mouth_corner", "eye_corner_outer", "jaw_angle"):
        left, right = (at[ANCHOR_INDEX[f"{name}_{side}"], 0] for side in ("left", "right"))
        assert left - middle == pytest.approx(middle - right, rel=0.05) and left > middle > right


def test_words_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "points.toml"
    file.write_text("[points]\nchin = [512, 700.5]\nnose_tip = [0, 1.5, 0.25]\n")
    points = parse_points([str(file), "chin=510,690", "nose_root = 0,1.6,.2"])
    assert points == {
        "chin": (510.0, 690.0), "nose_tip": (0.0, 1.5, 0.25), "nose_root": (0.0, 1.6, 0.2),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("chinn=1,2", "'chinn'; did you mean chin"),
        ("chin=1", "give x,y,z in metres or x,y in pixels"),
        ("chin=1,2,3,4", "give x,y,z"),
        ("chin=1,two", "give x,y,z"),
        ("chin=1,nan", "give x,y,z"),
        ("absent.toml", "cannot be read"),
    ],
)
def test_words_that_mean_nothing_are_refused(word: str, says: str) -> None:
    with pytest.raises(RigError, match=says):
        parse_points([word])


@pytest.mark.parametrize(
    "text",
    ["", "points = 3", "[points]", "[points]\nchin = 'low'", "[points]\nchin = [[1], 2]", "["],
)
def test_files_that_hold_no_points_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "points.toml"
    file.write_text(text)
    with pytest.raises(RigError):
        parse_points([str(file)])


def test_points_that_make_no_face_are_refused(toon: Rig, places: NDArray[np.float64]) -> None:
    points = given(places)
    two = {name: points[name] for name in ("chin", "nose_tip")}
    with pytest.raises(RigError, match="2 face points are too few"):
        anchors_from(toon, two)
    middle = two | {"upper_lip_line": points["upper_lip_line"]}
    with pytest.raises(RigError, match="side by side"):
        anchors_from(toon, middle)
    upside_down = {name: (x, -y, z) for name, (x, y, z) in points.items()}
    with pytest.raises(RigError, match="in height"):
        anchors_from(toon, upside_down)
    swapped = {name.replace("left", "right"): place for name, place in points.items()}
    with pytest.raises(RigError, match="side by side"):
        anchors_from(toon, swapped)
    pixels = front_camera(toon).project(places)[0] + 5000.0
    far = {name: tuple(pixels[ANCHOR_INDEX[name]].tolist()) for name in GIVEN}
    with pytest.raises(RigError, match="shows no skin"):
        anchors_from(toon, far)


def test_a_rig_of_curves_only_has_no_surface() -> None:
    with pytest.raises(RigError, match="no mesh"):
        anchors_from(registry.load("arkit"), dict.fromkeys(ANCHOR_NAMES[:5], (0.0, 0.0)))
