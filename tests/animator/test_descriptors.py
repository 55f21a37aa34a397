"""Descriptors say what a control does, whatever it is called."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.animator.anchor_table import ANCHOR_INDEX, ANCHORS
from freeavatar.animator.control_pictures import (
    SHIFTS,
    control_pictures,
    face_camera_of,
    foundation_view,
)
from freeavatar.animator.descriptors import (
    PREFIX,
    VIEW_BLENDSHAPES,
    VIEW_EMBEDDING,
    VIEW_SIZE,
    VIEW_TOKEN,
    Descriptors,
    descriptor_arrays,
    descriptors_of,
    read_descriptors,
)
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs import registry
from freeavatar.rigs.camera import face_camera
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Control, Mesh, Part, Rig

SHOWN = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthPucker", "mouthRight", "browInnerUp")
"""Shapes of the mannequin that the foundation must see as what they are."""


def part_of(rig: Rig, names: tuple[str, ...]) -> Rig:
    """The rig with only some of its controls, under names that say nothing."""
    assert rig.mesh is not None
    rows = [rig.index[name] for name in names]
    controls = tuple(Control(name=f"c{i:02}") for i in range(len(rows)))
    return replace(rig, controls=controls, mesh=replace(rig.mesh, deltas=rig.mesh.deltas[rows]))


def grey(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Eyes that see only how bright a crop is: (N, 128, 128, 3) to one number in each place."""
    level = crops.reshape(len(crops), -1).mean(axis=1)
    return np.repeat(level[:, None], VIEW_SIZE, axis=1).astype(np.float32)


@pytest.fixture
def plate() -> Rig:
    """A white square, no face: one control doubles it, one does nothing."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) * 0.1
    whole = Part(name="plate", first_triangle=0, triangle_count=2, colour=(1.0, 1.0, 1.0, 1.0))
    return Rig(
        name="plate",
        controls=(Control(name="grow"), Control(name="dead")),
        mesh=Mesh(
            vertices=corners,
            triangles=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
            deltas=np.stack([corners, np.zeros_like(corners)]),
            parts=(whole,),
        ),
    )


@pytest.fixture(scope="module")
def mannequin() -> Rig:
    return registry.load("mannequin")


@pytest.fixture(scope="module")
def described(mannequin: Rig) -> Descriptors:
    """Of the nameless controls of `SHOWN`, drawn and read by the foundation that ships."""
    return descriptors_of(part_of(mannequin, SHOWN), foundation_view())


def test_the_parts_of_a_view_fill_it() -> None:
    parts = (VIEW_BLENDSHAPES, VIEW_EMBEDDING, VIEW_TOKEN)
    covered = np.concatenate([np.arange(VIEW_SIZE)[part] for part in parts])
    np.testing.assert_array_equal(covered, np.arange(308))


def test_the_foundation_sees_what_nameless_controls_do(described: Descriptors) -> None:
    seen = described.picture[:, VIEW_BLENDSHAPES].copy()
    own = np.arange(len(SHOWN)), [BLENDSHAPES.index(name) for name in SHOWN]
    assert (seen[own] > 0.25).all()
    # A mouth this wide open shows the tongue on the lower teeth, which is read as put out.
    seen[SHOWN.index("jawOpen"), BLENDSHAPES.index("tongueOut")] = 0.0
    assert [BLENDSHAPES[i] for i in seen.argmax(axis=1)] == list(SHOWN)
    for part in (VIEW_EMBEDDING, VIEW_TOKEN):
        assert (np.linalg.norm(described.picture[:, part], axis=1) > 0.01).all()


def test_motion_is_in_sizes_of_the_features(described: Descriptors) -> None:
    """A blink moves the upper lid down by about the opening of the eye, and no other eye's."""
    left, right = (ANCHOR_INDEX[f"lid_upper_mid_{side}"] for side in ("left", "right"))
    blink = described.motion[SHOWN.index("eyeBlinkLeft")]
    assert -1.5 < blink[left, 1] < -0.6
    assert abs(blink[right, 1]) < 0.02
    assert described.found.all() and described.drawn


def test_scale_changes_nothing(mannequin: Rig) -> None:
    assert mannequin.mesh is not None
    mesh = mannequin.mesh
    large = replace(
        mannequin, mesh=replace(mesh, vertices=mesh.vertices * 10, deltas=mesh.deltas * 10)
    )
    np.testing.assert_allclose(
        descriptors_of(large).motion, descriptors_of(mannequin).motion, rtol=0, atol=1e-5
    )


