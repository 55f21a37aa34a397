"""Our face finder on real pictures and on what is no picture of a face."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.errors import ReaderError
from freeavatar.foundation.face_boxes import overlap
from freeavatar.foundation.face_finder import (
    AREA,
    COARSE,
    FINDER,
    FULL_FINDER,
    THRESHOLD,
    FaceFinder,
    FaceHit,
    shipped_finder,
)
from freeavatar.foundation.finder_grid import STRIDES, faces_of_cells, without_overlaps
from freeavatar.foundation.sources import open_source

Picture = NDArray[np.uint8]
SINGLE = (195, 195, 366, 400)
"""Brows to chin of the face in single_face.jpg, by MediaPipe's landmarks."""


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    if not FINDER.is_file():
        pytest.fail(f"the network {FINDER} is missing")
    return FaceFinder()


@pytest.mark.parametrize("quick", [False, True])
def test_the_network_that_suits_the_processor_is_opened(
    monkeypatch: pytest.MonkeyPatch, quick: bool
) -> None:
    monkeypatch.setattr("freeavatar.foundation.face_finder.has_byte_products", lambda: quick)
    assert shipped_finder() == (FINDER if quick else FULL_FINDER)
    assert FaceFinder()._threshold == (THRESHOLD if quick else 0.58)
    assert FaceFinder(threshold=0.4)._threshold == 0.4


@pytest.fixture(scope="module")
def face(shared: Path) -> Picture:
    (frame,) = open_source(str(shared / "clips" / "single_face.jpg"))
    return frame.picture


def test_a_face_is_found_where_mediapipe_sees_it(finder: FaceFinder, face: Picture) -> None:
    (hit,) = finder.find(face)
    assert overlap(hit.box, np.array(SINGLE, np.float32)) > 0.6 and 0.5 <= hit.score <= 1
    assert hit.box.dtype == np.float32 and hit.points.shape == (3, 2)
    right, left, mouth = hit.points
    assert right[0] < left[0], "the actor's right eye is at the left of the picture"
    assert mouth[1] > max(right[1], left[1]) + 0.2 * (hit.box[3] - hit.box[1])


def test_a_mirrored_picture_gives_the_mirrored_face(finder: FaceFinder, face: Picture) -> None:
    (hit,) = finder.find(face)
    (other,) = finder.find(np.ascontiguousarray(face[:, ::-1]))
    width = face.shape[1]
    size = hit.box[2] - hit.box[0]
    np.testing.assert_allclose(other.box[[2, 0]], width - hit.box[[0, 2]], atol=0.1 * size)
    mirrored = hit.points[[1, 0, 2]] * (-1, 1) + (width, 0)
    np.testing.assert_allclose(other.points, mirrored, atol=0.1 * size)


def roll(points: NDArray[np.float32]) -> float:
    """Degrees by which the line of the eyes is turned, clockwise as seen."""
    across = points[1] - points[0]
    return float(np.degrees(np.arctan2(across[1], across[0])))


@pytest.mark.parametrize("degrees", [-45, -25, 25, 45])
def test_a_turned_face(finder: FaceFinder, face: Picture, degrees: float) -> None:
    (upright,) = finder.find(face)
    middle = tuple(float(v) for v in (upright.box[:2] + upright.box[2:]) / 2)
    warp = cv2.getRotationMatrix2D(middle, degrees, 0.8)
    turned = np.asarray(cv2.warpAffine(face, warp, face.shape[1::-1]), np.uint8)
    hit = finder.find(turned)[0]
    turn = roll(hit.points) - roll(upright.points)
    assert turn == pytest.approx(-degrees, abs=20), "rough: the reader's landmarks settle it"
    wanted = upright.points @ warp[:, :2].T + warp[:, 2]
    size = hit.box[2] - hit.box[0]
    assert np.linalg.norm(hit.points - wanted, axis=1).max() < 0.2 * size


@pytest.mark.parametrize("size", [24, 40, 100, 300, 700])
def test_small_and_large_faces_of_a_wide_picture(
    finder: FaceFinder, face: Picture, size: int
) -> None:
    """From 24 pixels up to one that fills 1280 x 720."""
    left, top, right, bottom = SINGLE
    scale = size / max(right - left, bottom - top)
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    wide = np.full((720, 1280, 3), 128, np.uint8)
    x, y = int(640 - (left + right) / 2 * scale), int(360 - (top + bottom) / 2 * scale)
    rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
    rows, columns = rows + y, columns + x
    inside = (rows >= 0) & (rows < 720) & (columns >= 0) & (columns < 1280)
    wide[rows[inside], columns[inside]] = small[inside]
    box = np.array(SINGLE) * scale + (x, y, x, y)
    best = finder.find(wide)[0]
    assert overlap(best.box, box.astype(np.float32)) > 0.5


