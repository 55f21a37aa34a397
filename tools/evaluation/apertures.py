"""Openings of a face, measured on a picture's landmarks or performed by blendshape curves.

Both sides give the same six numbers in the axes of the head, in distances between the outer eye
corners (lids: in heights of the face's own open eye), so that they can be compared as curves. What
a picture shows is freed from the head's turn under parallel projection: a segment (x, y, z) of the
head appears as the first two rows of the rotation times it; how its depth z goes with its length
(the lower lip swings back as the jaw opens) is taken from the reference head, and x and y follow.
Perspective and the person's own depth are left out.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.anchor_table import ANCHOR_INDEX, SIDES
from freeavatar.animator.motion import anchor_positions
from freeavatar.animator.proportions import feature_sizes
from freeavatar.animator.reference import REFERENCE_RIG, built_in_reference, reference_of
from freeavatar.rigs import registry
from freeavatar.rigs.spec import Rig

Values = NDArray[np.float64]

APERTURES = (
    "mouth open", "mouth wide", "lids right", "lids left", "brow right", "brow left",
)  # fmt: skip
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
class _Segment:
    """From the mean of some points to the mean of others, along one axis of the head."""

    start: tuple[int, ...]
    end: tuple[int, ...]
    axis: int
    """0 toward the head's left, 1 up."""


@cache
def _segments() -> tuple[_Segment, ...]:
    """Eye distance first, then the apertures in the order of `APERTURES`."""
    lips = ("", "_mid_right", "_mid_left")
    out = [
        _segment(["eye_corner_outer_right"], ["eye_corner_outer_left"], 0),
        _segment([f"lower_lip_line{at}" for at in lips], [f"upper_lip_line{at}" for at in lips], 1),
        _segment(["mouth_corner_right"], ["mouth_corner_left"], 0),
    ]
    for side in SIDES:
        lower, upper = (
            [f"lid_{edge}_{at}_{side}" for at in ("outer", "mid", "inner")]
            for edge in ("lower", "upper")
        )
        out.append(_segment(lower, upper, 1))
    for side in SIDES:
        corners = [f"eye_corner_{at}_{side}" for at in ("outer", "inner")]
        places = ("inner", "inner_mid", "mid", "outer_mid", "outer")
        brow = [f"brow_{at}_{edge}_{side}" for at in places for edge in ("upper", "lower")]
        out.append(_segment(corners, brow, 1))
    return tuple(out)


def _segment(start: list[str], end: list[str], axis: int) -> _Segment:
    return _Segment(
        start=tuple(ANCHOR_INDEX[n] for n in start),
        end=tuple(ANCHOR_INDEX[n] for n in end),
        axis=axis,
    )


def _ends(points: Values) -> Values:
    """(..., 7, d) segments of points (..., A, d)."""
    return np.stack(
        [
            points[..., list(s.end), :].mean(axis=-2) - points[..., list(s.start), :].mean(axis=-2)
            for s in _segments()
        ],
        axis=-2,
    )


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
    rest = _ends(at)
    moved = _ends(reference.motion * feature_sizes(at))
    axes = np.array([s.axis for s in _segments()])
    every = np.arange(len(axes))
    apart = float(rest[0, 0])
    length, grown = rest[every, axes], moved[:, every, axes]
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
    seen = _ends(np.asarray(landmarks, np.float64)) * np.array([1.0, -1.0])
    turn = np.asarray(head, np.float64)[:, :2]
    known = np.isfinite(turn).all(axis=(1, 2)) & np.isfinite(seen).all(axis=(1, 2))
    away = np.sum(np.square(turn[:, :, 2]), axis=1)
    known &= np.nan_to_num(away, nan=1.0) < np.sin(MOST_TURNED) ** 2
    out = np.full((len(seen), len(APERTURES)), np.nan)
    if not known.any():
        return out
    axes = np.array([s.axis for s in _segments()])
    forward = turn[known, None, :, 2]
    shown = np.repeat(turn[known, None, :, :2], len(axes), axis=1)
    shown[:, np.arange(len(axes)), :, axes] += (forward * reference.slope[:, None]).swapaxes(0, 1)
    back = np.linalg.inv(shown)
    apart = np.einsum("tij,tj->ti", back[:, 0], seen[known, 0])[:, 0]
    depth = reference.depth * apart[:, None]
    straight = np.einsum("tsij,tsj->tsi", back, seen[known] - forward * depth[..., None])
    out[known] = (straight[:, np.arange(len(axes)), axes] / apart[:, None])[:, 1:]
    out[:, LIDS] /= np.nanpercentile(out[:, LIDS], OPEN_EYE, axis=0)
    return out
