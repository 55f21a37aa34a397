"""Streams packed by meshoptimizer's own encoder unpack to what went in."""

import base64
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from freeavatar.rigs.gltf.meshopt import decode_view
from freeavatar.rigs.loaders.load import load_rig

N = np.arange(40)
WORDS = np.stack([N * N, N * 37 % 11 + 1000 * (N // 20), N * 7919 % 65536, N // 3], 1)
FLOATS = np.sin(N) / (N + 1)
CORNER = np.array([r * 5 + c for r in range(3) for c in range(4)])
GRID = np.stack([CORNER, CORNER + 1, CORNER + 5, CORNER + 1, CORNER + 6, CORNER + 5], 1).ravel()
TRIANGLES = np.concatenate([GRID, [0, 10, 14, 900, 3, 70]])

# Packed with meshoptimizer 0.2.30a0: version 0 and 1 of attributes, version 1 of indices.
PACKED = {
    "words 0": (
        "oB8AAgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2ev//AAB+goaKjpKWmhSAAgCAgIAAACoIjYjYjY2I"
        "2I2I+NiNiNiNPY2I2I0AAAAABADAAAAGHwAhISEhISEhISEhISEhISEhISEhISEhISEhISEhISEh//8AACEh"
        "ISEhISEhHwA8Pj4+Pj4+Pj4+Pj4+Pj48Pj4+Pj4+Pj4+Pj4+Pj48//8AAD4+Pj4+Pj4+FQIIIIIIIIIIIIIA"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
    ),
    "words 1": (
        "oRufAAIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp+goaKjpKWmioIjYjYjY2I2I2I+NiNiNiNwo2I"
        "2I0AAAAABBAABwAhISEhISEhISEhISEhISEhISEhISEhISEhISEhISEhISEhISEhISEAPD4+Pj4+Pj4+Pj4+"
        "Pj4+PD4+Pj4+Pj4+Pj4+Pj4+PD4+Pj4+Pj4+FQIIIIIIIIIIIIIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"
        "AA=="
    ),
    "floats 0": (
        "oB8At1gZ+GnkawzqOMDdca8OEFZa1phvTrVxMEdpERlVW///AABanKAqKy8bDR8A1HWk+qtRnRupdTDKZ8py"
        "hhJAq/uXAbEZ3t/rTFSqpP//AAAKEH9mkUyOwB8AUXfqFBIA9XKORMD+Z9vByF9xV3oto44I24JIHMeamP//"
        "AAB00PFpzaHeZxUxxww4fP3///7jzz55/vwE+AgD/f/DDgAA///+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAA="
    ),
    "floats 1": (
        "oX8At1gZ+GnkawzqOMDdca8OEFZa1phvTrVxMEdpERlVW1qcoCorLxsNANR1pPqrUZ0bqXUwymfKcoYSQKv7"
        "lwGxGd7f60xUqqQKEH9mkUyOwABRd+oUEgD1co5EwP5n28HIX3FXei2jjgjbgkgcx5qYdNDxac2h3mcFMccM"
        "OHz9///+488+ef78BPgIA/3/yQD///4CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    ),
    "triangles": ("4f4eEA4QDhAOzh4WDhUOFA7OHhQOFA4UDv//DwqmJf+IDoEOhgEAdodWZ3iphmWJaJgBaQAA"),
    "sequence": (
        "0QAEEA4UAg4EEA4UAg4EEA4UAg4EEA4UAgoEEA4UAg4EEA4UAg4EEA4UAg4EEA4UAgoEEA4UAg4EEA4UAg4E"
        "EA4UAg4EEA4UAkYoEJEcKvcZAAAAAA=="
    ),
}


def packed(name: str) -> bytes:
    return base64.b64decode(PACKED[name])


@pytest.mark.parametrize("version", [0, 1])
def test_attributes_of_both_versions(version: int) -> None:
    words = decode_view(packed(f"words {version}"), 40, 8, "ATTRIBUTES", "NONE")
    assert words == WORDS.astype("<u2").tobytes()
    floats = decode_view(packed(f"floats {version}"), 40, 4, "ATTRIBUTES", "NONE")
    assert floats == FLOATS.astype("<f4").tobytes()


@pytest.mark.parametrize("stride", [2, 4])
def test_indices(stride: int) -> None:
    kind = f"<u{stride}"
    sequence = decode_view(packed("sequence"), len(TRIANGLES), stride, "INDICES", "NONE")
    assert sequence == TRIANGLES.astype(kind).tobytes()
    data = decode_view(packed("triangles"), len(TRIANGLES), stride, "TRIANGLES", "NONE")
    triangles = np.frombuffer(data, kind).reshape(-1, 3).tolist()
    # The encoder may begin a triangle at any of its corners, but not turn it over.
    turned = [{(a, b, c), (b, c, a), (c, a, b)} for a, b, c in triangles]
    wanted = [tuple(t) for t in TRIANGLES.reshape(-1, 3).tolist()]
    assert all(w in t for w, t in zip(wanted, turned, strict=True))


def test_exponential_filter_scales_whole_numbers_by_powers_of_two() -> None:
    # A stream of one element is its own baseline: the last bytes hold it, no delta precedes.
    element = np.array([3 | (-1 & 0xFF) << 24, (-5 & 0xFFFFFF) | 4 << 24], "<u4").tobytes()
    stream = b"\xa0" + bytes(8) + bytes(24) + element
    out = decode_view(stream, 1, 8, "ATTRIBUTES", "EXPONENTIAL")
    assert np.frombuffer(out, "<f4").tolist() == [1.5, -80.0]


def test_octahedral_and_quaternion_filters_give_unit_vectors() -> None:
    element = np.array([-64, 0, 127, 5], "i1").tobytes()
    out = decode_view(b"\xa0" + bytes(4) + bytes(28) + element, 1, 4, "ATTRIBUTES", "OCTAHEDRAL")
    x, y, z, kept = np.frombuffer(out, "i1").tolist()
    assert (y, kept) == (0, 5)
    assert (x, z) == (round(-127 * 64 / np.hypot(64, 63)), round(127 * 63 / np.hypot(64, 63)))
    element = np.array([8191, 0, 0, 32764 | 1], "<i2").tobytes()
    out = decode_view(b"\xa0" + bytes(8) + bytes(24) + element, 1, 8, "ATTRIBUTES", "QUATERNION")
    turn = np.frombuffer(out, "<i2") / 32767
    small = 8191 / 32767 / np.sqrt(2)
    np.testing.assert_allclose(turn, [0, np.sqrt(1 - small**2), small, 0], atol=1e-4)


@pytest.mark.parametrize("name", PACKED)
def test_streams_cut_short_are_refused(name: str) -> None:
    data = packed(name)
    mode = {"t": "TRIANGLES", "s": "INDICES"}.get(name[0], "ATTRIBUTES")
    stride = 8 if name.startswith("words") else 4
    count = 40 if mode == "ATTRIBUTES" else len(TRIANGLES)
    for cut in range(len(data)):
        with pytest.raises((ValueError, IndexError)):
            decode_view(data[:cut], count, stride, mode, "NONE")


def test_compressed_and_plain_file_of_one_head_are_the_same_rig(shared: Path) -> None:
    """The three.js sample is the FaceCap head, quantised, compressed and turned by two degrees."""
    plain = load_rig(shared / "rigs" / "facecap_generic.glb")
    packed_rig = load_rig(shared / "rigs" / "threejs_facecap_meshopt.glb")
    assert plain.mesh is not None and packed_rig.mesh is not None
    assert packed_rig.names == plain.names
    tree = cKDTree(plain.mesh.vertices)
    still = np.ones(len(packed_rig.mesh.vertices), bool)
    for role in ("left_eye", "right_eye"):  # the sample's eyes look elsewhere
        eye = packed_rig.mesh.joint(role)
        assert eye is not None
        still &= eye.weights == 0
    points, turn = packed_rig.mesh.vertices[still].astype(float), np.eye(3)
    for _ in range(15):
        nearest = plain.mesh.vertices[tree.query(points)[1]]
        middle, goal = points.mean(axis=0), nearest.mean(axis=0)
        step = Rotation.align_vectors(nearest - goal, points - middle)[0].as_matrix()
        points, turn = (points - middle) @ step.T + goal, step @ turn
    distance, match = tree.query(points)
    assert np.percentile(distance, 99) < 2e-4
    moved = packed_rig.mesh.deltas[:, still] @ turn.T
    error = np.linalg.norm(moved - plain.mesh.deltas[:, match], axis=2)
    assert np.percentile(error, 99.9) < 5e-4
    assert plain.mesh.motion.max() > 0.04
