"""mesh.npz: geometry, displacements, joints, textures and anchors of a registered rig.

Displacements are stored for the vertices that move only; textures as PNG, each once.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import RigError
from .spec import Anchors, FloatArray, Joint, JointRole, Mesh, Part

Arrays = Mapping[str, NDArray[Any]]


def write_arrays(
    path: Path, names: Sequence[str], mesh: Mesh | None, anchors: Anchors | None
) -> None:
    """Write a rig's arrays.

    Args:
        path: .npz to make.
        names: the controls, in the order of the mesh's displacements.
        mesh: or None for rigs of curves only.
        anchors: or None where none were found.
    """
    arrays: dict[str, NDArray[Any]] = {"controls": np.array(names, np.str_)}
    if mesh is not None:
        arrays |= {"vertices": mesh.vertices, "triangles": mesh.triangles}
        optional = {"uvs": mesh.uvs, "normals": mesh.normals}
        arrays |= {key: array for key, array in optional.items() if array is not None}
        arrays |= _pack_deltas(mesh.deltas) | _pack_joints(mesh) | _pack_parts(mesh.parts)
    if anchors is not None:
        arrays |= {f"anchor_{key}": array for key, array in anchor_arrays(anchors).items()}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def anchor_arrays(anchors: Anchors) -> dict[str, NDArray[Any]]:
    """Arrays of an anchor file: names, vertices, barycentric, found."""
    return {
        "names": np.array(anchors.names, np.str_),
        "vertices": anchors.vertices,
        "barycentric": anchors.barycentric,
        "found": anchors.found,
    }


def write_anchors(path: Path, anchors: Anchors, of: str) -> None:
    """Write anchors alone, as they lie beside built-in rigs.

    Args:
        path: .npz to make.
        anchors: what to write.
        of: sha256 of the rig file whose vertices they name.
    """
    with path.open("wb") as file:
        arrays = anchor_arrays(anchors) | {"of": np.array(of)}
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_anchors(path: Path) -> tuple[Anchors, str]:
    """Anchors that `write_anchors` wrote, and the sha256 of the rig file they belong to.

    Raises:
        RigError: the file is damaged.
    """
    arrays = _open(path)
    return _anchors(path, arrays, ""), str(arrays.get("of", ""))


def read_arrays(path: Path) -> tuple[tuple[str, ...], Mesh | None, Anchors | None]:
    """Read what `write_arrays` wrote.

    Returns:
        Names of the controls in the order of the displacements, mesh and anchors.

    Raises:
        RigError: the file is damaged; the message names it.
    """
    arrays = _open(path)
    try:
        names = tuple(str(n) for n in arrays["controls"])
        mesh = _mesh(arrays, len(names)) if "vertices" in arrays else None
    except (KeyError, ValueError, IndexError, TypeError, OSError) as error:
        raise RigError(f"{path}: damaged ({error}); register the rig again") from None
    return names, mesh, _anchors(path, arrays, "anchor_") if "anchor_names" in arrays else None


_UNREADABLE = (
    OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, AttributeError,
    NotImplementedError,
)  # fmt: skip
"""What numpy and zipfile raise over damaged archives."""


def _open(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except _UNREADABLE as error:
        raise RigError(f"{path}: cannot be read ({error}); register the rig again") from None


def _pack_deltas(deltas: FloatArray) -> dict[str, NDArray[Any]]:
    moves = deltas.any(axis=2)
    return {
        "delta_counts": moves.sum(axis=1),
        "delta_vertices": np.nonzero(moves)[1].astype(np.int32),
        "delta_values": deltas[moves],
    }


def _unpack_deltas(arrays: Arrays, controls: int, vertices: int) -> FloatArray:
    counts = arrays["delta_counts"]
    if len(counts) != controls:
        raise ValueError(f"{len(counts)} displacement fields for {controls} controls")
    deltas = np.zeros((controls, vertices, 3), np.float32)
    rows = np.repeat(np.arange(controls), counts)
    deltas[rows, arrays["delta_vertices"]] = arrays["delta_values"]
    return deltas


def _pack_joints(mesh: Mesh) -> dict[str, NDArray[Any]]:
    if not mesh.joints:
        return {}
    return {
        "joint_roles": np.array([j.role for j in mesh.joints], np.str_),
        "joint_nodes": np.array([j.node for j in mesh.joints], np.str_),
        "joint_pivots": np.stack([j.pivot for j in mesh.joints]),
        "joint_weights": np.stack([j.weights for j in mesh.joints]),
    }


def _joints(arrays: Arrays) -> tuple[Joint, ...]:
    if "joint_roles" not in arrays:
        return ()
    columns = (arrays[f"joint_{key}"] for key in ("roles", "nodes", "pivots", "weights"))
    return tuple(
        Joint(role=cast(JointRole, str(role)), node=str(node), pivot=pivot, weights=weights)
        for role, node, pivot, weights in zip(*columns, strict=True)
    )


_FLAGS = ("double_sided", "blend", "unlit")
_NUMBERS = ("roughness", "metallic")


def _pack_parts(parts: Sequence[Part]) -> dict[str, NDArray[Any]]:
    textures: list[NDArray[np.uint8]] = []
    used = [_texture_number(part.texture, textures) for part in parts]
    arrays: dict[str, NDArray[Any]] = {
        "part_names": np.array([p.name for p in parts], np.str_),
        "part_runs": np.array(
            [(p.first_triangle, p.triangle_count) for p in parts], np.int64
        ).reshape(-1, 2),
        "part_colours": np.array([p.colour for p in parts], np.float64).reshape(-1, 4),
        "part_numbers": np.array([[getattr(p, key) for key in _NUMBERS] for p in parts]),
        "part_flags": np.array([[getattr(p, key) for key in _FLAGS] for p in parts], np.bool_),
        "part_textures": np.array(used, np.int64),
    }
    return arrays | {f"texture_{i}": _png(texture) for i, texture in enumerate(textures)}


def _texture_number(texture: NDArray[np.uint8] | None, known: list[NDArray[np.uint8]]) -> int:
    """Position of a texture among the known ones, adding it if new; -1 for none."""
    if texture is None:
        return -1
    for i, other in enumerate(known):
        if other is texture or np.array_equal(other, texture):
            return i
    known.append(texture)
    return len(known) - 1


def _png(texture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(texture, "RGBA").save(out, "PNG", compress_level=3)
    return np.frombuffer(out.getvalue(), np.uint8)


def _parts(arrays: Arrays) -> tuple[Part, ...]:
    from PIL import Image

    textures: dict[int, NDArray[np.uint8] | None] = {-1: None}
    for number in set(arrays["part_textures"].tolist()) - {-1}:
        picture = Image.open(io.BytesIO(arrays[f"texture_{number}"].tobytes()), formats=["PNG"])
        textures[number] = np.asarray(picture.convert("RGBA"))
    out = []
    for i, name in enumerate(arrays["part_names"]):
        first, count = arrays["part_runs"][i].tolist()
        numbers = dict(zip(_NUMBERS, arrays["part_numbers"][i].tolist(), strict=True))
        flags = dict(zip(_FLAGS, arrays["part_flags"][i].tolist(), strict=True))
        out.append(
            Part(
                name=str(name),
                first_triangle=first,
                triangle_count=count,
                colour=tuple(arrays["part_colours"][i].tolist()),
                texture=textures[int(arrays["part_textures"][i])],
                **numbers,
                **flags,
            )
        )
    return tuple(out)


def _mesh(arrays: Arrays, controls: int) -> Mesh:
    vertices = arrays["vertices"]
    return Mesh(
        vertices=vertices,
        triangles=arrays["triangles"],
        deltas=_unpack_deltas(arrays, controls, len(vertices)),
        parts=_parts(arrays),
        uvs=arrays.get("uvs"),
        normals=arrays.get("normals"),
        joints=_joints(arrays),
    )


def _anchors(path: Path, arrays: Arrays, prefix: str) -> Anchors:
    try:
        return Anchors(
            names=tuple(str(n) for n in arrays[f"{prefix}names"]),
            vertices=arrays[f"{prefix}vertices"],
            barycentric=arrays[f"{prefix}barycentric"],
            found=arrays[f"{prefix}found"],
        )
    except KeyError as error:
        raise RigError(f"{path}: anchors lack {error}; find them again") from None
