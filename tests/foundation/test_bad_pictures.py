"""Pictures and videos as they come: a face is read in the right place, or one line says why not."""

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from freeavatar.foundation.embedded_reader import EmbeddedReader
from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import Expression
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.foundation.landmarks import EYE_CORNERS
from freeavatar.foundation.sources import open_source

from .stand_in import BlobFinder, blank, draw, write_network

Picture = NDArray[np.uint8]
Read = Callable[[Path], list[Expression]]
PLACE = (200.0, 150.0)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("network") / "expression.onnx")


@pytest.fixture
def read(network: Path) -> Read:
    def run(path: Path) -> list[Expression]:
        reader = EmbeddedReader(model=ExpressionModel(network), finder=BlobFinder())
        with open_source(str(path)) as source:
            return [reader.read(frame) for frame in source]

    return run


def eyes_of(expression: Expression) -> NDArray[np.float64]:
    assert expression.found
    return np.asarray(expression.landmarks[list(EYE_CORNERS)].mean(0), np.float64)


def face(**how: Any) -> Picture:
    return draw(blank(), PLACE, **how)


def sixteen_bit(path: Path) -> None:
    cv2.imwrite(str(path), face()[..., ::-1].astype(np.uint16) * 257)


def sixteen_bit_alpha(path: Path) -> None:
    deep = np.dstack([face()[..., ::-1], np.full((480, 640), 255, np.uint8)])
    cv2.imwrite(str(path), deep.astype(np.uint16) * 257)


def alpha(path: Path) -> None:
    """What is transparent hides a second face that must not be seen."""
    picture = draw(face(), (520, 350), eyes=80)
    clear = np.full((480, 640), 255, np.uint8)
    clear[200:, 380:] = 0
    Image.fromarray(np.dstack([picture, clear])).save(path)


def cmyk(path: Path) -> None:
    Image.fromarray(face()).convert("CMYK").save(path, quality=95)


def palette(path: Path) -> None:
    Image.fromarray(face()).quantize(64).save(path)


def wrong_suffix(path: Path) -> None:
    Image.fromarray(face()).save(path, format="PNG")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("deep.png", sixteen_bit),
        ("deep.tif", sixteen_bit),
        ("deep_alpha.png", sixteen_bit_alpha),
        ("alpha.png", alpha),
        ("alpha.webp", alpha),
        ("print.jpg", cmyk),
        ("print.tif", cmyk),
        ("palette.png", palette),
        ("png.jpg", wrong_suffix),
    ],
)
def test_unusual_pictures_show_their_face(
    tmp_path: Path, read: Read, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    (got,) = read(tmp_path / name)
    np.testing.assert_allclose(eyes_of(got), PLACE, atol=1.0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_upright(tmp_path: Path, read: Read, orientation: int) -> None:
    upright = Image.fromarray(face())
    turn = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM], 5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90], 7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }  # fmt: skip
    for step in turn.get(orientation, []):
        upright = upright.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright.save(tmp_path / "phone.jpg", exif=exif, quality=95)
    (got,) = read(tmp_path / "phone.jpg")
    np.testing.assert_allclose(eyes_of(got), PLACE, atol=1.0)


@pytest.mark.parametrize("share", [0.0, 0.002, 0.03, 0.5, 0.9999])
def test_a_cut_off_jpeg_is_one_line(tmp_path: Path, read: Read, share: float) -> None:
    path = tmp_path / "cut.jpg"
    Image.fromarray(face()).save(path, quality=95)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SourceError, match=r"cut\.jpg") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_bytes_turned_over_in_a_jpeg_never_raise_anything_else(tmp_path: Path, read: Read) -> None:
    path, make = tmp_path / "hurt.jpg", np.random.default_rng(0)
    Image.fromarray(face()).save(path, quality=80)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    refused: list[str] = []
    for _ in range(60):
        hurt = data.copy()
        hurt[make.integers(2, len(data), 6)] = make.integers(0, 256, 6)
        path.write_bytes(hurt.tobytes())
        try:
            (got,) = read(path)
        except SourceError as error:
            refused.append(str(error))
        else:
            assert np.isfinite(got.landmarks).all() and np.isfinite(got.translation).all()
    assert all("hurt.jpg" in line and "\n" not in line for line in refused)
    assert len(refused) < 60


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 2), (30_001, 2), (40_000, 40)])
def test_pictures_of_odd_sizes_hold_no_face(
    tmp_path: Path, read: Read, size: tuple[int, int]
) -> None:
    Image.new("RGB", size, (120, 90, 80)).save(tmp_path / "odd.png")
    (got,) = read(tmp_path / "odd.png")
    assert not got.found and not got.blendshapes.any()


