"""``h_expressions.X_h`` names, as the VALID avatars have them.

The doubled letter means the outer half (RRbrowUp: outer part of the right brow), and R is the
character's right; both were checked against the displacements of VALID heads. Shapes without a
close ARKit relative (speech shapes, Chew, Pityful, the outer brow down) are left without values.
"""

from types import MappingProxyType

from freeavatar.rigs.spec import Region

from .table import Convention, both_sides

_PAIRED = {
    "{S}lipUp": {"mouthUpperUp{S}": 1.0}, "{S}lipDown": {"mouthLowerDown{S}": 1.0},
    "{S}lipSide": {}, "{S}lipCorner": {}, "{S}smileClose": {"mouthSmile{S}": 1.0},
    "{S}smileOpen": {}, "{S}mouthSad": {"mouthFrown{S}": 1.0}, "{S}disgust": {},
    "{S}blow": {"cheekPuff": 0.5}, "{S}neckTension": {}, "{S}nostril": {},
    "{S}eyeClose": {"eyeBlink{S}": 1.0}, "{S}eyeOpen": {"eyeWide{S}": 1.0},
    "{S}squint": {"eyeSquint{S}": 1.0}, "{S}lowLid": {}, "{S}sad": {}, "{S}pityful": {},
    "{S}browUp": {"browInnerUp": 0.5}, "{S}browDown": {"browDown{S}": 1.0},
}  # fmt: skip
_OUTER = {"{S}browUp": {"browOuterUp{S}": 1.0}, "{S}browDown": {}}
_SINGLE: dict[str, dict[str, float]] = {
    "AE_AA": {}, "AO_a": {}, "Ax_E": {}, "TD_I": {}, "UH_OO": {}, "UW_U": {}, "H_EST": {},
    "FV": {}, "S": {}, "SH_CH": {}, "MPB_Up": {}, "MPB_Down": {}, "KG": {}, "JawCompress": {},
    "Rjaw": {"jawRight": 1.0}, "Ljaw": {"jawLeft": 1.0}, "JawFront": {"jawForward": 1.0},
    "Chew": {}, "MouthOpen": {"jawOpen": 1.0}, "Shout": {}, "Kiss": {"mouthPucker": 1.0},
    "Chin": {}, "Glotis": {},
}  # fmt: skip
_ALL = _SINGLE | both_sides(_PAIRED, ("L", "R")) | both_sides(_OUTER, ("LL", "RR"))


_REGIONS: dict[str, Region] = dict.fromkeys(
    ("AE_AA", "AO_a", "Ax_E", "TD_I", "UH_OO", "UW_U", "H_EST", "FV", "S", "SH_CH", "MPB_Up",
     "MPB_Down", "KG", "Shout", "Ldisgust", "Rdisgust"), "mouth",
)  # fmt: skip
_BROWS: dict[str, Region] = dict.fromkeys(("Lsad", "Rsad", "Lpityful", "Rpityful"), "brows")

CONVENTION = Convention(
    name="h_expressions",
    title="h_expressions (VALID)",
    controls=MappingProxyType({f"h_expressions.{name}_h": hub for name, hub in _ALL.items()}),
    regions=MappingProxyType({f"h_expressions.{n}_h": r for n, r in (_REGIONS | _BROWS).items()}),
)
