"""Action units, and Meta's FACS-named face tracking shapes (OpenXR XR_FB_face_tracking 1 and 2).

Action unit numbers against ARKit follow the FACS-named shapes of that extension and the
standard action unit descriptions; published ARKit to AU lists contradict one another.
"""

from types import MappingProxyType

from .table import Convention, both_sides

ACTION_UNITS = both_sides(
    {
        "AU1": {"browInnerUp": 1.0}, "AU1_{S}": {"browInnerUp": 0.5},
        "AU2": {"browOuterUp{S}": 1.0}, "AU2_{S}": {"browOuterUp{S}": 1.0},
        "AU4": {"browDown{S}": 1.0}, "AU4_{S}": {"browDown{S}": 1.0},
        "AU5": {"eyeWide{S}": 1.0}, "AU5_{S}": {"eyeWide{S}": 1.0},
        "AU6": {"cheekSquint{S}": 1.0}, "AU6_{S}": {"cheekSquint{S}": 1.0},
        "AU7": {"eyeSquint{S}": 1.0}, "AU7_{S}": {"eyeSquint{S}": 1.0},
        "AU8": {"mouthClose": 1.0},
        "AU9": {"noseSneer{S}": 1.0}, "AU9_{S}": {"noseSneer{S}": 1.0},
        "AU10": {"mouthUpperUp{S}": 1.0}, "AU10_{S}": {"mouthUpperUp{S}": 1.0},
        "AU12": {"mouthSmile{S}": 1.0}, "AU12_{S}": {"mouthSmile{S}": 1.0},
        "AU14": {"mouthDimple{S}": 1.0}, "AU14_{S}": {"mouthDimple{S}": 1.0},
        "AU15": {"mouthFrown{S}": 1.0}, "AU15_{S}": {"mouthFrown{S}": 1.0},
        "AU16": {"mouthLowerDown{S}": 1.0}, "AU16_{S}": {"mouthLowerDown{S}": 1.0},
        "AU17": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.5},
        "AU18": {"mouthPucker": 1.0}, "AU19": {"tongueOut": 1.0},
        "AU20": {"mouthStretch{S}": 1.0}, "AU20_{S}": {"mouthStretch{S}": 1.0},
        "AU22": {"mouthFunnel": 1.0},
        "AU23": {}, "AU23_{S}": {},
        "AU24": {"mouthPress{S}": 1.0}, "AU24_{S}": {"mouthPress{S}": 1.0},
        "AU25": {"mouthLowerDown{S}": 0.3, "mouthUpperUp{S}": 0.2},
        "AU26": {"jawOpen": 0.5}, "AU27": {"jawOpen": 1.0},
        "AU28": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
        "AU29": {"jawForward": 1.0}, "AU30L": {"jawLeft": 1.0}, "AU30R": {"jawRight": 1.0},
        "AU34": {"cheekPuff": 1.0},
        "AU43": {"eyeBlink{S}": 1.0}, "AU43_{S}": {"eyeBlink{S}": 1.0},
        "AU45": {"eyeBlink{S}": 1.0}, "AU45_{S}": {"eyeBlink{S}": 1.0},
        "AU61": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
        "AU62": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
        "AU63": {"eyeLookUp{S}": 1.0}, "AU64": {"eyeLookDown{S}": 1.0},
    },
    sides=("L", "R"),
)  # fmt: skip

