"""FBX takes, read back by a second Blender: shapes, bones, points and rate; failures, kills."""

import json
import math
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from freeavatar.bridge.sink import BridgeError
from freeavatar.bridge.takes import fbx, open_take, read_take, recover
from freeavatar.rigs.blendshapes import pose
from freeavatar.rigs.registry import load
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import Control, Rig, RigFrame

needs_blender = pytest.mark.skipif(
    shutil.which("blender") is None, reason="Blender is not installed (optional)"
)

READ = """
import json, sys
import numpy
numpy.bool = bool
import bpy
source, target, *frames = sys.argv[sys.argv.index("--") + 1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.fbx(filepath=source, anim_offset=0.0)
scene = bpy.context.scene
out = {"fps": scene.render.fps / scene.render.fps_base, "names": [], "frames": []}
out["actions"] = [a.name for a in bpy.data.actions]
from io_scene_fbx import parse_fbx
objects = next(e for e in parse_fbx.parse(source)[0].elems if e.id == b"Objects")
curves = [e for e in objects.elems if e.id == b"AnimationCurve"]
keys = [e.props[0] for c in curves for e in c.elems if e.id == b"KeyTime"]
out["seconds"] = sorted({tuple(t / 46186158000 for t in times) for times in keys})
keyed = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys]
for mesh in keyed:
    for key in mesh.data.shape_keys.key_blocks:
        key.slider_min, key.slider_max = -10, 10
    out["names"].append([k.name for k in mesh.data.shape_keys.key_blocks[1:]])
for frame in map(int, frames):
    # Blender's importer counts whole frames a second: its frames are a little short at 29.97.
    at = frame * scene.render.fps_base
    scene.frame_set(int(at), subframe=at - int(at))
    graph = bpy.context.evaluated_depsgraph_get()
    points, bones = [], {}
    for thing in bpy.data.objects:
        if thing.type == "MESH":
            shown = thing.evaluated_get(graph)
            points += [list(shown.matrix_world @ v.co) for v in shown.to_mesh().vertices]
        for bone in thing.pose.bones if thing.pose else ():
            turn = bone.matrix @ bone.bone.matrix_local.inverted()
            bones[bone.name] = [list(row) for row in turn.to_3x3()]
    values = {k.name: k.value for m in keyed for k in m.data.shape_keys.key_blocks[1:]}
    out["frames"].append({"values": values, "points": points, "bones": bones})
json.dump(out, open(target, "w"))
"""
TO_RIG_SPACE = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Blender's z is up; a face that looks along our z looks along its -y."""


def read_in_blender(path: Path, frames: list[int]) -> dict[str, Any]:
    """What a fresh Blender finds in an FBX at some frames."""
    script, out = path.with_suffix(".read.py"), path.with_suffix(".json")
    script.write_text(READ)
    options = ["-b", "--factory-startup", "--python-exit-code", "1", "-P", str(script), "--"]
    done = subprocess.run(
        ["blender", *options, path, out, *map(str, frames)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def write(path: Path, rig: Rig, frames: list[RigFrame], rate: float, **more: Any) -> None:
    """A take at ``path``."""
    sink = open_take(path, rig, rate=rate, **more)
    for frame in frames:
        sink.send(frame)
    sink.close()


@needs_blender
def test_blender_finds_every_value_point_and_turn_at_its_frame(
    tmp_path: Path, perform: Any
) -> None:
    rig = load("fox")
    frames = perform(rig, 13, rate=30000 / 1001)
    path = tmp_path / "t.fbx"
    write(path, rig, frames, 30000 / 1001, subject="Anna")
    assert [p.name for p in tmp_path.iterdir()] == ["t.fbx"]
    found = read_in_blender(path, [0, 5, 12])
    assert found["fps"] == pytest.approx(30000 / 1001, abs=1e-3)
    assert found["names"] == [list(rig.names)]
    assert all("Anna" in action for action in found["actions"])
    (seconds,) = found["seconds"]
    np.testing.assert_allclose(seconds, np.arange(13) * 1001 / 30000, atol=1e-7)
    for at, seen in zip((0, 5, 12), found["frames"], strict=True):
        frame = frames[at]
        values = [seen["values"][name] for name in rig.names]
        np.testing.assert_allclose(values, frame.values, atol=1e-4)
        ours, theirs = pose(rig, frame), np.array(seen["points"]) @ TO_RIG_SPACE.T
        assert cKDTree(theirs).query(ours)[0].max() < 2e-5, f"metres, frame {at}"
        assert cKDTree(ours).query(theirs)[0].max() < 2e-5, f"metres, frame {at}"
        head = matrix_from_angles(frame.head)
        for bone, turn in (
            ("head", head),
            ("eye_left", head @ matrix_from_angles(frame.eyes[0])),
            ("eye_right", head @ matrix_from_angles(frame.eyes[1])),
        ):
            matrix = TO_RIG_SPACE @ np.array(seen["bones"][bone]) @ TO_RIG_SPACE.T
            apart = Rotation.from_matrix(matrix @ turn.T).magnitude()
            assert math.degrees(apart) < 0.05, f"{bone}, frame {at}"


@needs_blender
def test_a_rig_without_bones_keeps_values_beyond_the_usual_range(
    tmp_path: Path, mesh_rig: Rig, perform: Any
) -> None:
    """Uneven times too: a frame that falls between two of the rate's is found between them."""
    wide = Control(name="up", minimum=-2.0, maximum=1.0)
    rig = replace(mesh_rig, controls=(wide, *mesh_rig.controls[1:]))
    frames = perform(rig, 6, rate=60)
    frames[1].values[0], frames[3].values[:2] = -1.5, (1.8, 0.0)
    frames[5] = replace(frames[5], time=4.5 / 60)
    path = tmp_path / "t.fbx"
    write(path, rig, frames, 60)
    found = read_in_blender(path, [0, 1, 3, 4, 5])
    assert (found["fps"], found["names"]) == (60, [["up", "tip", "side"]])
    np.testing.assert_allclose(found["seconds"][0], np.arange(6) / 60, atol=1e-7)
    for at, seen in zip((0, 1, 3, 4, 5), found["frames"], strict=True):
        values = [seen["values"][name] for name in rig.names]
        np.testing.assert_allclose(values, frames[at].values, atol=1e-3)
        ours, theirs = pose(rig, frames[at]), np.array(seen["points"]) @ TO_RIG_SPACE.T
        assert cKDTree(theirs).query(ours)[0].max() < 1e-4, f"metres, frame {at}"


def stand_in(folder: Path, script: str) -> str:
    """A program to run in Blender's place."""
    program = folder / "blender stand-in"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (
            "echo Blender 3.4.1; echo Traceback: no numpy; echo; echo Blender quit; exit 1",
            "Blender could not write the FBX: Traceback: no numpy; the take is kept as",
        ),
        ("exit 0", "Blender could not write the FBX: it said nothing"),
        ("kill -SEGV $$", "Blender could not write the FBX"),
        ("exec sleep 60", "Blender did not write the FBX within 1 s"),
    ],
)
def test_when_blender_fails_the_take_is_kept_as_a_glb(
    tmp_path: Path,
    mesh_rig: Rig,
    perform: Any,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    complaint: str,
) -> None:
    monkeypatch.setattr(fbx, "START_LIMIT", 1.0 if "sleep" in script else 120.0)
    monkeypatch.setattr(fbx, "FRAME_LIMIT", 0.0)
    out = tmp_path / "takes"
    out.mkdir()
    for name in ("t.fbx", "t.glb", "t.recovered.glb"):
        (out / name).write_bytes(b"earlier")
    frames = perform(mesh_rig, 8)
    with pytest.raises(BridgeError, match=re.escape(complaint)) as caught:
        write(out / "t.fbx", mesh_rig, frames, 60, blender=stand_in(tmp_path, script))
    assert str(caught.value).endswith("; the take is kept as t.recovered-2.glb")
    assert "\n" not in str(caught.value)
    take = read_take(out / "t.recovered-2.glb")
    assert take.rate == 60
    for frame, kept in zip(frames, take.frames, strict=True):
        np.testing.assert_allclose(kept.values, frame.values, atol=1e-6)
    for name in ("t.fbx", "t.glb", "t.recovered.glb"):
        assert (out / name).read_bytes() == b"earlier"


