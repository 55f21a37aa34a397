"""What an expression says in Unified Expressions v2, the names of VRCFaceTracking.

`BASE` are its plain shapes, gaze, lids and head; `COMBINED` are the sums, differences and maxima
that avatars use to need fewer parameters. Shapes that ARKit has nothing like (nostrils, throat,
tongue directions) are 0; pupils are left out, since nothing measures them here.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.conventions import ARKIT, from_arkit
from freeavatar.rigs.conventions.table import both_sides
from freeavatar.rigs.spec import FloatArray

GAZE: tuple[str, ...] = ("EyeLeftX", "EyeLeftY", "EyeRightX", "EyeRightY")
"""Direction of each eye, -1..1: x and y of a unit vector, X + to the actor's right, Y + up."""
HEAD: tuple[str, ...] = (
    "Head/Yaw", "Head/Pitch", "Head/Roll", "Head/PosX", "Head/PosY", "Head/PosZ",
)  # fmt: skip
"""Rotation in radians, signs as in `freeavatar.rigs.rotation`, clipped to the -1..1 that a VRChat
parameter holds; frames have no head position, so it is 0."""

_FROM_CURVES = from_arkit("unified", np.eye(len(ARKIT), dtype=np.float32))
_CURVE_NAMES = tuple(_FROM_CURVES)
_OPEN = ("EyeOpenLeft", "EyeOpenRight")

BASE: tuple[str, ...] = (*_CURVE_NAMES, *_OPEN, *HEAD)
"""Names that stand for one thing each."""

