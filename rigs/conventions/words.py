"""Names that follow no standard but say plainly what they do, and MikuMikuDance's morphs.

Only words that leave no doubt are here; everything else gets a region and no ARKit value.
"""

from types import MappingProxyType

from freeavatar.rigs.spec import Region

from .table import Convention, both_sides
from .vrm import (
    AA,
    ANGRY,
    BLINK,
    EE,
    HAPPY,
    IH,
    LOOK_DOWN,
    LOOK_LEFT,
    LOOK_RIGHT,
    LOOK_UP,
    OH,
    OU,
    RELAXED,
    SAD,
    SURPRISED,
)

_WORDS = both_sides(
    {
        "angry": ANGRY, "anger": ANGRY, "happy": HAPPY, "happiness": HAPPY, "joy": HAPPY,
        "sad": SAD, "sadness": SAD, "sorrow": SAD, "surprised": SURPRISED, "surprise": SURPRISED,
        "relaxed": RELAXED, "neutral": {}, "basis": {},
        "blink": BLINK, "blink{S}": BLINK, "eyeBlink": BLINK, "eyesBlink": BLINK, "wink{S}": BLINK,
        "eyesClosed": BLINK, "eyesClose": BLINK, "eyeClosed{S}": BLINK, "eyeClose{S}": BLINK,
        "eyeClosed": BLINK, "eyeClose": BLINK, "lidClose{S}": BLINK, "lidsClosed": BLINK,
        "eyesWide": {"eyeWide{S}": 1.0}, "eyeWide": {"eyeWide{S}": 1.0},
        "eyeWiden{S}": {"eyeWide{S}": 1.0}, "eyeOpenWide{S}": {"eyeWide{S}": 1.0},
        "squint": {"eyeSquint{S}": 1.0}, "squint{S}": {"eyeSquint{S}": 1.0},
        "eyesSquint": {"eyeSquint{S}": 1.0},
        "lookUp": LOOK_UP, "lookDown": LOOK_DOWN, "lookLeft": LOOK_LEFT, "lookRight": LOOK_RIGHT,
        "eyesLookUp": LOOK_UP, "eyesLookDown": LOOK_DOWN, "eyesLookLeft": LOOK_LEFT,
        "eyesLookRight": LOOK_RIGHT, "eyesUp": LOOK_UP, "eyesDown": LOOK_DOWN,
        "eyesLeft": LOOK_LEFT, "eyesRight": LOOK_RIGHT,
        "browsDown": {"browDown{S}": 1.0}, "browDown": {"browDown{S}": 1.0},
        "browLower{S}": {"browDown{S}": 1.0},
        "browsUp": {"browInnerUp": 1.0, "browOuterUp{S}": 1.0},
        "browUp": {"browInnerUp": 1.0, "browOuterUp{S}": 1.0},
        "browRaise": {"browInnerUp": 1.0, "browOuterUp{S}": 1.0},
        "browUp{S}": {"browInnerUp": 0.5, "browOuterUp{S}": 1.0},
        "browRaise{S}": {"browInnerUp": 0.5, "browOuterUp{S}": 1.0},
        "browInnerRaise": {"browInnerUp": 1.0}, "browOuterRaise{S}": {"browOuterUp{S}": 1.0},
        "browOuterUp": {"browOuterUp{S}": 1.0},
        "mouthOpen": {"jawOpen": 1.0}, "openMouth": {"jawOpen": 1.0}, "jawDrop": {"jawOpen": 1.0},
        "jawDown": {"jawOpen": 1.0}, "smile": {"mouthSmile{S}": 1.0},
        "smile{S}": {"mouthSmile{S}": 1.0}, "mouthSmile": {"mouthSmile{S}": 1.0},
        "frown": {"mouthFrown{S}": 1.0}, "frown{S}": {"mouthFrown{S}": 1.0},
        "mouthFrown": {"mouthFrown{S}": 1.0}, "mouthSad": {"mouthFrown{S}": 1.0},
        "kiss": {"mouthPucker": 1.0}, "pucker": {"mouthPucker": 1.0},
        "lipsPucker": {"mouthPucker": 1.0}, "funnel": {"mouthFunnel": 1.0},
        "puff": {"cheekPuff": 1.0}, "cheeksPuff": {"cheekPuff": 1.0},
        "cheekPuffed": {"cheekPuff": 1.0}, "sneer": {"noseSneer{S}": 1.0},
        "sneer{S}": {"noseSneer{S}": 1.0}, "noseSneer": {"noseSneer{S}": 1.0},
        "noseWrinkle": {"noseSneer{S}": 1.0}, "noseWrinkle{S}": {"noseSneer{S}": 1.0},
        "dimple{S}": {"mouthDimple{S}": 1.0}, "mouthDimple": {"mouthDimple{S}": 1.0},
        "mouthStretch": {"mouthStretch{S}": 1.0}, "mouthPress": {"mouthPress{S}": 1.0},
        "mouthUpperUp": {"mouthUpperUp{S}": 1.0}, "mouthLowerDown": {"mouthLowerDown{S}": 1.0},
        "cheekSquint": {"cheekSquint{S}": 1.0}, "eyeSquint": {"eyeSquint{S}": 1.0},
        "eyeLookUp": LOOK_UP, "eyeLookDown": LOOK_DOWN,
        "lipsUpperRaise{S}": {"mouthUpperUp{S}": 1.0}, "upperLipUp{S}": {"mouthUpperUp{S}": 1.0},
        "lowerLipDown{S}": {"mouthLowerDown{S}": 1.0}, "tongue": {},
        "tongueOut": {"tongueOut": 1.0},
        "ah": AA, "aah": AA, "ih": IH, "uu": OU, "ooh": OU, "ee": EE, "oh": OH,
    }
)  # fmt: skip

