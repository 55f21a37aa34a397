"""Openings of a face, measured on a picture's landmarks or performed by blendshape curves.

Both sides give the same six numbers in the axes of the head, in distances between the outer eye
corners (lids: in heights of the face's own open eye), so that they can be compared as curves. How a
picture's are freed from the head's turn says `freeavatar.foundation.apertures`.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.motion import anchor_positions
from freeavatar.animator.proportions import feature_sizes
from freeavatar.animator.reference import REFERENCE_RIG, built_in_reference, reference_of
from freeavatar.foundation.apertures import APERTURES, AXES, ends, straightened
from freeavatar.rigs import registry
from freeavatar.rigs.spec import Rig

Values = NDArray[np.float64]

GROUPS: dict[str, tuple[int, ...]] = {
    "mouth open": (0,),
    "mouth wide": (1,),
    "lids": (2, 3),
    "brows": (4, 5),
}
"""Rows of the tables: left and right are averaged after they have been compared."""
LIDS = (2, 3)
MOST_TURNED = np.radians(50.0)
"""Frames whose face looks farther away from the camera are left out: half of it is not seen."""
OPEN_EYE = 80.0
"""Percentile of a clip's lid apertures that is taken for the open eye."""


@dataclass(frozen=True, kw_only=True)
class ReferenceHead:
    """A head that performs ARKit curves, reduced to its apertures."""

    neutral: Values
    """(6,) apertures at rest, in eye distances."""
    change: Values
    """(52, 6) of each blendshape at 1."""
    depth: Values
    """(7,) forward extent of each segment when it has no length, eye distance first, in eye
    distances."""
    slope: Values
    """(7,) forward extent for each unit of length."""


@cache
def built_in_head() -> ReferenceHead:
    """The mannequin: 52 ARKit shapes, needs no data."""
    return reference_head(registry.load(REFERENCE_RIG))


def reference_head(rig: Rig) -> ReferenceHead:
    """A rig with ARKit names and anchors as the head that performs curves.

    Raises:
        ValueError: the rig has no mesh or no anchors.
    """
    at = anchor_positions(rig)
    reference = built_in_reference() if rig.name == REFERENCE_RIG else reference_of(rig)
    rest = ends(at)
    moved = ends(reference.motion * feature_sizes(at))
    every = np.arange(len(AXES))
    apart = float(rest[0, 0])
    length, grown = rest[every, AXES], moved[:, every, AXES]
    slope = np.sum(grown * moved[..., 2], axis=0) / np.maximum(np.sum(grown**2, axis=0), 1e-12)
    return ReferenceHead(
        neutral=length[1:] / apart,
        change=grown[:, 1:] / apart,
        depth=(rest[:, 2] - slope * length) / apart,
        slope=slope,
    )


def performed(curves: NDArray[np.floating], head: ReferenceHead) -> Values:
    """Apertures that curves give the reference head.

    Args:
        curves: (T, 52) ARKit; rows of NaN stay NaN.
        head: that performs them.

    Returns:
        (T, 6) in eye distances, lids in heights of the head's own open eye.
    """
    out = head.neutral + np.asarray(curves, np.float64) @ head.change
    out[:, LIDS] /= head.neutral[list(LIDS)]
    return out


def measured(
    landmarks: NDArray[np.floating], head: NDArray[np.floating], reference: ReferenceHead
) -> Values:
    """Apertures that landmarks of a clip show.

    Args:
        landmarks: (T, A or more, 2) pixels in the order of
            `freeavatar.animator.anchor_table.ANCHORS`; NaN where no face was found.
        head: (T, 3, 3) rotation as in `Expression`, NaN where no face was found.
        reference: gives the depth of the segments.

    Returns:
        (T, 6) as `performed`; NaN without a face or where it is turned away (`MOST_TURNED`).
    """
    points, turn = np.asarray(landmarks, np.float64), np.asarray(head, np.float64)
    known = np.isfinite(turn[:, :2]).all(axis=(1, 2)) & np.isfinite(ends(points)).all(axis=(1, 2))
    away = np.sum(np.square(turn[:, :2, 2]), axis=1)
    known &= np.nan_to_num(away, nan=1.0) < np.sin(MOST_TURNED) ** 2
    out = np.full((len(points), len(APERTURES)), np.nan)
    if not known.any():
        return out
    out[known] = straightened(points[known], turn[known], reference.depth, reference.slope)
    out[:, LIDS] /= np.nanpercentile(out[:, LIDS], OPEN_EYE, axis=0)
    return out
