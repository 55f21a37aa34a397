"""VRM 0.x and 1.0 expression presets, and VRoid's morph names.

Presets are whole expressions, so each stands for several ARKit shapes. The combinations below
are ours: vowels from the jaw opening, lip rounding and lip spreading of the Japanese vowels that
VRM names (aa ih ou ee oh = あいうえお), emotions from the action units Ekman's prototypes share
with ARKit. Performances are sent as the non-negative combination that comes closest.
"""

from collections.abc import Mapping
from types import MappingProxyType

from freeavatar.rigs.spec import Region

from .table import Convention, Weights, both_sides

AA: Weights = {"jawOpen": 0.7}
IH: Weights = {"jawOpen": 0.12, "mouthStretch{S}": 0.5, "mouthSmile{S}": 0.2}
OU: Weights = {"jawOpen": 0.15, "mouthPucker": 0.8, "mouthFunnel": 0.2}
EE: Weights = {"jawOpen": 0.35, "mouthStretch{S}": 0.3, "mouthLowerDown{S}": 0.3}
OH: Weights = {"jawOpen": 0.45, "mouthFunnel": 0.6, "mouthPucker": 0.2}

HAPPY: Weights = {"mouthSmile{S}": 1.0, "cheekSquint{S}": 0.5}
ANGRY: Weights = {"browDown{S}": 1.0, "noseSneer{S}": 0.5, "mouthPress{S}": 0.3}
SAD: Weights = {"browInnerUp": 0.8, "mouthFrown{S}": 0.9, "mouthShrugLower": 0.3}
RELAXED: Weights = {"mouthSmile{S}": 0.35, "eyeSquint{S}": 0.3}
SURPRISED: Weights = {
    "browInnerUp": 0.8, "browOuterUp{S}": 0.9, "eyeWide{S}": 0.7, "jawOpen": 0.35,
}  # fmt: skip

BLINK: Weights = {"eyeBlink{S}": 1.0}
LOOK_UP: Weights = {"eyeLookUp{S}": 1.0}
LOOK_DOWN: Weights = {"eyeLookDown{S}": 1.0}
LOOK_LEFT: Weights = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}
LOOK_RIGHT: Weights = {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0}

VRM1 = both_sides(
    {
        "happy": HAPPY, "angry": ANGRY, "sad": SAD, "relaxed": RELAXED, "surprised": SURPRISED,
        "aa": AA, "ih": IH, "ou": OU, "ee": EE, "oh": OH,
        "blink": BLINK, "blink{S}": BLINK,
        "lookUp": LOOK_UP, "lookDown": LOOK_DOWN, "lookLeft": LOOK_LEFT, "lookRight": LOOK_RIGHT,
        "neutral": {},
    }
)  # fmt: skip
"""The 18 presets of VRM 1.0."""

VRM0 = both_sides(
    {
        "neutral": {}, "a": AA, "i": IH, "u": OU, "e": EE, "o": OH, "blink": BLINK,
        "joy": HAPPY, "angry": ANGRY, "sorrow": SAD, "fun": RELAXED,
        "lookup": LOOK_UP, "lookdown": LOOK_DOWN, "lookleft": LOOK_LEFT, "lookright": LOOK_RIGHT,
        "blink_{S}": BLINK,
    },
    sides=("l", "r"),
)  # fmt: skip
"""The 17 presets of VRM 0.x."""

VROID = both_sides(
    {
        "Fcl_ALL_Neutral": {}, "Fcl_ALL_Angry": ANGRY, "Fcl_ALL_Fun": RELAXED,
        "Fcl_ALL_Joy": HAPPY, "Fcl_ALL_Sorrow": SAD, "Fcl_ALL_Surprised": SURPRISED,
        "Fcl_BRW_Angry": {"browDown{S}": 1.0}, "Fcl_BRW_Fun": {}, "Fcl_BRW_Joy": {},
        "Fcl_BRW_Sorrow": {"browInnerUp": 1.0},
        "Fcl_BRW_Surprised": {"browInnerUp": 1.0, "browOuterUp{S}": 1.0},
        "Fcl_EYE_Natural": {}, "Fcl_EYE_Angry": {}, "Fcl_EYE_Close": BLINK,
        "Fcl_EYE_Close_{S}": BLINK, "Fcl_EYE_Fun": {}, "Fcl_EYE_Joy": {}, "Fcl_EYE_Joy_{S}": {},
        "Fcl_EYE_Sorrow": {}, "Fcl_EYE_Surprised": {}, "Fcl_EYE_Spread": {"eyeWide{S}": 1.0},
        "Fcl_EYE_Iris_Hide": {}, "Fcl_EYE_Highlight_Hide": {},
        "Fcl_MTH_Close": {}, "Fcl_MTH_Up": {}, "Fcl_MTH_Down": {}, "Fcl_MTH_Angry": {},
        "Fcl_MTH_Small": {}, "Fcl_MTH_Large": {}, "Fcl_MTH_Neutral": {}, "Fcl_MTH_Fun": {},
        "Fcl_MTH_Joy": {}, "Fcl_MTH_Sorrow": {}, "Fcl_MTH_Surprised": {},
        "Fcl_MTH_A": AA, "Fcl_MTH_I": IH, "Fcl_MTH_U": OU, "Fcl_MTH_E": EE, "Fcl_MTH_O": OH,
    },
    sides=("L", "R"),
)  # fmt: skip

# A smile both ways would count the same corner twice: emotions and vowels are solved for, the
# eyes are sent straight.
_EYES_1 = both_sides(
    {
        "lookUp": {"eyeLookUp{S}": 0.5}, "lookDown": {"eyeLookDown{S}": 0.5},
        "lookLeft": {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5},
        "lookRight": {"eyeLookInLeft": 0.5, "eyeLookOutRight": 0.5},
    }
)  # fmt: skip


def _regions(emotions: str, vowels: str) -> Mapping[str, Region]:
    moods: dict[str, Region] = dict.fromkeys(emotions.split(), "emotion")
    sounds: dict[str, Region] = dict.fromkeys(vowels.split(), "mouth")
    return MappingProxyType(moods | sounds)


VRM1_CONVENTION = Convention(
    name="vrm1",
    title="VRM 1.0",
    controls=MappingProxyType(VRM1),
    sent=MappingProxyType(_EYES_1),
    least=5,
    regions=_regions("happy angry sad relaxed surprised neutral", "aa ih ou ee oh"),
)
VRM0_CONVENTION = Convention(
    name="vrm0",
    title="VRM 0.x",
    controls=MappingProxyType(VRM0),
    sent=MappingProxyType({name.lower(): weights for name, weights in _EYES_1.items()}),
    least=5,
    regions=_regions("joy angry sorrow fun neutral", "a i u e o"),
)
_VROID_PARTS: dict[str, Region] = {
    "ALL": "emotion",
    "BRW": "brows",
    "EYE": "eyes",
    "MTH": "mouth",
}
VROID_CONVENTION = Convention(
    name="vroid",
    title="VRoid",
    controls=MappingProxyType(VROID),
    least=3,
    regions=MappingProxyType({n: _VROID_PARTS[n[4:7]] for n in VROID}),
    affixes=("Face.M_F00_000_00_",),
)
