"""Networks are opened only where they are what they should be."""

from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.errors import ReaderError
from freeavatar.foundation.expression_model import ExpressionModel, shipped_network
from freeavatar.foundation.processor import has_byte_products

from .stand_in import blank, draw, write_network


def test_it_reads_crops(tmp_path: Path) -> None:
    model = ExpressionModel(write_network(tmp_path / "e.onnx"))
    crop = draw(blank(128, 128), (64, 50), eyes=40, blue=102)
    got = model.read(np.stack([crop, crop, np.zeros_like(crop)]))
    shapes = {name: getattr(got, name).shape[1:] for name in vars(got)}
    assert shapes == {
        "blendshapes": (52,), "eyes": (2, 2), "head": (3, 3), "place": (3,),
        "landmarks": (156, 2), "confidence": (), "embedding": (64,), "tokens": (64, 192),
    }  # fmt: skip
    assert all(getattr(got, name).dtype == np.float32 for name in vars(got))
    assert got.confidence.tolist() == [1, 1, 0]
    np.testing.assert_allclose(got.place[0], [0.5, 50 / 128, 0.2], atol=2e-3)
    np.testing.assert_array_equal(got.row(1).landmarks, got.landmarks[1:2])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "is missing"),
        ("empty", "is damaged"),
        ("cut", "is damaged"),
        ("text", "is damaged"),
        ("other version", "kind expression/9, this version of freeavatar needs expression/1"),
        ("no tokens", "its output tokens should be .* it is missing"),
    ],
)
def test_what_is_not_the_network(tmp_path: Path, damage: str, message: str) -> None:
    path = tmp_path / "e.onnx"
    write_network(
        path,
        kind="expression/9" if damage == "other version" else "expression/1",
        drop="tokens" if damage == "no tokens" else "",
    )
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage in ("empty", "cut", "text"):
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "text": b"no net"}[damage])
    with pytest.raises(ReaderError, match=message) as caught:
        ExpressionModel(path)
    assert "e.onnx" in str(caught.value) and "\n" not in str(caught.value)


def test_a_network_that_states_no_kind_is_judged_by_its_shapes(tmp_path: Path) -> None:
    assert ExpressionModel(write_network(tmp_path / "e.onnx", kind=None), threads=2)


def test_threads_are_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="cannot run on 0 threads"):
        ExpressionModel(write_network(tmp_path / "e.onnx"), threads=0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse2 avx2 fma\nflags\t\t: avx512_vnni\n", False),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\n", True),
        ("flags\t\t: avx2 avx_vnni\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd\n", False),
        ("", True),
    ],
)
def test_eight_bits_where_the_processor_is_quick_at_them(
    tmp_path: Path, text: str, wanted: bool
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(text)
    assert has_byte_products(told) is wanted
    assert has_byte_products(tmp_path / "absent")


@pytest.mark.parametrize("quick", [False, True])
def test_the_network_that_suits_is_opened(monkeypatch: pytest.MonkeyPatch, quick: bool) -> None:
    monkeypatch.setattr("freeavatar.foundation.expression_model.has_byte_products", lambda: quick)
    assert shipped_network().name == ("expression.onnx" if quick else "expression_full.onnx")
    crops = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    model = ExpressionModel()
    assert model.point_gains is not None
    assert np.isfinite(model.read(crops).blendshapes).all()
