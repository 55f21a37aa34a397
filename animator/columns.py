"""The columns that an animator answers for: a rig's controls, each side of neutral by itself.

A rig of K controls has C columns: its controls in their own order, then, for every control whose
minimum lies below neutral, one of opposite motion. A column's weight is 0 at neutral and never
negative; 1 is the control's maximum, `Columns.upper` the most it may take. Names are not kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import FloatArray

from .anchor_table import ANCHORS, SLITS
from .descriptors import VIEW_SIZE, Descriptors
from .features import features
from .solver import UNSEEN

MOTION_SIZE = 3 * (len(ANCHORS) + len(SLITS))
"""501: numbers in a row of `features`."""
PICTURE_SIZE = VIEW_SIZE
FLAGS = ("anchored", "drawn", "opposite", "upper", "moves", "share_found")
"""What is said of a column besides what it does: face points were found; the rig was drawn; it is
the negative side of a control; its `Columns.upper`; it moves a face point; share of the face points
that the rig has."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What an animator knows of one rig."""

    controls: NDArray[np.intp]
    """(C,) position of each column's control among the rig's."""
    signs: FloatArray
    """(C,) 1, or -1 for the negative side of a control."""
    upper: FloatArray
    """(C,) largest weight."""
    motion: FloatArray
    """(C, 501) weighted motion of the face points at weight 1, see `features`."""
    picture: FloatArray
    """(C, 308) change of the foundation's view at weight 1, see `Descriptors.picture`."""
    flags: FloatArray
    """(C, 6) see `FLAGS`."""
    found: NDArray[np.bool_]
    """(A,) face points that the rig has."""

    def of_weights(self, weights: NDArray[np.floating]) -> FloatArray:
        """Column weights (..., C) of unit weights (..., K)."""
        signed = np.asarray(weights, np.float32)[..., self.controls] * self.signs
        return np.asarray(np.clip(signed, 0.0, self.upper))

    def to_weights(self, columns: NDArray[np.floating]) -> FloatArray:
        """Unit weights (..., K) of column weights (..., C)."""
        count = int((self.signs > 0).sum())
        out = np.array(columns[..., :count], np.float32)
        if count < len(self.signs):
            out[..., self.controls[count:]] -= columns[..., count:]
        return out

    def of_sides(self, sides: FloatArray) -> FloatArray:
        """(..., C) of something known for both sides of each control, (2, ..., K)."""
        first, second = sides[..., self.controls]
        return np.asarray(np.where(self.signs > 0, first, second), np.float32)

    def to_sides(self, columns: FloatArray) -> FloatArray:
        """(2, ..., K) of (..., C); 0 where a control has no negative side."""
        count = int((self.signs > 0).sum())
        out = np.zeros((2, *columns.shape[:-1], count), np.float32)
        out[0] = columns[..., :count]
        out[1][..., self.controls[count:]] = columns[..., count:]
        return out


def columns_of(descriptors: Descriptors) -> Columns:
    """Lay out the columns of a rig.

    Args:
        descriptors: of its K controls.
    """
    count = len(descriptors.lowest)
    back = np.flatnonzero(descriptors.lowest < 0)
    controls = np.r_[np.arange(count), back]
    signs = np.r_[np.ones(count), -np.ones(len(back))].astype(np.float32)
    upper = np.where(signs > 0, 1.0, -descriptors.lowest[controls]).astype(np.float32)
    rows = np.zeros((0, MOTION_SIZE))
    if count:
        rows = features(descriptors.motion.astype(np.float64), descriptors.found)
    energy = np.einsum("kf,kf->k", rows, rows)
    moves = energy > UNSEEN * energy.max(initial=0.0)
    share = float(descriptors.found.mean())
    flags = np.stack(
        [
            np.full(len(controls), share > 0),
            np.full(len(controls), descriptors.drawn),
            signs < 0,
            upper,
            moves[controls],
            np.full(len(controls), share),
        ],
        axis=1,
    )
    return Columns(
        controls=controls,
        signs=signs,
        upper=upper,
        motion=(rows[controls] * signs[:, None]).astype(np.float32),
        picture=(descriptors.picture[controls] * signs[:, None]).astype(np.float32),
        flags=flags.astype(np.float32),
        found=descriptors.found,
    )
