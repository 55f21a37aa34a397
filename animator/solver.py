"""From an expression to the controls of any rig: bounded, sparse least squares.

The expression's motion of the face anchors, taken from a head that we know, is explained by the
controls' own motions of the same anchors::

    minimise  ½ ‖F x − f‖² + Σ λ_k x_k + ½ Σ μ_k (x_k − p_k)²   within  l ≤ x ≤ u

with F the features (`features`) of each control, f those of the expression, and p what the names
say: a control that stands for one ARKit shape is pulled to that shape's value, one that stands for
several (a viseme, an emotion) less strongly to its share. A rig whose ARKit set is complete is set
by name alone, exactly, and its visemes and emotions stay neutral.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig

from .bounded import solve_bounded
from .features import features
from .motion import anchor_motion, anchor_positions, anchors_of
from .naming import SHAPE_INDEX, NameMap, companions, name_map
from .proportions import feature_sizes
from .reach import reach_scales
from .reference import Reference, built_in_reference

Values = NDArray[np.float64]

SPARSITY = 0.01
"""Absolute value, relative to the root of a control's own and the mean motion energy: two controls
cost more than the one that does the same."""
RIDGE = 3e-4
"""Squared value, relative to the mean energy: keeps the minimum unique."""
NAMED_ONE, NAMED_SEVERAL = 1.0, 0.3
"""Pull toward what a name says, relative to the energy: names of one shape, of several."""
BLINKS = (SHAPE_INDEX["eyeBlinkRight"], SHAPE_INDEX["eyeBlinkLeft"])
SHAPES = len(SHAPE_INDEX)
UNSEEN = 1e-6
"""Share of the largest energy below which a control moves no anchor."""


class ExpressionSolver:
    """Solves the controls of one rig, frame by frame; keeps nothing but a warm start.

    Args:
        rig: to be driven.
        use_names: False ignores what control names say.
        reference: a head that is known; None takes the built-in one where it is needed.

    Raises:
        RigError: neither names nor anchors say what any control of the rig does.
    """

    def __init__(
        self, rig: Rig, *, use_names: bool = True, reference: Reference | None = None
    ) -> None:
        self.rig = rig
        self._names = name_map(rig) if use_names else name_map(_nameless(rig))
        self._follow = companions(rig.names) if use_names else ()
        self._seen: _Anchored | None = None
        if rig.anchors is not None and rig.mesh is not None and not self._names.complete:
            self._seen = _Anchored(rig, self._names, reference or built_in_reference())
        self._span = np.array([c.maximum - c.neutral for c in rig.controls], np.float64)
        self._fills_used = [fill for fill in self._fills() if len(fill.controls)]
        if self._seen is None and not len(self._names.direct) and not len(self._names.combined):
            raise RigError(
                f"rig {rig.name}: no face was found on it and no control name is known: name its "
                "controls after a convention (freeavatar rig check lists them)"
            )

    def solve(self, blendshapes: NDArray[Any]) -> Values:
        """Control values (K,), each within its range, for the ARKit coefficients (52,)."""
        shapes = np.clip(np.asarray(blendshapes, np.float64), 0.0, 1.0)
        weights = np.zeros(len(self.rig.controls))
        names = self._names
        weights[names.direct] = np.minimum(shapes[names.shapes] * names.scale, 1.0)
        if not names.complete:
            for fill in self._fills_used:
                weights[fill.controls] = fill.solve(shapes)
            if self._seen is not None:
                self._seen.solve(shapes, weights)
            for follower, leader in self._follow:
                weights[follower] = weights[leader]
        return np.asarray(self.rig.neutral + self._span * weights)

    def _fills(self) -> tuple["_Fill", "_Fill"]:
        """The combinations that make up the face, and those that go beside it.

        What the rig's maker said of a control that moves nothing of the face (ears, a tail) is no
        part of the face's motion: a brow that rises says all of it and must not keep the ears down.
        """
        names = self._names
        apart = np.array(
            [
                self._seen is not None
                and not self.rig.controls[k].convention
                and k not in self._seen.moving
                for k in names.combined
            ],
            bool,
        )
        face = _Fill(names.combined[~apart], names.combinations[~apart], names.open_shapes)
        return face, _Fill(names.combined[apart], names.combinations[apart], np.ones(SHAPES))


class _Fill:
    """Combinations of shapes (visemes, emotions) that best explain the shapes that count."""

    def __init__(self, controls: NDArray[np.int_], combinations: Values, counted: Values) -> None:
        self.controls = controls
        self._columns = combinations * counted
        count = len(controls)
        self._gram = combinations @ combinations.T + 1e-3 * np.eye(count)
        self._lower, self._upper = np.zeros(count), np.ones(count)
        self._last: Values | None = None

    def solve(self, shapes: Values) -> Values:
        linear = self._columns @ shapes - 0.02
        self._last = solve_bounded(self._gram, linear, self._lower, self._upper, self._last)
        return self._last


class _Anchored:
    """The least squares over anchors."""

    def __init__(self, rig: Rig, names: NameMap, reference: Reference) -> None:
        found = anchors_of(rig).found & reference.found
        moved = features(anchor_motion(rig) / feature_sizes(anchor_positions(rig)), found)
        energy = np.einsum("kf,kf->k", moved, moved)
        seen = energy > UNSEEN * energy.max(initial=0.0)
        # A control that also has a negative side is two variables of opposite motion.
        lowest = np.minimum(_lower_weights(rig), 0.0)
        back = seen & (lowest < 0)
        self.moving = frozenset(np.flatnonzero(seen).tolist())
        self._controls = np.r_[np.flatnonzero(seen), np.flatnonzero(back)]
        self._signs = np.r_[np.ones(seen.sum()), -np.ones(back.sum())]
        columns = moved[self._controls] * self._signs[:, None]
        energy = energy[self._controls]
        typical = float(energy.mean()) if len(energy) else 1.0
        self._pull = _pull(names, len(rig.controls))[self._controls] * energy
        self._pull[self._signs < 0] = 0.0
        self._gram = columns @ columns.T + np.diag(self._pull + RIDGE * typical)
        expressed = features(reference.motion, found)
        expressed = expressed * reach_scales(columns, expressed)[:, None]
        self._linear = columns @ expressed.T
        self._cost = SPARSITY * np.sqrt(energy * typical)
        # What a lone control at full value loses to cost and ridge, it gets back.
        kept = (energy - self._cost) / (energy + RIDGE * typical)
        self._regain = 1.0 / np.maximum(kept, 0.5)
        self._lower = np.zeros(len(self._controls))
        self._upper = np.where(self._signs > 0, 1.0, -lowest[self._controls])
        self._closing = reference.closing
        self._last: Values | None = None

    def solve(self, shapes: Values, weights: Values) -> None:
        """Set the weights (K,) of its controls; on entry they hold what names say."""
        asked = np.maximum(weights[self._controls], 0.0)
        linear = self._linear @ shut_at_most(shapes, self._closing)
        linear += self._pull * asked - self._cost
        self._last = solve_bounded(self._gram, linear, self._lower, self._upper, self._last)
        weights[self._controls] = 0.0
        regained = np.minimum(self._last * self._regain, self._upper)
        np.add.at(weights, self._controls, self._signs * regained)


def shut_at_most(shapes: Values, closing: Values) -> Values:
    """Shapes (52,) that close no eye further than shut.

    Blink, squint and a look down each lower the lid, and add up to more than the eye is open; the
    lids of a rig must not be asked to pass through each other. The blink keeps its part.

    Args:
        shapes: (52,).
        closing: (2, 52) share of the eye's opening that each shape closes, right and left.
    """
    limited = shapes
    for side, blink in zip(closing, BLINKS, strict=True):
        left_open = max(1.0 - side[blink] * shapes[blink], 0.0)
        others = float(side @ shapes) - side[blink] * shapes[blink]
        if others > left_open:
            lowers = (side > 0) & (np.arange(len(shapes)) != blink)
            limited = np.where(lowers, limited * (left_open / others), limited)
    return limited


def _pull(names: NameMap, count: int) -> Values:
    pull = np.zeros(count)
    pull[names.direct] = NAMED_ONE
    pull[names.combined] = NAMED_SEVERAL
    return pull


def _nameless(rig: Rig) -> Rig:
    """The rig as if no name were known."""
    return replace(rig, controls=tuple(replace(c, hub={}, convention="") for c in rig.controls))


def _lower_weights(rig: Rig) -> Values:
    """(K,) unit weight of each control's minimum, 0 or negative."""
    return np.array([(c.minimum - c.neutral) / (c.maximum - c.neutral) for c in rig.controls])