_MAXIMA: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "EyeWide": ("EyeWideLeft", "EyeWideRight"),
        "EyeSquint": ("EyeSquintLeft", "EyeSquintRight"),
        "EyesSquint": ("EyeSquintLeft", "EyeSquintRight"),
        "MouthSadLeft": ("MouthFrownLeft", "MouthStretchLeft"),
        "MouthSadRight": ("MouthFrownRight", "MouthStretchRight"),
    }
)
# {S} stands for Left and Right: in a name it makes two, in weights alone it means both together.
_SUMS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    both_sides(
        {
            "EyeX": {"EyeLeftX": 0.5, "EyeRightX": 0.5},
            "EyeY": {"EyeLeftY": 0.5, "EyeRightY": 0.5},
            "EyeOpen": {"EyeOpen{S}": 0.5}, "EyeClosed": {"EyeClosed{S}": 0.5},
            "EyeLid{S}": {"EyeOpen{S}": 0.75, "EyeWide{S}": 0.25},
            "EyeLid": {"EyeOpen{S}": 0.375, "EyeWide{S}": 0.125},
            "BrowUp{S}": {"BrowOuterUp{S}": 0.6, "BrowInnerUp{S}": 0.4},
            "BrowUp": {"BrowOuterUp{S}": 0.3, "BrowInnerUp{S}": 0.2},
            "BrowDown{S}": {"BrowLowerer{S}": 0.75, "BrowPinch{S}": 0.25},
            "BrowDown": {"BrowLowerer{S}": 0.375, "BrowPinch{S}": 0.125},
            "BrowInnerUp": {"BrowInnerUp{S}": 0.5}, "BrowOuterUp": {"BrowOuterUp{S}": 0.5},
            "BrowExpression{S}": {
                "BrowInnerUp{S}": 0.5, "BrowOuterUp{S}": 0.5,
                "BrowLowerer{S}": -0.75, "BrowPinch{S}": -0.25,
            },
            "BrowExpression": {
                "BrowInnerUp{S}": 0.25, "BrowOuterUp{S}": 0.25,
                "BrowLowerer{S}": -0.375, "BrowPinch{S}": -0.125,
            },
            "JawX": {"JawRight": 1.0, "JawLeft": -1.0},
            "JawZ": {"JawForward": 1.0, "JawBackward": -1.0},
            "CheekSquint": {"CheekSquint{S}": 0.5}, "CheekSuck": {"CheekSuck{S}": 0.5},
            "CheekPuffSuck{S}": {"CheekPuff{S}": 1.0, "CheekSuck{S}": -1.0},
            "CheekPuffSuck": {"CheekPuff{S}": 0.5, "CheekSuck{S}": -0.5},
            "NoseSneer": {"NoseSneer{S}": 0.5},
            "MouthUpperX": {"MouthUpperRight": 1.0, "MouthUpperLeft": -1.0},
            "MouthLowerX": {"MouthLowerRight": 1.0, "MouthLowerLeft": -1.0},
            "MouthX": {
                "MouthUpperRight": 0.5, "MouthLowerRight": 0.5,
                "MouthUpperLeft": -0.5, "MouthLowerLeft": -0.5,
            },
            "LipSuckUpper": {"LipSuckUpper{S}": 0.5}, "LipSuckLower": {"LipSuckLower{S}": 0.5},
            "LipSuck": {"LipSuckUpper{S}": 0.25, "LipSuckLower{S}": 0.25},
            "LipFunnelUpper": {"LipFunnelUpper{S}": 0.5},
            "LipFunnelLower": {"LipFunnelLower{S}": 0.5},
            "LipFunnel": {"LipFunnelUpper{S}": 0.25, "LipFunnelLower{S}": 0.25},
            "LipPuckerUpper": {"LipPuckerUpper{S}": 0.5},
            "LipPuckerLower": {"LipPuckerLower{S}": 0.5},
            "LipPucker{S}": {"LipPuckerUpper{S}": 0.5, "LipPuckerLower{S}": 0.5},
            "LipPucker": {"LipPuckerUpper{S}": 0.25, "LipPuckerLower{S}": 0.25},
            "LipSuckFunnelUpper{S}": {"LipSuckUpper{S}": 1.0, "LipFunnelUpper{S}": -1.0},
            "LipSuckFunnelLower{S}": {"LipSuckLower{S}": 1.0, "LipFunnelLower{S}": -1.0},
            "LipSuckFunnelUpper": {"LipSuckUpper{S}": 0.5, "LipFunnelUpper{S}": -0.5},
            "LipSuckFunnelLower": {"LipSuckLower{S}": 0.5, "LipFunnelLower{S}": -0.5},
            "MouthUpperUp": {"MouthUpperUp{S}": 0.5}, "MouthLowerDown": {"MouthLowerDown{S}": 0.5},
            "MouthOpen": {"MouthUpperUp{S}": 0.25, "MouthLowerDown{S}": 0.25},
            "MouthStretch": {"MouthStretch{S}": 0.5},
            "MouthTightener": {"MouthTightener{S}": 0.5},
            "MouthPress": {"MouthPress{S}": 0.5}, "MouthDimple": {"MouthDimple{S}": 0.5},
            "MouthTightenerStretch{S}": {"MouthTightener{S}": 1.0, "MouthStretch{S}": -1.0},
            "MouthTightenerStretch": {"MouthTightener{S}": 0.5, "MouthStretch{S}": -0.5},
            "MouthCornerY{S}": {"MouthCornerSlant{S}": 1.0, "MouthFrown{S}": -1.0},
            "MouthCornerY": {"MouthCornerSlant{S}": 0.5, "MouthFrown{S}": -0.5},
            "MouthSmile{S}": {"MouthCornerPull{S}": 0.8, "MouthCornerSlant{S}": 0.2},
            "SmileFrown{S}": {
                "MouthCornerPull{S}": 0.8, "MouthCornerSlant{S}": 0.2, "MouthFrown{S}": -1.0,
            },
            "SmileFrown": {
                "MouthCornerPull{S}": 0.4, "MouthCornerSlant{S}": 0.1, "MouthFrown{S}": -0.5,
            },
            "SmileSad{S}": {
                "MouthCornerPull{S}": 0.8, "MouthCornerSlant{S}": 0.2, "MouthSad{S}": -1.0,
            },
            "SmileSad": {
                "MouthCornerPull{S}": 0.4, "MouthCornerSlant{S}": 0.1, "MouthSad{S}": -0.5,
            },
            "TongueX": {"TongueRight": 1.0, "TongueLeft": -1.0},
            "TongueY": {"TongueUp": 1.0, "TongueDown": -1.0},
            "TongueArchY": {"TongueCurlUp": 1.0, "TongueBendDown": -1.0},
            "TongueShape": {"TongueFlat": 1.0, "TongueSquish": -1.0},
        }
    )
)  # fmt: skip

