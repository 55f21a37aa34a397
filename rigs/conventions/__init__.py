"""Names of facial controls in the conventions studios use, and how they map to ARKit's 52."""

from .arkit import ARKIT, HEAD_AND_EYES, LIVE_LINK_CSV, LIVE_LINK_UDP
from .convert import arkit_from_controls, controls_from_arkit, from_arkit, hub_matrix
from .describe import CONVENTIONS, control_named, describe_controls

__all__ = [
    "ARKIT",
    "CONVENTIONS",
    "HEAD_AND_EYES",
    "LIVE_LINK_CSV",
    "LIVE_LINK_UDP",
    "arkit_from_controls",
    "control_named",
    "controls_from_arkit",
    "describe_controls",
    "from_arkit",
    "hub_matrix",
]
