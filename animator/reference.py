"""What each ARKit shape does to a face: its motion of the anchors on a head that we know."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.rigs.spec import Rig

from .motion import anchor_motion, anchor_positions, anchors_of
from .naming import name_map
from .proportions import feature_sizes

Values = NDArray[np.float64]

REFERENCE_RIG = "mannequin"
"""Built-in rig with a complete ARKit set."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Motion of a known head."""

    motion: Values
    """(52, A, 3) displacement of each anchor under each shape, divided by `feature_sizes`."""
    found: NDArray[np.bool_]
    """(A,) anchors the head has."""


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
    return Reference(motion=motion, found=anchors_of(rig).found)


@cache
def built_in_reference() -> Reference:
    """The reference that ships: computed once, shared by all performers."""
    from freeavatar.rigs import registry

    return reference_of(registry.load(REFERENCE_RIG))
