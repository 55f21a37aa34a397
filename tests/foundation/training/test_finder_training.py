"""The face finder's targets, losses, variation, counting, training and export."""

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.face_finder import INPUT, OUTPUTS, SIGNATURE, FaceFinder
from freeavatar.foundation.finder_grid import STRIDES, faces_of_cells
from freeavatar.foundation.finder_net import FinderConfig, FinderNet
from freeavatar.foundation.finder_targets import FACE_NUMBERS, loss, targets
from freeavatar.foundation.onnx_session import Network
from freeavatar.foundation.training import finder_training
from freeavatar.foundation.training.finder_data import decoded, mirrored, read_shard, varied
from freeavatar.foundation.training.finder_export import export, quantise
from freeavatar.foundation.training.finder_tally import Tally
from freeavatar.foundation.training.schedule import Budget

SIZES = [(12, 0), (30, 0), (36, 0), (36, 1), (90, 1), (100, 1), (100, 2), (300, 2)]


def a_face(left: float, top: float, size: float) -> np.ndarray:
    """(11,) as `FACE_NUMBERS`."""
    box = (left, top, left + 0.9 * size, top + size)
    eyes = [(left + share * size, top + 0.3 * size) for share in (0.25, 0.65)]
    return np.array(
        [*box, *eyes[0], *eyes[1], left + 0.45 * size, top + 0.75 * size, 1], np.float32
    )


@pytest.mark.parametrize(("size", "level"), SIZES)
def test_the_wanted_cells_say_where_the_face_is(size: float, level: int) -> None:
    """What the trainer asks for, read as the runtime reads it, is the face that was put in."""
    face = a_face(31.0, 17.0, size)
    heat, weight, numbers = targets(face[None], (384, 384))[level]
    assert heat.max() == 1.0 and weight.max() == 1.0
    cells = numbers.copy()
    cells[..., 0] = heat
    scores, boxes, points = faces_of_cells(cells, STRIDES[level], 0.99)
    assert len(scores) == 1
    np.testing.assert_allclose(boxes[0], face[:4], atol=1e-3)
    np.testing.assert_allclose(points[0].ravel(), face[4:10], atol=1e-3)


def test_a_face_to_be_ignored_is_not_asked_for() -> None:
    face = a_face(100, 100, 60)
    face[-1] = 0
    for heat, weight, numbers in targets(face[None], (384, 384)):
        assert heat.max() == 0 and numbers.max() == 0
        assert weight.min() == 0 and weight.mean() > 0.9


def test_the_right_answer_costs_least() -> None:
    faces = np.stack([a_face(40, 40, 20), a_face(150, 90, 70), a_face(60, 160, 200)])
    wanted = [
        tuple(torch.from_numpy(part)[None] for part in level)
        for level in targets(faces, (384, 384))
    ]
    right = []
    for heat, _, numbers in wanted:
        cells = numbers.clone()
        cells[..., 0] = torch.where(heat == 1, 12.0, -12.0)
        right.append(cells)
    best = loss(right, wanted)
    assert float(best["heat"]) < 0.01 and float(best["numbers"]) < 1e-6
    moved = [cells.clone() for cells in right]
    for cells in moved:
        cells[..., 1] += 0.1
    assert float(loss(moved, wanted)["numbers"]) > 0.02
    blind = [torch.full_like(cells, -12.0) for cells in right]
    assert float(loss(blind, wanted)["heat"]) > 1


def test_mirroring_twice_changes_nothing_and_once_swaps_the_eyes() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    faces = a_face(10, 12, 30)[None]
    there, swapped = mirrored(picture, faces)
    assert swapped[0, 4] < swapped[0, 6], "the right eye stays at the left of the picture"
    assert swapped[0, 0] == pytest.approx(96 - faces[0, 2])
    back, again = mirrored(there, swapped)
    np.testing.assert_array_equal(back, picture)
    np.testing.assert_allclose(again, faces, atol=1e-4)


def test_variation_keeps_the_points_on_the_face() -> None:
    """A face drawn as three coloured discs: they stay where the numbers say."""
    for seed in range(20):
        picture = np.zeros((128, 128, 3), np.uint8)
        face = a_face(40, 40, 50)
        for point, channel in zip(face[4:10].reshape(-1, 2), range(3), strict=True):
            colour = tuple(255 if i == channel else 0 for i in range(3))
            cv2.circle(picture, (int(point[0]), int(point[1])), 4, colour, -1)
        rng = np.random.default_rng(seed)
        shown, faces = varied(rng, picture, face[None])
        if not len(faces) or faces[0, -1] == 0 or np.ptp(shown.astype(int), axis=2).max() < 30:
            continue
        x, y = (int(v) for v in faces[0, 8:10])
        if 0 <= x < 128 and 0 <= y < 128:
            assert shown[y, x, 2] > 60, seed


