"""Reference pictures survive their shards; damaged records are told."""

import io

import numpy as np
import pytest

from freeavatar.renderer_net.samples import RigSample, pack, unpack


def sample() -> RigSample:
    make = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    picture = np.stack([4 * rows, 4 * columns, rows + columns], axis=2).astype(np.uint8)
    return RigSample(
        picture=picture,
        mask=np.where(rows > 20, 255, 0).astype(np.uint8),
        weights=make.random(7).astype(np.float32),
        head=np.array([0.3, -0.1, 0.05], np.float32),
        eyes=make.normal(0, 0.2, (2, 3)).astype(np.float32),
        light=np.arange(8, dtype=np.float32),
        field_of_view=0.38,
        rig="hero",
        source="rigs/hero.glb",
    )


def test_a_sample_comes_back() -> None:
    before = sample()
    record = pack(before, "train-000000001")
    assert record.pop("__key__") == "train-000000001"
    after = unpack({k: v for k, v in record.items() if isinstance(v, bytes)})
    assert np.abs(after.picture.astype(int) - before.picture).mean() < 3
    np.testing.assert_array_equal(after.mask, before.mask)
    for name in ("weights", "head", "eyes", "light"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert after.field_of_view == pytest.approx(0.38)
    assert (after.rig, after.source) == ("hero", "rigs/hero.glb")


@pytest.mark.parametrize("what", ["webp", "png", "npy", "nan"])
def test_damage_is_told(what: str) -> None:
    record = {k: v for k, v in pack(sample(), "k").items() if isinstance(v, bytes)}
    if what == "nan":
        numbers = np.load(io.BytesIO(record["npy"]))
        numbers[20] = np.nan
        file = io.BytesIO()
        np.save(file, numbers)
        record["npy"] = file.getvalue()
    elif what == "npy":
        file = io.BytesIO()
        np.save(file, np.zeros(3, np.float32))
        record["npy"] = file.getvalue()
    else:
        record[what] = b"no picture"
    with pytest.raises(ValueError, match=r"does not decode|numbers in a sample"):
        unpack(record)
