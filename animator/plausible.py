"""Whether points that a detector saw on a drawing are really those of a face."""

import numpy as np

from freeavatar.rigs.spec import Rig

from .anchor_table import ANCHOR_INDEX, SLITS
from .motion import anchor_motion, anchor_positions

LEAST_OPENING = 0.05
"""Share of the distance from mouth to chin by which some control must part the lips."""
CROSSING = 0.6
"""The widest opening over the deepest crossing of the lips: mouthClose alone crosses them as far as
jawOpen parts them."""


def opens_like_a_mouth(rig: Rig) -> bool:
    """Whether some control parts the lips, rather than only pushing them through each other.

    Detectors see human faces in animals, too; the lips may then lie on teeth or fur, and what opens
    the jaw seems to close the mouth.

    Raises:
        ValueError: the rig has no mesh or no anchors.
    """
    lips = [s for s in SLITS if s[1].startswith("upper_lip")]
    upper, lower = (np.array([ANCHOR_INDEX[s[i]] for s in lips]) for i in (1, 2))
    at, motion = anchor_positions(rig), anchor_motion(rig)
    if not len(motion):
        return True
    gap = at[upper, 1] - at[lower, 1]
    opened = gap + motion[:, upper, 1] - motion[:, lower, 1]
    to_chin = abs(float(at[ANCHOR_INDEX["upper_lip_line"], 1] - at[ANCHOR_INDEX["chin"], 1]))
    reach = np.median(opened, axis=1) / to_chin
    return bool(reach.max() > max(LEAST_OPENING, CROSSING * -float(reach.min())))