def test_counting() -> None:
    faces = np.stack([a_face(0, 0, 20), a_face(50, 50, 20), a_face(90, 0, 20)])
    faces[2, -1] = 0
    tally = Tally()
    tally.add(np.stack([faces[0, :4], faces[0, :4] + 1, faces[2, :4], [200, 0, 220, 20]]), faces)
    assert (tally.faces, tally.found, tally.false, tally.pictures) == (2, 1, 2, 1)
    assert tally.recall == 0.5 and tally.overlaps == [pytest.approx(1.0)]


def write_discs(folder: Path, split: str, count: int) -> None:
    """A shard of composites in which a red disc is a face."""
    rng = np.random.default_rng(len(split))
    with tarfile.open(folder / f"{split}-000000.tar", "w") as tar:
        for i in range(count):
            picture = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
            face = a_face(*rng.uniform(2, 34, 2), 24)
            middle = (face[:2] + face[2:4]) / 2
            place = (int(middle[0]), int(middle[1]))
            cv2.ellipse(picture, place, (11, 12), 0, 0, 360, (250, 20, 20), -1)
            numbers = io.BytesIO()
            np.save(numbers, face[None].astype(np.float32))
            _, jpg = cv2.imencode(".jpg", picture[..., ::-1])
            for ending, data in (("jpg", jpg.tobytes()), ("npy", numbers.getvalue())):
                member = tarfile.TarInfo(f"{i:06d}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def test_a_short_run_learns_resumes_and_exports(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    for split, count in (("train", 64), ("validation", 8)):
        write_discs(tmp_path, split, count)
    first = finder_training.FinderRun(
        data=tmp_path, out=tmp_path / "run", budget=Budget(samples=160), batch=8, device="cpu"
    )
    finder_training.train(first)
    again = finder_training.FinderRun(
        data=tmp_path,
        out=tmp_path / "run",
        budget=Budget(samples=320),
        batch=8,
        device="cpu",
        resume=True,
    )
    best = finder_training.train(again)
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert len(lines) == 2
    heats = [float(line.split('"heat": ')[1].split(",")[0]) for line in lines]
    assert heats[1] < heats[0]
    onnx = tmp_path / "finder.onnx"
    assert export(best, onnx) < 1e-4
    assert FaceFinder(onnx, threshold=0.99).find(np.zeros((48, 64, 3), np.uint8)) == []

    quantise(onnx, tmp_path, tmp_path / "small" / "finder.onnx")
    assert (tmp_path / "small" / "finder.onnx").stat().st_size < 0.6 * onnx.stat().st_size
    (data, _), *_ = read_shard(tmp_path / "validation-000000.tar")
    picture = decoded(data)[None]
    full, small = (
        Network(p, SIGNATURE).run(**{INPUT: picture})
        for p in (onnx, tmp_path / "small" / "finder.onnx")
    )
    for name in OUTPUTS:
        apart = np.abs(full[name] - small[name])
        assert apart.max() > 0 and apart.mean() < 0.2 * full[name].std(), name


def test_without_data_one_line_says_what_to_do(tmp_path: Path) -> None:
    run = finder_training.FinderRun(
        data=tmp_path, out=tmp_path / "run", budget=Budget(samples=8), device="cpu"
    )
    with pytest.raises(TrainingError, match="freeavatar data composites"):
        finder_training.train(run)


def test_the_network_keeps_its_configuration() -> None:
    config = FinderConfig(stem=16, widths=(16, 16, 32, 32), blocks=(0, 1, 0, 0), neck=16)
    assert FinderConfig.from_dict(config.to_dict()) == config
    outputs = FinderNet(config).eval()(torch.zeros(1, 96, 160, 3, dtype=torch.uint8))
    assert [tuple(o.shape) for o in outputs] == [
        (1, 12, 20, FACE_NUMBERS), (1, 6, 10, FACE_NUMBERS), (1, 3, 5, FACE_NUMBERS)
    ]  # fmt: skip
