"""Filters of meshopt-compressed attributes.

Source: the glTF extension EXT_meshopt_compression, section "Filters".
"""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def unfilter(elements: Bytes, stride: int, method: str) -> Bytes:
    """Undo the lossy packing of directions, rotations and floats.

    Args:
        elements: (N, stride) bytes.
        stride: bytes of an element.
        method: "NONE", "OCTAHEDRAL", "QUATERNION" or "EXPONENTIAL".

    Returns:
        (N, stride) bytes: signed integers, normalised, or float32 (EXPONENTIAL).

    Raises:
        ValueError: unknown method, or elements of another size than it has.
    """
    if method == "NONE":
        return elements
    if method == "OCTAHEDRAL" and stride in (4, 8):
        return _octahedral(elements.view(f"<i{stride // 4}")).view(np.uint8)
    if method == "QUATERNION" and stride == 8:
        return _quaternion(elements.view("<i2")).view(np.uint8)
    if method == "EXPONENTIAL":
        packed = elements.view("<i4")
        mantissa = (packed << 8 >> 8).astype(np.float64)
        return np.asarray(np.ldexp(mantissa, packed >> 24), "<f4").view(np.uint8)
    raise ValueError(f"filter {method} on elements of {stride} bytes")


def _octahedral(packed: NDArray[np.signedinteger]) -> NDArray[np.signedinteger]:
    x, y, one = (packed[:, i].astype(np.float32) for i in range(3))
    z = one - np.abs(x) - np.abs(y)
    fold = np.minimum(z, 0)
    x = x + np.where(x >= 0, fold, -fold)
    y = y + np.where(y >= 0, fold, -fold)
    vectors = np.stack([x, y, z], axis=1)
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-20)
    out = packed.copy()
    out[:, :3] = _rounded(vectors * (np.iinfo(packed.dtype).max / length))
    return out


def _quaternion(packed: NDArray[np.int16]) -> NDArray[np.int16]:
    scale = 1 / (np.sqrt(2.0) * (packed[:, 3] | 3))
    three = packed[:, :3] * scale[:, None]
    fourth = np.sqrt(np.maximum(0, 1 - (three**2).sum(axis=1)))
    largest = packed[:, 3] & 3
    out = np.empty_like(packed)
    rows = np.arange(len(packed))
    for k, values in enumerate((fourth, *three.T)):
        out[rows, (largest + k) & 3] = _rounded(values * 32767)
    return out


def _rounded(values: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.asarray(np.trunc(values + np.copysign(0.5, values)), np.int64)
