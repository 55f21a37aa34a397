"""Faces read by MediaPipe from real clips."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from freeavatar.foundation.errors import ReaderError
from freeavatar.foundation.expression import BLENDSHAPES, Expression, Frame
from freeavatar.foundation.mediapipe_landmarker import Landmarker
from freeavatar.foundation.mediapipe_reader import MediaPipeReader, landmark_finder, linked_lids
from freeavatar.foundation.readers import open_reader
from freeavatar.foundation.sources import open_source

Read = Callable[..., list[Expression]]
RIGHT_EYE, LEFT_EYE = 33, 263
"""Outer eye corners of the actor; the right one is at the left of an unmirrored picture."""


@pytest.fixture(scope="module")
def bundle(shared: Path) -> Path:
    return shared / "mediapipe" / "face_landmarker.task"


@pytest.fixture(scope="module")
def read(bundle: Path, shared: Path) -> Read:
    """``read(clip, most, mirror, **reader)``: expressions of the first ``most`` frames."""

    @cache
    def run(
        clip: str, most: int | None = None, mirror: bool = False, **options: Any
    ) -> list[Expression]:
        return read_afresh(bundle, shared / "clips" / clip, most, mirror, **options)

    return run


def read_afresh(
    bundle: Path, clip: Path, most: int | None, mirror: bool = False, **options: Any
) -> list[Expression]:
    reader = MediaPipeReader(bundle, **options)
    out = []
    with open_source(str(clip)) as source:
        for frame in islice(source, most):
            picture = frame.picture[:, ::-1] if mirror else frame.picture
            out.append(reader.read(Frame(picture=picture, index=frame.index, time=frame.time)))
    reader.close()
    return out


def curves(expressions: list[Expression]) -> NDArray[np.float32]:
    return np.array([e.blendshapes for e in expressions])


def mirrored(names: tuple[str, ...]) -> list[int]:
    swap = {"Left": "Right", "Right": "Left"}
    other = [
        next((n.removesuffix(s) + o for s, o in swap.items() if n.endswith(s)), n) for n in names
    ]
    return [names.index(n) for n in other]


def correlation(a: Any, b: Any) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_a_whole_clip(read: Read) -> None:
    got = read("neutral_to_smile.mp4")
    assert len(got) == 72 and all(e.found for e in got)
    assert [e.index for e in got] == list(range(72))
    values = curves(got)
    assert values.shape == (72, 52) and values.dtype == np.float32
    assert values.min() >= 0 and values.max() <= 1
    assert (values[:, BLENDSHAPES.index("tongueOut")] == 0).all()
    smile = values[:, BLENDSHAPES.index("mouthSmileLeft")]
    assert smile[:10].max() < 0.1 and smile[55:65].min() > 0.6 and smile[-1] < 0.1
    first = got[0]
    assert first.landmarks.shape == (478, 2) and first.confidence == 1.0
    assert first.landmarks[RIGHT_EYE, 0] < first.landmarks[LEFT_EYE, 0]
    np.testing.assert_allclose(first.head @ first.head.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(first.head) == pytest.approx(1)
    assert first.head[2, 2] > 0.97, "looks into the camera"
    assert -1.0 < first.translation[2] < -0.1, "metres in front of the camera"
    inside = (first.landmarks >= first.box[:2]) & (first.landmarks <= first.box[2:])
    assert inside.all()


def test_reading_twice_gives_the_same(bundle: Path, shared: Path) -> None:
    clip = shared / "clips" / "emotions_pexels.mp4"
    one, two = (curves(read_afresh(bundle, clip, 12)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_mirrored_clip_swaps_left_and_right(read: Read) -> None:
    plain = read("emotions_pexels.mp4")[:240]
    flipped = read("emotions_pexels.mp4", 240, True)
    a, b = curves(plain), curves(flipped)
    sided = [i for i, n in enumerate(BLENDSHAPES) if n.endswith(("Left", "Right"))]
    swapped = np.abs(a[:, mirrored(BLENDSHAPES)] - b)[:, sided].mean()
    straight = np.abs(a - b)[:, sided].mean()
    assert swapped < 0.6 * straight
    for base in ("browOuterUp", "eyeLookOut", "mouthSmile"):
        left, right = (BLENDSHAPES.index(base + side) for side in ("Left", "Right"))
        assert correlation(a[:, left] - a[:, right], b[:, right] - b[:, left]) > 0.7, base
    yaw = [
        correlation([e.head[i, 2] for e in plain], [e.head[i, 2] for e in flipped]) for i in (0, 1)
    ]
    assert yaw[0] < -0.9 and yaw[1] > 0.9, "forward turns the other way, nodding stays"


@pytest.mark.parametrize(
    ("eye", "cheek", "lash"),
    [
        ((263, 390, 374, 381, 362, 384, 386, 388), 450, (263, 374, 362)),
        ((33, 163, 145, 154, 133, 157, 159, 161), 230, (33, 145, 133)),
    ],
    ids=["left", "right"],
)
def test_left_is_the_actors_left(
    bundle: Path, shared: Path, eye: tuple[int, ...], cheek: int, lash: tuple[int, ...]
) -> None:
    """Painting one eye of a photograph shut raises the blink curve of that side only."""
    (frame,) = open_source(str(shared / "clips" / "single_face.jpg"))
    landmarker = Landmarker(bundle)
    (before,) = landmarker.find(frame.picture)
    points = before.landmarks
    ring = points[list(eye)]
    lid = (ring - ring.mean(0)) * (1.15, 1.5) + ring.mean(0)
    column, row = (int(v) for v in points[cheek])
    painted = Image.fromarray(frame.picture)
    draw = ImageDraw.Draw(painted)
    draw.polygon([tuple(p) for p in lid.tolist()], fill=tuple(frame.picture[row, column].tolist()))
    draw.line([tuple(p) for p in points[list(lash)].tolist()], fill=(40, 20, 20), width=2)
    (after,) = landmarker.find(np.array(painted))
    landmarker.close()

    change = after.blendshapes - before.blendshapes
    left, right = (
        change[BLENDSHAPES.index("eyeBlinkLeft")],
        change[BLENDSHAPES.index("eyeBlinkRight")],
    )
    at_picture_right = ring[:, 0].mean() > points[1, 0]
    same, other = (left, right) if at_picture_right else (right, left)
    assert same > 0.2 and abs(other) < 0.1


def test_gaze_follows_the_irises(read: Read) -> None:
    """Yaw grows toward the actor's right, which is the left of the picture."""
    got = read("emotions_pexels.mp4")
    for eye, iris, corners in ((0, 473, (362, 263)), (1, 468, (33, 133))):
        offset = [e.landmarks[iris, 0] - e.landmarks[list(corners), 0].mean() for e in got]
        assert correlation(offset, [e.eyes[eye, 0] for e in got]) < -0.85


