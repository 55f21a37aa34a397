"""The skeleton of a USD take: a root that holds still, the head on it, the eyes on the head."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, UsdSkel, Vt

from freeavatar.rigs.spec import Joint, JointRole, Mesh

ROLES: tuple[JointRole, ...] = ("head", "left_eye", "right_eye")
"""Roles of the animated bones, in the order of the animation."""


@dataclass(frozen=True, kw_only=True)
class Bone:
    """One joint of the skeleton or the animation."""

    path: str
    """Path of joints down from the root, as UsdSkel writes it."""
    pivot: NDArray[np.float64]
    """(3,) in rig space, metres."""
    local: NDArray[np.float64]
    """(3,) the pivot from the parent's, metres."""


def animated_bones(mesh: Mesh | None) -> tuple[Bone, ...]:
    """Head, left eye and right eye, whether the rig has them or not, so that no turn is lost."""
    joints = _joints(mesh)
    head = _pivot(joints.get("head"), np.zeros(3))
    root = "" if mesh is None else "root/"
    # Eyes of a rig whose head cannot turn must not turn with it.
    parent, origin = (
        (f"{root}head/", head) if mesh is None or "head" in joints else (root, 0 * head)
    )
    bones = [Bone(path=f"{root}head", pivot=head, local=head)]
    for role in ROLES[1:]:
        pivot = _pivot(joints.get(role), origin)
        bones.append(Bone(path=f"{parent}{role}", pivot=pivot, local=pivot - origin))
    return tuple(bones)


def add_skeleton(stage: Any, path: Any, mesh: Mesh, animation: Any) -> Any:
    """Define the Skeleton of a mesh, driven by an animation; returns the `UsdSkel.Skeleton`."""
    zero = np.zeros(3)
    joints = _joints(mesh)
    bones = [Bone(path="root", pivot=zero, local=zero)]
    bones += [b for role, b in zip(ROLES, animated_bones(mesh), strict=True) if role in joints]
    skeleton = UsdSkel.Skeleton.Define(stage, path)
    skeleton.CreateJointsAttr(Vt.TokenArray([bone.path for bone in bones]))
    skeleton.CreateBindTransformsAttr(_translations(bone.pivot for bone in bones))
    skeleton.CreateRestTransformsAttr(_translations(bone.local for bone in bones))
    binding = UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    return skeleton


def joint_weights(mesh: Mesh) -> NDArray[np.float32]:
    """(V, J) how far each vertex follows each joint of `add_skeleton`; rows sum to 1.

    Skinning with them equals `freeavatar.rigs.blendshapes.pose` wherever the vertices of an eye
    follow the head wholly, as they do in a face.
    """
    joints = _joints(mesh)
    count = len(mesh.vertices)
    head = joints["head"].weights.clip(0, 1) if "head" in joints else np.ones(count)
    eyes = [joints[role].weights.clip(0, 1) for role in ROLES[1:] if role in joints]
    shares = np.stack(eyes, axis=1).astype(np.float64) if eyes else np.zeros((count, 0))
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1.0)
    own = head * (1 - shares.sum(axis=1))
    columns = [1 - head, own] if "head" in joints else [own]
    return np.column_stack([*columns, shares * head[:, None]]).astype(np.float32)


def bind(prim: Any, mesh: Mesh, skeleton: Any) -> None:
    """Skin a mesh prim to a skeleton."""
    weights = joint_weights(mesh)
    count = weights.shape[1]
    numbers = np.tile(np.arange(count, dtype=np.int32), len(weights))
    binding = UsdSkel.BindingAPI.Apply(prim)
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateJointIndicesPrimvar(False, count).Set(Vt.IntArray.FromNumpy(numbers))
    binding.CreateJointWeightsPrimvar(False, count).Set(Vt.FloatArray.FromNumpy(weights.ravel()))
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1.0))


def _joints(mesh: Mesh | None) -> dict[str, Joint]:
    return {} if mesh is None else {joint.role: joint for joint in mesh.joints}


def _pivot(joint: Joint | None, otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    return otherwise if joint is None else joint.pivot.astype(np.float64)


def _translations(places: Any) -> Any:
    return Vt.Matrix4dArray([Gf.Matrix4d().SetTranslate(Gf.Vec3d(*p.tolist())) for p in places])
