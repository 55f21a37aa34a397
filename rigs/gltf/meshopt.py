"""Decoder of meshopt-compressed buffer views: attributes, triangles, index sequences, filters.

Works in two passes: a plain loop only finds where each run of 16 deltas lies (every run's length
depends on the one before it), then numpy unpacks all runs at once.

Source: the glTF extensions EXT_meshopt_compression (bitstream version 0) and
KHR_meshopt_compression (version 1 of attributes), sections "Mode 0..2" and "Filters".
"""

import numpy as np
from numpy.typing import NDArray

from .meshopt_filters import unfilter

Bytes = NDArray[np.uint8]

BITS = {0: (0, 2, 4, 8), 1: (0, 1, 2, 4, 8)}
"""Bits of a delta by its 2-bit code; version 1 reads from position 0 or 1 as the control says."""
SENTINELS = {
    bits: bytes(
        sum((byte >> shift) & ((1 << bits) - 1) == (1 << bits) - 1 for shift in range(0, 8, bits))
        for byte in range(256)
    )
    for bits in (1, 2, 4)
}
"""How many deltas in each byte are all ones, which says that a whole byte follows."""
NONE = 0xFFFFFFFF


def decode_view(data: bytes, count: int, stride: int, mode: str, method: str) -> bytes:
    """Unpack one buffer view.

    Args:
        data: compressed bytes.
        count: elements.
        stride: bytes of an element.
        mode: "ATTRIBUTES", "TRIANGLES" or "INDICES".
        method: filter, "NONE", "OCTAHEDRAL", "QUATERNION" or "EXPONENTIAL".

    Returns:
        count * stride bytes.

    Raises:
        ValueError: the stream is damaged, or the mode or filter is unknown.
        IndexError: the stream ends too soon.
    """
    if mode == "ATTRIBUTES":
        return unfilter(_attributes(data, count, stride), stride, method).tobytes()
    if method != "NONE":
        raise ValueError(f"filter {method} on {mode}")
    if stride not in (2, 4):
        raise ValueError(f"indices of {stride} bytes")
    if mode == "TRIANGLES":
        index = _triangles(data, count)
    elif mode == "INDICES":
        index = _sequence(data, count)
    else:
        raise ValueError(f"unknown mode {mode}")
    return np.array(index, np.uint32).astype(f"<u{stride}").tobytes()


