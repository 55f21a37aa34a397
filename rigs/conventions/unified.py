"""Unified Expressions v2, the shapes of VRCFaceTracking."""

from types import MappingProxyType

from .table import Convention, both_sides

_PLAIN = both_sides(
    {
        "EyeClosed{S}": {"eyeBlink{S}": 1.0},
        "EyeSquint{S}": {"eyeSquint{S}": 1.0},
        "EyeWide{S}": {"eyeWide{S}": 1.0},
        "EyeLeftX": {"eyeLookInLeft": 1.0}, "EyeLeftY": {"eyeLookUpLeft": 1.0},
        "EyeRightX": {"eyeLookOutRight": 1.0}, "EyeRightY": {"eyeLookUpRight": 1.0},
        "BrowPinch{S}": {"browDown{S}": 0.25}, "BrowLowerer{S}": {"browDown{S}": 0.75},
        "BrowInnerUp{S}": {"browInnerUp": 0.5}, "BrowOuterUp{S}": {"browOuterUp{S}": 1.0},
        "NasalDilation{S}": {}, "NasalConstrict{S}": {},
        "CheekSquint{S}": {"cheekSquint{S}": 1.0},
        "CheekPuff{S}": {"cheekPuff": 0.5}, "CheekSuck{S}": {},
        "JawOpen": {"jawOpen": 1.0}, "JawRight": {"jawRight": 1.0}, "JawLeft": {"jawLeft": 1.0},
        "JawForward": {"jawForward": 1.0}, "JawBackward": {}, "JawClench": {},
        "JawMandibleRaise": {}, "MouthClosed": {"mouthClose": 1.0},
        "LipSuckUpper{S}": {"mouthRollUpper": 0.5}, "LipSuckLower{S}": {"mouthRollLower": 0.5},
        "LipSuckCorner{S}": {},
        "LipFunnelUpper{S}": {"mouthFunnel": 0.25}, "LipFunnelLower{S}": {"mouthFunnel": 0.25},
        "LipPuckerUpper{S}": {"mouthPucker": 0.25}, "LipPuckerLower{S}": {"mouthPucker": 0.25},
        "MouthUpperUp{S}": {"mouthUpperUp{S}": 1.0}, "MouthUpperDeepen{S}": {},
        "NoseSneer{S}": {"noseSneer{S}": 1.0},
        "MouthLowerDown{S}": {"mouthLowerDown{S}": 1.0},
        "MouthCornerPull{S}": {"mouthSmile{S}": 0.8}, "MouthCornerSlant{S}": {"mouthSmile{S}": 0.2},
        "MouthFrown{S}": {"mouthFrown{S}": 1.0}, "MouthStretch{S}": {"mouthStretch{S}": 1.0},
        "MouthDimple{S}": {"mouthDimple{S}": 1.0}, "MouthPress{S}": {"mouthPress{S}": 1.0},
        "MouthTightener{S}": {},
        "MouthUpperRight": {"mouthRight": 0.5}, "MouthLowerRight": {"mouthRight": 0.5},
        "MouthUpperLeft": {"mouthLeft": 0.5}, "MouthLowerLeft": {"mouthLeft": 0.5},
        "MouthRaiserUpper": {"mouthShrugUpper": 1.0}, "MouthRaiserLower": {"mouthShrugLower": 1.0},
        "TongueOut": {"tongueOut": 1.0}, "TongueUp": {}, "TongueDown": {}, "TongueLeft": {},
        "TongueRight": {}, "TongueRoll": {}, "TongueBendDown": {}, "TongueCurlUp": {},
        "TongueSquish": {}, "TongueFlat": {}, "TongueTwistRight": {}, "TongueTwistLeft": {},
        "SoftPalateClose": {}, "ThroatSwallow": {}, "NeckFlex{S}": {},
    }
)  # fmt: skip

CONVENTION = Convention(
    name="unified",
    title="Unified Expressions",
    controls=MappingProxyType(_PLAIN),
    # Gaze has a sign here: X + toward the actor's right, Y + up.
    sent=MappingProxyType(
        {
            "EyeLeftX": {"eyeLookInLeft": 1.0, "eyeLookOutLeft": -1.0},
            "EyeLeftY": {"eyeLookUpLeft": 1.0, "eyeLookDownLeft": -1.0},
            "EyeRightX": {"eyeLookOutRight": 1.0, "eyeLookInRight": -1.0},
            "EyeRightY": {"eyeLookUpRight": 1.0, "eyeLookDownRight": -1.0},
        }
    ),
    minimum=MappingProxyType(
        dict.fromkeys(("EyeLeftX", "EyeLeftY", "EyeRightX", "EyeRightY"), -1.0)
    ),
    affixes=("v2_", "FT_v2_", "FT_"),
)