def test_head_axes(read: Read) -> None:
    """The nose shows where forward points, the line of the eyes where left points."""
    got = read("intel_head-pose-face-detection-female.gif")
    middle = np.array([(e.landmarks[234] + e.landmarks[454]) / 2 for e in got])
    nose = np.array([e.landmarks[1] for e in got]) - middle
    forward = np.array([e.head[:, 2] for e in got])
    assert np.ptp(forward[:, 0]) > 0.8, "she turns her head to both sides"
    assert correlation(forward[:, 0], nose[:, 0]) > 0.95
    tilted = read("emotions_pexels.mp4")
    line = [e.landmarks[LEFT_EYE] - e.landmarks[RIGHT_EYE] for e in tilted]
    slope = [-d[1] / np.linalg.norm(d) for d in line]
    assert correlation([e.head[1, 0] for e in tilted], slope) > 0.95
    raised = [e.landmarks[1, 1] - (e.landmarks[234, 1] + e.landmarks[454, 1]) / 2 for e in tilted]
    assert correlation([e.head[1, 2] for e in tilted], raised) < -0.9


def test_the_pose_does_not_depend_on_the_window(bundle: Path, shared: Path) -> None:
    (frame,) = open_source(str(shared / "clips" / "single_face.jpg"))
    landmarker = Landmarker(bundle)
    (whole,) = landmarker.find(frame.picture)
    (part,) = landmarker.find(frame.picture, window=(120, 100, 380, 380))
    landmarker.close()
    np.testing.assert_allclose(part.landmarks, whole.landmarks, atol=4)
    np.testing.assert_allclose(part.translation, whole.translation, atol=0.02)
    cosine = (np.trace(part.head @ whole.head.T) - 1) / 2
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))) < 2


def test_an_actor_who_leaves(read: Read) -> None:
    got = read("face_leaves.mov")
    found = [e.found for e in got]
    assert all(found[:70]) and not any(found[80:])
    lost = got[-1]
    assert not lost.blendshapes.any() and lost.landmarks.shape == (0, 2) and lost.confidence == 0


def test_no_face_is_found_where_there_is_none(read: Read) -> None:
    assert not any(e.found for e in read("no_face.mp4"))


def test_small_faces_are_found_in_tiles(read: Read) -> None:
    got = read("intel_classroom.gif")
    assert all(e.found for e in got)
    centres = np.array([(e.box[:2] + e.box[2:]) / 2 for e in got])
    assert np.abs(centres - centres.mean(0)).max() < 12, "stays with one person"


def people(bundle: Path, shared: Path) -> Iterator[Expression]:
    for face in (1, 2, 3):
        reader = MediaPipeReader(bundle, face=face)
        (frame,) = open_source(str(shared / "clips" / "multi_face.jpg"))
        yield reader.read(frame)
        assert reader.most_faces >= 3
        reader.close()


