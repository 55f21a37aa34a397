"""The exact solver against scipy's."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from freeavatar.animator.bounded import solve_bounded


@pytest.mark.parametrize("count", [1, 3, 20, 65])
@pytest.mark.parametrize("seed", range(6))
def test_equals_scipy_on_random_problems(count: int, seed: int) -> None:
    make = np.random.default_rng(seed)
    columns = make.standard_normal((count + 5, count))
    wanted = 2.0 * make.standard_normal(count + 5)
    lower, upper = -make.random(count) * (seed % 2), make.random(count)
    found = solve_bounded(columns.T @ columns, columns.T @ wanted, lower, upper)
    expected = lsq_linear(columns, wanted, (lower, upper + 1e-12), tol=1e-13).x
    np.testing.assert_allclose(found, expected, atol=1e-7)
    assert np.all((found >= lower) & (found <= upper))


def test_the_start_does_not_change_the_answer() -> None:
    make = np.random.default_rng(3)
    columns = make.standard_normal((40, 30))
    gram, linear = columns.T @ columns, columns.T @ make.standard_normal(40)
    lower, upper = np.zeros(30), np.full(30, 0.3)
    cold = solve_bounded(gram, linear, lower, upper)
    for start in (upper, make.random(30) * 0.3, cold):
        np.testing.assert_allclose(
            solve_bounded(gram, linear, lower, upper, start), cold, atol=1e-9
        )


def test_keeps_fixed_variables_and_handles_nearly_equal_columns() -> None:
    base = np.random.default_rng(5).standard_normal((30, 4))
    columns = np.hstack([base, base + 1e-7])
    gram = columns.T @ columns + 1e-6 * np.eye(8)
    wanted = columns @ np.array([0.5, 0, 0, 1, 0, 0, 0, 0])
    upper = np.ones(8)
    upper[3] = 0.0
    found = solve_bounded(gram, columns.T @ wanted, np.zeros(8), upper)
    assert found[3] == 0.0
    np.testing.assert_allclose(found[:4] + found[4:], [0.5, 0, 0, 1], atol=1e-4)


def test_nothing_to_solve_is_no_error() -> None:
    assert solve_bounded(np.zeros((0, 0)), np.zeros(0), np.zeros(0), np.zeros(0)).shape == (0,)


def test_hundreds_of_nearly_equal_controls_are_still_solved_exactly() -> None:
    """300 mixtures of 50 motions: plain block exchanges go round in circles on most of these."""
    make = np.random.default_rng(1)
    mixture = make.random((300, 50)) ** 6
    motion = mixture / mixture.sum(axis=1, keepdims=True) @ make.normal(size=(50, 200))
    gram = motion @ motion.T
    gram += 3e-4 * np.trace(gram) / 300 * np.eye(300)
    lower, upper = np.zeros(300), np.ones(300)
    for _ in range(10):
        wanted = np.clip(make.normal(0.1, 0.2, 50), 0, 1) @ make.normal(size=(50, 200))
        linear = motion @ wanted - 0.01
        x = solve_bounded(gram, linear, lower, upper)
        slope = gram @ x - linear
        slack = 1e-8 * np.abs(linear).max()
        assert np.all((x >= 0) & (x <= 1))
        assert np.all(slope[x <= 0] >= -slack)
        assert np.all(slope[x >= 1] <= slack)
        assert np.abs(slope[(x > 0) & (x < 1)]).max() <= slack
