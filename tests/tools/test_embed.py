"""freeavatar embed and compare, on stand-in networks that read painted faces."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from freeavatar.foundation import embedded_reader
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.tools.cli import main

Picture = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def networks(stand_in: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = stand_in.write_network(tmp_path / "expression.onnx")
    monkeypatch.setattr(
        embedded_reader,
        "ExpressionModel",
        lambda threads: ExpressionModel(network, threads=threads),
    )
    monkeypatch.setattr(embedded_reader, "_shipped_finder", lambda _: stand_in.BlobFinder())


@pytest.fixture
def face(stand_in: ModuleType) -> Callable[..., Picture]:
    """``face(x, y)`` paints one; ``face()`` leaves the picture empty."""

    def paint(*middle: float, **how: Any) -> Picture:
        picture: Picture = stand_in.blank()
        return stand_in.draw(picture, middle, **how) if middle else picture

    return paint


def save(path: Path, picture: Picture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def film(path: Path, pictures: list[Picture]) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.height, stream.width = pictures[0].shape[:2]
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_pictures_folders_and_videos(
    tmp_path: Path, face: Callable[..., Picture], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "faces"
    save(folder / "a.png", face(200, 150))
    save(folder / "deep" / "b.png", face())
    save(folder / ".hidden.png", face(200, 150))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    (folder / "notes.txt").write_text("none of ours")
    clip = film(tmp_path / "clip.mp4", [face(200 + i, 150) for i in range(3)])
    out = tmp_path / "features.npz"
    assert main(["embed", str(folder), str(clip), "--out", str(out)]) == 0

    with np.load(out, allow_pickle=False) as got:
        assert set(got.files) == {"path", "x", "found"}
        paths, x, found = got["path"], got["x"], got["found"]
    assert paths.tolist() == [
        str(folder / "a.png"), str(folder / "broken.png"), str(folder / "deep" / "b.png"),
        f"{clip}#0", f"{clip}#1", f"{clip}#2",
    ]  # fmt: skip
    assert found.dtype == np.bool_ and found.tolist() == [True, False, False, True, True, True]
    assert x.shape == (6, 64) and x.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), found, atol=1e-5)
    assert "6 rows, a face in 4, 1 unreadable" in capsys.readouterr().err
    assert [p.name for p in tmp_path.glob("*.part")] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.png"], "no file or folder called"),
        (["empty"], "holds no pictures and no videos"),
        (["nobody.png"], "no face in 1 pictures"),
        (["nobody.png", "broken.png"], "broken.png is not a picture"),
        (["face.png", "--out", "features.csv"], "writes an .npz file"),
        (["face.png", "--out", "nowhere/features.npz"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path,
    face: Callable[..., Picture],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    save(Path("nobody.png"), face())
    save(Path("face.png"), face(200, 150))
    Path("broken.png").write_bytes(b"nothing")
    out = [] if "--out" in arguments else ["--out", "features.npz"]
    assert main(["embed", *arguments, *out]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and error.startswith("freeavatar: ")
    assert not Path("features.npz").exists()


def test_comparing(
    tmp_path: Path, face: Callable[..., Picture], capsys: pytest.CaptureFixture[str]
) -> None:
    """The stand-in's embedding is always the same; its blendshapes are the blue of the ground."""
    a = save(tmp_path / "a.png", face(200, 150, blue=40))
    b = save(tmp_path / "b.png", face(300, 170, blue=140))
    assert main(["compare", str(a), str(b)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "distance 0.000"
    assert lines[1].split() == ["blendshape", "A", "B", "B", "-", "A"] and len(lines) == 10
    assert lines[2].split()[0] == "eyeBlinkLeft" and float(lines[2].split()[-1]) > 0.2
    assert main(["compare", str(a), str(b), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["distance"] == 0 and len(figures["blendshapes"]) == 52
    jaw = figures["blendshapes"]["jawOpen"]
    assert jaw["b"] - jaw["a"] > 0.2
    assert main(["compare", str(a), str(a)]) == 0
    assert capsys.readouterr().out == "distance 0.000\n"


def test_comparing_what_shows_no_face(
    tmp_path: Path, face: Callable[..., Picture], capsys: pytest.CaptureFixture[str]
) -> None:
    a = save(tmp_path / "a.png", face(200, 150))
    nobody = save(tmp_path / "nobody.png", face())
    for words, message in (
        ([a, nobody], "nobody.png: no face was found"),
        ([a, a, "--face", 2], "a.png: never more than 1 faces at once"),
        ([a, tmp_path / "absent.png"], "absent.png"),
    ):
        assert main(["compare", *map(str, words)]) == 1
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
