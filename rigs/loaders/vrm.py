"""VRM 0.x and 1.0 avatars: expression clips over morph targets, and a declared humanoid.

Engines and animators address a VRM by its expressions, so those are its controls: every clip that
changes something, by preset name or else its own, and then the morph targets no clip reaches.

Source: VRM 0.0 specification (VRM.blendShapeMaster); VRMC_vrm-1.0 (expressions, humanoid).
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from freeavatar.rigs.conventions import CONVENTIONS, control_named, describe_controls
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.document import Document, parse_document, read_bytes
from freeavatar.rigs.gltf.fields import Fields, plain
from freeavatar.rigs.spec import Control, FloatArray, Rig

from .gltf import Hints, build_mesh, understand
from .morph_targets import morph_target_names

BONES = {
    "head": "head",
    "neck": "neck",
    "leftEye": "left_eye",
    "rightEye": "right_eye",
    "jaw": "jaw",
}
"""Humanoid bone names, and the roles they have here."""

OVERRIDES = ("none", "block", "blend")

Clip = dict[str, Any]


def load(path: Path, name: str) -> Rig:
    """Read a .vrm file.

    Raises:
        RigError: the file is damaged, declares no VRM, or has nothing to drive.
    """
    document = parse_document(read_bytes(path), path.name, path.parent)
    if not is_vrm(document):
        raise RigError(f"{path.name} is no VRM: it has neither the VRM nor the VRMC_vrm extension")
    source = understand(document, vrm_hints(document))
    mesh, morphs = build_mesh(source, required=False)
    clips = used_clips(read_expressions(document))
    binds = control_binds(clips, morphs)
    if not binds:
        raise RigError(f"{path.name} has no expressions and no morph targets: nothing to drive")
    version_1 = document.root.object("extensions").has("VRMC_vrm")
    return Rig(
        name=name,
        controls=_controls(tuple(binds), clips, "vrm1" if version_1 else "vrm0"),
        mesh=replace(mesh, deltas=_clip_deltas(binds, morphs, mesh.deltas)),
        licence=_licence(document),
        notes=source.notes,
        up_axis=source.placement.up_axis,
        units_per_metre=1 / source.placement.scale,
        expressions=MappingProxyType(clips),
    )


def is_vrm(document: Document) -> bool:
    """Whether the file declares a VRM avatar of either version."""
    extensions = document.root.object("extensions")
    return extensions.has("VRMC_vrm") or extensions.has("VRM")


def vrm_hints(document: Document) -> Hints:
    """What the avatar declares: bones, metres, and which way its version faces."""
    extensions = document.root.object("extensions")
    nodes: dict[str, int] = {}
    if extensions.has("VRMC_vrm"):
        bones = extensions.object("VRMC_vrm").object("humanoid").object("humanBones")
        for bone, role in BONES.items():
            if bones.has(bone):
                nodes[role] = _node(document, bones.object(bone))
    else:
        for entry in extensions.object("VRM").object("humanoid").objects("humanBones"):
            role_of = BONES.get(entry.text("bone"))
            if role_of:
                nodes[role_of] = _node(document, entry)
    return Hints(nodes=nodes, half_turn=not extensions.has("VRMC_vrm"), metres=True)


def read_expressions(document: Document) -> dict[str, Clip]:
    """All expression clips by control name, as `freeavatar.rigs.vrm_expressions` describes them.

    Raises:
        RigError: a clip names a mesh, node or morph target that is not there.
    """
    extensions = document.root.object("extensions")
    if extensions.has("VRMC_vrm"):
        return _expressions_1(document, extensions.object("VRMC_vrm").object("expressions"))
    return _expressions_0(document, extensions.object("VRM").object("blendShapeMaster"))


def used_clips(clips: Mapping[str, Clip]) -> dict[str, Clip]:
    """The clips that change something, and so are controls."""
    return {n: c for n, c in clips.items() if c["binds"] or c["material_binds"]}


def control_binds(
    clips: Mapping[str, Clip], morphs: tuple[str, ...]
) -> dict[str, Mapping[str, float]]:
    """Morph target weights of each control: the clips, then targets that no clip reaches."""
    binds: dict[str, Mapping[str, float]] = {name: clip["binds"] for name, clip in clips.items()}
    reached = {morph for weights in binds.values() for morph in weights}
    for morph in morphs:
        if morph not in reached:
            binds[_unused(morph, binds)] = {morph: 1.0}
    return binds


def _controls(
    names: tuple[str, ...], clips: Mapping[str, Clip], version: str
) -> tuple[Control, ...]:
    """Controls by what the file declares of its presets, and by name for all others.

    A file may have too few presets, all everyday words, for their names alone to tell.
    """
    known = CONVENTIONS[version].controls
    presets = {n: clip["preset"] for n, clip in clips.items() if clip["preset"] in known}
    return tuple(
        replace(control_named(version, presets[c.name]), name=c.name) if c.name in presets else c
        for c in describe_controls(names)
    )


def _node(document: Document, fields: Fields) -> int:
    node = fields.integer("node")
    document.item("nodes", node)
    return node


def _expressions_1(document: Document, fields: Fields) -> dict[str, Clip]:
    clips: dict[str, Clip] = {}
    for kind in ("preset", "custom"):
        group = fields.object(kind)
        for key in group.values:
            clip = group.object(key)
            clips[_unused(plain(key), clips)] = _clip(
                preset=plain(key) if kind == "preset" else "",
                binds=_binds(document, clip.objects("morphTargetBinds"), "node", 1.0),
                binary=clip.flag("isBinary"),
                material_binds=len(clip.array("materialColorBinds"))
                + len(clip.array("textureTransformBinds")),
            ) | {
                "override_mouth": _override(clip, "overrideMouth"),
                "override_blink": _override(clip, "overrideBlink"),
                "override_look_at": _override(clip, "overrideLookAt"),
            }
    return clips


def _expressions_0(document: Document, fields: Fields) -> dict[str, Clip]:
    clips: dict[str, Clip] = {}
    for group in fields.objects("blendShapeGroups"):
        preset = group.text("presetName").lower()
        preset = "" if preset == "unknown" else preset
        name = preset or group.text("name") or "expression"
        clips[_unused(name, clips)] = _clip(
            preset=preset,
            binds=_binds(document, group.objects("binds"), "mesh", 100.0),
            binary=group.flag("isBinary"),
            material_binds=len(group.array("materialValues")),
        )
    return clips


def _clip(*, preset: str, binds: Mapping[str, float], binary: bool, material_binds: int) -> Clip:
    return {
        "preset": preset,
        "binds": dict(binds),
        "binary": binary,
        "material_binds": material_binds,
        "override_mouth": "none",
        "override_blink": "none",
        "override_look_at": "none",
    }


def _override(clip: Fields, key: str) -> str:
    value = clip.text(key, "none")
    if value not in OVERRIDES:
        raise clip.fail(key, "none, block or blend")
    return value


def _binds(document: Document, binds: list[Fields], kind: str, full: float) -> dict[str, float]:
    """Weights by morph target name; VRM 1.0 counts them by node to 1, 0.x by mesh to 100."""
    names = morph_target_names(document)
    weights: dict[str, float] = {}
    for bind in binds:
        mesh = bind.integer(kind)
        if kind == "node":
            mesh = document.item("nodes", mesh).integer("mesh")
        document.item("meshes", mesh)
        index = bind.integer("index")
        if index >= len(names[mesh]):
            raise RigError(
                f"{document.file}: {bind.where} names morph target {index} of "
                f"{len(names[mesh])} in meshes[{mesh}]"
            )
        weight = bind.number("weight", full) / full
        if weight:
            weights[names[mesh][index]] = weight
    return weights


def _clip_deltas(
    binds: Mapping[str, Mapping[str, float]], morphs: tuple[str, ...], deltas: FloatArray
) -> FloatArray:
    """(K, V, 3) displacement of each control at full weight."""
    out = np.zeros((len(binds), *deltas.shape[1:]), np.float32)
    for row, weights in zip(out, binds.values(), strict=True):
        for morph, weight in weights.items():
            # A mesh outside the scene has targets that nothing shows.
            if morph in morphs:
                row += np.float32(weight) * deltas[morphs.index(morph)]
    return out


def _licence(document: Document) -> str:
    extensions = document.root.object("extensions")
    if extensions.has("VRMC_vrm"):
        meta = extensions.object("VRMC_vrm").object("meta")
        authors = ", ".join(plain(a) for a in meta.array("authors") if isinstance(a, str))
        licence = meta.text("otherLicenseUrl") or meta.text("licenseUrl")
    else:
        meta = extensions.object("VRM").object("meta")
        authors = meta.text("author")
        licence = meta.text("otherLicenseUrl") or meta.text("licenseName")
    return f"{licence} ({authors})" if authors else licence


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate
