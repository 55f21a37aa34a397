"""Runs inside Blender: turns a GLB take into an FBX with the same blendshape and bone animation.

``blender -b --factory-startup -P blender_fbx.py -- GLB FBX FPS RATE LAST NAME``

Frames 0 to LAST are baked, nothing is thinned out. The frame after LAST must hold the neutral pose:
the FBX's own pose is taken there. Works in Blender 3.4 and needs nothing but what comes with it.
"""

import sys
from typing import Any

SLIDER = 10.0
"""Blender's largest range of a shape key: values outside 0..1 must not be cut off."""


def main(source: str, target: str, fps: int, rate: float, last: int, name: str) -> None:
    """Convert one take.

    Args:
        source: the GLB; its frames lie ``1 / fps`` seconds apart.
        target: the FBX, replaced if there is one.
        fps: whole frames per second nearest to the rate.
        rate: frames per second of the FBX.
        last: frame to bake.
        name: of the animation in the FBX.

    Raises:
        RuntimeError: Blender cannot read or write.
    """
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.name = name
    # Importers of some versions count whole frames a second only, so the base follows later.
    scene.render.fps = fps
    bpy.ops.import_scene.gltf(filepath=source)
    scene.render.fps_base = fps / rate
    _widen_ranges(bpy.data.objects)
    scene.frame_start, scene.frame_end = 0, last
    scene.frame_set(last + 1)
    for thing in [o for o in bpy.data.objects if o.type == "MESH" and o.parent_type == "BONE"]:
        _give_bone(bpy, thing)
    scene.frame_set(last + 1)
    _rest_skinned(bpy)
    has_bones = any(o.type == "ARMATURE" for o in bpy.data.objects)
    bpy.ops.export_scene.fbx(
        filepath=target,
        object_types={"ARMATURE", "MESH"} if has_bones else {"EMPTY", "MESH"},
        use_mesh_modifiers=False,  # applying them would drop the shape keys
        add_leaf_bones=False,
        bake_anim=True,
        bake_anim_use_all_bones=True,
        bake_anim_use_nla_strips=False,
        bake_anim_use_all_actions=False,
        bake_anim_force_startend_keying=True,
        bake_anim_step=1.0,
        bake_anim_simplify_factor=0.0,
        path_mode="COPY",
        embed_textures=True,
    )


def _widen_ranges(objects: Any) -> None:
    """Let shape keys go below 0 and above 1."""
    for thing in objects:
        keys = thing.data.shape_keys if thing.type == "MESH" else None
        for key in keys.key_blocks if keys is not None else ():
            key.slider_min, key.slider_max = -SLIDER, SLIDER


def _give_bone(bpy: Any, thing: Any) -> None:
    """Skin a mesh that hangs on a bone (an eye) to a bone of its own, which moves as it did.

    Blender's FBX importer ignores what objects on bones do, and engines like one skeleton better.
    The scene must stand at the neutral pose.
    """
    skeleton, name = thing.parent, thing.name
    thing.name = f"{name}_mesh"
    guide = _take_over(bpy, thing)
    bpy.context.view_layer.objects.active = skeleton
    bpy.ops.object.mode_set(mode="EDIT")
    bone = skeleton.data.edit_bones.new(name)
    bone.parent = skeleton.data.edit_bones[guide.parent_bone]
    bone.tail = (0, bone.parent.length / 2, 0)
    # From the parent's pose to its rest: the neutral pose need not be the skeleton's.
    posed = skeleton.pose.bones[guide.parent_bone].matrix
    at_rest = bone.parent.matrix @ posed.inverted()
    bone.matrix = (at_rest @ skeleton.matrix_world.inverted() @ guide.matrix_world).normalized()
    bpy.ops.object.mode_set(mode="OBJECT")
    copy = skeleton.pose.bones[name].constraints.new("COPY_TRANSFORMS")
    copy.target = guide
    world = skeleton.matrix_world @ skeleton.data.bones[name].matrix_local
    thing.data.transform(world.inverted() @ guide.matrix_world, shape_keys=True)
    thing.parent_type, thing.matrix_world = "OBJECT", world
    group = thing.vertex_groups.new(name=name)
    group.add(range(len(thing.data.vertices)), 1.0, "REPLACE")
    thing.modifiers.new(name, "ARMATURE").object = skeleton


def _rest_skinned(bpy: Any) -> None:
    """Spare Blender deforming skinned meshes at every frame, which takes most of its time.

    A mesh in a hidden collection is not deformed (a hidden mesh would be hidden in the FBX too),
    but its shape keys stand still as well, unless something that is shown asks for them.
    """
    hidden = bpy.data.collections.new("hidden")
    bpy.context.scene.collection.children.link(hidden)
    for thing in [o for o in bpy.data.objects if o.type == "MESH"]:
        skins = [m for m in thing.modifiers if m.type == "ARMATURE" and m.object is not None]
        if not skins:
            continue
        if thing.data.shape_keys is not None:
            _ask_for(thing.data.shape_keys, skins[0].object)
        for collection in thing.users_collection:
            collection.objects.unlink(thing)
        hidden.objects.link(thing)
    hidden.hide_viewport = True


def _ask_for(keys: Any, skeleton: Any) -> None:
    """Make a property of the skeleton depend on shape keys."""
    name = f"keys {keys.name}"
    skeleton[name] = 0.0
    driver = skeleton.driver_add(f'["{name}"]').driver
    driver.type = "SUM"
    asked = driver.variables.new().targets[0]
    asked.id_type, asked.id = "KEY", keys
    asked.data_path = keys.key_blocks[-1].path_from_id("value")


def _take_over(bpy: Any, thing: Any) -> Any:
    """An empty that stands and moves as an object did, which stops moving."""
    guide = bpy.data.objects.new(f"{thing.name}_guide", None)
    bpy.context.scene.collection.objects.link(guide)
    guide.parent, guide.parent_type = thing.parent, thing.parent_type
    guide.parent_bone = thing.parent_bone
    guide.matrix_parent_inverse = thing.matrix_parent_inverse
    guide.rotation_mode = thing.rotation_mode
    guide.matrix_basis = thing.matrix_basis
    moves = thing.animation_data
    if moves is not None:
        guide.animation_data_create().action = moves.action
        if hasattr(moves, "action_slot"):  # Blender 4.4 and later
            guide.animation_data.action_slot = moves.action_slot
        thing.animation_data_clear()
    bpy.context.view_layer.update()
    return guide


def _mend_numpy() -> None:
    """Give numpy the name that the glTF importer of Blender 3.4 uses and newer numpy dropped."""
    import numpy

    if "bool" not in vars(numpy):
        vars(numpy)["bool"] = bool


if __name__ == "__main__":
    _mend_numpy()
    given = sys.argv[sys.argv.index("--") + 1 :]
    main(given[0], given[1], int(given[2]), float(given[3]), int(given[4]), given[5])
