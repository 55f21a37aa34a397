"""Single pictures and folders of them."""

import logging
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.sources import open_source
from freeavatar.foundation.sources.pictures import read_picture


def test_one_pixel(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    Image.new("RGB", (1, 1), (10, 20, 30)).save(path)
    with open_source(str(path)) as source:
        (frame,) = source
    assert (source.size, source.count, frame.index, frame.time) == ((1, 1), 1, 0, 0.0)
    assert frame.picture.tolist() == [[[10, 20, 30]]] and frame.picture.dtype == np.uint8


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 128 * 257, 65535]], np.uint16)).save(path)
    assert read_picture(path)[0, :, 0].tolist() == [0, 128, 255]


def test_float_grey(tmp_path: Path) -> None:
    path = tmp_path / "float.tif"
    Image.fromarray(np.array([[0.0, 0.5, 1.0, np.nan]], np.float32)).save(path)
    assert read_picture(path)[0, :, 1].tolist() == [0, 128, 255, 0]


def test_cmyk(tmp_path: Path) -> None:
    path = tmp_path / "print.tif"
    Image.new("CMYK", (2, 2), (0, 255, 255, 0)).save(path)
    assert read_picture(path)[0, 0].tolist() == [255, 0, 0]


def test_exif_rotation(tmp_path: Path) -> None:
    """Orientation 6: the camera lay on its side, the picture turns clockwise."""
    path = tmp_path / "turned.png"
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(path, exif=exif)
    upright = read_picture(path)
    assert upright.shape == (4, 2, 3)
    assert upright[0, 1].tolist() == [255, 255, 255] and upright.sum() == 3 * 255


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_grey(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "clear.png"
    image = Image.fromarray(np.array([[[200, 200, 200, 255], [255, 0, 0, 0]]], np.uint8))
    if kind == "P":
        paletted = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
        paletted.putpalette([200, 200, 200, 255, 0, 0])
        paletted.save(path, transparency=1)
    else:
        image.convert(kind).save(path)
    assert read_picture(path)[0].tolist() == [[200, 200, 200], [128, 128, 128]]


def test_half_transparent(tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    Image.new("RGBA", (1, 1), (255, 0, 128, 128)).save(path)
    assert read_picture(path)[0, 0].tolist() == pytest.approx([192, 64, 128], abs=1)


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    for i in (1, 2, 10, 11):
        Image.new("L", (8, 8), i).save(tmp_path / f"img{i}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._img1.png").write_bytes(b"left by a file manager")
    with open_source(str(tmp_path), rate=10) as source:
        frames = list(source)
    assert [int(f.picture[0, 0, 0]) for f in frames] == [1, 2, 10, 11]
    assert [f.time for f in frames] == pytest.approx([0, 0.1, 0.2, 0.3])
    part = list(open_source(str(tmp_path), rate=10, start=0.1, end=0.3))
    assert [int(f.picture[0, 0, 0]) for f in part] == [2, 10]
    assert [(f.index, round(f.time, 6)) for f in part] == [(0, 0.1), (1, 0.2)]


def test_a_damaged_picture_is_named_or_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for i in range(3):
        noise = np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.png")
    broken = tmp_path / "1.png"
    broken.write_bytes(broken.read_bytes()[:3000])
    with pytest.raises(SourceError, match=r"1\.png"):
        list(open_source(str(tmp_path)))
    with caplog.at_level(logging.WARNING), open_source(str(tmp_path), skip_damaged=True) as source:
        frames = list(source)
    assert source.damaged == 1 and [f.index for f in frames] == [0, 1]
    assert frames[1].time == pytest.approx(2 / 30)
    assert "1.png" in caplog.text
    (tmp_path / "0.png").write_bytes(b"")
    caplog.clear()
    with caplog.at_level(logging.WARNING), open_source(str(tmp_path), skip_damaged=True) as source:
        assert len(list(source)) == 1
    assert caplog.text.count("0.png") == 1, "said once, though the first picture is sought twice"


def test_not_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    path.write_text("hello")
    with pytest.raises(SourceError, match=r"text\.png is not a picture"):
        open_source(str(path))


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no pictures"):
        open_source(str(tmp_path))


def test_a_small_file_that_claims_a_huge_picture(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        whole = kind + body
        return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))

    for side in (12_000, 100_000):
        path = tmp_path / f"bomb{side}.png"
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))
        with pytest.raises(SourceError, match="claims"):
            open_source(str(path))
