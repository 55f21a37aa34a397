"""MetaHuman raw controls (the ``CTRL_expressions_`` curves).

Weights are those of Epic's ARKit mapping pose asset, without its residues below 0.05.
"""

from types import MappingProxyType

from .table import Convention, both_sides

_QUADRANTS = ("UL", "UR", "DL", "DR")
_SIDES = ("L", "R")


def _four(name: str, weights: dict[str, float]) -> dict[str, dict[str, float]]:
    return {f"{name}{quadrant}": dict(weights) for quadrant in _QUADRANTS}


_CONTROLS = both_sides(
    {
        "eyeBlink{S}": {"eyeBlink{S}": 1.0},
        "eyeLookDown{S}": {"eyeLookDown{S}": 1.0}, "eyeLookUp{S}": {"eyeLookUp{S}": 1.0},
        "eyeLookLeftL": {"eyeLookOutLeft": 1.0}, "eyeLookRightL": {"eyeLookInLeft": 1.0},
        "eyeLookLeftR": {"eyeLookInRight": 1.0}, "eyeLookRightR": {"eyeLookOutRight": 1.0},
        "eyeSquintInner{S}": {"eyeSquint{S}": 1.0}, "eyeWiden{S}": {"eyeWide{S}": 1.0},
        "eyeCheekRaise{S}": {"cheekSquint{S}": 1.0},
        "jawFwd": {"jawForward": 1.0}, "jawLeft": {"jawLeft": 1.0}, "jawRight": {"jawRight": 1.0},
        "jawOpen": {"jawOpen": 1.0},
        "jawChinRaiseD{S}": {"mouthShrugLower": 0.5}, "jawChinRaiseU{S}": {"mouthShrugUpper": 0.5},
        "mouthLeft": {"mouthLeft": 1.0}, "mouthRight": {"mouthRight": 1.0},
        "mouthCornerPull{S}": {"mouthSmile{S}": 1.0},
        "mouthCornerDepress{S}": {"mouthFrown{S}": 1.0},
        "mouthDimple{S}": {"mouthDimple{S}": 1.0}, "mouthStretch{S}": {"mouthStretch{S}": 1.0},
        "mouthLowerLipRollIn{S}": {"mouthRollLower": 0.5},
        "mouthUpperLipRollIn{S}": {"mouthRollUpper": 0.5},
        "mouthPressU{S}": {"mouthPress{S}": 0.5}, "mouthPressD{S}": {"mouthPress{S}": 0.5},
        "mouthLowerLipDepress{S}": {"mouthLowerDown{S}": 1.0},
        "mouthUpperLipRaise{S}": {"mouthUpperUp{S}": 1.0},
        "browDown{S}": {"browDown{S}": 1.0},
        "browRaiseIn{S}": {"browInnerUp": 0.5}, "browLateral{S}": {},
        "browRaiseOuter{S}": {"browOuterUp{S}": 1.0},
        "mouthCheekBlow{S}": {"cheekPuff": 0.5}, "mouthLipsBlow{S}": {},
        "noseWrinkle{S}": {"noseSneer{S}": 1.0},
        "tongueOut": {"tongueOut": 1.0}, "tongueDown": {}, "tongueWide": {}, "tongueRollDown": {},
        "tongueRight": {},
    },
    sides=_SIDES,
) | _four("mouthFunnel", {"mouthFunnel": 0.25}) | _four("mouthLipsPurse", {"mouthPucker": 0.25}) \
  | _four("mouthLipsTowards", {}) | _four("mouthLipsTogether", {"mouthClose": 0.25})  # fmt: skip

_SENT = both_sides(
    {
        "browRaiseIn{S}": {"browInnerUp": 1.0, "browOuterUp{S}": 1.0},
        "browLateral{S}": {"browInnerUp": 1.0},
        "mouthLipsBlow{S}": {"cheekPuff": 1.0},
        "mouthUpperLipRollIn{S}": {"mouthRollUpper": 1.0, "mouthRollLower": 0.499},
        "tongueOut": {"tongueOut": 0.769}, "tongueDown": {"tongueOut": 0.826},
        "tongueWide": {"tongueOut": 0.628}, "tongueRollDown": {"tongueOut": 0.247},
        "tongueRight": {"tongueOut": 0.07},
    },
    sides=_SIDES,
) | _four("mouthFunnel", {"mouthFunnel": 1.0, "mouthPucker": 0.752}) \
  | _four("mouthLipsTowards", {"mouthPucker": 0.412})  # fmt: skip

CONVENTION = Convention(
    name="metahuman",
    title="MetaHuman",
    controls=MappingProxyType(_CONTROLS),
    sent=MappingProxyType(_SENT),
    affixes=("CTRL_expressions_", "CTRL_expressions."),
)
