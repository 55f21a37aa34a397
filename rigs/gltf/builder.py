"""Builds a GLB: collects JSON lists and one binary chunk.

Source: glTF 2.0 specification, sections 3.6.2 (accessors) and 4 (GLB file format).
"""

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

ARRAY_BUFFER = 34962
ELEMENT_ARRAY_BUFFER = 34963
TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
COMPONENT_TYPES = {"uint8": 5121, "uint16": 5123, "uint32": 5125, "float32": 5126}


class GlbBuilder:
    """A growing glTF document with one buffer."""

    def __init__(self, content: dict[str, Any], chunk: bytes = b"") -> None:
        """Start from JSON whose buffer 0 is `chunk`; an empty chunk starts a new buffer."""
        self.content = content
        self._chunks = [chunk]
        self._size = len(chunk)

    def append(self, kind: str, value: dict[str, Any]) -> int:
        """Add an object to a top-level list and return its index."""
        values = self.content.setdefault(kind, [])
        values.append(value)
        return len(values) - 1

    def view(self, data: bytes, target: int | None = None) -> int:
        """Add bytes to the buffer, aligned to 4, and return the index of their view."""
        padding = -self._size % 4
        self._chunks.append(b"\0" * padding + data)
        start = self._size + padding
        self._size = start + len(data)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": start, "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        return self.append("bufferViews", view)

    def accessor(
        self,
        values: NDArray[Any],
        *,
        target: int | None = None,
        bounds: bool = False,
        normalised: bool = False,
    ) -> int:
        """Add an array (N,) or (N, width) of uint8, uint16, uint32 or float32."""
        view = self.view(np.ascontiguousarray(values).tobytes(), target)
        accessor = self._describe(values, bounds) | {"bufferView": view}
        if normalised:
            accessor["normalized"] = True
        return self.append("accessors", accessor)

    def sparse_accessor(self, values: NDArray[np.float32], *, bounds: bool = False) -> int:
        """Add (N, 3) values that are mostly zero; stored whole where that is smaller."""
        rows = np.flatnonzero(values.any(axis=1))
        if len(rows) * 16 > len(values) * 12:
            return self.accessor(values, target=ARRAY_BUFFER, bounds=bounds)
        accessor = self._describe(values, bounds)
        if len(rows):
            index = rows.astype(np.uint16 if rows[-1] <= 0xFFFF else np.uint32)
            accessor["sparse"] = {
                "count": len(rows),
                "indices": {
                    "bufferView": self.view(index.tobytes()),
                    "componentType": COMPONENT_TYPES[index.dtype.name],
                },
                "values": {"bufferView": self.view(values[rows].tobytes())},
            }
        return self.append("accessors", accessor)

    def to_bytes(self) -> bytes:
        """The whole GLB file."""
        chunk = b"".join(self._chunks)
        chunk += b"\0" * (-len(chunk) % 4)
        # Further buffers stay: the empty twin of a compressed one must not be lost.
        self.content["buffers"] = [
            {"byteLength": len(chunk)},
            *self.content.get("buffers", [])[1:],
        ]
        text = json.dumps(self.content, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + len(chunk)
        head = struct.pack("<4sII", b"glTF", 2, length)
        return b"".join(
            [
                head,
                struct.pack("<I4s", len(text), b"JSON"),
                text,
                struct.pack("<I4s", len(chunk), b"BIN\0"),
                chunk,
            ]
        )

    def _describe(self, values: NDArray[Any], bounds: bool) -> dict[str, Any]:
        width = 1 if values.ndim == 1 else values.shape[1]
        accessor: dict[str, Any] = {
            "componentType": COMPONENT_TYPES[values.dtype.name],
            "count": len(values),
            "type": TYPES[width],
        }
        if bounds:
            table = values.reshape(len(values), width)
            accessor["min"] = [v.item() for v in table.min(axis=0)]
            accessor["max"] = [v.item() for v in table.max(axis=0)]
        return accessor
