"""Safe reading of glTF containers: GLB and .gltf text, and their buffers.

Source: glTF 2.0 specification, sections 3.6 (buffers) and 4 (GLB file format).
"""

import base64
import binascii
import json
import struct
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freeavatar.rigs.errors import RigError

from .fields import Fields, kind_name, plain

MAX_FILE_BYTES = 512 << 20
MAX_JSON_BYTES = 64 << 20
MAX_DECODED_BYTES = 2 << 30
"""Everything one file may unpack to: accessors, compressed views and pictures together."""

READABLE_EXTENSIONS = (
    "EXT_meshopt_compression",
    "EXT_texture_webp",
    "KHR_lights_punctual",
    "KHR_materials_",
    "KHR_mesh_quantization",
    "KHR_meshopt_compression",
    "KHR_node_visibility",
    "KHR_texture_",
    "KHR_xmp",
    "MSFT_texture_dds",
    "VRM",
)
"""Beginnings of the required extensions that do not stop the geometry from being read."""


@dataclass
class Document:
    """One opened glTF file: its JSON and its buffers, nothing decoded yet."""

    file: str
    """File name for messages."""
    json: dict[str, Any]
    buffers: list[bytes | None]
    """Bytes of each buffer; None for the empty fallback of a compressed one."""
    folder: Path | None = None
    """Where the side files of a .gltf may lie."""
    views: dict[int, memoryview] = field(default_factory=dict)
    """Buffer views already cut out or decompressed, by index."""
    notes: list[str] = field(default_factory=list)
    _claimed: int = 0

    @property
    def root(self) -> Fields:
        """The file's top-level object."""
        return Fields(self.json, "glTF", self.file)

    def items(self, kind: str) -> list[Fields]:
        """All entries of a top-level list ("nodes", "meshes", ...)."""
        values = self.root.array(kind)
        return [Fields(v, f"{kind}[{i}]", self.file) for i, v in enumerate(values)]

    def item(self, kind: str, index: int) -> Fields:
        """One entry of a top-level list.

        Raises:
            RigError: there is no such entry.
        """
        values = self.root.array(kind)
        if not 0 <= index < len(values):
            raise RigError(
                f"{self.file}: {kind}[{index}] is asked for but there are {len(values)} {kind}"
            )
        return Fields(values[index], f"{kind}[{index}]", self.file)

    def claim(self, size: int, what: str) -> None:
        """Count bytes about to be allocated.

        Raises:
            RigError: the file would unpack to more than MAX_DECODED_BYTES.
        """
        self._claimed += size
        if self._claimed > MAX_DECODED_BYTES:
            raise RigError(
                f"{self.file}: {what} would take the file beyond {MAX_DECODED_BYTES >> 20} MB "
                "of memory; reduce the model"
            )

    def note(self, text: str) -> None:
        """Remember a sentence about how the file was read, once."""
        if text not in self.notes:
            self.notes.append(text)