def _attributes(data: bytes, count: int, stride: int) -> Bytes:
    """(count, stride) bytes of mode 0."""
    version = data[0] - 0xA0 if data else -1
    if version not in BITS or stride % 4:
        raise ValueError("not an attribute stream of version 0 or 1")
    tail = stride + (stride // 4 if version else 0)
    limit = len(data) - max(tail, 24 if version else 32)
    planes = _planes(data, count, stride, version, limit)
    end = len(data) - tail + stride
    first = np.frombuffer(data, np.uint8, stride, end - stride)
    channels = data[end:] if version else bytes(stride // 4)
    out = np.empty((count, stride), np.uint8)
    for word, channel in enumerate(channels):
        four = slice(4 * word, 4 * word + 4)
        out[:, four] = _add_up(planes[four, :count], first[four], channel)
    return out


def _planes(data: bytes, count: int, stride: int, version: int, limit: int) -> Bytes:
    """(stride, count rounded up to 16) encoded deltas: first each byte 0, then each byte 1..."""
    padded = -(-count // 16) * 16
    planes = np.zeros(stride * padded, np.uint8)
    runs: dict[int, tuple[list[int], list[int]]] = {b: ([], []) for b in (1, 2, 4, 8)}
    block = min(8192 // stride & ~15, 256)
    at = 1
    for start in range(0, count, block):
        size = min(block, count - start)
        controls = data[at : at + stride // 4] if version else bytes(stride // 4)
        at += stride // 4 if version else 0
        for plane in range(stride):
            control = controls[plane // 4] >> plane % 4 * 2 & 3
            into = plane * padded + start
            if version and control == 3:
                planes[into : into + size] = np.frombuffer(data, np.uint8, size, at)
                at += size
            elif not version or control < 2:
                bits = BITS[version][control : control + 4]
                at = _find_runs(data, at, -(-size // 16), bits, into, runs)
            if at > limit:
                raise ValueError("the stream is too short")
    if at != limit:
        raise ValueError("the stream is too long")
    source = np.frombuffer(data, np.uint8)
    for width, (places, targets) in runs.items():
        _unpack(source, width, np.array(places, np.int64), np.array(targets, np.int64), planes)
    return planes.reshape(stride, padded)


def _find_runs(
    data: bytes,
    at: int,
    groups: int,
    bits: tuple[int, ...],
    into: int,
    runs: dict[int, tuple[list[int], list[int]]],
) -> int:
    """Note where the runs of one plane of one block lie; returns where the next plane begins."""
    header = at
    at += -(-groups // 4)
    for group in range(groups):
        width = bits[data[header + (group >> 2)] >> (group & 3) * 2 & 3]
        if not width:
            continue
        places, targets = runs[width]
        places.append(at)
        targets.append(into + 16 * group)
        if width == 8:
            at += 16
        else:
            table = SENTINELS[width]
            packed = data[at : at + 2 * width]
            at += 2 * width + sum([table[byte] for byte in packed])
    return at


def _unpack(
    source: Bytes, width: int, places: NDArray[np.int64], targets: NDArray[np.int64], out: Bytes
) -> None:
    """Write the 16 deltas of each run of one width."""
    for start in range(0, len(places), 1 << 15):
        place = places[start : start + (1 << 15), None]
        target = targets[start : start + (1 << 15), None] + np.arange(16)
        packed = source[place + np.arange(2 * width)]
        if width < 8:
            shifts = np.arange(0, 8, width)
            # The first delta is in the high bits, but in the low bit where deltas have one bit.
            shifts = shifts if width == 1 else shifts[::-1]
            values = (packed[:, :, None] >> shifts & ((1 << width) - 1)).reshape(len(place), 16)
            whole = values == (1 << width) - 1
            extra = place + 2 * width + np.cumsum(whole, axis=1) - 1
            packed = np.where(whole, source[np.minimum(extra, len(source) - 1)], values)
        out[target] = packed


def _add_up(deltas: Bytes, first: Bytes, channel: int) -> Bytes:
    """(count, 4) bytes of a channel from its deltas (4, count) and the element before them."""
    kind = channel & 3
    if kind == 3:
        raise ValueError(f"unknown channel {channel}")
    size = (1, 2, 4)[kind]
    count = deltas.shape[1]
    words = deltas.reshape(4 // size, size, count).transpose(0, 2, 1)
    values = np.ascontiguousarray(words).view(f"<u{size}")[..., 0]
    start = np.ascontiguousarray(first).view(f"<u{size}")
    one = values.dtype.type(1)
    if kind == 2:
        turn = np.uint32(channel >> 4)
        values = values >> turn | values << (np.uint32(32) - turn) % np.uint32(32)
        values[:, 0] ^= start
        values = np.bitwise_xor.accumulate(values, axis=1)
    else:
        values = (values >> one) ^ (~(values & one) + one)
        values[:, 0] += start
        values = np.cumsum(values, axis=1, dtype=values.dtype)
    return np.ascontiguousarray(values.T).view(np.uint8).reshape(count, 4)


class _Reader:
    """Variable-length numbers from a place in the data."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def number(self) -> int:
        result, shift = 0, 0
        for _ in range(5):
            byte = self.data[self.at]
            self.at += 1
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return result & NONE

    def index(self, last: int) -> int:
        number = self.number()
        return (last + ((number >> 1) ^ -(number & 1))) & NONE


def _sequence(data: bytes, count: int) -> list[int]:
    """Mode 2: each index is a step from one of two last ones."""
    if not data or data[0] not in (0xD0, 0xD1):
        raise ValueError("not an index sequence")
    if count > len(data):
        raise ValueError("the stream is too short")
    reader, last, out = _Reader(data, 1), [0, 0], []
    for _ in range(count):
        number = reader.number()
        which, number = number & 1, number >> 1
        last[which] = (last[which] + ((number >> 1) ^ -(number & 1))) & NONE
        out.append(last[which])
    if reader.at != len(data) - 4:
        raise ValueError("the stream has another length")
    return out


def _triangles(data: bytes, count: int) -> list[int]:
    """Mode 1: triangles that continue a recent edge, or begin anew."""
    if not data or data[0] not in (0xE0, 0xE1) or count % 3:
        raise ValueError("not a triangle stream")
    if 1 + count // 3 + 16 > len(data):
        raise ValueError("the stream is too short")
    table = data[len(data) - 16 :]
    near = 13 if data[0] == 0xE1 else 15
    reader = _Reader(data, 1 + count // 3)
    edges: list[tuple[int, int]] = [(NONE, NONE)] * 16
    recent = [NONE] * 16
    edge_at = recent_at = following = last = 0
    out: list[int] = []
    for code in data[1 : 1 + count // 3]:
        if code < 0xF0:
            a, b = edges[edge_at - 1 - (code >> 4) & 15]
            step = code & 15
            fresh = True
            if step == 0:
                c = following
                following += 1
            elif step < near:
                c = recent[recent_at - 1 - step & 15]
                fresh = False
            else:
                # 13 and 14 stand for one less and one more than the last free index.
                last = reader.index(last) if step == 15 else (last + step - (step ^ 3)) & NONE
                c = last
            recent[recent_at] = c
            recent_at = recent_at + fresh & 15
            pushed: tuple[tuple[int, int], ...] = ((c, b), (a, c))
        else:
            first = 15 if code == 0xFF else 0
            if code < 0xFE:
                rest = table[code & 15]
            else:
                rest = data[reader.at]
                reader.at += 1
                if rest == 0:
                    following = 0
            steps = (first, rest >> 4, rest & 15)
            corner: list[int] = []
            for step in steps:
                if step == 0:
                    corner.append(following)
                    following += 1
                else:
                    corner.append(recent[recent_at - step & 15])
            for k, step in enumerate(steps):
                if step == 15:
                    last = corner[k] = reader.index(last)
            for value, step in zip(corner, steps, strict=True):
                recent[recent_at] = value
                recent_at = recent_at + (step in (0, 15)) & 15
            a, b, c = corner
            pushed = ((b, a), (c, b), (a, c))
        for edge in pushed:
            edges[edge_at] = edge
            edge_at = edge_at + 1 & 15
        out += (a, b, c)
    if reader.at != len(data) - 16:
        raise ValueError("the stream has another length")
    return out
