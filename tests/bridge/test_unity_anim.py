"""Unity clips: read by unityparser, and laid out as clips that Unity wrote."""

import re
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import open_take, read_take, recover
from freeavatar.bridge.takes.unity_anim import shape_curves, write_unity_anim
from freeavatar.bridge.takes.unity_clip import clip_text
from freeavatar.rigs.spec import Control, Part, Rig, RigFrame, Take

# In the order in which Unity 2018 to 2022 wrote them into clips found in public projects.
FIELDS = (
    "m_ObjectHideFlags", "m_CorrespondingSourceObject", "m_PrefabInstance", "m_PrefabAsset",
    "m_Name", "serializedVersion", "m_Legacy", "m_Compressed", "m_UseHighQualityCurve",
    "m_RotationCurves", "m_CompressedRotationCurves", "m_EulerCurves", "m_PositionCurves",
    "m_ScaleCurves", "m_FloatCurves", "m_PPtrCurves", "m_SampleRate", "m_WrapMode", "m_Bounds",
    "m_ClipBindingConstant", "m_AnimationClipSettings", "m_EditorCurves", "m_EulerEditorCurves",
    "m_HasGenericRootTransform", "m_HasMotionFloatCurves", "m_Events",
)  # fmt: skip
KEY_FIELDS = (
    "serializedVersion", "time", "value", "inSlope", "outSlope", "tangentMode", "weightedMode",
    "inWeight", "outWeight",
)  # fmt: skip


def loaded(path: Path) -> Any:
    """The clip as unityparser reads it, numbers as numbers."""
    unityparser = pytest.importorskip("unityparser", reason="pip install 'freeavatar[dev]'")
    document = unityparser.UnityDocument.load_yaml(str(path), try_preserve_types=True)
    return document.entry


def record(
    path: Path, rig: Rig, frames: list[RigFrame], renderer: str | None = None, rate: float = 60
) -> Path:
    sink = open_take(path, rig, rate=rate, renderer=renderer)
    for frame in frames:
        sink.send(frame)
    sink.close()
    return path


def keys(curve: Any, field: str) -> list[float]:
    return [float(key[field]) for key in curve["curve"]["m_Curve"]]


def test_unityparser_reads_every_value(tmp_path: Path, arkit_rig: Rig, perform: Any) -> None:
    frames = [replace(f, time=f.time + 7.5) for f in perform(arkit_rig, 12)]
    clip = loaded(record(tmp_path / "smile.anim", arkit_rig, frames, rate=59.94))
    assert type(clip).__name__ == "AnimationClip"
    assert clip.anchor == "7400000"
    assert (clip.m_Name, clip.m_SampleRate) == ("smile", 59.94)
    assert [c["attribute"] for c in clip.m_FloatCurves] == [
        f"blendShape.{name}" for name in arkit_rig.names
    ]
    for column, curve in enumerate(clip.m_FloatCurves):
        assert (curve["classID"], curve["path"] or "") == (137, "")
        values = [100 * f.values[column] for f in frames]
        np.testing.assert_allclose(keys(curve, "value"), values, atol=5.1e-5)
        np.testing.assert_allclose(keys(curve, "time"), np.arange(12) / 60, atol=1e-9)
    settings = clip.m_AnimationClipSettings
    assert settings["m_LoopTime"] == 0
    assert settings["m_StopTime"] == pytest.approx(11 / 60, abs=1e-9)


