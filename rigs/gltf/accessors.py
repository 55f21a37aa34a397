"""glTF accessors as numpy arrays: strided, normalised, sparse and meshopt-compressed.

Source: glTF 2.0 specification, section 3.6.2; KHR_mesh_quantization; EXT_meshopt_compression.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError

from .document import MAX_DECODED_BYTES, Document
from .fields import Fields
from .meshopt import decode_view

COMPONENTS: dict[int, np.dtype[Any]] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
LARGEST = 1e12
"""Numbers above this mean damage; their squares would still be finite in single precision."""
MESHOPT_NAMES = ("KHR_meshopt_compression", "EXT_meshopt_compression")


def read_floats(document: Document, index: int, width: int, what: str) -> NDArray[np.float32]:
    """An accessor as finite numbers; normalised integers become 0..1 or -1..1.

    Args:
        document: the file.
        index: of the accessor.
        width: components per element the caller needs (3 for positions).
        what: named in errors ("POSITION of meshes[0]").

    Returns:
        (count, width) float32.

    Raises:
        RigError: it does not fit its buffer, has another type, or holds NaN, infinity or numbers
            above LARGEST.
    """
    accessor = document.item("accessors", index)
    raw = _read(document, accessor, index, width, what)
    if raw.dtype.kind == "f":
        values = raw.astype(np.float32)
        if not np.isfinite(values).all():
            raise RigError(f"{document.file}: {what} holds NaN or infinity (accessors[{index}])")
        if np.abs(values).max(initial=0) > LARGEST:
            raise RigError(f"{document.file}: {what} grows beyond any size (accessors[{index}])")
        return values
    if not accessor.flag("normalized"):
        return raw.astype(np.float32)
    return np.maximum(raw.astype(np.float32) / np.iinfo(raw.dtype).max, np.float32(-1))


def read_integers(document: Document, index: int, width: int, what: str) -> NDArray[np.int64]:
    """An accessor of whole numbers (triangle indices, joints) as (count, width) int64.

    Raises:
        RigError: it does not fit its buffer, has another type, or holds a negative number.
    """
    accessor = document.item("accessors", index)
    raw = _read(document, accessor, index, width, what)
    if raw.dtype.kind == "f":
        raise RigError(f"{document.file}: {what} should hold whole numbers (accessors[{index}])")
    if raw.dtype.kind == "i" and int(raw.min()) < 0:
        raise RigError(f"{document.file}: {what} names number {int(raw.min())}, below 0")
    return raw.astype(np.int64)


def view_bytes(document: Document, index: int) -> memoryview:
    """The bytes of a buffer view, decompressed if need be.

    Raises:
        RigError: it reaches outside its buffer or cannot be decompressed.
    """
    if index not in document.views:
        view = document.item("bufferViews", index)
        extensions = view.object("extensions")
        name = next((n for n in MESHOPT_NAMES if extensions.has(n)), None)
        if name is None:
            document.views[index] = _slice(document, view)
        else:
            document.views[index] = _decompress(document, extensions.object(name))
    return document.views[index]


def _slice(document: Document, view: Fields) -> memoryview:
    number = view.integer("buffer")
    document.item("buffers", number)
    data = document.buffers[number]
    start = view.integer("byteOffset", 0)
    length = view.integer("byteLength", low=1)
    if data is None or start + length > len(data):
        size = 0 if data is None else len(data)
        raise RigError(
            f"{document.file}: {view.where} covers bytes {start}..{start + length} of a buffer "
            f"of {size}"
        )
    return memoryview(data)[start : start + length]


def _decompress(document: Document, fields: Fields) -> memoryview:
    stride = fields.integer("byteStride", low=1, high=256)
    count = fields.integer("count", low=1)
    document.claim(2 * stride * count, f"{fields.where} ({count} elements)")
    mode, method = fields.text("mode"), fields.text("filter", "NONE")
    data = bytes(_slice(document, fields))
    try:
        return memoryview(decode_view(data, count, stride, mode, method))
    except (ValueError, IndexError) as error:
        raise RigError(f"{document.file}: {fields.where} cannot be unpacked: {error}") from None


def _read(document: Document, accessor: Fields, index: int, width: int, what: str) -> NDArray[Any]:
    dtype = COMPONENTS.get(accessor.integer("componentType"))
    kind = accessor.text("type")
    if dtype is None or WIDTHS.get(kind) != width:
        raise RigError(
            f"{document.file}: {what} should have {width} numbers an element; accessors[{index}] "
            f"is {kind or 'untyped'} of component type {accessor.integer('componentType')}"
        )
    size = dtype.itemsize * width
    count = accessor.integer("count", low=1, high=MAX_DECODED_BYTES // size)
    document.claim(4 * width * count, f"{what} ({count} elements)")
    if accessor.has("bufferView"):
        number = accessor.integer("bufferView")
        stride = document.item("bufferViews", number).integer("byteStride", size, high=256)
        start = accessor.integer("byteOffset", 0)
        values = _strided(document, number, start, stride, count, width, dtype, what)
    else:
        values = np.zeros((count, width), dtype)
    if accessor.has("sparse"):
        values = values.copy()
        _apply_sparse(document, accessor.object("sparse"), values, what)
    return values


def _strided(
    document: Document,
    view: int,
    start: int,
    stride: int,
    count: int,
    width: int,
    dtype: np.dtype[Any],
    what: str,
) -> NDArray[Any]:
    data = view_bytes(document, view)
    size = dtype.itemsize * width
    end = start + stride * (count - 1) + size
    if stride < size or end > len(data):
        raise RigError(
            f"{document.file}: {what} needs bytes {start}..{end} of bufferViews[{view}], "
            f"which has {len(data)}"
        )
    return np.ndarray((count, width), dtype, data, start, (stride, dtype.itemsize))


def _apply_sparse(document: Document, sparse: Fields, values: NDArray[Any], what: str) -> None:
    count = sparse.integer("count", low=1, high=len(values))
    where, new = sparse.object("indices"), sparse.object("values")
    dtype = COMPONENTS.get(where.integer("componentType"))
    if dtype is None or dtype.kind != "u":
        raise where.fail("componentType", "an unsigned integer type")
    index = _strided(
        document,
        where.integer("bufferView"),
        where.integer("byteOffset", 0),
        dtype.itemsize,
        count,
        1,
        dtype,
        f"{what}, sparse indices",
    )[:, 0]
    if int(index.max()) >= len(values):
        raise RigError(
            f"{document.file}: {what} names sparse element {int(index.max())} of {len(values)}"
        )
    width = values.shape[1]
    values[index] = _strided(
        document,
        new.integer("bufferView"),
        new.integer("byteOffset", 0),
        values.dtype.itemsize * width,
        count,
        width,
        values.dtype,
        f"{what}, sparse values",
    )
