"""The 15 Oculus visemes, bare and under Ready Player Me's names.

ARKit combinations are ours, from how each sound is articulated: bilabials press or roll the lips,
labiodentals tuck the lower lip, rounded vowels funnel and pucker, front vowels stretch.
"""

from types import MappingProxyType

from freeavatar.rigs.spec import Region

from .table import Convention, Weights, both_sides

OCULUS: tuple[str, ...] = (
    "sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou",
)  # fmt: skip
"""In the order of Oculus LipSync and OpenXR's XR_META_face_tracking_visemes."""

READY_PLAYER_ME: tuple[str, ...] = tuple(
    f"viseme_{ {'ih': 'I', 'oh': 'O', 'ou': 'U'}.get(name, name) }" for name in OCULUS
)
"""The same 15 as Ready Player Me spells them."""

_SHAPES: dict[str, Weights] = {
    "sil": {},
    "PP": {"mouthPress{S}": 0.6, "mouthRollLower": 0.3, "mouthRollUpper": 0.3},
    "FF": {"mouthRollLower": 0.6, "mouthUpperUp{S}": 0.3, "jawOpen": 0.05},
    "TH": {"jawOpen": 0.15, "tongueOut": 0.4, "mouthLowerDown{S}": 0.2},
    "DD": {"jawOpen": 0.15, "mouthLowerDown{S}": 0.25, "mouthUpperUp{S}": 0.1},
    "kk": {"jawOpen": 0.2, "mouthStretch{S}": 0.1},
    "CH": {"mouthFunnel": 0.5, "mouthPucker": 0.2, "jawOpen": 0.08},
    "SS": {"mouthStretch{S}": 0.35, "mouthLowerDown{S}": 0.2, "jawOpen": 0.05},
    "nn": {"jawOpen": 0.12, "mouthUpperUp{S}": 0.1},
    "RR": {"mouthFunnel": 0.35, "mouthPucker": 0.15, "jawOpen": 0.15},
    "aa": {"jawOpen": 0.7},
    "E": {"jawOpen": 0.35, "mouthStretch{S}": 0.3, "mouthLowerDown{S}": 0.3},
    "ih": {"jawOpen": 0.15, "mouthStretch{S}": 0.5, "mouthSmile{S}": 0.2},
    "oh": {"jawOpen": 0.45, "mouthFunnel": 0.6, "mouthPucker": 0.2},
    "ou": {"jawOpen": 0.15, "mouthPucker": 0.8, "mouthFunnel": 0.3},
}
_BARE = both_sides(_SHAPES)
_MOUTH: dict[str, Region] = dict.fromkeys(OCULUS, "mouth")

OCULUS_CONVENTION = Convention(
    name="oculus",
    title="Oculus visemes",
    controls=MappingProxyType(_BARE),
    least=8,
    regions=MappingProxyType(_MOUTH),
    affixes=("viseme_", "vrc.v_", "v_"),
)
READY_PLAYER_ME_CONVENTION = Convention(
    name="rpm",
    title="Ready Player Me visemes",
    controls=MappingProxyType(
        {new: _BARE[old] for new, old in zip(READY_PLAYER_ME, OCULUS, strict=True)}
    ),
    regions=MappingProxyType(dict.fromkeys(READY_PLAYER_ME, _MOUTH["aa"])),
)