def test_order_permutes_and_names_change_nothing(mannequin: Rig) -> None:
    plain = descriptors_of(mannequin)
    order = np.random.default_rng(3).permutation(52)
    mixed = descriptors_of(part_of(mannequin, tuple(mannequin.names[i] for i in order)))
    np.testing.assert_array_equal(mixed.motion, plain.motion[order])
    np.testing.assert_array_equal(plain.ordered(order).motion, mixed.motion)


def test_without_a_view_nothing_is_drawn(mannequin: Rig) -> None:
    described = descriptors_of(mannequin)
    assert not described.drawn and not described.picture.any()
    assert described.motion.any(axis=(1, 2)).sum() > 45


def test_a_rig_without_points_is_known_by_its_pictures(plate: Rig) -> None:
    calls: list[None] = []
    described = descriptors_of(plate, grey, progress=lambda: calls.append(None))
    assert described.drawn and not described.anchored and not described.motion.any()
    grows, dead = described.picture
    assert grows[0] > 1.0 and not dead.any()
    assert len(calls) == 2


def test_a_rig_of_curves_only_is_described_by_nothing() -> None:
    described = descriptors_of(registry.load("arkit"), grey)
    assert not described.drawn and not described.motion.any() and len(described.lowest) == 52


def test_lowest_is_in_multiples_of_the_way_up(plate: Rig) -> None:
    controls = (
        Control(name="a", minimum=-1.0, neutral=0.0, maximum=2.0),
        Control(name="b", minimum=0.5, neutral=0.5, maximum=1.0),
    )
    lowest = descriptors_of(replace(plate, controls=controls)).lowest
    np.testing.assert_allclose(lowest, [-0.5, 0.0])


def test_crops_show_the_face_as_the_network_knows_it(mannequin: Rig) -> None:
    """The face points' box takes 1 / 1.25 of the crop's side and lies in its middle."""
    from freeavatar.animator.motion import anchor_positions

    camera = face_camera_of(mannequin)
    pixels = camera.project(anchor_positions(mannequin))[0]
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    assert (high - low).max() == pytest.approx(128 / 1.25, rel=0.06)
    np.testing.assert_allclose((low + high) / 2, np.array(camera.size) / 2, atol=4.0)
    wide = face_camera(mannequin, (128, 128)).shown_height
    assert camera.shown_height < 0.8 * wide


def test_a_drawing_gives_several_crops_and_still_controls_none(plate: Rig) -> None:
    numbers, crops = zip(*control_pictures(plate), strict=True)
    assert numbers == (-1, 0, 1)
    assert crops[0] is not None and crops[1] is not None and crops[2] is None
    assert crops[0].shape == crops[1].shape == (len(SHIFTS), 128, 128, 3)
    assert not np.array_equal(crops[0][0], crops[0][1])


def test_arrays_come_back(described: Descriptors) -> None:
    arrays = descriptor_arrays(described) | {"code": np.zeros(16)}
    back = read_descriptors(arrays)
    np.testing.assert_allclose(back.motion, described.motion, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(back.picture, described.picture, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(back.lowest, described.lowest)
    np.testing.assert_array_equal(back.found, described.found)
    assert back.drawn


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        ("motion", None, "motion is missing"),
        ("motion", np.zeros((6, len(ANCHORS), 2), np.float32), "motion of 6"),
        ("picture", np.full((6, VIEW_SIZE), np.nan, np.float32), "no plausible numbers"),
        ("picture", np.full((6, VIEW_SIZE), 1e30, np.float32), "no plausible numbers"),
        ("lowest", np.zeros(5, np.float32), "of 5"),
        ("lowest", np.zeros((), np.float32), "lowest"),
        ("drawn", np.zeros(3, np.uint8), "drawn is not one number"),
        ("found", np.array(["x"] * len(ANCHORS)), "no plausible numbers"),
    ],
)
def test_damaged_arrays_are_refused(
    described: Descriptors, name: str, array: NDArray[Any] | None, says: str
) -> None:
    arrays = descriptor_arrays(described)
    if array is None:
        del arrays[PREFIX + name]
    else:
        arrays[PREFIX + name] = array
    with pytest.raises(RigError, match=says):
        read_descriptors(arrays)