def test_faces_are_counted_from_the_left(bundle: Path, shared: Path, read: Read) -> None:
    centres = [float(e.box[0] + e.box[2]) / 2 for e in people(bundle, shared)]
    assert centres == sorted(centres) and np.diff(centres).min() > 50
    (largest,) = read("multi_face.jpg")
    assert largest.box[2] - largest.box[0] > 100
    assert not read("multi_face.jpg", face=40)[0].found


def test_the_chosen_person_is_kept_among_several(read: Read) -> None:
    clip = "intel_head-pose-face-detection-female-and-male.gif"
    one, two = read(clip, face=1), read(clip, face=2)
    assert all(e.found for e in one + two)
    gap = [b.box[0] - a.box[2] for a, b in zip(one, two, strict=True)]
    assert min(gap) > 20
    largest = read(clip)
    assert {e.box[0] < 240 for e in largest} == {largest[0].box[0] < 240}


def test_forgetting_equals_a_new_tracker(bundle: Path, shared: Path) -> None:
    frames = list(islice(open_source(str(shared / "clips" / "emotions_pexels.mp4")), 8))
    used, fresh = Landmarker(bundle, video=True), Landmarker(bundle, video=True)
    for frame in frames:
        used.find(frame.picture, frame.time)
    used.forget(frames[-1].time)
    (a,), (b,) = (tracker.find(frames[0].picture, 1.0) for tracker in (used, fresh))
    np.testing.assert_array_equal(a.landmarks, b.landmarks)
    np.testing.assert_array_equal(a.blendshapes, b.blendshapes)


def test_a_picture_size_that_changes_midway(bundle: Path, shared: Path) -> None:
    reader = MediaPipeReader(bundle)
    frames = list(islice(open_source(str(shared / "clips" / "neutral_to_smile.mp4")), 4))
    for i, frame in enumerate(frames):
        picture = frame.picture if i % 2 == 0 else np.ascontiguousarray(frame.picture[:, 80:-80])
        got = reader.read(Frame(picture=picture, index=i, time=frame.time))
        assert got.found and (got.box[2:] <= (picture.shape[1], picture.shape[0])).all()
    reader.close()


def test_landmark_finder(bundle: Path, shared: Path) -> None:
    find = landmark_finder(bundle)
    (frame,) = open_source(str(shared / "clips" / "single_face.jpg"))
    points = find(frame.picture)
    assert points is not None and points.shape == (478, 2) and points.dtype == np.float32
    assert points[RIGHT_EYE, 0] < points[1, 0] < points[LEFT_EYE, 0]
    assert find(np.zeros((80, 90, 3), np.uint8)) is None


def test_what_is_no_bundle(tmp_path: Path, capfd: Any) -> None:
    path = tmp_path / "face.task"
    path.write_bytes(b"no bundle")
    with pytest.raises(ReaderError, match=r"does not accept .*face\.task"):
        MediaPipeReader(path)
    assert capfd.readouterr().err == ""


def test_standard_error_stays_clean(bundle: Path, shared: Path, capfd: Any) -> None:
    reader = MediaPipeReader(bundle)
    (frame,) = open_source(str(shared / "clips" / "single_face.jpg"))
    assert reader.read(frame).found
    reader.close()
    reader.close()
    assert capfd.readouterr().err == ""


def test_readers_by_name(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freeavatar.foundation.onnx_session.WEIGHTS", tmp_path)
    for kind in ("auto", "mediapipe"):
        reader = open_reader(kind, bundle=bundle, face=2)
        assert isinstance(reader, MediaPipeReader), "without networks of our own"
        reader.close()
    with pytest.raises(
        ReaderError, match="choose from auto, embedded, averaged, combined, mediapipe"
    ):
        open_reader("crystal")
    with pytest.raises(ReaderError, match="counted from 1"):
        open_reader("mediapipe", bundle=bundle, face=0)


@pytest.mark.parametrize(
    ("seen", "linked"),
    [
        ((0.84, 0.40), (0.84, 0.84)),  # both shut, one in shade
        ((0.35, 0.90), (0.90, 0.90)),
        ((0.85, 0.15), (0.85, 0.15)),  # a wink
        ((0.05, 0.80), (0.05, 0.80)),
        ((0.30, 0.30), (0.30, 0.30)),
        ((0.275, 0.675), (0.475, 0.675)),  # half way between open and shut: half linked
    ],
)
def test_shut_eyes_are_linked_and_winks_are_not(
    seen: tuple[float, float], linked: tuple[float, float]
) -> None:
    shapes = np.full(52, 0.5, np.float32)
    left, right = BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")
    shapes[[left, right]] = seen
    got = linked_lids(shapes)
    np.testing.assert_allclose(got[[left, right]], linked, atol=1e-6)
    np.testing.assert_array_equal(np.delete(got, [left, right]), 0.5)
    np.testing.assert_allclose(shapes[[left, right]], seen)
