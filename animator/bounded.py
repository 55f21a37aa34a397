"""Bounded least squares: the small quadratic problem behind every solved frame."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

TOLERANCE = 1e-10
"""Slack, relative to the largest entry of the linear term, within which a bound counts as kept."""
PATIENCE = 3
"""Block exchanges without progress before single exchanges, which end for certain, take over."""


def solve_bounded(
    gram: Values, linear: Values, lower: Values, upper: Values, start: Values | None = None
) -> Values:
    """Minimise ``½ xᵀ G x − bᵀ x`` within ``lower ≤ x ≤ upper``, exactly.

    Block principal pivoting: guess which variables rest on a bound, solve for the others, move
    every variable that violates optimality to the other side, repeat. The minimum is unique, so
    the start only saves time.

    Args:
        gram: (K, K) symmetric positive definite.
        linear: (K,).
        lower: (K,) finite.
        upper: (K,) at least ``lower``.
        start: (K,) an earlier solution whose set of resting variables is tried first.

    Returns:
        (K,) the minimiser.

    Raises:
        numpy.linalg.LinAlgError: the Gram matrix is singular.

    Source:
        Júdice, Pires, A block principal pivoting algorithm for large-scale strictly monotone linear
        complementarity problems, Computers & Operations Research 21, 1994 (bounds on both sides).
    """
    first = lower if start is None else start
    state = np.where(first <= lower, -1, np.where(first >= upper, 1, 0))
    state[lower == upper] = -1
    slack = TOLERANCE * (1.0 + float(np.abs(linear).max(initial=0.0)))
    fewest, patience = len(linear) + 1, PATIENCE
    for _ in range(50 * (len(linear) + 1)):
        x, wrong, target = _exchange(gram, linear, lower, upper, state, slack)
        count = int(wrong.sum())
        if count == 0:
            return np.clip(x, lower, upper)
        if count < fewest:
            fewest, patience = count, PATIENCE
        else:
            patience -= 1
        if patience <= 0:
            last = int(np.flatnonzero(wrong)[-1])
            state[last] = target[last]
        else:
            state[wrong] = target[wrong]
    return np.clip(x, lower, upper)


def _exchange(
    gram: Values,
    linear: Values,
    lower: Values,
    upper: Values,
    state: NDArray[np.int_],
    slack: float,
) -> tuple[Values, NDArray[np.bool_], NDArray[np.int_]]:
    """Solve for the free variables; say which variables are on the wrong side and where to."""
    x = np.where(state < 0, lower, upper).astype(np.float64)
    free = np.flatnonzero(state == 0)
    if len(free):
        x[free] = 0.0
        right = linear[free] - gram[free] @ x
        x[free] = np.linalg.solve(gram[np.ix_(free, free)], right)
    slope = gram @ x - linear
    below = (state == 0) & (x < lower - slack)
    above = (state == 0) & (x > upper + slack)
    leaves = ((state < 0) & (slope < -slack)) | ((state > 0) & (slope > slack))
    leaves &= lower < upper
    target = np.where(below, -1, np.where(above, 1, 0))
    return x, below | above | leaves, target
