"""How well rigs follow faces whose expressions are known: the animator beside the solver.

Faces of test people are read once; what was read then drives every rig by every method. A rig
follows well when its face points move as the known expressions move them on a known head; where
the rig has ARKit's names, the controls themselves are known too, and how its own face should move.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.anchor_table import ANCHORS
from freeavatar.animator.comparison import carried
from freeavatar.animator.naming import name_map
from freeavatar.animator.reference import Reference, reference_of
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.spec import Rig

REGIONS = tuple(dict.fromkeys(a.region for a in ANCHORS))
HARD = ("cheekPuff", "noseSneer", "cheekSquint", "jawForward", "tongueOut")
"""Beginnings of the names of channels that MediaPipe's blendshapes leave dead."""
COMPLETE = 40
"""ARKit names from which a rig's own motion is known."""
LIVE = 0.02
"""Standard deviation of a known channel from which it counts as acted."""


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What is known of N faces, and what was read of them."""

    known: FloatArray
    """(N, 52) 0..1."""
    read: FloatArray
    """(N, 52) 0..1."""
    tokens: FloatArray
    """(N, 64, 192)."""
    embedding: FloatArray | None = None
    """(N, 64) unit length; None where nothing is drawn."""

    def __len__(self) -> int:
        """Faces."""
        return len(self.known)


class Method(Protocol):
    """Makes control values of what was read."""

    def solve(self, blendshapes: NDArray[np.floating], tokens: FloatArray) -> FloatArray:
        """(K,) values of a rig for one face, whatever was before."""
        ...


@dataclass(frozen=True, kw_only=True)
class Followed:
    """How one rig follows by one method."""

    motion: Mapping[str, float]
    """Region to the mean correlation of its points' motion; empty without face points."""
    own: float
    """The same, all regions together, against the rig's own face as its maker has it move by name;
    NaN where the rig lacks ARKit's names."""
    error: float
    """Mean absolute error of the controls with ARKit's names, as a share of their range; NaN where
    there are none."""
    hard: Mapping[str, float]
    """Correlation of the controls of `HARD` with what is known."""
    distance: float = float("nan")
    """Mean of one minus the cosine between the embeddings of drawn rig and actor; NaN where nothing
    was drawn."""

    @property
    def mean(self) -> float:
        """Mean of the regions; NaN without face points."""
        return float(np.mean(list(self.motion.values()))) if self.motion else float("nan")


Expressed = Callable[[Rig, FloatArray, FloatArray], float]
"""Distance of what a rig with values (N, K) expresses to embeddings (N, 64)."""


def followed(
    rig: Rig,
    method: Method,
    readings: Readings,
    source: Reference,
    *,
    expressed: Expressed | None = None,
    drawn: int = 0,
) -> Followed:
    """Drive a rig with all readings and compare with what is known.

    Args:
        rig: with a mesh.
        method: made for this rig.
        readings: of test people.
        source: a head whose motion by ARKit's names is known.
        expressed: draws and looks; None draws nothing.
        drawn: faces whose rigs are drawn.
    """
    given = zip(readings.read, readings.tokens, strict=True)
    values = np.stack([method.solve(shapes, tokens) for shapes, tokens in given])
    motion: dict[str, float] = {}
    own = float("nan")
    if rig.mesh is not None and rig.anchors is not None and rig.anchors.found.any():
        motion = _motion(readings.known, values, source, rig)
        if len(np.unique(name_map(rig).shapes)) >= COMPLETE:
            own = float(
                np.mean(list(_motion(readings.known, values, reference_of(rig), rig).values()))
            )
    error, hard = _controls(rig, values, readings.known)
    distance = float("nan")
    if expressed is not None and drawn and readings.embedding is not None and rig.mesh is not None:
        distance = expressed(rig, values[:drawn], readings.embedding[:drawn])
    return Followed(motion=motion, own=own, error=error, hard=hard, distance=distance)


def _motion(known: FloatArray, values: FloatArray, source: Reference, rig: Rig) -> dict[str, float]:
    told = carried(known, values, source, rig)
    return {region: row[0] for region, row in told.by_region().items()}


def _controls(rig: Rig, values: FloatArray, known: FloatArray) -> tuple[float, dict[str, float]]:
    names = name_map(rig)
    if not len(names.direct):
        return float("nan"), {}
    weights = unit_weights(rig, values)[:, names.direct]
    wanted = np.minimum(known[:, names.shapes] * names.scale, 1.0)
    moves = (
        np.ones(len(names.direct), bool)
        if rig.mesh is None
        else (rig.mesh.motion[names.direct] > 1e-6)
    )
    hard = {}
    for column, shape in enumerate(names.shapes):
        name = BLENDSHAPES[int(shape)]
        acted = wanted[:, column].std() > LIVE
        if name.startswith(HARD) and moves[column] and acted:
            hard[name] = _correlation(weights[:, column], wanted[:, column])
    return float(np.abs(weights - wanted)[:, moves].mean()), hard


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    if a.std() < 1e-6 or b.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def table(figures: Mapping[str, Mapping[str, Followed]], methods: Sequence[str]) -> list[str]:
    """One line for each rig and method.

    Args:
        figures: rig to method to how it follows.
        methods: in the order of the lines.
    """
    width = max(len("rig"), *(len(rig) for rig in figures))
    wide = max(len("method"), *(len(m) for m in methods))
    head = "  ".join(f"{region[:7]:>7}" for region in REGIONS)
    figures_of = "  ".join(f"{name:>6}" for name in ("mean", "own", "error", "drawn"))
    lines = [f"{'rig':<{width}}  {'method':<{wide}}  {figures_of}  {head}"]
    for rig, by_method in figures.items():
        for method in methods:
            if method not in by_method:
                continue
            one = by_method[method]
            cells = "  ".join(_cell(one.motion.get(region)) for region in REGIONS)
            lines.append(
                f"{rig:<{width}}  {method:<{wide}}  {_cell(one.mean, 6)}  {_cell(one.own, 6)}  "
                f"{_cell(one.error, 6)}  {_cell(one.distance, 6)}  {cells}"
            )
    return lines


def hard_table(figures: Mapping[str, Mapping[str, Followed]], methods: Sequence[str]) -> list[str]:
    """Correlation of each hard channel, mean over the rigs that show it."""
    lines = [f"{'channel':<18}" + "".join(f"  {m:>16}" for m in methods)]
    channels = sorted({c for one in figures.values() for f in one.values() for c in f.hard})
    for channel in channels:
        cells = []
        for method in methods:
            found = [
                f[method].hard[channel]
                for f in figures.values()
                if method in f and channel in f[method].hard
            ]
            cells.append(f"{np.mean(found):16.3f}" if found else f"{'-':>16}")
        lines.append(f"{channel:<18}" + "".join(f"  {c}" for c in cells))
    return lines


def _cell(value: float | None, width: int = 7) -> str:
    return f"{'-':>{width}}" if value is None or not np.isfinite(value) else f"{value:{width}.3f}"