def test_the_text_is_laid_out_as_unity_writes_it(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    text = record(tmp_path / "t.anim", mesh_rig, perform(mesh_rig, 3)).read_text("ascii")
    assert text.startswith(
        "%YAML 1.1\n%TAG !u! tag:unity3d.com,2011:\n--- !u!74 &7400000\nAnimationClip:\n"
    )
    assert tuple(re.findall(r"^  (\w+):", text, re.MULTILINE)) == FIELDS
    first = text[text.index("m_Curve:") : text.index("m_PreInfinity")].split("- ")[1]
    assert tuple(re.findall(r"(\w+):", first)) == KEY_FIELDS
    assert not re.search(r"\d[eE][+-]?\d|nan|inf\b", text.replace("m_PreInfinity", ""))
    after = text[text.index("      m_PreInfinity") :]
    assert after.startswith(
        "      m_PreInfinity: 2\n      m_PostInfinity: 2\n      m_RotationOrder: 4\n"
        "    attribute: blendShape.up\n    path: solid\n    classID: 137\n"
        "    script: {fileID: 0}\n  - curve:\n"
    )


def test_straight_lines_between_the_keys_give_every_frame(
    tmp_path: Path, odd_rig: Rig, perform: Any
) -> None:
    """What stands still loses keys; slopes are those of the lines to the neighbours."""
    frames = perform(odd_rig, 50)
    values = np.stack([f.values for f in frames])
    values[:, 0] = 0.25
    values[10:30, 1] = 1.0
    frames = [replace(f, values=v) for f, v in zip(frames, values, strict=True)]
    clip = loaded(record(tmp_path / "t.anim", odd_rig, frames))
    counts = []
    for column, curve in enumerate(clip.m_FloatCurves):
        t, v = np.array(keys(curve, "time")), np.array(keys(curve, "value"))
        counts.append(len(t))
        shown = np.interp(np.arange(50) / 60, t, v)
        np.testing.assert_allclose(shown, 100 * values[:, column], atol=5.1e-5)
        slopes = np.diff(v) / np.diff(t)
        np.testing.assert_allclose(keys(curve, "outSlope")[:-1], slopes, atol=1e-3)
        np.testing.assert_allclose(keys(curve, "inSlope")[1:], slopes, atol=1e-3)
    assert counts == [2, 32, 50]


def test_a_single_frame_is_a_clip(tmp_path: Path, odd_rig: Rig, perform: Any) -> None:
    clip = loaded(record(tmp_path / "t.anim", odd_rig, perform(odd_rig, 1)))
    assert [len(c["curve"]["m_Curve"]) for c in clip.m_FloatCurves] == [1, 1, 1]
    assert keys(clip.m_FloatCurves[0], "inSlope") == [0]


def test_bindings_have_the_hashes_that_unity_gave_them() -> None:
    """1783637695 stands in a clip Unity wrote for the blend shape blendShape1.MTH_A."""
    curves = {("", "blendShape1.MTH_A"): np.zeros(2, np.float32)}
    text = clip_text("t", 60, np.array([0, 0.5]), curves)
    assert (
        "    - serializedVersion: 2\n      path: 0\n      attribute: 1783637695\n"
        "      script: {fileID: 0}\n      typeID: 137\n      customType: 20\n"
    ) in text


def test_each_mesh_that_a_control_moves_gets_its_curve(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    """Teeth and lashes share the head's controls; the renderer can be named instead."""
    mesh = mesh_rig.mesh
    assert mesh is not None
    deltas = mesh.deltas.copy()
    deltas[1, 4:8] = 0.01
    parts = (
        Part(name="ns:face:skin", first_triangle=0, triangle_count=4),
        Part(name="eye", first_triangle=4, triangle_count=4),
        Part(name="eye:white", first_triangle=8, triangle_count=4),
    )
    rig = replace(mesh_rig, mesh=replace(mesh, deltas=deltas, parts=parts))
    values = np.float32([[0, 0, 0], [1, 0.5, 0.25]])
    found = shape_curves(rig, values)
    assert list(found) == [
        ("ns:face", "up"), ("ns:face", "tip"), ("eye", "tip"), ("ns:face", "side"),
    ]  # fmt: skip
    np.testing.assert_allclose(found["eye", "tip"], [0, 0.5])
    frames = perform(rig, 2)
    for renderer in ("", "Root/Face mesh"):
        clip = loaded(record(tmp_path / "t.anim", rig, frames, renderer))
        assert [c["path"] or "" for c in clip.m_FloatCurves] == [renderer] * 3


def test_a_vrms_expressions_become_the_shapes_they_bind() -> None:
    clips = {
        "happy": {"preset": "happy", "binds": {"smile": 1.0, "cheeks": 0.5}, "binary": False},
        "joy2": {"preset": "", "binds": {"smile": 0.25}, "binary": True},
        "glow": {"preset": "", "binds": {}, "binary": False},
    }
    names = ("happy", "joy2", "glow", "brow")
    controls = tuple(Control(name=name) for name in names)
    rig = Rig(name="r", controls=controls, expressions=MappingProxyType(clips))
    found = shape_curves(rig, np.float32([[0.5, 0.75, 1, 0.1], [1, 0.25, 1, 0]]), "Face")
    assert set(found) == {("Face", "smile"), ("Face", "cheeks"), ("Face", "brow")}
    np.testing.assert_allclose(found["Face", "smile"], [0.75, 1])
    np.testing.assert_allclose(found["Face", "cheeks"], [0.25, 0.5])


def test_rigs_without_a_blend_shape_are_refused(tmp_path: Path) -> None:
    glow = {"glow": {"preset": "", "binds": {}, "binary": False}}
    controls = (Control(name="glow"),)
    for rig in (
        Rig(name="r", controls=controls, expressions=MappingProxyType(glow)),
        Rig(name="r", controls=()),
    ):
        with pytest.raises(BridgeError, match="no control of r moves one"):
            open_take(tmp_path / "t.anim", rig, rate=60)
    assert not list(tmp_path.iterdir())


def test_clips_are_written_only(tmp_path: Path, odd_rig: Rig, perform: Any) -> None:
    path = record(tmp_path / "t.anim", odd_rig, perform(odd_rig, 2))
    with pytest.raises(BridgeError, match=r"written only, never read; keep a \.jsonl"):
        read_take(path)


ODD_NAMES = (
    "a: b", "# c", "d'e", 'f"g\\h', " i ", "笑い", "👄 wide", "true", "new\nline", "-", "{j}",
    "k #l", "mouth.Smile_L/2", "*m", "~", "Body",
)  # fmt: skip


def test_names_of_all_kinds_survive(tmp_path: Path) -> None:
    rig = Rig(name="r", controls=tuple(Control(name=name) for name in ODD_NAMES))
    frames = [RigFrame(index=0, time=0.0, values=np.zeros(len(ODD_NAMES), np.float32))]
    for number, name in enumerate(ODD_NAMES):
        path = tmp_path / f"{number}.anim"
        record(path, rig, frames, renderer=name)
        clip = loaded(path)
        shapes = [c["attribute"] for c in clip.m_FloatCurves]
        assert shapes == [f"blendShape.{n}" for n in ODD_NAMES]
        assert {c["path"] for c in clip.m_FloatCurves} == {name}
    plain = (tmp_path / "0.anim").read_text("ascii")
    assert "attribute: blendShape.mouth.Smile_L/2\n" in plain
    assert loaded(record(tmp_path / "take: 1 #é.anim", rig, frames)).m_Name == "take: 1 #é"


def test_a_killed_run_is_recovered(tmp_path: Path, odd_rig: Rig, perform: Any) -> None:
    path = tmp_path / "t.anim"
    path.write_text("earlier")
    sink: Any = open_take(path, odd_rig, rate=60)
    for frame in perform(odd_rig, 20):
        sink.send(frame)
    # What a kill leaves: the journal, unlocked.
    sink._journal.file.keep()
    assert len(read_take(tmp_path / "t.anim.part").frames) == 20
    kept = recover(path, odd_rig)
    assert kept == tmp_path / "t.recovered.anim"
    clip = loaded(kept)
    assert (clip.m_Name, len(keys(clip.m_FloatCurves[0], "time"))) == ("t.recovered", 20)
    assert path.read_text() == "earlier"
    assert len(list(tmp_path.iterdir())) == 2


def test_frames_whose_time_stands_still_are_left_out(tmp_path: Path, odd_rig: Rig) -> None:
    times = (3.0, 3.0, 3.5, 3.5 + 1e-12, 4.0)
    values = np.arange(15, dtype=np.float32).reshape(5, 3) / 15
    frames = [
        RigFrame(index=i, time=t, values=v)
        for i, (t, v) in enumerate(zip(times, values, strict=True))
    ]
    clip = loaded(record(tmp_path / "t.anim", odd_rig, frames))
    assert keys(clip.m_FloatCurves[0], "time") == [0, 0.5, 1]


def test_a_minute_is_written_at_once(tmp_path: Path) -> None:
    """3,600 frames of 60 controls that all move; the bound is for a slow, busy machine."""
    rig = Rig(name="r", controls=tuple(Control(name=f"c{i}") for i in range(60)))
    random = np.random.default_rng(3)
    frames = [
        RigFrame(index=i, time=i / 60, values=random.random(60, dtype=np.float32))
        for i in range(3600)
    ]
    path = tmp_path / "t.anim"
    started = time.perf_counter()
    write_unity_anim(path, rig, Take(names=rig.names, frames=frames, rate=60))
    assert time.perf_counter() - started < 5
    assert path.read_bytes().count(b"tangentMode: 69") > 215_000