def read_bytes(path: Path) -> bytes:
    """All of a file.

    Raises:
        RigError: it is missing, not a plain file or too large.
    """
    if not path.is_file():
        raise RigError(f"{path}: no such file")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise RigError(
            f"{path.name} is {size >> 20} MB; rig files may have {MAX_FILE_BYTES >> 20} MB"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise RigError(f"{path}: cannot be read ({error.strerror})") from error


def parse_document(data: bytes, file: str, folder: Path | None = None) -> Document:
    """Open the bytes of a GLB, VRM or .gltf file.

    Args:
        data: the whole file.
        file: its name, for messages.
        folder: where side files (.bin, pictures) of a .gltf may lie; None allows none.

    Raises:
        RigError: it is not glTF 2.0, is truncated, or needs a feature that is not supported.
    """
    if data[:4] == b"glTF":
        text, chunk = _split_glb(data, file)
    elif data.lstrip()[:1] == b"{":
        text, chunk = data, None
    else:
        raise RigError(f"{file} is not glTF: it should begin with 'glTF' (GLB, VRM) or '{{'")
    content = _parse_json(text, file)
    document = Document(file=file, json=content, buffers=[], folder=folder)
    _check_version(document)
    document.buffers = [
        _read_buffer(buffer, chunk if i == 0 else None, folder)
        for i, buffer in enumerate(document.items("buffers"))
    ]
    return document


def external_bytes(fields: Fields, folder: Path | None) -> bytes:
    """Bytes behind a "uri": a data URI or a file in the same folder.

    Raises:
        RigError: anything else, or what it names is missing.
    """
    uri = fields.values.get("uri")
    if not isinstance(uri, str):
        raise fields.fail("uri", "text")
    if uri.startswith("data:"):
        head, comma, body = uri.partition(",")
        try:
            if not comma or not head.endswith(";base64"):
                raise ValueError
            return base64.b64decode(body, validate=True)
        except (ValueError, binascii.Error) as error:
            raise RigError(f"{fields.file}: {fields.where}.uri is no base64 data URI") from error
    name = urllib.parse.unquote(uri)
    if folder is None or not name.isprintable() or name != Path(name).name or "\\" in name:
        raise fields.fail("uri", "a file in the same folder or a data URI")
    return read_bytes(folder / name)


def _split_glb(data: bytes, file: str) -> tuple[bytes, bytes | None]:
    if len(data) < 20:
        raise RigError(f"{file} is truncated: a GLB has at least 20 bytes, this has {len(data)}")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise RigError(f"{file}: GLB version {version} is not supported; export as glTF 2.0")
    if length > len(data):
        raise RigError(f"{file} is truncated: {length} bytes announced, {len(data)} present")
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, at)
        at += 8
        if size > length - at:
            raise RigError(f"{file} is truncated: chunk {kind!r} of {size} bytes runs past the end")
        chunks.setdefault(kind, data[at : at + size])
        at += size
    if b"JSON" not in chunks:
        raise RigError(f"{file}: the GLB has no JSON chunk")
    return chunks[b"JSON"], chunks.get(b"BIN\0")


def _parse_json(text: bytes, file: str) -> dict[str, Any]:
    if len(text) > MAX_JSON_BYTES:
        raise RigError(f"{file}: its JSON has {len(text) >> 20} MB; {MAX_JSON_BYTES >> 20} allowed")
    try:
        content = json.loads(text.decode("utf-8-sig"), parse_constant=_no_constant)
    except RecursionError:
        raise RigError(f"{file}: its JSON is nested too deeply") from None
    except ValueError as error:
        raise RigError(f"{file}: its JSON is damaged ({plain(str(error), 80)})") from None
    if not isinstance(content, dict):
        raise RigError(f"{file}: its JSON should be an object, found {kind_name(content)}")
    return content


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _check_version(document: Document) -> None:
    version = document.root.object("asset").text("version")
    if not version.startswith("2."):
        raise RigError(f"{document.file}: glTF version {version or 'missing'}; export as glTF 2.0")
    for name in document.root.array("extensionsRequired"):
        if not isinstance(name, str) or not name.startswith(READABLE_EXTENSIONS):
            raise RigError(
                f"{document.file} requires the glTF extension {plain(str(name))}, which is not "
                "supported; export without it (for Draco: without mesh compression)"
            )


def _read_buffer(buffer: Fields, chunk: bytes | None, folder: Path | None) -> bytes | None:
    length = buffer.integer("byteLength", high=MAX_FILE_BYTES)
    if buffer.has("uri"):
        data = external_bytes(buffer, folder)
    elif chunk is not None:
        data = chunk
    else:
        # The uncompressed twin of a meshopt buffer may be left out.
        return None
    if len(data) < length:
        raise RigError(
            f"{buffer.file} is truncated: {buffer.where} announces {length} bytes, "
            f"{len(data)} are there"
        )
    return data[:length]
