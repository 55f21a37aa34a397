"""Bounded least squares: the small quadratic problem behind every solved frame."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

Values = NDArray[np.float64]

TOLERANCE = 1e-10
"""Slack, relative to the largest entry of the linear term, within which a bound counts as kept."""
PATIENCE = 3
"""Block exchanges without progress before steps of descent, which end for certain, take over."""
MOST_STEPS = 20
"""Steps of descent for each variable; only rounding could ask for more."""


def solve_bounded(
    gram: Values, linear: Values, lower: Values, upper: Values, start: Values | None = None
) -> Values:
    """Minimise ``½ xᵀ G x − bᵀ x`` within ``lower ≤ x ≤ upper``, exactly.

    Block principal pivoting: guess which variables rest on a bound, solve for the others, move
    every variable that violates optimality to the other side, repeat. Where controls are many and
    nearly say the same, such exchanges can go round in circles; then an active-set descent, slower
    but never turning back, goes on. The minimum is unique, so the start only saves time.

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
    while True:
        x, wrong, target = _exchange(gram, linear, lower, upper, state, slack)
        count = int(wrong.sum())
        if count == 0:
            return np.clip(x, lower, upper)
        patience = PATIENCE if count < fewest else patience - 1
        fewest = min(fewest, count)
        if patience <= 0:
            return _descend(gram, linear, lower, upper, np.clip(x, lower, upper), slack)
        state[wrong] = target[wrong]


def _descend(
    gram: Values, linear: Values, lower: Values, upper: Values, start: Values, slack: float
) -> Values:
    """Go downhill from a feasible point: free the steepest bound, solve, stop at the next bound."""
    x = start.copy()
    free = (x > lower) & (x < upper)
    for _ in range(MOST_STEPS * (len(x) + 1)):
        x, blocked = _toward(gram, linear, lower, upper, x, free)
        free &= ~blocked
        if blocked.any():
            continue
        slope = gram @ x - linear
        downhill = np.where(x <= lower, -slope, np.where(x >= upper, slope, 0.0))
        downhill[free | (lower == upper)] = 0.0
        steepest = int(downhill.argmax())
        if downhill[steepest] <= slack:
            break
        free[steepest] = True
    return x


def _toward(
    gram: Values, linear: Values, lower: Values, upper: Values, x: Values, free: NDArray[np.bool_]
) -> tuple[Values, NDArray[np.bool_]]:
    """Move the free variables to their minimum, or to the first bounds on the way to it.

    Returns the new point and which variables ended on a bound.
    """
    blocked = np.zeros(len(x), bool)
    at = np.flatnonzero(free)
    if not len(at):
        return x, blocked
    step = np.linalg.solve(gram[np.ix_(at, at)], (linear - gram @ x)[at])
    room = np.where(step < 0, lower[at] - x[at], upper[at] - x[at])
    share = np.divide(room, step, out=np.full(len(at), np.inf), where=step != 0)
    length = min(float(share.min()), 1.0)
    moved = x.copy()
    moved[at] = np.clip(x[at] + length * step, lower[at], upper[at])
    if length < 1.0:
        ends = at[share <= length]
        moved[ends] = np.where(step[share <= length] < 0, lower[ends], upper[ends])
        blocked[ends] = True
    return moved, blocked


def _exchange(
    gram: Values,
    linear: Values,
    lower: Values,
    upper: Values,
    state: NDArray[np.int_],
    slack: float,
) -> tuple[Values, NDArray[np.bool_], NDArray[np.signedinteger]]:
    """Solve for the free variables; say which variables are on the wrong side and where to."""
    x = np.where(state < 0, lower, upper).astype(np.float64)
    free = np.flatnonzero(state == 0)
    if len(free):
        x[free] = 0.0
        rows = gram.take(free, axis=0)
        x[free] = _positive_solve(rows.take(free, axis=1), linear[free] - rows @ x)
    slope = gram @ x - linear
    resting = state * slope
    inside = state == 0
    below = inside & (x < lower - slack)
    above = inside & (x > upper + slack)
    leaves = (resting > slack) & (lower < upper)
    target = above.astype(np.int8) - below
    return x, below | above | leaves, target


def _positive_solve(gram: Values, right: Values) -> Values:
    """Solve ``G x = b`` for a positive definite G, in half the time of the general way.

    Where rounding has made G not quite that, the general way is taken.
    """
    _, x, failed = dposv(gram, right)
    return np.asarray(np.linalg.solve(gram, right) if failed else x)
