"""Damaged and hostile files end in one clear RigError: never in another error, never in a hang."""

import io
import json
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from freeavatar.rigs.errors import RigError
from freeavatar.rigs.gltf.accessors import read_integers
from freeavatar.rigs.gltf.builder import ARRAY_BUFFER, GlbBuilder
from freeavatar.rigs.gltf.document import parse_document
from freeavatar.rigs.loaders.load import load_rig

Content = dict[str, Any]
Change = Callable[[Content], None]


def small_glb(change: Change | None = None, picture: bytes | None = None) -> bytes:
    """A tetrahedron with a bone, a sparse morph target and a picture, 2 kB; `change` breaks it."""
    builder = GlbBuilder({"asset": {"version": "2.0"}, "scene": 0})
    corners = np.array([[0, 0, 0], [0.2, 0, 0], [0, 0.2, 0], [0, 0, 0.2]], np.float32)
    moved = np.zeros((4, 3), np.float32)
    moved[3] = [0, -0.05, 0]
    if picture is None:
        out = io.BytesIO()
        Image.new("RGB", (2, 2), (200, 150, 120)).save(out, "PNG")
        picture = out.getvalue()
    attributes = {
        "POSITION": builder.accessor(corners, target=ARRAY_BUFFER, bounds=True),
        "NORMAL": builder.accessor(np.tile(np.float32([0, 1, 0]), (4, 1)), target=ARRAY_BUFFER),
        "TEXCOORD_0": builder.accessor(corners[:, :2].copy(), target=ARRAY_BUFFER),
        "JOINTS_0": builder.accessor(np.zeros((4, 4), np.uint8), target=ARRAY_BUFFER),
        "WEIGHTS_0": builder.accessor(
            np.tile(np.float32([1, 0, 0, 0]), (4, 1)), target=ARRAY_BUFFER
        ),
    }
    faces = np.array([0, 2, 1, 0, 1, 3, 0, 3, 2, 1, 2, 3], np.uint16)
    primitive = {
        "attributes": attributes,
        "indices": builder.accessor(faces),
        "material": 0,
        "targets": [{"POSITION": builder.sparse_accessor(moved, bounds=True)}],
    }
    inverse = np.eye(4, dtype=np.float32).reshape(1, 16)
    builder.content |= {
        "scenes": [{"nodes": [0, 1]}],
        "nodes": [{"name": "surface", "mesh": 0, "skin": 0}, {"name": "Head"}],
        "meshes": [{"primitives": [primitive], "extras": {"targetNames": ["jawOpen"]}}],
        "skins": [{"joints": [1], "inverseBindMatrices": builder.accessor(inverse)}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": builder.view(picture), "mimeType": "image/png"}],
    }
    if change is not None:
        change(builder.content)
    return builder.to_bytes()


def load_bytes(folder: Path, data: bytes, name: str = "rig.glb") -> None:
    (folder / name).write_bytes(data)
    load_rig(folder / name)


def refusal(folder: Path, data: bytes) -> str:
    """The message a file is refused with, "" if it is read; any other error ends the test."""
    try:
        load_bytes(folder, data)
    except RigError as error:
        return str(error)
    return ""


def foreseen(message: str) -> None:
    assert "\n" not in message
    # What load_rig says of an error that no check of the reader named.
    assert "damaged and cannot be read" not in message


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of a few kB that would unpack to width × height pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def nan_position(content: Content) -> None:
    content["accessors"][0]["componentType"] = 5126
    content["bufferViews"][0]["byteOffset"] = content["bufferViews"][3]["byteOffset"]


def set_at(*path: Any, value: Any) -> Change:
    """A change that sets one field: set_at("nodes", 0, "mesh", value=9)."""

    def change(content: Content) -> None:
        place: Any = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


SPARSE = 6
"""Index of the morph target's accessor."""

BROKEN: dict[str, tuple[Change, str]] = {
    "a huge count": (set_at("accessors", 0, "count", value=2**31 - 1), r"count should be a whole"),
    "a large count": (set_at("accessors", 0, "count", value=10**7), r"needs bytes 0\.\.120000000"),
    "a negative count": (set_at("accessors", 0, "count", value=-4), r"accessors\[0\]\.count"),
    "a fractional count": (set_at("accessors", 0, "count", value=2.5), r"accessors\[0\]\.count"),
    "a true count": (set_at("accessors", 0, "count", value=True), r"accessors\[0\]\.count"),
    "an offset outside": (
        set_at("bufferViews", 0, "byteOffset", value=10**6),
        r"bufferViews\[0\] covers bytes 1000000",
    ),
    "an accessor outside its view": (
        set_at("accessors", 0, "byteOffset", value=40),
        r"POSITION .* needs bytes 40\.\.88 of bufferViews\[0\], which has 48",
    ),
    "a stride below the size": (set_at("bufferViews", 0, "byteStride", value=4), r"POSITION"),
    "a missing accessor": (
        set_at("meshes", 0, "primitives", 0, "attributes", "POSITION", value=99),
        r"accessors\[99\] is asked for",
    ),
    "no positions": (
        lambda c: c["meshes"][0]["primitives"][0]["attributes"].pop("POSITION"),
        r"attributes\.POSITION should be",
    ),
    "positions of two numbers": (set_at("accessors", 0, "type", value="VEC2"), r"3 numbers"),
    "an unknown component type": (set_at("accessors", 0, "componentType", value=9), r"POSITION"),
    "a sparse index outside": (
        set_at("accessors", SPARSE, "count", value=3),
        r"names sparse element 3 of 3",
    ),
    "more sparse elements than elements": (
        set_at("accessors", SPARSE, "sparse", "count", value=10**9),
        r"sparse\.count should be",
    ),
    "targets of another length": (
        set_at("accessors", SPARSE, "count", value=5),
        r"morph target jawOpen .* has 5 elements for 4 vertices",
    ),
    "a triangle of a missing vertex": (
        set_at("accessors", 0, "count", value=3),
        r"(elements for 3 vertices|name vertex 3 of 3)",
    ),
    "a bone that is not there": (set_at("skins", 0, "joints", value=[7]), r"joints should be"),
    "a skin without bones": (set_at("skins", 0, "joints", value=[]), r"joints should be"),
    "more bones than matrices": (
        set_at("skins", 0, "joints", value=[1, 1]),
        r"inverseBindMatrices .* has 1 for 2 joints",
    ),
    "a cycle of nodes": (
        lambda c: c["nodes"].extend([{"children": [3]}, {"children": [2]}]),
        r"own ancestor \(a cycle\)",
    ),
    "a node under itself": (set_at("nodes", 1, "children", value=[1]), r"own ancestor"),
    "a node under two": (
        lambda c: c["nodes"].extend([{"children": [1]}, {"children": [1]}]),
        r"hangs under two nodes",
    ),
    "nodes nested without end": (
        lambda c: c["nodes"].extend([{"children": [i + 1]} for i in range(2, 3000)] + [{}]),
        r"nested deeper than 1000",
    ),
    "a child that is not there": (set_at("nodes", 1, "children", value=[5]), r"children should be"),
    "an endless translation": (
        set_at("nodes", 1, "translation", value=[0, 1e300, 0]),
        r"translation should be finite",
    ),
    "a rotation of nothing": (set_at("nodes", 1, "rotation", value=[0, 0, 0, 0]), r"quaternion"),
    "a matrix of text": (set_at("nodes", 1, "matrix", value=["x"] * 16), r"matrix should be 16"),
    "a scene that is not there": (set_at("scene", value=4), r"scenes\[4\] is asked for"),
    "nothing in the scene": (set_at("scenes", 0, "nodes", value=[1]), r"no triangles to draw"),
    "no morph targets": (
        lambda c: c["meshes"][0]["primitives"][0].pop("targets"),
        r"no morph targets and no jaw bone",
    ),
    "a list for an object": (set_at("meshes", 0, value=[]), r"meshes\[0\] should be a JSON object"),
    "text for a list": (set_at("nodes", value="many"), r"nodes should be a list"),
    "another version": (set_at("asset", "version", value="1.0"), r"glTF version 1\.0"),
    "a needed extension": (
        set_at("extensionsRequired", value=["KHR_draco_mesh_compression"]),
        r"requires the glTF extension KHR_draco_mesh_compression",
    ),
    "a picture outside the folder": (
        set_at("images", 0, value={"uri": "../../secret.png"}),
        r"uri should be a file in the same folder",
    ),
    "a picture on the network": (
        set_at("images", 0, value={"uri": "https://example.org/a.png"}),
        r"uri should be a file in the same folder",
    ),
    "a broken data URI": (
        set_at("images", 0, value={"uri": "data:image/png;base64,@@@"}),
        r"no base64 data URI",
    ),
    "a picture that is no picture": (
        set_at("images", 0, "bufferView", value=0),
        r"images\[0\] is no readable PNG",
    ),
    "a compressed view that is not": (
        set_at(
            "bufferViews", 0, "extensions",
            value={
                "EXT_meshopt_compression": {
                    "buffer": 0, "byteLength": 48, "byteStride": 12, "count": 4,
                    "mode": "ATTRIBUTES",
                }
            },
        ),
        r"EXT_meshopt_compression cannot be unpacked",
    ),
    "a compressed view of endless length": (
        set_at(
            "bufferViews", 0, "extensions",
            value={
                "EXT_meshopt_compression": {
                    "buffer": 0, "byteLength": 48, "byteStride": 256, "count": 2**31 - 1,
                    "mode": "ATTRIBUTES",
                }
            },
        ),
        r"beyond 2048 MB",
    ),
    "numbers without end": (set_at("nodes", 1, "scale", value=[1, 1, 10**400]), r"finite|damaged"),
}  # fmt: skip


def test_the_small_file_itself_is_sound(tmp_path: Path) -> None:
    (tmp_path / "rig.glb").write_bytes(small_glb())
    rig = load_rig(tmp_path / "rig.glb")
    assert rig.names == ("jawOpen",) and rig.mesh is not None
    assert rig.mesh.deltas[0].tolist() == [[0, 0, 0]] * 3 + [[0, pytest.approx(-0.05), 0]]
    assert rig.mesh.joints[0].node == "Head"


@pytest.mark.parametrize("name", BROKEN)
def test_broken_fields_are_named(tmp_path: Path, name: str) -> None:
    change, message = BROKEN[name]
    began = time.perf_counter()
    with pytest.raises(RigError, match=message) as caught:
        load_bytes(tmp_path, small_glb(change))
    assert time.perf_counter() - began < 5
    assert "\n" not in str(caught.value) and str(caught.value).startswith("rig.glb")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    data = small_glb()
    for length in (*range(0, 64), *range(64, len(data), 37), len(data) - 1):
        with pytest.raises(RigError, match=r"rig\.glb"):
            load_bytes(tmp_path, data[:length])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_positions_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    data = small_glb()
    start = data.index(np.float32(0.2).tobytes())
    bad = data[:start] + np.float32(value).tobytes() + data[start + 4 :]
    with pytest.raises(RigError, match=r"POSITION .* holds NaN or infinity"):
        load_bytes(tmp_path, bad)


def test_negative_numbers_name_nothing() -> None:
    """As an index, numpy would take -1 for the last vertex or bone."""
    builder = GlbBuilder({"asset": {"version": "2.0"}})
    index = builder.accessor(np.array([0, 1, 1], np.uint16))
    builder.content["accessors"][index]["componentType"] = 5122
    good = parse_document(builder.to_bytes(), "rig.glb")
    assert read_integers(good, index, 1, "indices").ravel().tolist() == [0, 1, 1]
    index = builder.accessor(np.array([0, 1, 65535], np.uint16))
    builder.content["accessors"][index]["componentType"] = 5122
    bad = parse_document(builder.to_bytes(), "rig.glb")
    with pytest.raises(RigError, match="indices names number -1, below 0"):
        read_integers(bad, index, 1, "indices")


def test_positions_beyond_any_size(tmp_path: Path) -> None:
    data = small_glb()
    at = data.index(struct.pack("<f", 0.2))
    message = refusal(tmp_path, data[:at] + struct.pack("<f", 1e20) + data[at + 4 :])
    assert "POSITION of meshes[0].primitives[0] grows beyond any size" in message


@pytest.mark.parametrize(("width", "height"), [(60000, 60000), (1 << 30, 1), (9000, 9000)])
def test_pictures_that_unpack_to_gigabytes(tmp_path: Path, width: int, height: int) -> None:
    bomb = png_bomb(width, height)
    assert len(bomb) < 3000
    began = time.perf_counter()
    with pytest.raises(RigError, match=r"picture images\[0\]"):
        load_bytes(tmp_path, small_glb(picture=bomb))
    assert time.perf_counter() - began < 2


def container(text: bytes, chunk: bytes = b"") -> bytes:
    head = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + 8 + len(chunk))
    return (
        head + struct.pack("<I4s", len(text), b"JSON") + text
        + struct.pack("<I4s", len(chunk), b"BIN\0") + chunk
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'{"asset":' * 100_000, "nested too deeply"),
        (b"[]", "should be an object"),
        (b"{", "JSON is damaged"),
        (b"\xff\xfe{}", "JSON is damaged"),
        (b'{"asset":{"version":"2.0"},"scene":NaN}', "no JSON number"),
        (b"{}", "glTF version missing"),
        (b'{"asset":{"version":"2.0"}}', "no triangles"),
    ],
)
def test_damaged_json(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(RigError, match=message):
        load_bytes(tmp_path, container(text))


def test_damaged_containers(tmp_path: Path) -> None:
    data = bytearray(small_glb())
    with pytest.raises(RigError, match="version 1 is not supported"):
        load_bytes(tmp_path, bytes(data[:4] + struct.pack("<I", 1) + data[8:]))
    with pytest.raises(RigError, match="runs past the end"):
        load_bytes(tmp_path, bytes(data[:12] + struct.pack("<I", 2**31) + data[16:]))
    with pytest.raises(RigError, match="no JSON chunk"):
        load_bytes(tmp_path, bytes(data[:16] + b"WHAT" + data[20:]))
    with pytest.raises(RigError, match="is no VRM"):
        load_bytes(tmp_path, bytes(data), "rig.vrm")


def test_zero_accessors_cannot_eat_the_memory(tmp_path: Path) -> None:
    """Targets without data cost nothing to write, but 12 bytes a vertex to read."""

    def change(content: Content) -> None:
        count = 2_000_000
        content["accessors"].append({"componentType": 5126, "count": count, "type": "VEC3"})
        index = len(content["accessors"]) - 1
        primitive = content["meshes"][0]["primitives"][0]
        primitive["attributes"] = {"POSITION": index}
        primitive["targets"] = [{"POSITION": index}] * 500
        content["nodes"][0].pop("skin")

    with pytest.raises(RigError, match="memory"):
        load_bytes(tmp_path, small_glb(change))


SMALL = small_glb()
HEADER = 20 + struct.unpack_from("<I", SMALL, 12)[0]


@settings(
    max_examples=400,
    deadline=5000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    places=st.lists(st.integers(0, len(SMALL) - 1), min_size=1, max_size=6),
    bits=st.lists(st.integers(1, 255), min_size=6, max_size=6),
)
def test_flipped_bytes_raise_nothing_else(
    tmp_path: Path, places: list[int], bits: list[int]
) -> None:
    data = bytearray(SMALL)
    for place, bit in zip(places, bits, strict=False):
        data[place] ^= bit
    foreseen(refusal(tmp_path, bytes(data)))


JSON = json.loads(SMALL[20:HEADER])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(), st.text(max_size=5),
    st.just([]), st.just({}), st.lists(st.integers(-2, 20), max_size=4),
)  # fmt: skip


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    out = []
    for key, inner in items:
        out.append((*path, key))
        if isinstance(inner, dict | list):
            out += places_in(inner, (*path, key))
    return out


@settings(
    max_examples=400,
    deadline=5000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(path=st.sampled_from(places_in(JSON)), value=LEAVES)
def test_any_field_may_hold_anything(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    content = json.loads(json.dumps(JSON))
    set_at(*path, value=value)(content)
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    foreseen(refusal(tmp_path, container(text, SMALL[HEADER + 8 :])))
