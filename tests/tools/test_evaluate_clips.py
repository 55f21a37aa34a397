"""freeavatar eval clips: tables for people, figures for scripts."""

import argparse
import json
from pathlib import Path

import pytest

from freeavatar.foundation.errors import ReaderError
from freeavatar.tools.cli import main
from freeavatar.tools.evaluate_clips import clip_paths, named_file, open_readers


def test_a_clip_must_be_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["eval", "clips"]) == 1
    assert "name one" in capsys.readouterr().err
    assert main(["eval", "clips", "--data", str(tmp_path)]) == 1
    assert "holds no clip" in capsys.readouterr().err


def test_weights_may_be_given_a_name() -> None:
    assert named_file("previous=a/b.onnx") == ("previous", Path("a/b.onnx"))
    assert named_file("a/b.onnx") == ("b", Path("a/b.onnx"))


def test_the_data_folder_gives_its_clips(shared: Path) -> None:
    names = [Path(p).name for p in clip_paths([], shared)]
    assert "webcam_53s.mp4" in names and "single_face.jpg" not in names


def test_mediapipe_follows_its_own_landmarks(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = shared / "mediapipe" / "face_landmarker.task"
    clip = shared / "clips" / "neutral_to_smile.mp4"
    arguments = ["eval", "clips", str(clip), "--reader", "mediapipe", "--quick", "--json"]
    assert main([*arguments, "--mediapipe-bundle", str(bundle)]) == 0
    figures = json.loads(capsys.readouterr().out)
    (read,) = figures["clips"]
    assert read["faces"] == read["frames"] == 72
    rows = read["readers"]["mediapipe"]["rows"]
    assert rows["mouth wide"]["correlation"] > 0.95 and not rows["mouth wide"]["still"]
    assert rows["mouth open"]["correlation"] > 0.95
    assert figures["heads"] == ["mannequin"] and figures["turns"] == {}


def test_missing_networks_are_refused_or_left_out(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = shared / "mediapipe" / "face_landmarker.task"
    missing = tmp_path / "none.onnx"
    args = argparse.Namespace(
        reader=["mediapipe"], weights=[("old", missing)], mediapipe_bundle=bundle
    )
    assert list(open_readers(args, strict=False)) == ["mediapipe"]
    assert "without old on clips" in capsys.readouterr().err
    with pytest.raises(ReaderError, match="missing"):
        open_readers(args)
    args.reader, args.weights = ["nonsense"], []
    with pytest.raises(ReaderError, match="nonsense"):
        open_readers(args)
