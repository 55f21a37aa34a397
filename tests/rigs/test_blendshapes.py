"""Blending and posing, recomputed another way."""

from pathlib import Path

import numpy as np
import pytest

from freeavatar.rigs.blendshapes import blend, pose, unit_weights
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Control, Joint, Mesh, Rig, RigFrame


def small_rig() -> Rig:
    make = np.random.default_rng(0)
    vertices = make.normal(size=(6, 3)).astype(np.float32)
    mesh = Mesh(
        vertices=vertices,
        triangles=np.array([[0, 1, 2], [3, 4, 5]], np.int32),
        deltas=make.normal(size=(2, 6, 3)).astype(np.float32),
        parts=(),
        joints=(
            Joint(role="left_eye", pivot=vertices[0] + 1, weights=np.float32([0, 1, 0, 0, 0, 0])),
            Joint(role="head", pivot=np.float32([0, -1, 0]), weights=np.ones(6, np.float32)),
        ),
    )
    controls = (Control(name="a"), Control(name="b", minimum=-1.0, maximum=3.0, neutral=1.0))
    return Rig(name="small", controls=controls, mesh=mesh)


def test_least_squares_recovers_the_weights_that_made_the_mesh() -> None:
    make = np.random.default_rng(1)
    neutral = make.normal(size=(64, 3)).astype(np.float32)
    deltas = make.normal(size=(8, 64, 3)).astype(np.float32)
    weights = make.random((5, 8)).astype(np.float32)
    moved = (blend(neutral, deltas, weights) - neutral).reshape(5, -1)
    found = np.linalg.lstsq(deltas.reshape(8, -1).T, moved.T, rcond=None)[0].T
    np.testing.assert_allclose(found, weights, atol=1e-5)


def test_shapes_that_disagree_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 5, 3\)"):
        blend(np.zeros((4, 3), np.float32), np.zeros((2, 5, 3), np.float32), np.zeros(2))


def test_ranges_count_from_neutral_to_maximum() -> None:
    np.testing.assert_allclose(unit_weights(small_rig(), np.array([0.5, 1.0])), [0.5, 0.0])
    np.testing.assert_allclose(unit_weights(small_rig(), np.array([0.0, -1.0])), [0.0, -1.0])


def test_a_pose_is_controls_then_eyes_then_head() -> None:
    rig = small_rig()
    assert rig.mesh is not None
    frame = RigFrame(
        index=0, time=0.0, values=np.float32([1.0, 2.0]), head=np.float32([0.3, -0.2, 0.1]),
        eyes=np.float32([[0.2, 0.1, 0.0], [0, 0, 0]]),
    )  # fmt: skip
    eye, head = rig.mesh.joints
    expected = rig.mesh.vertices + rig.mesh.deltas[0] + 0.5 * rig.mesh.deltas[1]
    expected[1] = matrix_from_angles(frame.eyes[0]) @ (expected[1] - eye.pivot) + eye.pivot
    turned = [matrix_from_angles(frame.head) @ (v - head.pivot) + head.pivot for v in expected]
    np.testing.assert_allclose(pose(rig, frame), turned, atol=1e-5)
    np.testing.assert_allclose(pose(rig, frame, turn_head=False), expected, atol=1e-5)


def test_yaw_turns_right_pitch_looks_down_roll_tilts_right() -> None:
    forward, up = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    assert (matrix_from_angles(np.array([0.3, 0, 0])) @ forward)[0] < -0.29
    assert (matrix_from_angles(np.array([0, 0.3, 0])) @ forward)[1] < -0.29
    assert (matrix_from_angles(np.array([0, 0, 0.3])) @ up)[0] < -0.29


def test_a_vrm_shows_its_expressions_as_an_engine_does(shared: Path) -> None:
    """godette's blink overrides nothing but is a clip over morphs: half set, half shown."""
    rig = load_rig(shared / "rigs" / "godette.vrm")
    assert rig.mesh is not None
    values = rig.neutral.copy()
    values[rig.index["blink"]] = 0.5
    moved = pose(rig, RigFrame(index=0, time=0.0, values=values)) - rig.mesh.vertices
    binary = bool(rig.expressions["blink"]["binary"])
    share = 0.5 if not binary else 1.0
    np.testing.assert_allclose(moved, share * rig.mesh.deltas[rig.index["blink"]], atol=1e-6)
