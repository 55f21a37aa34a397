"""The mesh of a USD take: one Mesh with a BlendShape a control and a material a part."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Tf, UsdGeom, UsdShade, UsdSkel, Vt

from freeavatar.rigs.normals import unit, vertex_normals
from freeavatar.rigs.spec import FloatArray, Mesh, Part, Rig

from .usd_skeleton import bind

NORMAL_STEP = 1e-3
"""Changes of a normal smaller than this are not stored."""


def add_mesh(stage: Any, path: Any, rig: Rig, shapes: tuple[str, ...], skeleton: Any) -> None:
    """Define the mesh of a rig, its blend shapes and materials, skinned to a skeleton.

    Args:
        stage: to write to.
        path: of the mesh.
        rig: with a mesh.
        shapes: identifier of each control.
        skeleton: of the rig's joints.
    """
    assert rig.mesh is not None
    face = UsdGeom.Mesh.Define(stage, path)
    _fill(face, rig.mesh)
    bind(face.GetPrim(), rig.mesh, skeleton)
    _add_blend_shapes(stage, face, rig, rig.mesh, shapes)
    _add_materials(stage, face, rig.mesh, shapes)


def identifiers(names: Iterable[str]) -> tuple[str, ...]:
    """A valid and unique USD identifier for each name."""
    out: dict[str, None] = {}
    for name in names:
        plain = free = Tf.MakeValidIdentifier(name)
        number = 1
        while free in out:
            number += 1
            free = f"{plain}_{number}"
        out[free] = None
    return tuple(out)


def _fill(face: Any, mesh: Mesh) -> None:
    face.CreatePointsAttr(_vectors(mesh.vertices))
    face.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(face.GetPointsAttr().Get()))
    face.CreateFaceVertexCountsAttr(Vt.IntArray([3] * len(mesh.triangles)))
    corners = np.ascontiguousarray(mesh.triangles.ravel(), np.int32)
    face.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(corners))
    face.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    face.CreateDoubleSidedAttr(any(part.double_sided for part in mesh.parts))
    face.CreateNormalsAttr(_vectors(_normals(mesh)))
    face.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    if mesh.uvs is not None:
        # USD counts v from the bottom of the picture.
        flipped = np.ascontiguousarray(mesh.uvs * [1, -1] + [0, 1], np.float32)
        kind = Sdf.ValueTypeNames.TexCoord2fArray
        primvars = UsdGeom.PrimvarsAPI(face)
        primvar = primvars.CreatePrimvar("st", kind, UsdGeom.Tokens.vertex)
        primvar.Set(Vt.Vec2fArray.FromNumpy(flipped))


def _add_blend_shapes(stage: Any, face: Any, rig: Rig, mesh: Mesh, shapes: tuple[str, ...]) -> None:
    rest = vertex_normals(mesh.vertices, mesh.triangles)
    targets = []
    for shape, control, delta in zip(shapes, rig.controls, mesh.deltas, strict=True):
        path = face.GetPath().AppendChild(shape)
        turned = vertex_normals(mesh.vertices + delta, mesh.triangles) - rest
        turned[np.abs(turned).max(axis=1) < NORMAL_STEP] = 0
        moved = np.flatnonzero(delta.any(axis=1) | turned.any(axis=1)).astype(np.int32)
        prim = UsdSkel.BlendShape.Define(stage, path)
        prim.CreateOffsetsAttr(_vectors(delta[moved]))
        prim.CreateNormalOffsetsAttr(_vectors(turned[moved]))
        prim.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(moved))
        prim.GetPrim().SetCustomDataByKey("freeavatar:name", control.name)
        targets.append(path)
    binding = UsdSkel.BindingAPI(face.GetPrim())
    binding.CreateBlendShapesAttr(Vt.TokenArray(shapes))
    binding.CreateBlendShapeTargetsRel().SetTargets(targets)


def _add_materials(stage: Any, face: Any, mesh: Mesh, taken: tuple[str, ...]) -> None:
    """A material for each part's run of triangles; a texture is written as its mean colour."""
    names = identifiers([*taken, *(part.name for part in mesh.parts)])[len(taken) :]
    binding = UsdShade.MaterialBindingAPI.Apply(face.GetPrim())
    scope = UsdGeom.Scope.Define(stage, face.GetPath().GetParentPath().AppendChild("materials"))
    for name, part in zip(names, mesh.parts, strict=True):
        run = np.arange(part.first_triangle, part.first_triangle + part.triangle_count)
        faces = Vt.IntArray.FromNumpy(run.astype(np.int32))
        subset = binding.CreateMaterialBindSubset(name, faces)
        material = _material(stage, scope.GetPath().AppendChild(name), part, mesh)
        UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(material)


def _material(stage: Any, path: Any, part: Part, mesh: Mesh) -> Any:
    kinds = Sdf.ValueTypeNames
    red, green, blue, alpha = base_colour(part, mesh)
    material = UsdShade.Material.Define(stage, path)
    shader = UsdShade.Shader.Define(stage, path.AppendChild("surface"))
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("diffuseColor", kinds.Color3f).Set(Gf.Vec3f(red, green, blue))
    shader.CreateInput("roughness", kinds.Float).Set(float(np.clip(part.roughness, 0, 1)))
    shader.CreateInput("metallic", kinds.Float).Set(float(np.clip(part.metallic, 0, 1)))
    if part.blend:
        shader.CreateInput("opacity", kinds.Float).Set(alpha)
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    return material


def base_colour(part: Part, mesh: Mesh) -> tuple[float, float, float, float]:
    """Linear RGBA 0..1 of a part, its texture averaged over the part's vertices."""
    colour = np.clip(np.array(part.colour, np.float64), 0, 1)
    if part.texture is not None and mesh.uvs is not None:
        first = part.first_triangle
        vertices = np.unique(mesh.triangles[first : first + part.triangle_count])
        size = np.array(part.texture.shape[1::-1])
        at = np.minimum((mesh.uvs[vertices] % 1 * size).astype(np.intp), size - 1)
        colour *= _linear(part.texture[at[:, 1], at[:, 0]]).mean(axis=0)
    red, green, blue, alpha = (float(channel) for channel in colour)
    return red, green, blue, alpha


def _linear(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, 4) sRGB + alpha bytes as linear 0..1."""
    values = pixels / 255.0
    low, high = values[:, :3] / 12.92, ((values[:, :3] + 0.055) / 1.055) ** 2.4
    return np.column_stack([np.where(values[:, :3] <= 0.04045, low, high), values[:, 3]])


def _normals(mesh: Mesh) -> FloatArray:
    if mesh.normals is not None:
        return unit(mesh.normals)
    return vertex_normals(mesh.vertices, mesh.triangles)


def _vectors(values: NDArray[Any]) -> Any:
    return Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(values, np.float32))
