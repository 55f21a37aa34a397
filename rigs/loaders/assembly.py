"""Gathers all meshes of a glTF scene into one vertex array at rest, with its morph targets."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.accessors import read_floats, read_integers
from freeavatar.rigs.gltf.document import Document
from freeavatar.rigs.gltf.fields import Fields
from freeavatar.rigs.gltf.materials import Materials
from freeavatar.rigs.gltf.scene import NodeTree
from freeavatar.rigs.spec import FloatArray, IntArray, Part

from .morph_targets import morph_target_names
from .skinning import Skin, read_skin

MAX_VERTICES = 4_000_000
MAX_DELTA_BYTES = 1 << 30


@dataclass
class Assembly:
    """Everything drawn in a file, in the file's world space and units."""

    names: tuple[str, ...]
    """Morph target names, in the order of `deltas`."""
    vertices: FloatArray
    triangles: IntArray
    deltas: FloatArray
    parts: tuple[Part, ...]
    uvs: FloatArray | None
    normals: FloatArray | None
    nodes: IntArray
    """(V,) node that draws each vertex."""
    bones: IntArray
    """(V, J) nodes a skinned vertex follows, -1 where it follows none."""
    bone_weights: FloatArray
    """(V, J) how far, summing to 1 for skinned vertices."""

    def following(self, nodes: Sequence[int]) -> FloatArray:
        """(V,) how far each vertex follows a set of nodes, 0..1."""
        wanted = np.asarray(nodes)
        drawn = np.isin(self.nodes, wanted)
        skinned = self.bones[:, 0] >= 0
        pulled = (self.bone_weights * np.isin(self.bones, wanted)).sum(axis=1)
        return np.where(skinned, pulled, drawn).clip(0, 1).astype(np.float32)


@dataclass
class _Piece:
    """Vertices of one primitive."""

    vertices: FloatArray
    normals: FloatArray | None
    uvs: FloatArray | None
    node: int
    bones: IntArray
    bone_weights: FloatArray
    deltas: dict[str, FloatArray]
    start: int = 0


@dataclass
class _Gathering:
    document: Document
    tree: NodeTree
    target_names: dict[int, tuple[str, ...]]
    materials: Materials
    pieces: list[_Piece] = field(default_factory=list)
    shared: dict[tuple[object, ...], _Piece] = field(default_factory=dict)
    skins: dict[int, Skin] = field(default_factory=dict)
    triangles: list[IntArray] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    vertex_count: int = 0


def assemble(document: Document, tree: NodeTree) -> Assembly:
    """Read all meshes of the shown scene, skinned and posed at rest.

    Raises:
        RigError: the file is damaged or too large, or shows no triangle.
    """
    gathering = _Gathering(document, tree, morph_target_names(document), Materials(document))
    used: list[str] = []
    for node in tree.shown:
        fields = document.item("nodes", node)
        if not fields.has("mesh"):
            continue
        mesh_index = fields.integer("mesh")
        mesh = document.item("meshes", mesh_index)
        used += [n for n in gathering.target_names[mesh_index] if n not in used]
        _add_mesh(gathering, node, fields, mesh_index, mesh)
    if not gathering.triangles:
        raise RigError(f"{document.file} has no triangles to draw in its scene")
    return _joined(gathering, tuple(used))


def _add_mesh(g: _Gathering, node: int, fields: Fields, mesh_index: int, mesh: Fields) -> None:
    skin = None
    if fields.has("skin"):
        number = fields.integer("skin")
        if number not in g.skins:
            g.skins[number] = read_skin(g.document, g.tree, number)
        skin = g.skins[number]
    name = fields.text("name") or mesh.text("name") or f"mesh_{mesh_index}"
    for primitive in mesh.objects("primitives"):
        mode = primitive.integer("mode", 4, high=6)
        if mode < 4:
            g.document.note("Points and lines in the file are left out.")
            continue
        material = g.materials.read(primitive.optional("material"))
        key = (
            node,
            repr(sorted(primitive.object("attributes").values.items())),
            repr(primitive.values.get("targets")),
            material.uv_set,
            material.uv_transform,
        )
        if key not in g.shared:
            g.shared[key] = _read_piece(
                g, node, primitive, skin, g.target_names[mesh_index], material.uv_set,
                np.array(material.uv_transform),
            )  # fmt: skip
        piece = g.shared[key]
        triangles = _read_triangles(g.document, primitive, mode, len(piece.vertices))
        g.parts.append(
            Part(
                name=f"{name}:{material.name}" if material.name not in ("", name) else name,
                first_triangle=sum(len(t) for t in g.triangles),
                triangle_count=len(triangles),
                colour=material.colour,
                texture=material.texture,
                roughness=material.roughness,
                metallic=material.metallic,
                double_sided=material.double_sided,
                blend=material.blend,
                unlit=material.unlit,
            )
        )
        g.triangles.append(triangles + np.int32(piece.start))


