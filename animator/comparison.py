"""How well motion survives: through a rig and back, and from one rig to another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.blendshapes import blend, unit_weights
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig

from .anchor_table import ANCHOR_NAMES, ANCHORS
from .inverse import ControlInverse
from .motion import anchor_motion, anchor_positions, anchors_of, mesh_of
from .proportions import feature_sizes
from .reference import Reference
from .solver import ExpressionSolver

Values = NDArray[np.float64]

MOST_AT_ONCE = 6
"""Controls that are set at the same time in a round trip."""
VISIBLE = 0.03
"""Anchors whose motion, root mean square over the take in feature sizes, stays below this on the
source are left out of correlations: they hardly move, so there is nothing to follow."""


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """Weights to mesh to weights, over random sparse combinations."""

    rig: str
    samples: int
    error: float
    """Mean absolute error of all controls that move the mesh, as a share of their range."""
    active_error: float
    """The same over the controls that were set."""
    worst: tuple[tuple[str, float], ...]
    """Controls with the largest mean error."""
    dead: tuple[str, ...]
    """Controls that move nothing and cannot be recovered."""


def round_trip(
    rig: Rig, *, samples: int = 200, seed: int = 0, anchors_only: bool = False
) -> RoundTrip:
    """Set up to six random controls, deform the mesh, recover all controls from it, repeat.

    Args:
        rig: with a mesh.
        samples: combinations to try.
        seed: of the combinations.
        anchors_only: see `ControlInverse`.

    Raises:
        ValueError: the rig has no mesh.
        RigError: no control moves anything.
    """
    mesh = mesh_of(rig)
    inverse = ControlInverse(rig, anchors_only=anchors_only)
    alive = np.array([n not in inverse.dead for n in rig.names], bool)
    if not alive.any():
        raise RigError(f"rig {rig.name}: no control moves the mesh, there is nothing to measure")
    low = np.array([c.minimum for c in rig.controls])
    span = np.array([c.maximum for c in rig.controls]) - low
    make = np.random.default_rng(seed)
    errors, active = [], []
    for _ in range(samples):
        count = int(make.integers(1, min(MOST_AT_ONCE, int(alive.sum())) + 1))
        chosen = make.choice(np.flatnonzero(alive), count, replace=False)
        values = rig.neutral.astype(np.float64)
        values[chosen] = low[chosen] + make.random(count) * span[chosen]
        vertices = blend(mesh.vertices, mesh.deltas, unit_weights(rig, values))
        error = np.abs(inverse.values(vertices) - values) / span
        errors.append(error)
        active.append(error[chosen].mean())
    mean = np.mean(errors, axis=0)
    worst = [int(k) for k in np.argsort(-mean)[:5] if mean[k] > 0.01]
    return RoundTrip(
        rig=rig.name,
        samples=samples,
        error=float(mean[alive].mean()),
        active_error=float(np.mean(active)),
        worst=tuple((rig.names[k], float(mean[k])) for k in worst),
        dead=inverse.dead,
    )


@dataclass(frozen=True, kw_only=True)
class Carried:
    """One take carried from a source head to a target rig."""

    rig: str
    correlation: dict[str, float]
    """Anchor to the correlation of its motion on both rigs, -1..1."""
    gain: dict[str, float]
    """Anchor to the size of its motion on the target over that on the source."""

    def by_region(self) -> dict[str, tuple[float, float, float, int]]:
        """Region to mean correlation, lowest correlation, mean gain and number of anchors."""
        table: dict[str, tuple[float, float, float, int]] = {}
        for region in dict.fromkeys(a.region for a in ANCHORS):
            names = [a.name for a in ANCHORS if a.region == region and a.name in self.correlation]
            if names:
                values = [self.correlation[n] for n in names]
                gains = [self.gain[n] for n in names]
                table[region] = (
                    float(np.mean(values)),
                    float(np.min(values)),
                    float(np.mean(gains)),
                    len(names),
                )
        return table


def carry(
    shapes: NDArray[np.floating], source: Reference, rig: Rig, *, use_names: bool = False
) -> Carried:
    """Perform curves on the source head, solve them onto a rig, compare how the anchors move.

    Args:
        shapes: (T, 52) ARKit curves.
        source: head that performs them by its ARKit names.
        rig: that follows, with anchors.
        use_names: False gives the solver nothing but the anchors' motion.

    Raises:
        ValueError: the rig has no anchors.
    """
    solver = ExpressionSolver(rig, use_names=use_names, reference=source)
    return carried(shapes, np.stack([solver.solve(s) for s in shapes]), source, rig)


def carried(
    shapes: NDArray[np.floating], values: NDArray[np.floating], source: Reference, rig: Rig
) -> Carried:
    """Compare how the anchors move on a rig with how a source head moves them.

    Args:
        shapes: (T, 52) ARKit curves that the source performs.
        values: (T, K) what was made of them for the rig's controls.
        source: head that performs curves by their names.
        rig: with anchors.

    Raises:
        ValueError: the rig has no anchors.
    """
    weights = unit_weights(rig, values)
    sizes = feature_sizes(anchor_positions(rig))
    followed = np.einsum("tk,kax->tax", weights, anchor_motion(rig) / sizes)
    asked = np.einsum("ts,sax->tax", shapes, source.motion)
    moving = np.sqrt(np.mean(np.sum(asked[..., :2] ** 2, axis=2), axis=0)) > VISIBLE
    both = np.flatnonzero(moving & source.found & anchors_of(rig).found)
    correlation, gain = {}, {}
    for i in both:
        name = ANCHOR_NAMES[i]
        correlation[name], gain[name] = _alike(asked[:, i, :2], followed[:, i, :2])
    return Carried(rig=rig.name, correlation=correlation, gain=gain)


def _alike(asked: Values, followed: Values) -> tuple[float, float]:
    """Correlation of two planar motions (T, 2) and ratio of their sizes, means removed."""
    a, b = asked - asked.mean(axis=0), followed - followed.mean(axis=0)
    size_a, size_b = float(np.sqrt(np.sum(a * a))), float(np.sqrt(np.sum(b * b)))
    if size_a == 0.0 or size_b == 0.0:
        return 0.0, 0.0 if size_a else 1.0
    return float(np.sum(a * b)) / (size_a * size_b), size_b / size_a
