"""Builds the USD layer of a take: `freeavatar.bridge.takes.usd` says what it holds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdSkel, Vt
from scipy.spatial.transform import Rotation

from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Rig, Take
from freeavatar.rigs.vrm_expressions import resolve_expressions

from .arrays import FrameArrays
from .usd_mesh import add_mesh, identifiers
from .usd_skeleton import Bone, add_skeleton, animated_bones

FOUND = "freeavatar:found"
FRAME = "freeavatar:frame"
DATA = "freeavatar"
"""Attributes of the SkelAnimation, and key of its custom data, that only we read."""
CODE_DIGITS = 6
"""Decimals of a time code: keeps frames at i / rate on whole codes."""


def take_stage(rig: Rig, take: Take) -> Any:
    """The stage of a take of a rig, in memory.

    Args:
        rig: with or without a mesh.
        take: of that rig, with at least one frame.
    """
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.GetRootLayer().documentation = f"FreeAvatar: a take of the rig {rig.name}"
    top = Sdf.Path.absoluteRootPath.AppendChild(Tf.MakeValidIdentifier(rig.name))
    shapes = identifiers(rig.names)
    bones = animated_bones(rig.mesh)
    if rig.mesh is None:
        animation = UsdSkel.Animation.Define(stage, top)
    else:
        root = UsdSkel.Root.Define(stage, top)
        Usd.ModelAPI(root).SetKind("component")
        animation = UsdSkel.Animation.Define(stage, top.AppendChild("animation"))
        skeleton = add_skeleton(stage, top.AppendChild("skeleton"), rig.mesh, animation)
        add_mesh(stage, top.AppendChild("face"), rig, shapes, skeleton)
    stage.SetDefaultPrim(stage.GetPrimAtPath(top))
    _describe(animation, rig, take, shapes, bones)
    _animate(stage, animation, rig, take)
    return stage


def _describe(
    animation: Any, rig: Rig, take: Take, shapes: tuple[str, ...], bones: tuple[Bone, ...]
) -> None:
    """Everything of the animation that holds still."""
    animation.CreateBlendShapesAttr(Vt.TokenArray(shapes))
    animation.CreateJointsAttr(Vt.TokenArray([bone.path for bone in bones]))
    places = np.array([bone.local for bone in bones], np.float32)
    animation.CreateTranslationsAttr(Vt.Vec3fArray.FromNumpy(places))
    animation.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1, 1, 1)] * len(bones)))
    prim = animation.GetPrim()
    for key, text in (("rig", rig.name), ("subject", take.subject), ("timecode", take.timecode)):
        prim.SetCustomDataByKey(f"{DATA}:{key}", text)
    prim.SetCustomDataByKey(f"{DATA}:names", Vt.StringArray(rig.names))
    for key in ("neutral", "maximum"):
        numbers = Vt.FloatArray([float(getattr(c, key)) for c in rig.controls])
        prim.SetCustomDataByKey(f"{DATA}:{key}", numbers)


def _animate(stage: Any, animation: Any, rig: Rig, take: Take) -> None:
    """Time samples of weights, rotations and what goes with each frame."""
    frames = FrameArrays.of(take.frames)
    codes = np.round((frames.times - frames.times[0]) * take.rate, CODE_DIGITS)
    kept = np.flatnonzero(np.diff(np.maximum.accumulate(codes), prepend=-1.0) > 0)
    weights = unit_weights(rig, resolve_expressions(rig, frames.values))
    turns = np.stack([_rotations(frames.head), *(_rotations(frames.eyes[:, i]) for i in (0, 1))], 1)
    prim, kinds = animation.GetPrim(), Sdf.ValueTypeNames
    attributes = (
        animation.CreateBlendShapeWeightsAttr(),
        animation.CreateRotationsAttr(),
        prim.CreateAttribute(FOUND, kinds.Bool, custom=True),
        prim.CreateAttribute(FRAME, kinds.Int64, custom=True),
    )
    layer = stage.GetRootLayer()
    weights_at, turns_at, found_at, frame_at = (a.GetPath() for a in attributes)
    with Sdf.ChangeBlock():
        for i in kept:
            code = float(codes[i])
            layer.SetTimeSample(weights_at, code, Vt.FloatArray.FromNumpy(weights[i]))
            layer.SetTimeSample(turns_at, code, Vt.QuatfArray.FromNumpy(turns[i]))
            layer.SetTimeSample(found_at, code, bool(frames.found[i]))
            layer.SetTimeSample(frame_at, code, int(frames.indices[i]))
    stage.SetTimeCodesPerSecond(take.rate)
    stage.SetFramesPerSecond(take.rate)
    stage.SetStartTimeCode(0.0)
    stage.SetEndTimeCode(float(codes[kept[-1]]))


def _rotations(angles: NDArray[Any]) -> NDArray[np.float32]:
    """(F, 4) quaternions x, y, z, w of (F, 3) angles, each of the sign nearest to the last one."""
    turns = Rotation.from_matrix(matrix_from_angles(angles)).as_quat()
    dots = np.sum(turns[1:] * turns[:-1], axis=1)
    signs = np.concatenate([[1.0], np.cumprod(np.where(dots < 0, -1.0, 1.0))])
    return np.asarray(turns * signs[:, None], np.float32)
