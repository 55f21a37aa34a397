"""glTF and GLB files as rigs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from freeavatar.rigs.conventions import describe_controls
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.document import Document, parse_document, read_bytes
from freeavatar.rigs.gltf.fields import Fields
from freeavatar.rigs.gltf.scene import NodeTree, read_nodes
from freeavatar.rigs.gltf.writer import GENERATOR
from freeavatar.rigs.spec import Control, Mesh, Rig

from .assembly import Assembly, assemble
from .joints import FoundJoint, find_head, find_joints, jaw_displacement
from .placement import Placement, find_placement

JAW_CONTROL = "jawOpen"
"""Name of the control made for a jaw that has a bone but no morph target."""


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What a format that builds on glTF declares itself (VRM)."""

    nodes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Nodes by role: head, neck, left_eye, right_eye, jaw."""
    half_turn: bool | None = None
    """Whether the face looks along -z; None: find out."""
    metres: bool = False
    """The format promises metres."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A glTF file understood: its meshes, what turns, and how it stands in rig space."""

    document: Document
    tree: NodeTree
    assembly: Assembly
    placement: Placement
    joints: tuple[FoundJoint, ...]
    notes: tuple[str, ...]


def load(path: Path, name: str) -> Rig:
    """Read a .glb or .gltf file.

    Raises:
        RigError: the file is damaged, or has no control.
    """
    document = parse_document(read_bytes(path), path.name, path.parent)
    source = understand(document, own_hints(document))
    mesh, names = build_mesh(source)
    return Rig(
        name=name,
        controls=with_ranges(document, describe_controls(names)),
        mesh=mesh,
        licence=document.root.object("asset").text("copyright"),
        notes=source.notes,
        up_axis=source.placement.up_axis,
        units_per_metre=1 / source.placement.scale,
    )


def understand(document: Document, hints: Hints | None = None) -> Source:
    """Gather the meshes of a file and find how it stands and what turns.

    Raises:
        RigError: the file is damaged or shows nothing.
    """
    hints = hints or Hints()
    tree = read_nodes(document)
    assembly = assemble(document, tree)
    head = find_head(tree, assembly, hints.nodes)
    described: Sequence[Control] = describe_controls(assembly.names)
    placement = find_placement(
        assembly, described, head[1], half_turn=hints.half_turn, metres=hints.metres
    )
    joints, notes = find_joints(tree, assembly, placement, head, hints.nodes)
    if head[0] < 0:
        notes = (*notes, "No bone carries the whole head: everything drawn turns with it.")
    return Source(
        document=document,
        tree=tree,
        assembly=assembly,
        placement=placement,
        joints=joints,
        notes=(*document.notes, *placement.notes, *notes),
    )


def build_mesh(source: Source, *, required: bool = True) -> tuple[Mesh, tuple[str, ...]]:
    """The mesh in rig space and the names of its controls.

    A jaw bone without any jaw-opening morph target gives the control `jawOpen`: the displacement
    at 20 degrees.

    Raises:
        RigError: nothing in the file can be driven, and `required`.
    """
    assembly, placement = source.assembly, source.placement
    vertices = placement.points(assembly.vertices)
    deltas = placement.points(assembly.deltas)
    names = assembly.names
    jaw = jaw_bone_control(source)
    if jaw is not None:
        opened = jaw_displacement(jaw.joint, vertices)
        deltas, names = np.concatenate([deltas, opened[None]]), (*names, JAW_CONTROL)
    if required and not names:
        raise RigError(
            f"{source.document.file} has no morph targets and no jaw bone: nothing on its face "
            "can be driven; export it with its shape keys"
        )
    mesh = Mesh(
        vertices=vertices,
        triangles=assembly.triangles,
        deltas=deltas,
        parts=assembly.parts,
        uvs=assembly.uvs,
        normals=None if assembly.normals is None else placement.directions(assembly.normals),
        joints=tuple(found.joint for found in source.joints),
    )
    return mesh, names


def jaw_bone_control(source: Source) -> FoundJoint | None:
    """The jaw joint that a control has to stand for, or None where morph targets open the jaw."""
    jaw = next((f for f in source.joints if f.joint.role == "jaw"), None)
    if jaw is None or JAW_CONTROL in source.assembly.names:
        return None
    opens = any(
        "jawOpen" in control.hub or re.search(r"(jaw|mouth).*open", control.name, re.IGNORECASE)
        for control in describe_controls(source.assembly.names)
    )
    return None if opens else jaw


def own_hints(document: Document) -> Hints:
    """What a file of our own writer says of itself; nothing for any other file."""
    if document.root.object("asset").values.get("generator") != GENERATOR:
        return Hints()
    roles: dict[str, int] = {}
    for index, node in enumerate(document.items("nodes")):
        role = node.object("extras").values.get("joint")
        if isinstance(role, str):
            roles.setdefault(role, index)
    return Hints(nodes=roles, half_turn=False, metres=True)


def with_ranges(document: Document, controls: Sequence[Control]) -> tuple[Control, ...]:
    """Controls with the ranges that our own writer keeps beside the file's version."""
    extras = document.root.object("asset").values.get("extras")
    if not isinstance(extras, dict) or not isinstance(extras.get("ranges"), dict):
        return tuple(controls)
    ranges = Fields(extras["ranges"], "asset.extras.ranges", document.file)
    out = []
    for control in controls:
        if ranges.has(control.name):
            low, high, neutral = ranges.numbers(control.name, (0.0, 1.0, 0.0))
            if not low <= neutral < high:
                raise ranges.fail(control.name, "minimum, maximum and neutral in their order")
            control = replace(control, minimum=low, maximum=high, neutral=neutral)
        out.append(control)
    return tuple(out)
