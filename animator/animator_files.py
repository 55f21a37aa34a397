"""The two files that a trained animator is kept in, and what is in them."""

from pathlib import Path

from freeavatar.foundation.onnx_session import Signature

from .animator_config import AnimatorConfig

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the animator that ships."""
RIG_FILE, FRAME_FILE = "animator_rig.onnx", "animator.onnx"
"""What runs once for each rig, and what runs once for each frame."""
TRAINED_FILE = "animator.safetensors"
"""The same network as torch has it, which rigs are tuned with."""
PAIR = "pair"
"""Key of both files' metadata; files that say different things here do not belong together."""
LAYERS = AnimatorConfig().layers
"""Decoder layers of an animator that can be kept: their weights have names of their own."""
INJECTED = tuple(
    f"{name}_{layer}_{part}"
    for layer in range(LAYERS)
    for name in ("ask", "compare", "widen")
    for part in ("weight", "bias")
)
"""Outputs of the first file that the second takes in: (R, 1, inner, outer) and (R, 1, 1, outer)."""
RIG_SIGNATURE = Signature(
    kind="animator-rig/2",
    inputs=dict.fromkeys(("motion", "picture", "flags", "valid", "code")),
    outputs=dict.fromkeys(("queries", "follow", "trust", *INJECTED)),
)
FRAME_SIGNATURE = Signature(
    kind="animator/2",
    inputs=dict.fromkeys(
        (
            *("tokens", "shapes", "state", "upper", "valid", "step", "linear", "offset", "regain"),
            *RIG_SIGNATURE.outputs,
        )
    ),
    outputs=dict.fromkeys(("weights", "state_after")),
)
