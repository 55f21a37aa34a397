"""The YAML text of a Unity animation clip, laid out as Unity itself writes it.

Float curves with a key per frame, 0 to 100, straight between keys, no loop. A key whose neighbours
both have its value is left out, which changes nothing. Values are rounded to a ten-thousandth of
a percent, times to a nanosecond.

Layout as in clips that Unity wrote as text (AnimationClip version 6, which newer editors upgrade);
bindings are found by CRC-32 of the path, and of the shape's name without its prefix.
"""

import re
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import FloatArray

SKINNED_MESH_RENDERER = 137
"""Unity's class number, which says what a curve drives."""
BLEND_SHAPE = 20
"""Kind of binding: a blend shape, found by the hash of its name."""
LINEAR = 69
"""Tangent mode: broken, left and right linear."""

Curves = Mapping[tuple[str, str], FloatArray]
"""(F,) weights, 1 at full, by renderer path and blend shape."""


def clip_text(name: str, rate: float, times: NDArray[np.float64], curves: Curves) -> str:
    """The text of a clip, ASCII.

    Args:
        name: of the clip; Unity wants its file's.
        rate: frames per second that the Animation window shows.
        times: (F,) seconds from 0 on, rising.
        curves: (F,) each.
    """
    stored = np.round(times, 9)
    rises = np.concatenate([[True], np.diff(stored) > 0])
    shown = {target: weights[rises] for target, weights in curves.items()}
    return "".join(_pieces(name, rate, stored[rises], shown))


def _pieces(name: str, rate: float, times: NDArray[np.float64], curves: Curves) -> Iterator[str]:
    yield _HEAD % _quoted(name)
    for (path, shape), weights in curves.items():
        yield "  - curve:\n      serializedVersion: 2\n      m_Curve:\n"
        yield _keys(times, np.round(weights.astype(np.float64) * 100, 4) + 0.0)
        attribute = _quoted(f"blendShape.{shape}")
        yield _BINDING % (attribute, _quoted(path), SKINNED_MESH_RENDERER)
    yield _SETTINGS % repr(round(rate, 6))
    for path, shape in curves:
        yield _HASHES % (_hash(path), _hash(shape), SKINNED_MESH_RENDERER, BLEND_SHAPE)
    yield _TAIL % repr(float(times[-1]))


def _keys(times: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    """Keys of a curve with slopes straight to their neighbours."""
    same = values[1:] == values[:-1]
    kept = np.ones(len(values), bool)
    kept[1:-1] = ~(same[1:] & same[:-1])
    t, v = times[kept], values[kept]
    slopes = np.round(np.diff(v) / np.diff(t), 4) + 0.0
    into = np.concatenate([slopes[:1], slopes]) if len(slopes) else np.zeros(1)
    out = np.concatenate([slopes, slopes[-1:]]) if len(slopes) else np.zeros(1)
    rows = zip(t.tolist(), v.tolist(), into.tolist(), out.tolist(), strict=True)
    return "".join(map(_KEY.__mod__, rows))


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./\-]*(?: [A-Za-z0-9_./\-]+)*")
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


def _quoted(text: str) -> str:
    """A YAML scalar in ASCII, without quotes where they are not needed."""
    if not text or (_PLAIN.fullmatch(text) and text.lower() not in _WORDS):
        return text
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return f"\\{character}"
    if 32 <= code < 127:
        return character
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


_HEAD = """%%YAML 1.1
%%TAG !u! tag:unity3d.com,2011:
--- !u!74 &7400000
AnimationClip:
  m_ObjectHideFlags: 0
  m_CorrespondingSourceObject: {fileID: 0}
  m_PrefabInstance: {fileID: 0}
  m_PrefabAsset: {fileID: 0}
  m_Name: %s
  serializedVersion: 6
  m_Legacy: 0
  m_Compressed: 0
  m_UseHighQualityCurve: 1
  m_RotationCurves: []
  m_CompressedRotationCurves: []
  m_EulerCurves: []
  m_PositionCurves: []
  m_ScaleCurves: []
  m_FloatCurves:
"""
_KEY = f"""      - serializedVersion: 3
        time: %r
        value: %r
        inSlope: %r
        outSlope: %r
        tangentMode: {LINEAR}
        weightedMode: 0
        inWeight: 0.33333334
        outWeight: 0.33333334
"""
_BINDING = """      m_PreInfinity: 2
      m_PostInfinity: 2
      m_RotationOrder: 4
    attribute: %s
    path: %s
    classID: %d
    script: {fileID: 0}
"""
_SETTINGS = """  m_PPtrCurves: []
  m_SampleRate: %s
  m_WrapMode: 0
  m_Bounds:
    m_Center: {x: 0, y: 0, z: 0}
    m_Extent: {x: 0, y: 0, z: 0}
  m_ClipBindingConstant:
    genericBindings:
"""
_HASHES = """    - serializedVersion: 2
      path: %d
      attribute: %d
      script: {fileID: 0}
      typeID: %d
      customType: %d
      isPPtrCurve: 0
"""
_TAIL = """    pptrCurveMapping: []
  m_AnimationClipSettings:
    serializedVersion: 2
    m_AdditiveReferencePoseClip: {fileID: 0}
    m_AdditiveReferencePoseTime: 0
    m_StartTime: 0
    m_StopTime: %s
    m_OrientationOffsetY: 0
    m_Level: 0
    m_CycleOffset: 0
    m_HasAdditiveReferencePose: 0
    m_LoopTime: 0
    m_LoopBlend: 0
    m_LoopBlendOrientation: 0
    m_LoopBlendPositionY: 0
    m_LoopBlendPositionXZ: 0
    m_KeepOriginalOrientation: 0
    m_KeepOriginalPositionY: 1
    m_KeepOriginalPositionXZ: 0
    m_HeightFromFeet: 0
    m_Mirror: 0
  m_EditorCurves: []
  m_EulerEditorCurves: []
  m_HasGenericRootTransform: 0
  m_HasMotionFloatCurves: 0
  m_Events: []
"""
