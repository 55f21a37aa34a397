"""A folder of OBJ shapes: one neutral and one file per control, all with the same vertices.

Vertices are read in the order of the file's text, because that order alone says which vertex of a
shape is which of the neutral's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from freeavatar.rigs.conventions import describe_controls
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.document import Document, read_bytes
from freeavatar.rigs.gltf.fields import plain
from freeavatar.rigs.gltf.materials import Picture, decode_picture
from freeavatar.rigs.spec import FloatArray, IntArray, Mesh, Part, Rig

from .assembly import MAX_DELTA_BYTES, MAX_VERTICES, Assembly
from .joints import neck_joint
from .placement import find_placement

NEUTRAL_NAMES = ("neutral", "base", "basis", "rest")
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass
class _Shape:
    """What one OBJ file says."""

    vertices: list[tuple[float, float, float]] = field(default_factory=list)
    uvs: list[tuple[float, float]] = field(default_factory=list)
    corners: list[tuple[int, int]] = field(default_factory=list)
    """(vertex, UV or -1) of every triangle corner."""
    runs: list[tuple[str, int]] = field(default_factory=list)
    """Material name and first corner of each run of faces."""
    library: str = ""


def load(path: Path, name: str) -> Rig:
    """Read a folder of .obj files.

    The neutral is called neutral, base, basis or rest (also as the last word: "Anna_neutral.obj");
    every other file is a control of its own name. Faces, UVs and materials are the neutral's.

    Raises:
        RigError: no neutral, a damaged line, or a shape with another number of vertices.
    """
    files = sorted((p for p in path.iterdir() if p.suffix.lower() == ".obj"), key=lambda p: p.name)
    neutral = _neutral_file(path, files)
    base = _read_shape(neutral, faces=True)
    names = [plain(p.stem) for p in files if p != neutral]
    _check_size(path, names, len(base.vertices))
    at_rest = np.array(base.vertices, np.float32)
    deltas = np.zeros((len(names), len(at_rest), 3), np.float32)
    shapes = [p for p in files if p != neutral]
    for row, file in zip(deltas, shapes, strict=True):
        row[:] = _vertices_like(file, neutral, len(at_rest)) - at_rest
    return _rig(name, tuple(names), path, base, deltas)


def _rig(name: str, names: tuple[str, ...], path: Path, base: _Shape, deltas: FloatArray) -> Rig:
    vertex, uvs, triangles = _split_at_seams(base)
    at_rest = np.array(base.vertices, np.float32)[vertex]
    parts, notes = _parts(path, base)
    assembly = Assembly(
        names=names,
        vertices=at_rest,
        triangles=triangles,
        deltas=deltas[:, vertex],
        parts=parts,
        uvs=uvs,
        normals=None,
        nodes=np.zeros(len(at_rest), np.int32),
        bones=np.full((len(at_rest), 1), -1, np.int32),
        bone_weights=np.zeros((len(at_rest), 1), np.float32),
    )
    controls = describe_controls(names)
    placement = find_placement(assembly, controls, None)
    vertices, moved = placement.points(assembly.vertices), placement.points(assembly.deltas)
    mesh = Mesh(
        vertices=vertices,
        triangles=triangles,
        deltas=moved,
        parts=parts,
        uvs=uvs,
        joints=(neck_joint(vertices, moved),),
    )
    return Rig(
        name=name,
        controls=tuple(controls),
        mesh=mesh,
        notes=(*notes, *placement.notes),
        up_axis=placement.up_axis,
        units_per_metre=1 / placement.scale,
    )


def _neutral_file(path: Path, files: list[Path]) -> Path:
    if not files:
        raise RigError(f"{path.name}: the folder holds no .obj file")
    for wanted in NEUTRAL_NAMES:
        for file in files:
            if re.split(r"[^a-z0-9]+", file.stem.lower())[-1] == wanted:
                return file
    raise RigError(
        f"{path.name}: none of its {len(files)} .obj files is called neutral, base, basis or rest; "
        "rename the one with the face at rest to neutral.obj"
    )


def _check_size(path: Path, names: list[str], count: int) -> None:
    if not names:
        raise RigError(f"{path.name} holds the neutral only; add one .obj file per control")
    size = 12 * count * len(names)
    if size > MAX_DELTA_BYTES:
        raise RigError(f"{path.name}: {len(names)} shapes of {count} vertices are too large")


def _vertices_like(file: Path, neutral: Path, count: int) -> FloatArray:
    found = _read_shape(file, faces=False).vertices
    if len(found) != count:
        raise RigError(
            f"{file.parent.name}/{file.name} has {len(found)} vertices but {neutral.name} has "
            f"{count}; export all shapes from one mesh, in one vertex order"
        )
    return np.array(found, np.float32)


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    text = read_bytes(file).decode("utf-8", "replace").replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if words:
            yield number, words


def _read_shape(file: Path, *, faces: bool) -> _Shape:
    shape = _Shape()
    for number, words in _lines(file):
        try:
            _read_line(shape, words, faces)
        except (ValueError, IndexError):
            raise RigError(
                f"{file.parent.name}/{file.name}, line {number}: "
                f"'{plain(' '.join(words), 60)}' is no valid OBJ line"
            ) from None
        if len(shape.vertices) > MAX_VERTICES or len(shape.corners) > 6 * MAX_VERTICES:
            raise RigError(f"{file.name} has more than {MAX_VERTICES} vertices; reduce the model")
    if not shape.vertices:
        raise RigError(f"{file.parent.name}/{file.name} has no vertices (lines beginning with v)")
    if faces and not shape.corners:
        raise RigError(f"{file.parent.name}/{file.name} has no faces (lines beginning with f)")
    return shape


def _read_line(shape: _Shape, words: list[str], faces: bool) -> None:
    kind = words[0]
    if kind == "v":
        x, y, z = (_finite(w) for w in words[1:4])
        shape.vertices.append((x, y, z))
    elif not faces:
        return
    elif kind == "vt":
        # OBJ counts v upward, glTF downward.
        shape.uvs.append((_finite(words[1]), 1 - _finite(words[2]) if len(words) > 2 else 0.0))
    elif kind == "f":
        corners = [_corner(shape, w) for w in words[1:]]
        if len(corners) < 3:
            raise ValueError
        for second, third in pairwise(corners[1:]):
            shape.corners += (corners[0], second, third)
    elif kind == "usemtl":
        shape.runs.append((" ".join(words[1:]), len(shape.corners)))
    elif kind == "mtllib":
        shape.library = " ".join(words[1:])


def _finite(word: str) -> float:
    value = float(word)
    if not -1e9 < value < 1e9:
        raise ValueError
    return value


def _corner(shape: _Shape, word: str) -> tuple[int, int]:
    numbers = word.split("/")
    vertex = _index(numbers[0], len(shape.vertices))
    has_uv = len(numbers) > 1 and numbers[1]
    return vertex, _index(numbers[1], len(shape.uvs)) if has_uv else -1


def _index(word: str, count: int) -> int:
    number = int(word)
    index = number - 1 if number > 0 else count + number
    if not 0 <= index < count:
        raise IndexError
    return index


def _split_at_seams(base: _Shape) -> tuple[IntArray, FloatArray | None, IntArray]:
    """Source vertex of every drawn vertex, its UV, and triangles.

    Vertices keep the order of the file; one that has several UVs is repeated at the end.
    """
    corners = np.array(base.corners, np.int64)
    if not base.uvs or (corners[:, 1] < 0).all():
        triangles = corners[:, 0].reshape(-1, 3).astype(np.int32)
        return np.arange(len(base.vertices), dtype=np.int32), None, triangles
    count = len(base.vertices)
    pairs, where = np.unique(corners, axis=0, return_inverse=True)
    first = np.concatenate([[True], pairs[1:, 0] != pairs[:-1, 0]])
    number = np.where(first, pairs[:, 0], count - 1 + np.cumsum(~first))
    source = np.concatenate([np.arange(count), pairs[~first, 0]]).astype(np.int32)
    uvs = np.zeros((len(source), 2), np.float32)
    table = np.array([*base.uvs, (0.0, 0.0)], np.float32)
    uvs[number] = table[pairs[:, 1]]
    return source, uvs, number[where.reshape(-1)].reshape(-1, 3).astype(np.int32)


def _parts(path: Path, base: _Shape) -> tuple[tuple[Part, ...], list[str]]:
    materials, notes = _read_materials(path, base.library)
    runs = [("", 0), *base.runs] if not base.runs or base.runs[0][1] else base.runs
    ends = [start for _, start in runs[1:]] + [len(base.corners)]
    parts = []
    for (name, start), end in zip(runs, ends, strict=True):
        if end > start:
            colour, texture, alpha = materials.get(name, ((0.8, 0.8, 0.8), None, 1.0))
            parts.append(
                Part(
                    name=plain(name) or plain(path.name),
                    first_triangle=start // 3,
                    triangle_count=(end - start) // 3,
                    colour=(*colour, alpha),
                    texture=texture,
                    blend=alpha < 1,
                    double_sided=True,
                )
            )
    return tuple(parts), notes


_Material = tuple[tuple[float, float, float], Picture | None, float]


def _read_materials(path: Path, library: str) -> tuple[dict[str, _Material], list[str]]:
    """Diffuse colour, picture and opacity by material name."""
    file = path / Path(library.replace("\\", "/")).name
    if not library or not file.is_file():
        return {}, [f"The material file {plain(library)} is missing."] if library else []
    document = Document(file=f"{path.name}/{file.name}", json={}, buffers=[])
    found: dict[str, _Material] = {}
    name = ""
    for number, words in _lines(file):
        if words[0] == "newmtl":
            name = " ".join(words[1:])
        colour, texture, alpha = found.get(name, ((0.8, 0.8, 0.8), None, 1.0))
        try:
            if words[0] == "Kd":
                red, green, blue = (min(max(_finite(w), 0.0), 1.0) for w in words[1:4])
                colour = (red, green, blue)
            elif words[0] == "d":
                alpha = min(max(_finite(words[-1]), 0.0), 1.0)
            elif words[0] == "map_Kd":
                picture = path / Path(words[-1].replace("\\", "/")).name
                if picture.is_file() and picture.suffix.lower() in PICTURES:
                    texture = decode_picture(read_bytes(picture), document, picture.name)
                    colour = (1.0, 1.0, 1.0)
                else:
                    document.note(f"The picture {plain(words[-1])} is missing.")
        except (ValueError, IndexError) as error:
            if isinstance(error, RigError):
                raise
            raise RigError(f"{document.file}, line {number}: no valid material line") from None
        found[name] = (colour, texture, alpha)
    return found, document.notes
