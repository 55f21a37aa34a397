"""Faces of a person's own files become shards without labels."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.crops import STORED_SIZE, Crop
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.foundation.samples import unpack
from freeavatar.tools.cli import main
from freeavatar.tools.dataset import frames
from freeavatar.tools.dataset.errors import DataError
from freeavatar.tools.dataset.frames import crop_of, write_frames
from freeavatar.tools.dataset.shard_files import shard_facts


class Finder:
    """Finds the bright square of a picture; counts what it was shown."""

    def __init__(self) -> None:
        self.shown = 0

    def __call__(self, picture: NDArray[np.uint8]) -> Crop | None:
        self.shown += 1
        rows, columns = np.nonzero(picture[..., 0] > 128)
        if not len(rows):
            return None
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        return crop_of(None, np.array(box, np.float32))


def folder_of_pictures(folder: Path, count: int, *, face: int = 60) -> str:
    folder.mkdir()
    for number in range(count):
        picture = np.full((160, 200, 3), 20, np.uint8)
        if number % 4 != 3:
            picture[50 : 50 + face, 70 : 70 + face] = 220
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return str(folder)


def stored(folder: Path) -> list[dict[str, bytes]]:
    import webdataset

    urls = [str(path) for path in sorted(folder.glob("*.tar"))]
    return list(webdataset.WebDataset(urls, shardshuffle=False))


def test_each_nth_face_is_cut_and_nothing_is_known_of_it(tmp_path: Path) -> None:
    video = folder_of_pictures(tmp_path / "anna", 20)
    finder = Finder()
    out = tmp_path / "out"
    balance = write_frames([video], out, bundle=None, every=3, split="train", finder=finder)
    assert finder.shown == 7
    # Pictures 0 3 6 9 12 15 18; those of which 4 leaves 3 show no face.
    assert balance.samples == 5
    samples = [unpack(record) for record in stored(out)]
    assert {s.identity for s in samples} == {"frames/anna"}
    assert {s.domain for s in samples} == {"photo"}
    for sample in samples:
        assert sample.picture.shape == (STORED_SIZE, STORED_SIZE, 3)
        assert sample.picture[80, 80].min() > 200 and sample.picture[5, 5].max() < 40
        assert np.isnan(sample.blendshapes).all() and np.isnan(sample.landmarks).all()


def test_a_second_run_makes_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "SHARD_SIZE", 4)
    anna = folder_of_pictures(tmp_path / "anna", 12)
    bert = folder_of_pictures(tmp_path / "bert", 4)
    out, finder = tmp_path / "out", Finder()
    write_frames([anna], out, bundle=None, every=1, split="train", finder=finder)
    names = ["train-000000", "train-000001", "train-000002"]
    assert [facts["name"] for facts in shard_facts(out, "train")] == names
    kept = [(out / f"{name}.tar").read_bytes() for name in names]

    finder = Finder()
    write_frames([anna, bert], out, bundle=None, every=1, split="train", finder=finder)
    assert finder.shown == 4
    # A run that was broken off left all but the last shard: the file is cut again, in its places.
    (out / "train-000002.tar").unlink()
    (out / "facts" / "train-000002.json").unlink()
    balance = write_frames([anna, bert], out, bundle=None, every=1, split="train", finder=finder)
    assert balance.samples == 9 + 3
    again = sorted(path.read_bytes() for path in out.glob("*.tar"))
    assert len(again) == 4
    assert kept[0] in again and kept[1] in again


def test_files_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = []
    for parent in ("x", "y"):
        (tmp_path / parent).mkdir()
        twice.append(folder_of_pictures(tmp_path / parent / "anna", 1))
    with pytest.raises(DataError, match="two files are called anna"):
        write_frames(twice, tmp_path / "out", bundle=None)


def test_faces_too_small_are_left_out(tmp_path: Path) -> None:
    video = folder_of_pictures(tmp_path / "far", 3, face=20)
    out = tmp_path / "out"
    balance = write_frames([video], out, bundle=None, every=1, split="test", finder=Finder())
    assert balance.samples == 0
    # And it is not looked through again.
    finder = Finder()
    write_frames([video], out, bundle=None, every=1, split="test", finder=finder)
    assert finder.shown == 0


def test_mediapipes_points_are_taken_in_our_order() -> None:
    ours = np.random.default_rng(0).uniform(100, 200, (len(LANDMARKS), 2)).astype(np.float32)
    theirs = np.zeros((478, 2), np.float32)
    theirs[list(LANDMARKS)] = ours
    assert crop_of(theirs, None) == crop_of(ours, None)
    assert crop_of(None, None) is None


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "frames", str(tmp_path / "none.mp4"), "--out", str(tmp_path / "o")]) == 1
    assert "none.mp4" in capsys.readouterr().err


def test_a_real_clip_gives_faces_and_a_manifest(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = shared / "clips" / "neutral_to_smile.mp4"
    bundle = shared / "mediapipe" / "face_landmarker.task"
    out = tmp_path / "out"
    arguments = ["--every", "20", "--split", "test", "--mediapipe-bundle", str(bundle)]
    assert main(["data", "frames", str(clip), "--out", str(out), *arguments]) == 0
    assert "samples of 1 people" in capsys.readouterr().out
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["splits"]["test"]["samples"] == len(stored(out)) > 0