COMBINED: tuple[str, ...] = (*_MAXIMA, *_SUMS)
"""Names made of several of `BASE`."""
NAMES: tuple[str, ...] = BASE + COMBINED
"""All names, the order of `unified_values`."""
INDEX: Mapping[str, int] = MappingProxyType({name: i for i, name in enumerate(NAMES)})


def _sums() -> FloatArray:
    plain = len(BASE) + len(_MAXIMA)
    matrix = np.zeros((plain, len(_SUMS)), np.float32)
    for column, weights in enumerate(_SUMS.values()):
        for name, weight in weights.items():
            matrix[INDEX[name], column] = weight
    return matrix


def _curves() -> FloatArray:
    matrix = np.array(list(_FROM_CURVES.values()), np.float32).T
    # Alone on a closed jaw this one shows nothing, so what it stands for is put in here.
    matrix[ARKIT.index("mouthClose"), INDEX["MouthClosed"]] = 1.0
    return matrix


_CURVES = _curves()
_SUM_MATRIX = _sums()
_FIRST = np.array([INDEX[first] for first, _ in _MAXIMA.values()])
_SECOND = np.array([INDEX[second] for _, second in _MAXIMA.values()])
_GAZE = np.array([INDEX[name] for name in GAZE])
_CLOSED = np.array([INDEX["EyeClosedLeft"], INDEX["EyeClosedRight"]])
_OPENED = np.array([INDEX[name] for name in _OPEN])
_TURN = np.array([INDEX[name] for name in HEAD[:3]])
_JAW, _LIPS = INDEX["JawOpen"], INDEX["MouthClosed"]


def unified_values(
    curves: NDArray[np.floating], eyes: NDArray[np.floating], head: NDArray[np.floating]
) -> FloatArray:
    """All values of one moment.

    Args:
        curves: (52,) in the order of `ARKIT`, 0..1.
        eyes: (2, 3) yaw, pitch, roll of the left, then the right eye, radians. Where all are 0,
            the curves' eyeLook shapes give the gaze.
        head: (3,) yaw, pitch, roll, radians.

    Returns:
        (N,) in the order of `NAMES`, -1..1; MouthClosed is never above JawOpen. Angles that are
        not finite count as 0.
    """
    values = np.zeros(len(NAMES), np.float32)
    values[: len(_CURVE_NAMES)] = curves @ _CURVES
    values[_LIPS] = min(values[_LIPS], values[_JAW])
    angles = np.concatenate([eyes.reshape(6), head])
    if not np.isfinite(angles).all():
        angles = np.nan_to_num(angles, nan=0.0, posinf=0.0, neginf=0.0)
    if angles[:6].any():
        yaw, pitch = angles[0:6:3], angles[1:6:3]
        values[_GAZE] = np.stack([np.sin(yaw) * np.cos(pitch), -np.sin(pitch)], axis=1).reshape(4)
    values[_OPENED] = 1 - values[_CLOSED]
    values[_TURN] = angles[6:]
    plain = len(BASE) + len(_MAXIMA)
    values[len(BASE) : plain] = np.maximum(values[_FIRST], values[_SECOND])
    values[plain:] = values[:plain] @ _SUM_MATRIX
    return np.asarray(np.clip(values, -1, 1, out=values), np.float32)