META = both_sides(
    {
        "BROW_LOWERER_{S}": {"browDown{S}": 1.0},
        "CHEEK_PUFF_{S}": {"cheekPuff": 0.5},
        "CHEEK_RAISER_{S}": {"cheekSquint{S}": 1.0},
        "CHEEK_SUCK_{S}": {},
        "CHIN_RAISER_B": {"mouthShrugLower": 1.0},
        "CHIN_RAISER_T": {"mouthShrugUpper": 1.0},
        "DIMPLER_{S}": {"mouthDimple{S}": 1.0},
        "EYES_CLOSED_{S}": {"eyeBlink{S}": 1.0},
        "EYES_LOOK_DOWN_{S}": {"eyeLookDown{S}": 1.0},
        "EYES_LOOK_LEFT_L": {"eyeLookOutLeft": 1.0}, "EYES_LOOK_LEFT_R": {"eyeLookInRight": 1.0},
        "EYES_LOOK_RIGHT_L": {"eyeLookInLeft": 1.0}, "EYES_LOOK_RIGHT_R": {"eyeLookOutRight": 1.0},
        "EYES_LOOK_UP_{S}": {"eyeLookUp{S}": 1.0},
        "INNER_BROW_RAISER_{S}": {"browInnerUp": 0.5},
        "JAW_DROP": {"jawOpen": 1.0},
        "JAW_SIDEWAYS_LEFT": {"jawLeft": 1.0}, "JAW_SIDEWAYS_RIGHT": {"jawRight": 1.0},
        "JAW_THRUST": {"jawForward": 1.0},
        "LID_TIGHTENER_{S}": {"eyeSquint{S}": 1.0},
        "LIP_CORNER_DEPRESSOR_{S}": {"mouthFrown{S}": 1.0},
        "LIP_CORNER_PULLER_{S}": {"mouthSmile{S}": 1.0},
        "LIP_FUNNELER_LB": {"mouthFunnel": 0.25}, "LIP_FUNNELER_LT": {"mouthFunnel": 0.25},
        "LIP_FUNNELER_RB": {"mouthFunnel": 0.25}, "LIP_FUNNELER_RT": {"mouthFunnel": 0.25},
        "LIP_PRESSOR_{S}": {"mouthPress{S}": 1.0},
        "LIP_PUCKER_{S}": {"mouthPucker": 0.5},
        "LIP_STRETCHER_{S}": {"mouthStretch{S}": 1.0},
        "LIP_SUCK_LB": {"mouthRollLower": 0.5}, "LIP_SUCK_LT": {"mouthRollUpper": 0.5},
        "LIP_SUCK_RB": {"mouthRollLower": 0.5}, "LIP_SUCK_RT": {"mouthRollUpper": 0.5},
        "LIP_TIGHTENER_{S}": {},
        "LIPS_TOWARD": {"mouthClose": 1.0},
        "LOWER_LIP_DEPRESSOR_{S}": {"mouthLowerDown{S}": 1.0},
        "MOUTH_LEFT": {"mouthLeft": 1.0}, "MOUTH_RIGHT": {"mouthRight": 1.0},
        "NOSE_WRINKLER_{S}": {"noseSneer{S}": 1.0},
        "OUTER_BROW_RAISER_{S}": {"browOuterUp{S}": 1.0},
        "UPPER_LID_RAISER_{S}": {"eyeWide{S}": 1.0},
        "UPPER_LIP_RAISER_{S}": {"mouthUpperUp{S}": 1.0},
        "TONGUE_TIP_INTERDENTAL": {}, "TONGUE_TIP_ALVEOLAR": {},
        "TONGUE_FRONT_DORSAL_PALATE": {}, "TONGUE_MID_DORSAL_PALATE": {},
        "TONGUE_BACK_DORSAL_VELAR": {}, "TONGUE_OUT": {"tongueOut": 1.0}, "TONGUE_RETREAT": {},
    },
    sides=("L", "R"),
)  # fmt: skip

AU_CONVENTION = Convention(
    name="facs",
    title="FACS action units",
    controls=MappingProxyType(ACTION_UNITS),
    # FACS calls these action descriptors; many rigs number them as units.
    aliases=MappingProxyType(
        {"AD19": "AU19", "AD29": "AU29", "AD30L": "AU30L", "AD30R": "AU30R", "AD34": "AU34"}
    ),
    # Eyes and lips that two units share are sent through one of them only.
    sent=MappingProxyType(
        {
            "AU25": {},
            "AU26": {},
            "AU45": {},
            "AU45_L": {},
            "AU45_R": {},
            "AU17": {"mouthShrugLower": 1.0},
            "AU28": {"mouthRollLower": 0.5, "mouthRollUpper": 0.5},
        }
    ),
)
META_CONVENTION = Convention(
    name="meta",
    title="Meta FACS face tracking",
    controls=MappingProxyType(META),
    affixes=("XR_FACE_EXPRESSION_", "XR_FACE_EXPRESSION2_"),
)