def _read_piece(
    g: _Gathering,
    node: int,
    primitive: Fields,
    skin: Skin | None,
    names: tuple[str, ...],
    uv_set: int,
    uv_transform: NDArray[np.float64],
) -> _Piece:
    document, where = g.document, primitive.where
    attributes = primitive.object("attributes")
    positions = read_floats(document, attributes.integer("POSITION"), 3, f"POSITION of {where}")
    count = len(positions)
    if g.vertex_count + count > MAX_VERTICES:
        raise RigError(f"{document.file} has more than {MAX_VERTICES} vertices; reduce the model")

    def attribute(key: str, width: int) -> FloatArray | None:
        if not attributes.has(key):
            return None
        values = read_floats(document, attributes.integer(key), width, f"{key} of {where}")
        return _counted(document, values, count, f"{key} of {where}")

    normals, uvs = attribute("NORMAL", 3), attribute(f"TEXCOORD_{uv_set}", 2)
    if uvs is not None:
        uvs = (uvs @ uv_transform[:, :2].T + uv_transform[:, 2]).astype(np.float32)
    if skin is None:
        matrices = g.tree.matrices[node][None]
        bones = np.full((count, 1), -1, np.int32)
        weights = np.zeros((count, 1), np.float32)
    else:
        bones, weights, matrices = skin.bind(document, attributes, count, where)
    targets = primitive.objects("targets")
    document.claim(12 * count * len(targets), f"the morph targets of {where}")
    deltas: dict[str, FloatArray] = {}
    for name, target in zip(names, targets, strict=True):
        if not target.has("POSITION"):
            continue
        what = f"morph target {name} of {where}"
        moved = read_floats(document, target.integer("POSITION"), 3, what)
        deltas[name] = _turn(matrices, _counted(document, moved, count, what))
    posed = _turn(matrices, positions) + matrices[:, :3, 3].astype(np.float32)
    piece = _Piece(
        vertices=posed.astype(np.float32),
        normals=None if normals is None else _turn_normals(matrices, normals),
        uvs=uvs,
        node=node,
        bones=bones,
        bone_weights=weights,
        deltas=deltas,
        start=g.vertex_count,
    )
    g.pieces.append(piece)
    g.vertex_count += count
    return piece


def _counted(document: Document, values: FloatArray, count: int, what: str) -> FloatArray:
    if len(values) != count:
        raise RigError(f"{document.file}: {what} has {len(values)} elements for {count} vertices")
    return values


def _turn(matrices: NDArray[np.float64], vectors: FloatArray) -> FloatArray:
    """Vectors (V, 3) by the linear part of matrices (V or 1, 4, 4)."""
    linear = matrices[:, :3, :3]
    if len(linear) == 1:
        return np.asarray(vectors @ linear[0].T, np.float32)
    return np.asarray(np.einsum("vij,vj->vi", linear, vectors), np.float32)


def _turn_normals(matrices: NDArray[np.float64], normals: FloatArray) -> FloatArray:
    # Cofactors equal the inverse transpose up to a factor, and exist for flat scales too.
    a, b, c = (matrices[:, :3, i] for i in range(3))
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=2)
    square = np.zeros((len(matrices), 4, 4))
    square[:, :3, :3] = cofactors * np.sign(np.linalg.det(matrices[:, :3, :3]))[:, None, None]
    turned = _turn(square, normals)
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    return np.asarray(turned / np.where(length > 0, length, 1), np.float32)


def _read_triangles(document: Document, primitive: Fields, mode: int, count: int) -> IntArray:
    if primitive.has("indices"):
        what = f"indices of {primitive.where}"
        index = read_integers(document, primitive.integer("indices"), 1, what)[:, 0]
        if int(index.max()) >= count:
            raise RigError(f"{document.file}: {what} name vertex {int(index.max())} of {count}")
    else:
        index = np.arange(count)
    if mode == 4:
        return index[: len(index) // 3 * 3].reshape(-1, 3).astype(np.int32)
    if len(index) < 3:
        return np.zeros((0, 3), np.int32)
    if mode == 6:
        fan = np.column_stack([np.full(len(index) - 2, index[0]), index[1:-1], index[2:]])
        return fan.astype(np.int32)
    strip = np.column_stack([index[:-2], index[1:-1], index[2:]])
    strip[1::2] = strip[1::2, [1, 0, 2]]
    return strip.astype(np.int32)


def _joined(g: _Gathering, names: tuple[str, ...]) -> Assembly:
    count = g.vertex_count
    size = 12 * count * len(names)
    if size > MAX_DELTA_BYTES:
        raise RigError(
            f"{g.document.file}: {len(names)} controls over {count} vertices need {size >> 20} MB; "
            f"{MAX_DELTA_BYTES >> 20} MB are allowed: reduce the model"
        )
    deltas = np.zeros((len(names), count, 3), np.float32)
    width = max(piece.bones.shape[1] for piece in g.pieces)
    bones = np.full((count, width), -1, np.int32)
    weights = np.zeros((count, width), np.float32)
    for piece in g.pieces:
        rows = slice(piece.start, piece.start + len(piece.vertices))
        for name, moved in piece.deltas.items():
            deltas[names.index(name), rows] = moved
        bones[rows, : piece.bones.shape[1]] = piece.bones
        weights[rows, : piece.bones.shape[1]] = piece.bone_weights
        piece.deltas.clear()
    normals = [piece.normals for piece in g.pieces]
    whole_normals = None
    if all(n is not None for n in normals):
        whole_normals = np.concatenate([n for n in normals if n is not None])
    uvs = None
    if any(piece.uvs is not None for piece in g.pieces):
        empty = [np.zeros((len(p.vertices), 2), np.float32) for p in g.pieces]
        uvs = np.concatenate(
            [e if p.uvs is None else p.uvs for p, e in zip(g.pieces, empty, strict=True)]
        )
    return Assembly(
        names=names,
        vertices=np.concatenate([p.vertices for p in g.pieces]),
        triangles=np.concatenate(g.triangles),
        deltas=deltas,
        parts=tuple(g.parts),
        uvs=uvs,
        normals=whole_normals,
        nodes=np.concatenate([np.full(len(p.vertices), p.node, np.int32) for p in g.pieces]),
        bones=bones,
        bone_weights=weights,
    )
