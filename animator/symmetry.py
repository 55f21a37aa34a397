"""Whether a neutral mesh is symmetric, and about which plane."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from freeavatar.rigs.spec import Mesh

from .anchor_table import ANCHORS

NEARLY = 0.012
"""A mesh is symmetric when 90 % of its mirrored vertices lie closer to it than this share of the
face's height."""
SAMPLE = 3000


def mirror_plane(
    mesh: Mesh,
    skin: NDArray[np.bool_],
    points: NDArray[np.float64],
    found: NDArray[np.bool_],
) -> float | None:
    """The x of the mirror plane of a nearly symmetric face.

    Args:
        mesh: neutral.
        skin: (V,) vertices to compare.
        points: (A, 3) anchors, as a first guess of where the face is.
        found: (A,) which of them count.

    Returns:
        x in metres, or None for an asymmetric face.
    """
    partner = np.array([a.partner for a in ANCHORS])
    both = found & found[partner]
    if not both.any():
        return None
    low, high = np.percentile(points[found], [3, 97], axis=0)
    inside = np.all((mesh.vertices > low - 0.1 * (high - low)), axis=1)
    inside &= np.all(mesh.vertices < high + 0.1 * (high - low), axis=1) & skin
    face = mesh.vertices[inside].astype(np.float64)
    if len(face) < 50:
        return None
    guess = float(np.median((points[both, 0] + points[partner][both, 0]) / 2))
    sample = face[:: max(1, len(face) // SAMPLE)]
    tree = cKDTree(face)
    reach = 0.03 * float(high[0] - low[0])
    candidates = [0.0, *np.linspace(guess - reach, guess + reach, 25)]
    off = [_asymmetry(tree, sample, x) for x in candidates]
    best = int(np.argmin(off))
    return candidates[best] if off[best] < NEARLY * float(high[1] - low[1]) else None


def _asymmetry(tree: cKDTree, sample: NDArray[np.float64], plane: float) -> float:
    image = sample * np.array([-1.0, 1.0, 1.0]) + np.array([2 * plane, 0.0, 0.0])
    return float(np.percentile(tree.query(image)[0], 90))
