"""Runs in Blender: switches our add-on on, starts it, prints what the shape keys show.

Arguments after ``--``: the add-on's file, a GLB, the port, names of more shape keys.
"""

import importlib.util
import json
import sys
import time
from typing import Any

import bpy  # type: ignore[import-not-found]
import numpy

numpy.bool = bool  # type: ignore[attr-defined]  # Blender 3.4's glTF importer still asks for it


def face() -> Any:
    """The shape keys of the first object that has any."""
    meshes = (o.data for o in bpy.context.scene.objects if o.type == "MESH")
    return next(mesh.shape_keys for mesh in meshes if mesh.shape_keys)


def keyframes(keys: Any) -> list[list[float]]:
    """Frame and value of what was recorded of jawOpen."""
    if not keys.animation_data or not keys.animation_data.action:
        return []
    curve = keys.animation_data.action.fcurves.find('key_blocks["jawOpen"].value')
    return [list(point.co) for point in curve.keyframe_points]


def say(line: dict[str, Any]) -> None:
    """Print one line of JSON."""
    print(json.dumps(line), flush=True)


file, glb, port, *names = sys.argv[sys.argv.index("--") + 1 :]
spec = importlib.util.spec_from_file_location("freeavatar_receiver", file)
addon = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
spec.loader.exec_module(addon)  # type: ignore[union-attr]
bpy.ops.object.select_all(action="SELECT")
bpy.ops.object.delete()
bpy.ops.import_scene.gltf(filepath=glb)
for name in names:
    bpy.data.objects["surface"].shape_key_add(name=name)
addon.register()
scene = bpy.context.scene
scene.freeavatar_port = int(port)
scene.freeavatar_record = True
assert bpy.ops.freeavatar.start() == {"FINISHED"}
say({"ready": True})
while True:
    # Blender calls timers only where it has a window.
    if addon._running.show_latest(scene):
        keys = face()
        weights = {block.name: block.value for block in keys.key_blocks[1:]}
        say({"time": addon._running.time, "weights": weights, "keyframes": keyframes(keys)})
    time.sleep(0.005)
