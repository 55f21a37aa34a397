"""What control names alone say: which controls an ARKit expression sets directly.

Every control carries its meaning in ARKit's 52 where its name was recognised (`Control.hub`). A
control that stands for one ARKit shape takes that shape's value as it is, which is what an artist
expects of an ARKit rig, and reaches what no surface point shows (tongueOut, gaze). Controls that
stand for several shapes (visemes, emotions) only fill what the direct ones leave open.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs.spec import Control, Rig

Values = NDArray[np.float64]

SHAPE_INDEX = {name: i for i, name in enumerate(BLENDSHAPES)}
DIRECT_VALUE = 0.95
"""A control is direct when its one ARKit shape has at least this value at its maximum."""
COMPLETE = 44
"""So many of the 52 shapes set directly make a rig's ARKit set complete; every other control then
stays neutral, or motion would be doubled."""


@dataclass(frozen=True, kw_only=True)
class NameMap:
    """The direct controls of a rig and the ARKit combinations of its others."""

    direct: NDArray[np.int_]
    """(D,) indices of direct controls."""
    shapes: NDArray[np.int_]
    """(D,) the ARKit shape of each."""
    scale: Values
    """(D,) unit weight of the control per unit of its shape."""
    combined: NDArray[np.int_]
    """(C,) indices of the controls that stand for several shapes."""
    combinations: Values
    """(C, 52) the shapes each stands for at its maximum."""

    @property
    def open_shapes(self) -> Values:
        """(52,) 1 for shapes that no direct control says, else 0."""
        return np.asarray(~np.isin(np.arange(len(BLENDSHAPES)), self.shapes), np.float64)

    @property
    def complete(self) -> bool:
        """Whether the direct controls say everything ARKit can."""
        return len(np.unique(self.shapes)) >= COMPLETE


def name_map(rig: Rig) -> NameMap:
    """Sort a rig's controls by what their names say."""
    parts = _parts(rig.controls)
    direct = sorted({*_direct_controls(rig.controls), *parts})
    shapes = [_only_shape(rig.controls[k])[0] for k in direct]
    scale = [1.0 if k in parts else 1.0 / _only_shape(rig.controls[k])[1] for k in direct]
    combined = [
        k
        for k, c in enumerate(rig.controls)
        if _known(c) and k not in set(direct) and not _is_direct(c)
    ]
    combinations = np.zeros((len(combined), len(BLENDSHAPES)))
    for row, k in enumerate(combined):
        for name, value in _known(rig.controls[k]).items():
            combinations[row, SHAPE_INDEX[name]] = value
    return NameMap(
        direct=np.array(direct, int),
        shapes=np.array(shapes, int),
        scale=np.array(scale, np.float64),
        combined=np.array(combined, int),
        combinations=combinations,
    )


def companions(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Controls of other pieces that move along: (follower, leader) pairs of indices.

    Where teeth or a tongue are a mesh of their own, their controls carry the names of the face's
    with a prefix: ``teeth.t_MouthOpen`` follows ``face.MouthOpen``.
    """
    tails = [name.rpartition(".")[2].lower() for name in names]
    leaders = {tail: i for i, tail in enumerate(tails)}
    pairs = []
    for i, tail in enumerate(tails):
        prefix, _, rest = tail.partition("_")
        if "." in names[i] and len(prefix) <= 2 and rest in leaders:
            pairs.append((i, leaders[rest]))
    return tuple(pairs)


def _known(control: Control) -> dict[str, float]:
    return {name: v for name, v in control.hub.items() if name in SHAPE_INDEX and v != 0.0}


def _is_direct(control: Control) -> bool:
    known = _known(control)
    return len(known) == 1 and next(iter(known.values())) >= DIRECT_VALUE


def _only_shape(control: Control) -> tuple[int, float]:
    name, value = next(iter(_known(control).items()))
    return SHAPE_INDEX[name], value


def _parts(controls: Sequence[Control]) -> set[int]:
    """Controls that together make up one shape (its halves or quadrants, each with its share).

    Each of them takes the shape's value whole.
    """
    by_shape: dict[int, dict[int, float]] = {}
    for k, control in enumerate(controls):
        if len(_known(control)) == 1:
            shape, value = _only_shape(control)
            by_shape.setdefault(shape, {})[k] = value
    return {
        k
        for shares in by_shape.values()
        if max(shares.values()) < DIRECT_VALUE and abs(sum(shares.values()) - 1.0) < 1e-6
        for k in shares
    }


def _direct_controls(controls: Sequence[Control]) -> list[int]:
    """One control per shape, or one per side of a shape that the rig splits in two."""
    by_shape: dict[int, list[int]] = {}
    for k, control in enumerate(controls):
        if _is_direct(control):
            by_shape.setdefault(_only_shape(control)[0], []).append(k)
    chosen: list[int] = []
    for candidates in by_shape.values():
        named = [k for k in candidates if controls[k].convention == "arkit"] or candidates
        whole = [k for k in named if controls[k].side == "centre"]
        sides = {controls[k].side: k for k in reversed(named)}
        chosen += whole[:1] or list(sides.values())
    return sorted(chosen)
