"""Where the controls of a frame come from: the solver, or the animator for one or more rigs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import FloatArray, Rig

from .anchor_table import ANCHORS
from .animator_model import AnimatorGroup
from .identity import RigIdentity, load_identity
from .motion import anchor_motion, anchor_positions
from .naming import name_map
from .proportions import feature_sizes
from .solver import ExpressionSolver

Values = NDArray[np.float64]

OF_EYES = 0.5
"""Share of a control's motion that is the lids' from which on it counts as one of the eyes."""


class Animation(Protocol):
    """Gives the controls of one rig, frame by frame."""

    def solve(self, blendshapes: NDArray[Any], tokens: FloatArray | None) -> Values:
        """Control values (K,) for calibrated blendshapes (52,) and, where there are, tokens."""
        ...

    def reset(self) -> None:
        """Forget what came before."""
        ...


class Solved:
    """The solver's controls.

    Args:
        rig: to be driven.
        use_names: False ignores what control names say.

    Raises:
        RigError: nothing says what the rig's controls do.
    """

    def __init__(self, rig: Rig, *, use_names: bool = True) -> None:
        self._solver = ExpressionSolver(rig, use_names=use_names)

    def solve(self, blendshapes: NDArray[Any], tokens: FloatArray | None) -> Values:
        """Control values (K,); the tokens are not looked at."""
        return self._solver.solve(blendshapes)

    def reset(self) -> None:
        """The solver does not remember anything that shows."""


class Member:
    """One rig of an animated group. The first member that asks for a frame has all of them solved.

    Members are asked in turn, once a frame. One whose expression is not that of the others (its
    actor's neutral was set apart) gets its own answer, with the context of the group's stream.
    """

    def __init__(self, stream: "_Stream", number: int) -> None:
        self._stream, self._number = stream, number

    def solve(self, blendshapes: NDArray[Any], tokens: FloatArray | None) -> Values:
        """Control values (K,)."""
        return self._stream.solve(self._number, np.asarray(blendshapes, np.float32), tokens)

    def reset(self) -> None:
        """Forget what came before, for the whole group."""
        self._stream.reset()


class _Stream:
    """A group's answers to the frame at hand."""

    def __init__(self, group: AnimatorGroup) -> None:
        self._group = group
        self._before = group.state
        self._asked: tuple[FloatArray, FloatArray | None] | None = None
        self._answers: list[Values] = []
        self._served: set[int] = set()

    def solve(self, number: int, shapes: FloatArray, tokens: FloatArray | None) -> Values:
        if self._asked is None or number in self._served:
            self._before = self._group.state
            self._answers = self._group.solve(shapes, tokens)
            self._asked = shapes, tokens
            self._served = {number}
            return self._answers[number]
        self._served.add(number)
        if tokens is self._asked[1] and np.array_equal(shapes, self._asked[0]):
            return self._answers[number]
        after, self._group.state = self._group.state, self._before
        answer = self._group.solve(shapes, tokens)[number]
        self._group.state = after
        return answer

    def reset(self) -> None:
        self._group.reset()
        self._asked = None


def animate(
    rigs: Sequence[Rig], *, folder: Path | None = None, everywhere: bool = True
) -> list[Animation]:
    """Animate rigs that show one actor.

    Args:
        rigs: to be driven. One without a mesh has nothing but names, and is solved.
        folder: of the animator's network; None for the one that ships.
        everywhere: False solves the rigs that are better off so, see `prefers_animator`.

    Raises:
        RigError: nothing says what a rig's controls do.
        ReaderError: the network is missing, damaged or another one.
    """
    seen = [(i, load_identity(rig)) for i, rig in enumerate(rigs) if rig.mesh is not None]
    chosen = {i: who for i, who in seen if everywhere or prefers_animator(rigs[i], who)}
    animated: list[Animation] = []
    if chosen:
        group = AnimatorGroup([rigs[i] for i in chosen], list(chosen.values()), folder=folder)
        stream = _Stream(group)
        animated = [Member(stream, i) for i in range(len(chosen))]
    members = iter(animated)
    return [next(members) if i in chosen else Solved(rig) for i, rig in enumerate(rigs)]


def prefers_animator(rig: Rig, identity: RigIdentity) -> bool:
    """Whether the animator is the better choice for a rig.

    It is where names do not say what every control does, and where the rig was tuned. What a
    complete set of ARKit names says exactly, the animator can only find out (see its model card).
    """
    known = identity.descriptors
    seen = known.anchored or known.drawn
    return seen and (identity.follow is not None or not name_map(rig).complete)


def moves_eyes(rig: Rig) -> NDArray[np.bool_]:
    """(K,) whether each control is one of the eyes, by its motion; all, where that is not known.

    Fast motion of the eyes must not be smoothed away, and no name may be needed to find them.
    """
    if rig.anchors is None or rig.mesh is None:
        return np.ones(len(rig.controls), np.bool_)
    moved = anchor_motion(rig) / feature_sizes(anchor_positions(rig))
    energy = np.einsum("kax,kax->ka", moved, moved)
    lids = np.array([a.region == "lids" for a in ANCHORS])
    return np.asarray(energy[:, lids].sum(axis=1) > OF_EYES * energy.sum(axis=1))
