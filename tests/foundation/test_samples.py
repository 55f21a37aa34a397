"""Training samples survive their shard."""

import io

import numpy as np
import pytest

from freeavatar.foundation.crops import STORED_SIZE
from freeavatar.foundation.samples import NUMBERS, Sample, pack, unpack, unpack_numbers


def sample() -> Sample:
    make = np.random.default_rng(0)
    y, x = np.mgrid[0:STORED_SIZE, 0:STORED_SIZE]
    picture = np.stack([x, y, 160 - x], axis=-1).astype(np.uint8)
    return Sample(
        picture=picture,
        identity="valid/Anna_1",
        domain="avatar",
        expression=1_000_007,
        blendshapes=make.random(52).astype(np.float32),
        eyes=make.random((2, 2)).astype(np.float32),
        head=make.random((3, 3)).astype(np.float32),
        place=make.random(3).astype(np.float32),
        landmarks=make.random((156, 2)).astype(np.float32),
    )


def files(record: dict[str, str | bytes]) -> dict[str, bytes]:
    return {name: value for name, value in record.items() if isinstance(value, bytes)}


def test_there_and_back() -> None:
    given = sample()
    record = pack(given, "puppets-000017")
    assert record["__key__"] == "puppets-000017"
    got = unpack(files(record))
    assert (got.identity, got.domain, got.expression) == ("valid/Anna_1", "avatar", 1_000_007)
    assert got.face
    for name in ("blendshapes", "eyes", "head", "place", "landmarks"):
        np.testing.assert_array_equal(getattr(got, name), getattr(given, name), err_msg=name)
    assert got.picture.shape == given.picture.shape
    assert np.abs(got.picture.astype(int) - given.picture).max() <= 8, "JPEG, colours in order"


def test_what_is_unknown_stays_unknown() -> None:
    nothing = Sample(picture=np.zeros((8, 8, 3), np.uint8), identity="", domain="none")
    got = unpack(files(pack(nothing, "a")))
    assert not got.face and got.expression == -1
    assert np.isnan(got.blendshapes).all() and got.landmarks.shape == (156, 2)
    assert sum(np.size(v) for v in unpack_numbers(files(pack(nothing, "a"))["npy"]).values()) == (
        NUMBERS
    )


def test_what_does_not_fit_is_refused() -> None:
    record = files(pack(sample(), "a"))
    other = io.BytesIO()
    np.save(other, np.zeros(NUMBERS - 1, np.float32))
    with pytest.raises(ValueError, match=f"expected {NUMBERS} numbers"):
        unpack({**record, "npy": other.getvalue()})
    with pytest.raises(ValueError, match="does not decode"):
        unpack({**record, "jpg": b"\xff\xd8\xff broken"})
