"""Writes a rig as a clean GLB: named morph targets, a head node, an eye node for each eye.

What the file holds: the mesh under the node "head", placed at the head's pivot, or skinned to
"head" where only part of the mesh follows it; eyeballs under "eye_left" and "eye_right", placed
at their pivots. Nodes carry `extras.joint` with the role, so that reading the file back finds the
same joints. Morph target weights are 0 at a control's neutral value and 1 at its maximum.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.normals import unit, vertex_normals
from freeavatar.rigs.spec import FloatArray, IntArray, Joint, JointRole, Mesh, Part, Rig

from .builder import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, GlbBuilder
from .material_writer import MaterialWriter

GENERATOR = "FreeAvatar"
NODE_NAMES: dict[JointRole, str] = {
    "head": "head",
    "left_eye": "eye_left",
    "right_eye": "eye_right",
    "jaw": "jaw",
}
NORMAL_STEP = 1e-3
"""Changes of a normal smaller than this are not stored."""


@dataclass
class _Writing:
    rig: Rig
    mesh: Mesh
    normals: FloatArray
    normal_deltas: FloatArray
    builder: GlbBuilder
    materials: MaterialWriter


def write_glb(rig: Rig, path: Path) -> None:
    """Write a rig as a GLB file.

    Args:
        rig: with a mesh.
        path: of the file; an existing one is replaced.

    Raises:
        RigError: the rig has no mesh, or the file cannot be written.
    """
    data = glb_bytes(rig)
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise RigError(f"{path}: cannot be written ({error.strerror})") from error


def glb_bytes(rig: Rig) -> bytes:
    """The bytes of `write_glb`.

    Raises:
        RigError: the rig has no mesh, or a texture but no texture coordinates.
    """
    mesh = rig.mesh
    if mesh is None or not len(mesh.triangles):
        raise RigError(f"rig {rig.name} has no mesh, so it cannot be written as GLB")
    if mesh.uvs is None and any(part.texture is not None for part in mesh.parts):
        raise RigError(f"rig {rig.name} has a texture but no texture coordinates")
    builder = GlbBuilder({"asset": _asset(rig), "scene": 0, "scenes": [{"nodes": []}]})
    computed = vertex_normals(mesh.vertices, mesh.triangles)
    writing = _Writing(
        rig=rig,
        mesh=mesh,
        normals=computed if mesh.normals is None else unit(mesh.normals),
        normal_deltas=_normal_deltas(mesh, computed),
        builder=builder,
        materials=MaterialWriter(builder),
    )
    _write_nodes(writing)
    return writing.builder.to_bytes()


def _asset(rig: Rig) -> dict[str, Any]:
    asset: dict[str, Any] = {"version": "2.0", "generator": GENERATOR}
    if rig.licence:
        asset["copyright"] = rig.licence
    ranges = {
        c.name: [c.minimum, c.maximum, c.neutral]
        for c in rig.controls
        if (c.minimum, c.maximum, c.neutral) != (0.0, 1.0, 0.0)
    }
    if ranges:
        asset["extras"] = {"ranges": ranges}
    return asset


def _normal_deltas(mesh: Mesh, computed: FloatArray) -> FloatArray:
    """(K, V, 3) change of the normals under each control."""
    out = np.zeros_like(mesh.deltas)
    for k, delta in enumerate(mesh.deltas):
        if delta.any():
            change = vertex_normals(mesh.vertices + delta, mesh.triangles) - computed
            change[np.abs(change).max(axis=1) < NORMAL_STEP] = 0
            out[k] = change
    return out


def _write_nodes(w: _Writing) -> None:
    """Nodes of the scene: what the head carries hangs under it, the rest beside it."""
    mesh, nodes = w.mesh, w.builder
    apart = {j.role: j for j in mesh.joints if j.role.endswith("_eye") and _is_rigid(j)}
    head = mesh.joint("head")
    rest = np.ones(len(mesh.vertices), bool)
    for eye in apart.values():
        rest &= eye.weights < 0.5
    simple = all(
        bool((j.weights[rest] > 0.999).all()) if j.role == "head" else j.role in apart
        for j in mesh.joints
    )
    origin = np.zeros(3, np.float32) if head is None else head.pivot
    top = nodes.append("nodes", _node(head, "head" if head else w.rig.name, np.zeros(3)))
    nodes.content["scenes"][0]["nodes"].append(top)
    below = []
    for role, eye in apart.items():
        node = _node(eye, NODE_NAMES[role], origin)
        node["mesh"] = _write_mesh(w, NODE_NAMES[role], eye.weights > 0.5, eye.pivot, still=True)
        below.append(nodes.append("nodes", node))
    if simple:
        nodes.content["nodes"][top]["mesh"] = _write_mesh(w, "head", rest, origin)
    elif rest.any():
        below += _write_skin(w, top, rest, set(apart))
    if below:
        nodes.content["nodes"][top]["children"] = below


def _node(joint: Joint | None, name: str, parent: NDArray[Any]) -> dict[str, Any]:
    node: dict[str, Any] = {"name": name}
    if joint is not None:
        node["translation"] = [float(v) for v in joint.pivot.astype(np.float64) - parent]
        node["extras"] = {"joint": joint.role}
    return node


def _is_rigid(joint: Joint) -> bool:
    follows = joint.weights > 0
    return bool(follows.any() and (joint.weights[follows] > 0.999).all())


def _write_skin(w: _Writing, top: int, rest: NDArray[np.bool_], apart: set[JointRole]) -> list[int]:
    """A skinned mesh for vertices that follow the head in part; nodes to hang under the head."""
    builder, mesh = w.builder, w.mesh
    head = mesh.joint("head")
    inner = [j for j in mesh.joints if j.role != "head" and j.role not in apart]
    origin = np.zeros(3) if head is None else head.pivot.astype(np.float64)
    below = [builder.append("nodes", _node(j, NODE_NAMES[j.role], origin)) for j in inner]
    body = builder.append("nodes", {"name": "body", "children": [top]})
    roots = builder.content["scenes"][0]["nodes"]
    roots[:] = [body]
    whole = np.ones(len(mesh.vertices)) if head is None else head.weights.astype(np.float64)
    weights = np.column_stack([j.weights for j in inner]) if inner else np.zeros((len(whole), 0))
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    weights = np.minimum(weights, whole[:, None])
    own = np.clip(whole - weights.sum(axis=1), 0, None)
    table = np.column_stack([1 - whole.clip(0, 1), own, weights])
    pivots = [np.zeros(3), origin, *(j.pivot.astype(np.float64) for j in inner)]
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(pivots), 1, 1))
    inverse[:, 3, :3] = -np.array(pivots)  # column-major: the translation is the last row
    skin = builder.append(
        "skins",
        {
            "joints": [body, top, *below],
            "skeleton": body,
            "inverseBindMatrices": builder.accessor(inverse.reshape(-1, 16)),
        },
    )
    index = _write_mesh(w, "skin", rest, np.zeros(3, np.float32), table)
    roots.append(builder.append("nodes", {"name": "surface", "mesh": index, "skin": skin}))
    return below


def _write_mesh(
    w: _Writing,
    name: str,
    chosen: NDArray[np.bool_],
    origin: FloatArray,
    bone_weights: NDArray[np.float64] | None = None,
    *,
    still: bool = False,
) -> int:
    """A glTF mesh of the chosen vertices, relative to an origin; `still`: targets only if moved."""
    # The head keeps targets that move nothing too, so that no control is lost.
    moved = bool(w.mesh.deltas[:, chosen].any()) or (len(w.mesh.deltas) > 0 and not still)
    primitives = []
    for vertices, runs in _groups(w.mesh, chosen):
        shared: dict[str, Any] = {
            "attributes": _attributes(w, vertices, origin, bone_weights),
        }
        if moved:
            shared["targets"] = [_target(w, k, vertices) for k in range(len(w.mesh.deltas))]
        renumber = np.zeros(len(chosen), np.uint32)
        renumber[vertices] = np.arange(len(vertices))
        for part, triangles in runs:
            index = renumber[triangles].ravel()
            narrow = np.uint16 if len(vertices) <= 0xFFFF else np.uint32
            primitives.append(
                shared
                | {
                    "indices": w.builder.accessor(
                        index.astype(narrow), target=ELEMENT_ARRAY_BUFFER
                    ),
                    "material": w.materials.write(part),
                }
            )
    content: dict[str, Any] = {"name": name, "primitives": primitives}
    if moved:
        content["weights"] = [0.0] * len(w.mesh.deltas)
        content["extras"] = {"targetNames": list(w.rig.names)}
    return w.builder.append("meshes", content)


def _groups(
    mesh: Mesh, chosen: NDArray[np.bool_]
) -> list[tuple[IntArray, list[tuple[Part, IntArray]]]]:
    """Parts that share vertices, together: their vertices, and each part with its triangles."""
    groups: list[tuple[NDArray[np.bool_], list[tuple[Part, IntArray]]]] = []
    for part in mesh.parts:
        run = mesh.triangles[part.first_triangle : part.first_triangle + part.triangle_count]
        run = run[chosen[run].all(axis=1)]
        if not len(run):
            continue
        used = np.zeros(len(chosen), bool)
        used[run] = True
        joined = [g for g in groups if (g[0] & used).any()]
        for other in joined:
            used |= other[0]
        runs = [r for g in joined for r in g[1]] + [(part, run)]
        kept = [g for g in groups if not (g[0] & used).any()]
        groups = [*kept, (used, runs)]
    return [(np.flatnonzero(used).astype(np.int32), runs) for used, runs in groups]


def _attributes(
    w: _Writing,
    vertices: IntArray,
    origin: FloatArray,
    bone_weights: NDArray[np.float64] | None,
) -> dict[str, int]:
    def add(values: NDArray[Any], bounds: bool = False) -> int:
        return w.builder.accessor(values, target=ARRAY_BUFFER, bounds=bounds)

    positions = w.mesh.vertices[vertices].astype(np.float64) - origin
    out = {
        "POSITION": add(positions.astype(np.float32), bounds=True),
        "NORMAL": add(w.normals[vertices]),
    }
    if w.mesh.uvs is not None:
        out["TEXCOORD_0"] = add(w.mesh.uvs[vertices].astype(np.float32))
    if bone_weights is not None:
        order = np.argsort(-bone_weights[vertices], axis=1, kind="stable")[:, :4]
        weights = np.take_along_axis(bone_weights[vertices], order, axis=1)
        weights = np.pad(weights, ((0, 0), (0, 4 - weights.shape[1])))
        bones = np.pad(order, ((0, 0), (0, 4 - order.shape[1])))
        bones[weights <= 0] = 0
        weights /= weights.sum(axis=1, keepdims=True)
        out["JOINTS_0"] = add(bones.astype(np.uint8))
        out["WEIGHTS_0"] = add(weights.astype(np.float32))
    return out


def _target(w: _Writing, control: int, vertices: IntArray) -> dict[str, int]:
    delta, turned = w.mesh.deltas[control, vertices], w.normal_deltas[control, vertices]
    return {
        "POSITION": w.builder.sparse_accessor(delta, bounds=True),
        "NORMAL": w.builder.sparse_accessor(turned),
    }