def film(path: Path, pictures: list[Picture], codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p" if codec != "mjpeg" else "yuvj420p"
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=stream.pix_fmt
            )
            frame.pts, frame.time_base = i, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_8k(tmp_path: Path, read: Read) -> None:
    """Pictures and frames; the face is read in its place and in full detail."""
    large = draw(blank(7680, 4320), (5000.0, 1500.0), eyes=900)
    Image.fromarray(large).save(tmp_path / "large.jpg", quality=90)
    film(tmp_path / "large.mkv", [large, large], codec="mjpeg")
    for name, frames in (("large.jpg", 1), ("large.mkv", 2)):
        got = read(tmp_path / name)
        assert len(got) == frames
        for expression in got:
            np.testing.assert_allclose(eyes_of(expression), (5000, 1500), atol=12)


def changing(path: Path) -> list[tuple[int, int]]:
    """A stream of MPEG-2 whose frames change size twice, as broadcasts do."""
    sizes = [(640, 480), (320, 240), (720, 576)]
    with path.open("wb") as out:
        for size in sizes:
            part = path.with_name("part.mpg")
            with av.open(str(part), "w", format="mpeg2video") as container:
                stream: Any = container.add_stream("mpeg2video", rate=25)
                stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
                stream.bit_rate = 8_000_000
                scale = size[0] / 640
                picture = draw(blank(*size), (200 * scale, 150 * scale), eyes=60 * scale)
                for _ in range(8):
                    container.mux(
                        stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24"))
                    )
                container.mux(stream.encode())
            out.write(part.read_bytes())
    return sizes


def test_a_video_that_changes_its_size(tmp_path: Path, network: Path) -> None:
    sizes = changing(tmp_path / "broadcast.m2v")
    reader = EmbeddedReader(model=ExpressionModel(network), finder=BlobFinder())
    seen: dict[tuple[int, int], list[NDArray[np.float64]]] = {}
    with open_source(str(tmp_path / "broadcast.m2v")) as source:
        for frame in source:
            height, width = frame.picture.shape[:2]
            seen.setdefault((width, height), []).append(eyes_of(reader.read(frame)) / width * 640)
    assert list(seen) == sizes and all(len(eyes) >= 6 for eyes in seen.values())
    for eyes in seen.values():
        np.testing.assert_allclose(eyes, np.broadcast_to(PLACE, (len(eyes), 2)), atol=3.0)


def test_a_cut_in_the_middle(tmp_path: Path, read: Read) -> None:
    ground = np.zeros((480, 640, 3), np.uint8)
    ground[:, 320:] = 90
    shots = [face()] * 6 + [draw(ground.copy(), (480, 320), eyes=30)] * 6
    got = read(film(tmp_path / "cut.mp4", shots))
    places = np.array([eyes_of(e) for e in got])
    np.testing.assert_allclose(places[:6], np.broadcast_to(PLACE, (6, 2)), atol=1.0)
    np.testing.assert_allclose(places[6:], np.broadcast_to((480, 320), (6, 2)), atol=1.0)


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    done = subprocess.run(
        [sys.executable, "-m", "freeavatar.tools", "drive", str(tmp_path / "a.jpg")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("freeavatar: ") and done.stderr.count("\n") == 1
    assert "a.jpg" in done.stderr
