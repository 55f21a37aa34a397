"""Character Creator 3/4 shapes: the Extended set, and ExPlus (``A25_Jaw_Open``)."""

from types import MappingProxyType

from .table import Convention, both_sides

EXTENDED = both_sides(
    {
        "Eye_Blink_{S}": {"eyeBlink{S}": 1.0},
        "Eye_L_Look_L": {"eyeLookOutLeft": 1.0}, "Eye_L_Look_R": {"eyeLookInLeft": 1.0},
        "Eye_R_Look_L": {"eyeLookInRight": 1.0}, "Eye_R_Look_R": {"eyeLookOutRight": 1.0},
        "Eye_{S}_Look_Up": {"eyeLookUp{S}": 1.0}, "Eye_{S}_Look_Down": {"eyeLookDown{S}": 1.0},
        "Eye_Squint_{S}": {"eyeSquint{S}": 1.0}, "Eye_Wide_{S}": {"eyeWide{S}": 1.0},
        "Brow_Raise_Inner_{S}": {"browInnerUp": 0.5},
        "Brow_Raise_Outer_{S}": {"browOuterUp{S}": 1.0},
        "Brow_Drop_{S}": {"browDown{S}": 1.0}, "Brow_Compress_{S}": {},
        "Nose_Sneer_{S}": {"noseSneer{S}": 1.0}, "Nose_Nostril_Raise_{S}": {},
        "Nose_Nostril_Dilate_{S}": {}, "Nose_Crease_{S}": {}, "Nose_Nostril_Down_{S}": {},
        "Nose_Nostril_In_{S}": {}, "Nose_Tip_Up": {}, "Nose_Tip_Down": {},
        "Cheek_Raise_{S}": {"cheekSquint{S}": 1.0}, "Cheek_Suck_{S}": {},
        "Cheek_Puff_{S}": {"cheekPuff": 0.5},
        "Mouth_Smile_{S}": {"mouthSmile{S}": 1.0}, "Mouth_Smile_Sharp_{S}": {},
        "Mouth_Frown_{S}": {"mouthFrown{S}": 1.0}, "Mouth_Stretch_{S}": {"mouthStretch{S}": 1.0},
        "Mouth_Dimple_{S}": {"mouthDimple{S}": 1.0}, "Mouth_Press_{S}": {"mouthPress{S}": 1.0},
        "Mouth_Tighten_{S}": {}, "Mouth_Blow_{S}": {},
        "Mouth_Pucker_Up_{S}": {"mouthPucker": 0.25},
        "Mouth_Pucker_Down_{S}": {"mouthPucker": 0.25},
        "Mouth_Funnel_Up_{S}": {"mouthFunnel": 0.25},
        "Mouth_Funnel_Down_{S}": {"mouthFunnel": 0.25},
        "Mouth_Roll_In_Upper_{S}": {"mouthRollUpper": 0.5},
        "Mouth_Roll_In_Lower_{S}": {"mouthRollLower": 0.5},
        "Mouth_Roll_Out_Upper_{S}": {}, "Mouth_Roll_Out_Lower_{S}": {},
        "Mouth_Push_Upper_{S}": {}, "Mouth_Push_Lower_{S}": {},
        "Mouth_Pull_Upper_{S}": {}, "Mouth_Pull_Lower_{S}": {},
        "Mouth_Up": {}, "Mouth_Down": {}, "Mouth_L": {"mouthLeft": 1.0},
        "Mouth_R": {"mouthRight": 1.0}, "Mouth_Upper_L": {}, "Mouth_Upper_R": {},
        "Mouth_Lower_L": {}, "Mouth_Lower_R": {},
        "Mouth_Shrug_Upper": {"mouthShrugUpper": 1.0},
        "Mouth_Shrug_Lower": {"mouthShrugLower": 1.0},
        "Mouth_Drop_Upper": {}, "Mouth_Drop_Lower": {},
        "Mouth_Up_Upper_{S}": {"mouthUpperUp{S}": 1.0},
        "Mouth_Down_Lower_{S}": {"mouthLowerDown{S}": 1.0}, "Mouth_Chin_Up": {},
        "Mouth_Close": {"mouthClose": 1.0}, "Mouth_Contract": {},
        "Tongue_Out": {"tongueOut": 1.0}, "Tongue_In": {}, "Tongue_Up": {}, "Tongue_Down": {},
        "Jaw_Open": {"jawOpen": 1.0}, "Jaw_Forward": {"jawForward": 1.0}, "Jaw_Backward": {},
        "Jaw_L": {"jawLeft": 1.0}, "Jaw_R": {"jawRight": 1.0}, "Jaw_Up": {}, "Jaw_Down": {},
    },
    sides=("L", "R"),
)  # fmt: skip

# ExPlus numbers Apple's list: A01 browInnerUp ... A52 tongueOut, words as in ARKit.
_EXPLUS_ORDER = (
    "browInnerUp", "browDownLeft", "browDownRight", "browOuterUpLeft", "browOuterUpRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookOutLeft",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutRight", "eyeBlinkLeft", "eyeBlinkRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "jawOpen",
    "jawForward", "jawLeft", "jawRight", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthRollUpper", "mouthRollLower", "mouthShrugUpper", "mouthShrugLower", "mouthClose",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft",
    "mouthDimpleRight", "mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthStretchLeft",
    "mouthStretchRight", "tongueOut",
)  # fmt: skip


def _explus(number: int, name: str) -> str:
    words = "".join(f"_{c}" if c.isupper() else c for c in name)
    return f"A{number:02d}_{words[0].upper()}{words[1:]}"


EXPLUS = {_explus(i, name): {name: 1.0} for i, name in enumerate(_EXPLUS_ORDER, 1)}

EXTENDED_CONVENTION = Convention(
    name="cc4", title="Character Creator Extended", controls=MappingProxyType(EXTENDED)
)
EXPLUS_CONVENTION = Convention(
    name="cc4-explus",
    title="Character Creator ExPlus",
    controls=MappingProxyType(EXPLUS),
)
