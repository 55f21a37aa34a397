"""What the foundation reads is kept, completed where a run was interrupted, and never mixed up."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import webdataset
from numpy.typing import NDArray

from freeavatar.animator.training import expression_views
from freeavatar.animator.training.expression_views import MIRRORED, ExpressionViews, gather_views
from freeavatar.foundation.crops import STORED_SIZE
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.foundation.samples import Sample, pack

BLINK = {side: BLENDSHAPES.index(f"eyeBlink{side}") for side in ("Left", "Right")}


class Reader:
    """Stands for the foundation: says how bright each half of a crop is."""

    def __init__(self) -> None:
        self.calls = 0

    def read(self, crops: NDArray[np.uint8]) -> Any:
        self.calls += 1
        count = len(crops)
        shapes = np.full((count, 52), 0.25, np.float32)
        tokens = np.zeros((count, 64, 192), np.float32)
        tokens[:, :, 0] = crops[:, :, :64].mean(axis=(1, 2, 3))[:, None] / 255
        tokens[:, :, 1] = crops[:, :, 64:].mean(axis=(1, 2, 3))[:, None] / 255
        embedding = np.eye(count, 64, dtype=np.float32)
        return SimpleNamespace(blendshapes=shapes, tokens=tokens, embedding=embedding)


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten faces of two people, the left eye shut; the tenth picture shows none."""
    monkeypatch.setattr(expression_views, "PART", 4)
    folder = tmp_path / "shards"
    folder.mkdir()
    for split in ("train", "validation"):
        with webdataset.TarWriter(str(folder / f"{split}-000000.tar")) as writer:
            for n in range(10):
                writer.write(pack(_sample(n), f"{n:08d}"))
    return folder


def _sample(number: int) -> Sample:
    picture = np.full((STORED_SIZE, STORED_SIZE, 3), 200, np.uint8)
    picture[:, : STORED_SIZE // 2] = 30
    shapes = np.zeros(52, np.float32)
    shapes[BLINK["Left"]], shapes[7 + 10] = 0.8, np.nan
    return Sample(
        picture=picture,
        identity=f"person {number % 2}",
        domain="none" if number == 9 else "avatar",
        blendshapes=shapes,
        eyes=np.zeros((2, 2), np.float32),
        head=np.eye(3, dtype=np.float32),
        place=np.array([80, 60, 0.3], np.float32),
        landmarks=np.full((156, 2), 80, np.float32),
    )


def read(shards: Path, reader: Reader, count: int = 100, **kind: Any) -> ExpressionViews:
    return gather_views([shards], "train", count, shards.parent / "kept", reader, **kind)


def test_faces_are_read_three_times_once_mirrored(shards: Path) -> None:
    views = read(shards, Reader())
    assert len(views) == 9, "the picture without a face is left out"
    np.testing.assert_allclose(views.truth[:, :MIRRORED, BLINK["Left"]], 0.8, atol=1e-6)
    np.testing.assert_allclose(views.truth[:, MIRRORED, BLINK["Right"]], 0.8, atol=1e-6)
    np.testing.assert_allclose(views.truth[:, :, 17], 0.25, err_msg="unknown is what was read")
    assert sorted(np.unique(views.people, return_counts=True)[1].tolist()) == [4, 5]
    everyone = np.arange(len(views))
    plain, mirrored = (views.tokens_of(everyone, np.full(9, v)) for v in (0, MIRRORED))
    assert (plain[:, 0, 0] < plain[:, 0, 1]).mean() > 0.7
    assert (mirrored[:, 0, 0] > mirrored[:, 0, 1]).mean() > 0.7


def test_the_second_view_shows_the_face_in_another_pose_where_there_is_one(shards: Path) -> None:
    numbers = (5, 5, 6, -1, -1)
    with webdataset.TarWriter(str(shards / "train-000000.tar")) as writer:
        for n, number in enumerate(numbers):
            picture = np.full((STORED_SIZE, STORED_SIZE, 3), 20 + 50 * n, np.uint8)
            sample = replace(_sample(0), picture=picture, expression=number)
            writer.write(pack(sample, f"{n:08d}"))
    views = read(shards, Reader())
    everyone = np.arange(len(numbers))
    first, second = (
        views.tokens_of(everyone, np.full(len(numbers), v))[:, 0, :2].mean(axis=1) for v in (0, 1)
    )
    # A camera's exposure changes brightness by less than another picture does.
    closest = np.abs(second[:, None] - first[None]).argmin(axis=1)
    order = np.argsort(first)
    place = {int(row): n for n, row in enumerate(order)}
    partners = [place[int(closest[row])] for row in order]
    assert partners == [1, 0, 2, 3, 4]


def test_what_was_interrupted_is_completed_and_nothing_is_read_twice(shards: Path) -> None:
    reader = Reader()
    first = read(shards, reader)
    assert reader.calls == 9
    read(shards, reader)
    assert reader.calls == 9
    (shards.parent / "kept" / "000001.npz").unlink()
    again = read(shards, reader)
    assert 9 < reader.calls < 18
    np.testing.assert_array_equal(first.truth, again.truth)
    everyone, view = np.arange(9), np.zeros(9, np.int64)
    np.testing.assert_array_equal(first.tokens_of(everyone, view), again.tokens_of(everyone, view))


def test_other_shards_are_not_taken_for_those_that_were_read(shards: Path) -> None:
    read(shards, Reader())
    with pytest.raises(TrainingError, match="other shards; delete it"):
        read(shards, Reader(), seed=1)


def test_a_damaged_part_is_said(shards: Path) -> None:
    read(shards, Reader())
    (shards.parent / "kept" / "000000.npz").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="is damaged"):
        read(shards, Reader())


def test_shards_without_a_face_are_refused(shards: Path) -> None:
    with webdataset.TarWriter(str(shards / "train-000000.tar")) as writer:
        writer.write(pack(_sample(9), "00000000"))
    with pytest.raises(TrainingError, match="no faces"):
        read(shards, Reader())