def test_no_face_where_there_is_none(finder: FaceFinder, shared: Path) -> None:
    with open_source(str(shared / "clips" / "no_face.mp4")) as source:
        found = [len(finder.find(f.picture)) for f in source if f.index % 8 == 0]
    assert len(found) == 12 and not any(found)


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (1, 5000), (5000, 1), (2, 3), (31, 33), (400, 7), (4320, 7680)],
)
def test_pictures_of_any_size(finder: FaceFinder, height: int, width: int) -> None:
    flat = np.full((height, width, 3), 90, np.uint8)
    assert finder.find(flat) == []


def test_what_is_no_picture_is_refused(finder: FaceFinder) -> None:
    with pytest.raises(ValueError, match="expected a picture"):
        finder.find_large(np.zeros((40, 40), np.uint8))
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.uint16)):
        with pytest.raises(ValueError, match="expected a picture"):
            finder.find(wrong)
    assert finder.find(np.zeros((0, 4, 3), np.uint8)) == []


def test_the_same_picture_gives_the_same_faces(finder: FaceFinder, face: Picture) -> None:
    first, again = finder.find(face), FaceFinder(threads=1).find(face.copy())
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.box, two.box)
        np.testing.assert_array_equal(one.points, two.points)


def test_a_large_face_needs_one_coarse_look(
    finder: FaceFinder, face: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    areas: list[int] = []
    look = finder._look

    def noted(picture: Picture, area: int, threshold: float) -> list[FaceHit]:
        areas.append(area)
        return look(picture, area, threshold)

    monkeypatch.setattr(finder, "_look", noted)
    (usual,) = finder.find(face)
    (hit,) = finder.find_large(face)
    assert areas == [AREA, AREA // COARSE]
    assert overlap(hit.box, usual.box) > 0.7
    assert hit.size == pytest.approx(usual.size, rel=0.2)


def test_without_a_large_face_all_are_found_as_usual(finder: FaceFinder, shared: Path) -> None:
    (frame,) = open_source(str(shared / "clips" / "multi_face.jpg"))
    usual, large = finder.find(frame.picture), finder.find_large(frame.picture)
    assert len(usual) == len(large) == 5
    for hit, other in zip(usual, large, strict=True):
        np.testing.assert_array_equal(hit.box, other.box)
    first = next(iter(open_source(str(shared / "clips" / "no_face.mp4"))))
    assert finder.find_large(first.picture) == []
    assert finder.find_large(np.zeros((0, 40, 3), np.uint8)) == []


def test_the_best_comes_first(finder: FaceFinder, shared: Path) -> None:
    (frame,) = open_source(str(shared / "clips" / "multi_face.jpg"))
    hits = finder.find(frame.picture)
    assert len(hits) == 5, "five friends"
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    for i, hit in enumerate(hits):
        assert all(overlap(hit.box, other.box) < 0.4 for other in hits[i + 1 :])


def test_a_missing_network_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="is missing"):
        FaceFinder(tmp_path / "none.onnx")


def test_cells_say_what_the_grid_defines() -> None:
    for stride in STRIDES:
        cells = np.zeros((5, 7, 11), np.float32)
        cells[3, 2] = [0.9, 0.25, -0.5, 0, np.log(2), *range(6)]
        scores, boxes, points = faces_of_cells(cells, stride, 0.5)
        unit, here = 4 * stride, np.array([2.5, 3.5]) * stride
        middle = here + np.array([0.25, -0.5]) * unit
        assert scores.tolist() == pytest.approx([0.9])
        np.testing.assert_allclose((boxes[0, :2] + boxes[0, 2:]) / 2, middle, rtol=1e-6)
        np.testing.assert_allclose(boxes[0, 2:] - boxes[0, :2], (unit, 2 * unit), rtol=1e-6)
        np.testing.assert_allclose(points[0], here + np.arange(6).reshape(3, 2) * unit, rtol=1e-6)


def test_of_boxes_of_one_face_the_best_stays() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [1, 1, 11, 11], [20, 0, 30, 10], [22, 2, 26, 6], [9, 9, 19, 19]],
        np.float32,
    )
    scores = np.array([0.6, 0.9, 0.8, 0.7, 0.5], np.float32)
    assert without_overlaps(boxes, scores, 0.4).tolist() == [1, 2, 4]
    assert without_overlaps(boxes[:0], scores[:0], 0.4).tolist() == []
