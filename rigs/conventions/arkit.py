"""ARKit's 52 blendshapes, the hub every other convention is tied to."""

from collections.abc import Mapping
from types import MappingProxyType

from freeavatar.rigs.spec import Region

from .table import Convention

ARKIT: tuple[str, ...] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight",
    "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight", "eyeWideRight", "jawForward",
    "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft",
    "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft",
    "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft",
    "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft",
    "noseSneerRight", "tongueOut",
)  # fmt: skip
"""The 52 names in the order of the Live Link Face packet, which is also the order of an
expression's coefficients.

`mouthClose` is relative to the open jaw: it says how far the lips close over it, so it is at
most `jawOpen` on a real face, and lips that meet have mouthClose = jawOpen.
"""

HEAD_AND_EYES: tuple[str, ...] = (
    "headYaw", "headPitch", "headRoll", "leftEyeYaw", "leftEyePitch", "leftEyeRoll",
    "rightEyeYaw", "rightEyePitch", "rightEyeRoll",
)  # fmt: skip
"""The nine angles that follow the 52 in Live Link Face, radians, signs in `rigs.rotation`."""


def _pascal(name: str) -> str:
    return name[0].upper() + name[1:]


LIVE_LINK_UDP: tuple[str, ...] = tuple(_pascal(name) for name in ARKIT + HEAD_AND_EYES)
"""The 61 names in the order of the Live Link Face packet's floats."""


def _right_first(names: tuple[str, ...]) -> tuple[str, ...]:
    swapped = list(names)
    for left, right in (("JawLeft", "JawRight"), ("MouthLeft", "MouthRight")):
        a, b = swapped.index(left), swapped.index(right)
        swapped[a], swapped[b] = right, left
    return tuple(swapped)


LIVE_LINK_CSV: tuple[str, ...] = ("Timecode", "BlendShapeCount", *_right_first(LIVE_LINK_UDP))
"""The 63 column names of a Live Link Face CSV take; JawRight and MouthRight come before Left."""

REGION_BY_START: Mapping[str, Region] = MappingProxyType(
    {
        "eyeLook": "gaze",
        "eye": "eyes",
        "brow": "brows",
        "nose": "nose",
        "cheek": "cheeks",
        "jaw": "jaw",
        "mouth": "mouth",
        "tongue": "tongue",
    }
)


def arkit_region(name: str) -> Region:
    """Region of one of the 52 names; "other" for anything else."""
    return next((r for start, r in REGION_BY_START.items() if name.startswith(start)), "other")


_HALVES = (
    "browInnerUp", "cheekPuff", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthClose",
)  # fmt: skip
# Heads scanned for ARKit often carry these single shapes as a left and a right half.
SPLIT: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {f"{name}{side}": {name: 0.5} for name in _HALVES for side in ("Left", "Right")}
)

CONVENTION = Convention(
    name="arkit",
    title="ARKit",
    controls=MappingProxyType({name: {name: 1.0} for name in ARKIT}),
    affixes=("ARKit_", "blendShape_", "BS_", "Head_", "face_"),
)