def test_without_blender_the_run_does_not_begin(
    tmp_path: Path, mesh_rig: Rig, arkit_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BridgeError, match="no program 'blender' was found; install Blender"):
        open_take(tmp_path / "t.fbx", mesh_rig, rate=60)
    with pytest.raises(BridgeError, match="no program '/nowhere/blender' was found"):
        open_take(tmp_path / "t.fbx", mesh_rig, rate=60, blender="/nowhere/blender")
    with pytest.raises(BridgeError, match="rig with a mesh and arkit has none"):
        open_take(tmp_path / "t.fbx", arkit_rig, rate=60)
    with pytest.raises(BridgeError, match="only written"):
        read_take(tmp_path / "t.fbx")
    assert not list(tmp_path.iterdir())


KILLED = """
import sys
from pathlib import Path
import numpy as np
from freeavatar.bridge.takes import open_take
from freeavatar.rigs.registry import load
from freeavatar.rigs.spec import RigFrame
sink = open_take(Path(sys.argv[1]), load("fox"), rate=60, blender=sys.executable)
for i in range(1000000):
    sink.send(RigFrame(index=i, time=i / 60, values=np.full(16, i / 1e6, np.float32)))
    print(i, flush=True)
"""


def test_a_killed_run_is_recovered_as_a_glb(tmp_path: Path, perform: Any) -> None:
    """Without Blender, so that the next take can begin at once."""
    path = tmp_path / "t.fbx"
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) == 100:
            break
    os.kill(writer.pid, signal.SIGKILL)
    printed = [100, *(int(line) for line in writer.stdout.readlines() if line.endswith("\n"))]
    writer.wait()
    writer.stdout.close()
    left = read_take(tmp_path / "t.fbx.part")
    assert len(left.frames) > printed[-1]
    (tmp_path / "t.recovered.glb").write_bytes(b"earlier")
    assert recover(path, load("fox")) == tmp_path / "t.recovered-2.glb"
    kept = read_take(tmp_path / "t.recovered-2.glb")
    assert len(kept.frames) == len(left.frames)
    assert kept.frames[printed[-1]].values[3] == pytest.approx(printed[-1] / 1e6, abs=1e-8)
    assert {p.name for p in tmp_path.iterdir()} == {"t.recovered.glb", "t.recovered-2.glb"}


def test_another_rigs_journal_is_kept(tmp_path: Path, mesh_rig: Rig, perform: Any) -> None:
    sink: Any = open_take(tmp_path / "t.fbx", mesh_rig, rate=60, blender=sys.executable)
    sink.send(perform(mesh_rig, 1)[0])
    sink._journal.file.keep()
    for other in (replace(mesh_rig, mesh=None), replace(load("fox"), name="other")):
        shutil.copy(tmp_path / "t.fbx.part", tmp_path / "u.fbx.part")
        assert recover(tmp_path / "u.fbx", other) == tmp_path / "u.recovered.fbx.part"
        assert read_take(tmp_path / "u.recovered.fbx.part").rig == "solid"
        (tmp_path / "u.recovered.fbx.part").unlink()
