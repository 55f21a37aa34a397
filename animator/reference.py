"""What each ARKit shape does to a face: its motion of the anchors on a head that we know."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Rig

from .anchor_table import ANCHOR_INDEX, SIDES
from .motion import anchor_motion, anchor_positions, anchors_of
from .naming import SHAPE_INDEX, name_map
from .proportions import feature_sizes

Values = NDArray[np.float64]

REFERENCE_RIG = "mannequin"
"""Built-in rig with a complete ARKit set."""


SHUT = 1.06
"""Share of the eye's opening that a full blink closes: a little more than all of it."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Motion of a known head."""

    motion: Values
    """(52, A, 3) displacement of each anchor under each shape, divided by `feature_sizes`."""
    found: NDArray[np.bool_]
    """(A,) anchors the head has."""
    closing: Values
    """(2, 52) share of the right and left eye's opening that each eye shape closes."""


def reference_of(rig: Rig) -> Reference:
    """Use a rig with ARKit names and anchors as the reference.

    A shape that the rig splits by side (browInnerUp_L, browInnerUp_R) is the sum of its halves; one
    that it lacks moves nothing.

    Raises:
        ValueError: the rig has no mesh or no anchors.
    """
    moved = anchor_motion(rig) / feature_sizes(anchor_positions(rig))
    names = name_map(rig)
    motion = np.zeros((len(BLENDSHAPES), *moved.shape[1:]))
    for control, shape, scale in zip(names.direct, names.shapes, names.scale, strict=True):
        motion[shape] += moved[control] * scale
    _shut_fully(motion)
    return Reference(motion=motion, found=anchors_of(rig).found, closing=_closing(motion))


def _shut_fully(motion: Values) -> None:
    """Scale both blinks, in place, so that they close the eye fully: margins that lie half a
    millimetre beside the lid's edge would leave a slit."""
    closing = _closing(motion)
    for row, name in enumerate(("eyeBlinkRight", "eyeBlinkLeft")):
        shape = SHAPE_INDEX[name]
        if closing[row, shape] > 0.5:
            motion[shape] *= SHUT / closing[row, shape]


def _closing(motion: Values) -> Values:
    """Lid margins move in heights of the open eye, so their approach is a share of it."""
    closing = np.zeros((2, len(BLENDSHAPES)))
    of_eyes = np.array([name.startswith("eye") for name in BLENDSHAPES])
    for row, side in enumerate(SIDES):
        upper, lower = (ANCHOR_INDEX[f"lid_{edge}_mid_{side}"] for edge in ("upper", "lower"))
        approach = motion[:, lower, 1] - motion[:, upper, 1]
        closing[row] = np.where(of_eyes & (approach > 0.02), approach, 0.0)
    return closing


@cache
def built_in_reference() -> Reference:
    """The reference that ships: computed once, shared by all performers.

    Raises:
        RigError: the installation is damaged.
    """
    from freeavatar.rigs import registry

    rig = registry.load(REFERENCE_RIG)
    if rig.anchors is None:
        raise RigError(
            f"the installed {REFERENCE_RIG} has no face points: reinstall freeavatar, or in a "
            "checkout run: python -m freeavatar.tools.builtin_anchors"
        )
    return reference_of(rig)
