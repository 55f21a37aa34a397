"""How far a rig can go, so that a full expression uses its full range and none saturates early.

Rigs differ in how much their brows rise or their jaws drop at full value. If a brow control of a
rig reaches only a third of what a raised brow asks for, every third of a raise would already look
like a full one. So, for brows and for the mouth, the asked motion is scaled to what the rig can
do. Lids are left alone: shut is shut.
"""

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES

from .bounded import solve_bounded

Values = NDArray[np.float64]

MEASURED = {
    "brow": ("browInnerUp", "browOuterUp", "browDown"),
    "mouth": ("jawOpen", "mouthSmile", "mouthFrown", "mouthFunnel", "mouthPucker",
              "mouthUpperUp", "mouthLowerDown"),
}  # fmt: skip
"""Beginnings of the shapes whose reach is measured. One scale holds for all brow shapes, one for
all shapes of mouth and jaw, since mouthClose must undo what jawOpen does."""
EXPLAINED = 0.25
"""A shape is measured where the rig explains at least this share of its motion."""
WIDEST, NARROWEST = 1.25, 0.15
"""Limits of the scale."""


def reach_scales(columns: Values, expressed: Values) -> Values:
    """Factors (52,) for the motion of each ARKit shape.

    Args:
        columns: (K, F) features of the rig's controls at full value.
        expressed: (52, F) features of each shape on the reference head.
    """
    brows = _scale(columns, expressed, MEASURED["brow"])
    mouth = _scale(columns, expressed, MEASURED["mouth"])
    scales = np.ones(len(BLENDSHAPES))
    for s, name in enumerate(BLENDSHAPES):
        if name.startswith("brow"):
            scales[s] = brows
        elif name.startswith(("mouth", "jaw")):
            scales[s] = mouth
    return scales


def _scale(columns: Values, expressed: Values, prefixes: tuple[str, ...]) -> float:
    reached = []
    for s, name in enumerate(BLENDSHAPES):
        if name.startswith(prefixes) and expressed[s].any():
            reached.append(_reach(columns, expressed[s]))
    known = [r for r in reached if r is not None]
    return float(np.clip(np.median(known), NARROWEST, WIDEST)) if known else 1.0


def _reach(columns: Values, wanted: Values) -> float | None:
    """How many times a motion fits into the controls' range, or None if they cannot make it."""
    count = len(columns)
    if not count:
        return None
    energy = np.einsum("kf,kf->k", columns, columns)
    gram = columns @ columns.T + 1e-4 * float(energy.mean()) * np.eye(count)
    # No upper bound: how much would be needed? A price keeps it to few controls.
    cost = 0.005 * energy + 0.005 * float(energy.mean())
    x = solve_bounded(gram, columns @ wanted - cost, np.zeros(count), np.full(count, 1e3))
    left = wanted - x @ columns
    if left @ left > (1.0 - EXPLAINED) * (wanted @ wanted):
        return None
    share = energy * x**2
    leading = share >= 0.25 * share.max()
    return float(1.0 / x[leading].max())
