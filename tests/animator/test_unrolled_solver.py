"""The unrolled solver comes to the exact one's answer, step by step."""

import numpy as np
import pytest
import torch

from freeavatar.animator.animator_batch import batch_rigs
from freeavatar.animator.columns import columns_of
from freeavatar.animator.descriptors import descriptors_of
from freeavatar.animator.reference import built_in_reference
from freeavatar.animator.solver import ExpressionSolver, shut_at_most
from freeavatar.animator.solver_matrices import solver_matrices
from freeavatar.animator.unrolled_solver import EyeLimit, Problem, unrolled
from freeavatar.rigs import registry

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def shapes() -> np.ndarray:
    """Sparse expressions, some of which ask for more than a rig can do."""
    make = np.random.default_rng(0)
    return (make.random((40, 52)) * (make.random((40, 52)) < 0.25)).astype(np.float32)


@pytest.mark.parametrize("name", ["mannequin", "toon", "fox"])
def test_it_comes_near_the_exact_solver(name: str, shapes: np.ndarray) -> None:
    rig = registry.load(name)
    columns = columns_of(descriptors_of(rig))
    solver = ExpressionSolver(rig, use_names=False)
    span = np.array([c.maximum for c in rig.controls]) - rig.neutral
    exact = np.stack(
        [columns.of_weights((solver.solve(row) - rig.neutral) / span) for row in shapes]
    )
    rigs = batch_rigs([columns])
    problem = Problem(rigs.step, rigs.linear, rigs.offset, rigs.regain)
    asked = EyeLimit()(torch.from_numpy(shapes))[None]
    missed = []
    for steps in (5, 10, 300):
        shares = unrolled(problem, asked, steps)[0].clamp(max=1.0).numpy()
        away = (shares * columns.upper - exact) @ columns.motion
        missed.append(np.linalg.norm(away) / np.linalg.norm(exact @ columns.motion))
    assert missed[0] > missed[1] > missed[2]
    assert missed[1] < 0.06 and missed[2] < 0.005, missed


def test_eyes_close_no_further_than_shut() -> None:
    """As the exact solver limits them."""
    make = np.random.default_rng(1)
    shapes = make.random((50, 52)).astype(np.float32)
    closing = built_in_reference().closing
    expected = np.stack([shut_at_most(row.astype(np.float64), closing) for row in shapes])
    assert np.abs(expected - shapes).max() > 0.2, "nothing was limited here"
    found = EyeLimit()(torch.from_numpy(shapes)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_rig_without_face_points_has_nothing_to_solve() -> None:
    rig = registry.load("fox")
    descriptors = descriptors_of(rig)
    blank = type(descriptors)(
        **{
            **vars(descriptors),
            "motion": np.zeros_like(descriptors.motion),
            "found": np.zeros_like(descriptors.found),
        }
    )
    for array in vars(solver_matrices(columns_of(blank))).values():
        assert not array.any()