_EMOTIONS: dict[str, Region] = dict.fromkeys(
    ("angry", "anger", "happy", "happiness", "joy", "sad", "sadness", "sorrow", "surprised",
     "surprise", "relaxed", "neutral"), "emotion",
)  # fmt: skip
_VOWELS: dict[str, Region] = dict.fromkeys(("ah", "aah", "ih", "uu", "ooh", "ee", "oh"), "mouth")
CONVENTION = Convention(
    name="words",
    title="plain words",
    controls=MappingProxyType(_WORDS),
    regions=MappingProxyType(_EMOTIONS | _VOWELS),
)

_MMD = both_sides(
    {
        "あ": AA, "い": IH, "う": OU, "え": EE, "お": OH,
        "まばたき": BLINK, "瞬き": BLINK,
        "ウィンク": {"eyeBlinkLeft": 1.0}, "ウィンク右": {"eyeBlinkRight": 1.0},
        "びっくり": {"eyeWide{S}": 1.0}, "笑い": {}, "なごみ": {}, "はぅ": {}, "じと目": {},
        "にこり": {}, "怒り": {"browDown{S}": 0.6}, "困る": {"browInnerUp": 1.0},
        "真面目": {}, "上": {"browInnerUp": 1.0, "browOuterUp{S}": 1.0},
        "下": {"browDown{S}": 1.0}, "にやり": {"mouthSmile{S}": 0.6}, "にっこり": {},
        "口角上げ": {"mouthSmile{S}": 1.0}, "口角下げ": {"mouthFrown{S}": 1.0},
        "ん": {}, "▲": {}, "∧": {}, "□": {}, "ワ": {}, "ω": {}, "ω□": {},
        "ぺろっ": {"tongueOut": 1.0},
    }
)  # fmt: skip
_EYES: dict[str, Region] = dict.fromkeys(("笑い", "なごみ", "はぅ", "じと目"), "eyes")
_BROWS: dict[str, Region] = dict.fromkeys(("にこり", "真面目"), "brows")
_MOUTH: dict[str, Region] = dict.fromkeys(
    ("あ", "い", "う", "え", "お", "にっこり", "ん", "▲", "∧", "□", "ワ", "ω", "ω□"), "mouth"
)
MMD_CONVENTION = Convention(
    name="mmd",
    title="MikuMikuDance",
    controls=MappingProxyType(_MMD),
    regions=MappingProxyType(_EYES | _BROWS | _MOUTH),
)
