"""USD takes, read by usd-core's own UsdSkel: weights, names, skinned points; kills; damage."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.bridge.takes import open_take, read_take
from freeavatar.rigs.blendshapes import pose
from freeavatar.rigs.registry import load
from freeavatar.rigs.spec import Control, Rig, RigFrame

if importlib.util.find_spec("pxr") is None:
    pytest.skip("usd-core is not installed", allow_module_level=True)

from pxr import Gf, Usd, UsdGeom, UsdShade, UsdSkel, UsdValidation, Vt

SUFFIXES = (".usda", ".usdc", ".usd")


def write(path: Path, rig: Rig, frames: list[RigFrame], rate: float = 60.0) -> Path:
    """A take at ``path``."""
    sink = open_take(path, rig, rate=rate, subject="Anna")
    for frame in frames:
        sink.send(frame)
    sink.close()
    return path


def query_of(stage: Any) -> tuple[Any, Any]:
    """UsdSkel's view of the one skinned mesh of a stage: its skeleton's and skinning queries."""
    root = UsdSkel.Root(stage.GetDefaultPrim())
    cache = UsdSkel.Cache()
    assert cache.Populate(root, Usd.PrimDefaultPredicate)
    (binding,) = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)
    (skinning,) = binding.GetSkinningTargets()
    return cache.GetSkelQuery(binding.GetSkeleton()), skinning


def deformed(stage: Any, code: float) -> NDArray[np.float32]:
    """(V, 3) points as UsdSkel deforms them: blend shapes, then skinning."""
    skeleton, skinning = query_of(stage)
    shapes = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(skinning.GetPrim()))
    weights = skinning.GetBlendShapeMapper().Remap(
        skeleton.GetAnimQuery().ComputeBlendShapeWeights(code)
    )
    points = UsdGeom.Mesh(skinning.GetPrim()).GetPointsAttr().Get()
    subshape_weights = shapes.ComputeSubShapeWeights(weights)
    assert shapes.ComputeDeformedPoints(
        *subshape_weights,
        shapes.ComputeBlendShapePointIndices(),
        shapes.ComputeSubShapePointOffsets(),
        points,
    )
    turned = skeleton.ComputeSkinningTransforms(code)
    assert skinning.ComputeSkinnedPoints(turned, points, code)
    return np.array(points)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_take_reads_back_as_it_was(
    tmp_path: Path, mesh_rig: Rig, perform: Any, suffix: str
) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"earlier")
    sink: Any = open_take(path, mesh_rig, rate=24, subject="Anna")
    frames = perform(mesh_rig, 30, rate=24)
    for frame in frames:
        sink.send(frame)
    assert path.read_bytes() == b"earlier"
    sink.close()
    sink.close()
    sink.discard()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    take = read_take(path)
    assert (take.names, take.rate) == (mesh_rig.names, 24)
    assert (take.rig, take.subject) == ("solid", "Anna")
    for frame, read in zip(frames, take.frames, strict=True):
        assert (read.index, read.found) == (frame.index, frame.found)
        assert read.time == pytest.approx(frame.time, abs=1e-9)
        np.testing.assert_array_equal(read.values, frame.values)
        np.testing.assert_allclose(read.head, frame.head, atol=1e-6)
        np.testing.assert_allclose(read.eyes, frame.eyes, atol=1e-6)


def test_ranges_odd_names_and_times_read_back(tmp_path: Path, perform: Any) -> None:
    """Names that are no USD identifiers, even the same one twice, and a range about a neutral."""
    names = ("jaw open", "jaw/open", "表情", "笑う", "1st", "freeavatar")
    controls = [Control(name=name) for name in names]
    controls[0] = Control(name=names[0], minimum=-1.0, neutral=0.5, maximum=3.0)
    rig = Rig(name="9 lives", controls=tuple(controls))
    frames = perform(rig, 9, rate=30000 / 1001)
    frames = [replace(f, time=f.time + 5 + 0.01 * (i % 3), index=i * 2)
              for i, f in enumerate(frames)]  # fmt: skip
    late = replace(frames[-1], index=99)
    path = write(tmp_path / "t.usda", rig, [*frames, late], 30000 / 1001)
    take = read_take(path)
    assert (take.names, take.rate) == (names, 30000 / 1001)
    assert [f.index for f in take.frames] == [f.index for f in frames]
    times = np.array([f.time for f in frames]) - frames[0].time
    np.testing.assert_allclose([f.time for f in take.frames], times, atol=1e-7)
    for frame, read in zip(frames, take.frames, strict=True):
        np.testing.assert_allclose(read.values, frame.values, atol=3e-7)
        np.testing.assert_allclose(read.head, frame.head, atol=1e-6)


def test_a_rig_without_a_mesh_gives_the_animation_alone(
    tmp_path: Path, arkit_rig: Rig, perform: Any
) -> None:
    frames = perform(arkit_rig, 12)
    stage = Usd.Stage.Open(str(write(tmp_path / "t.usdc", arkit_rig, frames)))
    assert [p.GetTypeName() for p in stage.Traverse()] == ["SkelAnimation"]
    animation = UsdSkel.Cache().GetAnimQuery(UsdSkel.Animation(stage.GetDefaultPrim()))
    assert tuple(animation.GetBlendShapeOrder()) == arkit_rig.names
    assert animation.GetBlendShapeWeightTimeSamples() == list(range(12))
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(animation.ComputeBlendShapeWeights(i), frame.values)
    assert list(animation.GetJointOrder()) == ["head", "head/left_eye", "head/right_eye"]
    read = read_take(tmp_path / "t.usdc")
    np.testing.assert_allclose(read.frames[7].eyes, frames[7].eyes, atol=1e-6)


@pytest.mark.parametrize("name", ["mannequin", "fox"])
def test_usdskel_deforms_the_mesh_as_the_rig_does(tmp_path: Path, perform: Any, name: str) -> None:
    rig = load(name)
    assert rig.mesh is not None
    frames = perform(rig, 6, rate=30)
    stage = Usd.Stage.Open(str(write(tmp_path / "t.usdc", rig, frames, 30)))
    animation = query_of(stage)[0].GetAnimQuery()
    assert animation.GetBlendShapeWeightTimeSamples() == list(range(6))
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(animation.ComputeBlendShapeWeights(i), frame.values)
    for i in (0, 3, 5):
        apart = np.linalg.norm(deformed(stage, i) - pose(rig, frames[i]), axis=1)
        assert apart.max() < 2e-6, f"{name}, frame {i}: {apart.max()} m"
        assert np.linalg.norm(pose(rig, frames[i]) - rig.mesh.vertices, axis=1).max() > 0.01
    assert stage.GetTimeCodesPerSecond() == 30
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 5)
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Y", 1)


def test_a_rig_without_head_or_eyes_still_keeps_their_turns(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    mesh = mesh_rig.mesh
    assert mesh is not None
    frames = perform(mesh_rig, 3)
    for joints in ((), mesh.joints[:1], mesh.joints[1:]):
        rig = replace(mesh_rig, mesh=replace(mesh, joints=joints))
        path = write(tmp_path / f"t{len(joints)}.usda", rig, frames)
        stage = Usd.Stage.Open(str(path))
        for i, (frame, read) in enumerate(zip(frames, read_take(path).frames, strict=True)):
            np.testing.assert_allclose(deformed(stage, i), pose(rig, frame), atol=2e-6)
            np.testing.assert_allclose(read.head, frame.head, atol=1e-6)
            np.testing.assert_allclose(read.eyes, frame.eyes, atol=1e-6)


@pytest.mark.parametrize("name", ["mannequin", "arkit"])
def test_usds_own_checker_finds_nothing_wrong(tmp_path: Path, perform: Any, name: str) -> None:
    rig = load(name)
    path = write(tmp_path / "t.usdc", rig, perform(rig, 4))
    context = UsdValidation.ValidationContext(
        UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    )
    stage = Usd.Stage.Open(str(path))
    assert [error.GetMessage() for error in context.Validate(stage)] == []
    stage.ClearMetadata("upAxis")
    names = {error.GetName() for error in context.Validate(stage)}
    assert "MissingUpAxisMetadata" in names, "the checker sees what is wrong"


def test_materials_normals_and_names_are_there(tmp_path: Path, perform: Any) -> None:
    rig = load("toon")
    assert rig.mesh is not None
    stage = Usd.Stage.Open(str(write(tmp_path / "t.usdc", rig, perform(rig, 2))))
    face = stage.GetPrimAtPath("/toon/face")
    assert [UsdSkel.BlendShape(stage.GetPrimAtPath(p)).GetPrim().GetCustomDataByKey(
        "freeavatar:name") for p in UsdSkel.BindingAPI(face).GetBlendShapeTargetsRel().GetTargets()
    ] == list(rig.names)  # fmt: skip
    subsets = UsdShade.MaterialBindingAPI(face).GetMaterialBindSubsets()
    assert sum(len(s.GetIndicesAttr().Get()) for s in subsets) == len(rig.mesh.triangles)
    colours = {}
    for subset in subsets:
        material, _ = UsdShade.MaterialBindingAPI(subset).ComputeBoundMaterial()
        shader = material.ComputeSurfaceSource()[0]
        colours[subset.GetPrim().GetName()] = shader.GetInput("diffuseColor").Get()
    tooth = next(part for part in rig.mesh.parts if part.name == "surface:teeth")
    assert colours["surface_teeth"] == Gf.Vec3f(*tooth.colour[:3])
    red, green, blue = colours["surface_skin"]
    assert 1 > red > green > blue > 0.05, "the texture's mean colour is skin"
    shape = UsdSkel.BlendShape(stage.GetPrimAtPath("/toon/face").GetChildren()[0])
    offsets, normals = (a.Get() for a in (shape.GetOffsetsAttr(), shape.GetNormalOffsetsAttr()))
    moved = np.flatnonzero(rig.mesh.deltas[0].any(axis=1))
    assert set(moved) <= set(shape.GetPointIndicesAttr().Get()) < set(range(len(rig.mesh.vertices)))
    assert len(offsets) == len(normals) == len(shape.GetPointIndicesAttr().Get())


def test_files_by_others_give_their_blend_shapes(tmp_path: Path) -> None:
    path = tmp_path / "other.usda"
    stage = Usd.Stage.CreateNew(str(path))
    stage.SetTimeCodesPerSecond(48)
    animation = UsdSkel.Animation.Define(stage, "/anim")
    animation.CreateBlendShapesAttr(["jawOpen", "smile"])
    animation.CreateJointsAttr(["hips"])
    for code in (10, 12):
        animation.CreateBlendShapeWeightsAttr().Set(Vt.FloatArray([code / 100, 1]), code)
    stage.Save()
    take = read_take(path)
    assert (take.names, take.rate, take.rig) == (("jawOpen", "smile"), 48, "")
    assert [f.time for f in take.frames] == pytest.approx([0, 2 / 48])
    np.testing.assert_allclose([f.values for f in take.frames], [[0.1, 1], [0.12, 1]], atol=1e-7)
    assert all(f.found and not f.head.any() for f in take.frames)
