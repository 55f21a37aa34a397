"""Following a face with networks of our own: stand-ins whose answers are known."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.crops import NETWORK_SIZE
from freeavatar.foundation.embedded_reader import EmbeddedReader
from freeavatar.foundation.errors import ReaderError
from freeavatar.foundation.expression import Expression, Frame
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.foundation.landmarks import EYE_CORNERS
from freeavatar.foundation.readers import open_reader

from .stand_in import METRES, BlobFinder, blank, draw, room, write_network

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("network") / "expression.onnx")


class Counting(ExpressionModel):
    """Counts passes."""

    passes = 0

    def read(self, crops: Picture) -> Any:
        assert crops.shape[1:] == (NETWORK_SIZE, NETWORK_SIZE, 3) and crops.dtype == np.uint8
        self.passes += 1
        return super().read(crops)


class Watched:
    """A reader on stand-ins, fed at 30 frames a second."""

    def __init__(self, network: Path, **options: Any) -> None:
        self.model, self.finder = Counting(network), BlobFinder()
        self.reader = EmbeddedReader(model=self.model, finder=self.finder, **options)
        self.count = 0

    def see(self, picture: Picture, time: float | None = None) -> Expression:
        moment = self.count / 30 if time is None else time
        got = self.reader.read(Frame(picture=picture, index=self.count, time=moment))
        assert (got.index, got.time) == (self.count, moment)
        self.count += 1
        return got


@pytest.fixture
def watched(network: Path) -> Callable[..., Watched]:
    return lambda **options: Watched(network, **options)


def eyes_of(expression: Expression) -> NDArray[np.float64]:
    """The middle between the eyes, pixels."""
    return np.asarray(expression.landmarks[list(EYE_CORNERS)].mean(0), np.float64)


def test_a_face_is_found_and_then_followed_with_one_pass_a_frame(
    watched: Callable[..., Watched],
) -> None:
    run = watched()
    first = run.see(draw(blank(), (200, 150)))
    assert first.found and run.finder.calls == 1
    np.testing.assert_allclose(eyes_of(first), (200, 150), atol=0.5)
    passes = run.model.passes
    for step in range(1, 41):
        place = (200 + 5 * step, 150 + 3 * step)
        got = run.see(draw(blank(), place, eyes=60 + step, roll=0.01 * step))
        np.testing.assert_allclose(eyes_of(got), place, atol=1.0)
    assert run.finder.calls == 1, "no second search"
    assert run.model.passes == passes + 40


def test_what_looks_like_a_face_in_one_frame_alone_is_none(
    watched: Callable[..., Watched],
) -> None:
    """A letter of a title now and then does; a face that is hard to see is one again and again."""
    run = watched()
    faint, nothing = draw(blank(), (200, 150)), blank()
    run.finder.score = 0.65
    for i, picture in enumerate((faint, nothing, faint, nothing)):
        assert not run.see(picture, i / 5).found
    found = [run.see(faint, 1 + i / 5).found for i in range(2)]
    assert found == [False, True], "found twice in a row"
    fresh = watched()
    fresh.finder.score = 0.65
    assert not fresh.see(faint).found
    assert not fresh.see(draw(blank(), (500, 350))).found, "elsewhere"
    still = watched(video=False)
    still.finder.score = 0.65
    assert still.see(faint).found, "a single picture has no second"


def test_everything_is_in_the_axes_of_the_picture(watched: Callable[..., Watched]) -> None:
    roll = 0.4
    picture = draw(blank(), (400, 180), eyes=70, roll=roll, blue=80)
    got = watched().see(picture)
    right, left = (
        got.landmarks[[*EYE_CORNERS[:2]]].mean(0),
        got.landmarks[[*EYE_CORNERS[2:]]].mean(0),
    )
    np.testing.assert_allclose(left - right, 70 * np.array([np.cos(roll), np.sin(roll)]), atol=0.6)
    # The stand-in sees an upright head in every crop; in the picture it is turned clockwise.
    np.testing.assert_allclose(got.head[:, 0], [np.cos(roll), -np.sin(roll), 0], atol=5e-3)
    np.testing.assert_allclose(got.head[:, 1], [np.sin(roll), np.cos(roll), 0], atol=5e-3)
    np.testing.assert_allclose(got.head @ got.head.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(got.eyes, [[0.1, -0.2, 0]] * 2, atol=1e-6)
    np.testing.assert_allclose(got.box[:2], got.landmarks.min(0))
    np.testing.assert_allclose(got.box[2:], got.landmarks.max(0))
    assert got.confidence == 1.0
    assert got.embedding is not None and got.embedding.shape == (64,)
    assert got.tokens is not None and got.tokens.shape == (64, 192)
    assert np.ptp(got.blendshapes) == 0 and 0.1 < got.blendshapes[0] < 80 / 255


def test_the_place_agrees_with_a_picture_63_degrees_high(watched: Callable[..., Watched]) -> None:
    """A point at the head's place, seen by that camera, lies where the head's origin is."""
    got = watched().see(draw(blank(), (400, 180), eyes=70))
    side = np.ptp(got.landmarks, axis=0).max() * 1.25
    eyes = got.translation + got.head @ (0.0, 0.0262, 0.0347)
    focal = 240 / np.tan(np.radians(31.5))
    assert -eyes[2] == pytest.approx(focal * METRES / side, rel=0.05)
    seen = np.array([320, 240]) + focal * np.array([eyes[0], -eyes[1]]) / -eyes[2]
    np.testing.assert_allclose(seen, (400, 180), atol=1.0)


def test_noise_on_a_still_face_does_not_move_the_crop(watched: Callable[..., Watched]) -> None:
    run = watched()
    noise = np.random.default_rng(0)
    clean = draw(blank(), (300, 200), eyes=50)
    got = []
    for _ in range(60):
        grain = noise.normal(0, 8, clean.shape)
        got.append(run.see(np.clip(clean + grain, 0, 255).astype(np.uint8)))
    assert np.std([e.landmarks for e in got[5:]], axis=0).max() < 0.3
    # A crop that is cut elsewhere averages other pixels: within one crop the level stays.
    assert np.std([e.blendshapes[0] for e in got[5:]]) < 0.0015


def test_a_face_that_leaves_is_not_sought_in_every_frame(watched: Callable[..., Watched]) -> None:
    run = watched()
    for _ in range(5):
        run.see(draw(blank(), (200, 150)))
    calls = run.finder.calls
    assert not any(run.see(blank()).found for _ in range(60))
    assert 15 <= run.finder.calls - calls <= 30, "two seconds: eager first, then ten a second"
    back = [run.see(draw(blank(), (450, 300))).found for _ in range(4)]
    assert back[-1] and not run.see(blank()).embedding


def test_a_hand_that_passes(watched: Callable[..., Watched]) -> None:
    """The face comes back in its place in the first frame that shows it."""
    run = watched()
    shown, hidden = draw(room(), (200, 150)), draw(room(), (200, 150))
    hidden[60:260, 100:300] = 90
    found = [run.see(p).found for p in [shown] * 3 + [hidden] * 12 + [shown] * 3]
    assert found == [True] * 3 + [False] * 12 + [True] * 3


def test_what_the_detector_never_confirms_is_given_up(watched: Callable[..., Watched]) -> None:
    dim, clear = (draw(room(), (200, 150), eyes=50, bright=level) for level in (86, 140))
    run = watched()
    run.see(clear)
    got = [run.see(dim) for _ in range(45)]
    assert 0.35 < got[0].confidence < 0.6, "the test's own premise"
    assert 29 <= [e.found for e in got].index(False) <= 34
    assert not any(e.found for e in got[34:])

    run = watched()
    run.see(clear)
    sees = run.finder.find(clear)
    run.finder.find = lambda picture: sees  # type: ignore[method-assign]
    assert all(run.see(dim).found for _ in range(45))


def test_the_same_person_is_kept_and_another_taken_after_a_second(
    watched: Callable[..., Watched],
) -> None:
    run = watched()

    def scene(big: bool) -> Picture:
        picture = draw(room(), (520, 380), eyes=24)
        return draw(picture, (150, 150), eyes=50) if big else picture

    assert eyes_of(run.see(scene(True)))[0] < 200
    gone = [run.see(scene(False)) for _ in range(50)]
    first = [e.found for e in gone].index(True)
    assert 29 <= first <= 36, "a second, and the pause between two searches"
    assert eyes_of(gone[first])[0] > 500
    stays = [run.see(scene(True)) for _ in range(5)]
    assert all(eyes_of(e)[0] > 500 for e in stays), "no jump back to the larger one"


def test_a_cut_is_followed_at_once(watched: Callable[..., Watched]) -> None:
    """Other ground, other place, other size: the very frame of the cut is right, without the
    second that a lost face is waited for."""
    run = watched()
    other = np.zeros((480, 640, 3), np.uint8)
    other[:, 320:] = 90
    for _ in range(5):
        assert run.see(draw(blank(), (150, 150), eyes=40)).found
    got = run.see(draw(other.copy(), (520, 300), eyes=30))
    assert got.found
    np.testing.assert_allclose(eyes_of(got), (520, 300), atol=0.5)


def test_a_jump_within_a_shot_is_followed_at_once(watched: Callable[..., Watched]) -> None:
    run = watched()
    texture = np.random.default_rng(0).integers(0, 90, (480, 640, 1), np.uint8).repeat(3, -1)
    run.see(draw(texture.copy(), (300, 200), eyes=40))
    for place in ((330, 215), (390, 215), (330, 260)):
        np.testing.assert_allclose(
            eyes_of(run.see(draw(texture.copy(), place, eyes=40))), place, atol=0.6
        )


def test_faces_are_counted_from_the_left(watched: Callable[..., Watched]) -> None:
    picture = blank()
    for x, eyes in ((100, 24), (300, 40), (520, 30)):
        draw(picture, (x, 200), eyes=eyes)
    for number, x in ((None, 300), (1, 100), (2, 300), (3, 520)):
        run = watched(face=number)
        assert eyes_of(run.see(picture))[0] == pytest.approx(x, abs=0.5)
        assert run.reader.most_faces == 3
    run = watched(face=4)
    assert not run.see(picture).found and run.reader.most_faces == 3
    with pytest.raises(ReaderError, match="counted from 1 at the left; there is no face 0"):
        watched(face=0)


def test_only_the_largest_face_is_sought_in_a_coarse_look(watched: Callable[..., Watched]) -> None:
    """A face that was followed, or the second from the left, may be a small one."""
    run = watched()
    run.see(draw(blank(), (200, 150)))
    assert (run.finder.calls, run.finder.large) == (1, 1)
    run.see(blank())
    assert run.finder.calls == 2 and run.finder.large == 1
    numbered = watched(face=2)
    numbered.see(draw(blank(), (200, 150)))
    assert (numbered.finder.calls, numbered.finder.large) == (1, 0)


def test_pictures_of_their_own(watched: Callable[..., Watched]) -> None:
    run = watched(video=False)
    for place in ((200, 150), (204, 152), (400, 300)):
        np.testing.assert_allclose(eyes_of(run.see(draw(blank(), place))), place, atol=0.5)
    assert run.finder.calls == 3


def test_a_picture_size_that_changes_midway(watched: Callable[..., Watched]) -> None:
    run = watched()
    for width, height, eyes in ((640, 480, 60), (320, 240, 30), (320, 240, 30), (7680, 4320, 700)):
        place = (width * 0.4, height * 0.4)
        got = run.see(draw(blank(width, height), place, eyes=eyes))
        np.testing.assert_allclose(eyes_of(got), place, atol=0.02 * eyes)


def test_pictures_without_room_for_a_face(watched: Callable[..., Watched]) -> None:
    for height, width in ((1, 1), (1, 500), (3, 2), (40, 40)):
        got = watched().see(np.full((height, width, 3), 200, np.uint8))
        assert not got.found and got.confidence == 0 and got.landmarks.shape == (0, 2)


def test_readers_by_name(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own is taken where its networks are; a person who asks for it hears what is missing."""
    weights = tmp_path / "weights"
    weights.mkdir()
    monkeypatch.setattr("freeavatar.foundation.onnx_session.WEIGHTS", weights)
    for name in ("EXPRESSION_NETWORK", "FULL_NETWORK"):
        monkeypatch.setattr(
            f"freeavatar.foundation.expression_model.{name}", weights / "expression.onnx"
        )
    with pytest.raises(ReaderError, match=r"expression\.onnx is missing"):
        open_reader("embedded")
    (weights / "expression.onnx").write_bytes(network.read_bytes())
    (weights / "face_finder.onnx").touch()
    monkeypatch.setattr(
        "freeavatar.foundation.embedded_reader._shipped_finder", lambda _: BlobFinder()
    )
    monkeypatch.delenv("FREEAVATAR_MEDIAPIPE_BUNDLE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for kind in ("auto", "embedded"):
        reader = open_reader(kind, face=1)
        assert isinstance(reader, EmbeddedReader)
        reader.close()
    with pytest.raises(ReaderError, match="counted from 1"):
        open_reader("embedded", face=0)


def test_reading_loads_no_library_that_it_does_not_need() -> None:
    script = (
        "import sys\n"
        "from freeavatar.foundation import embedded_reader, readers, sources\n"
        "heavy = ('torch', 'timm', 'scipy', 'mediapipe', 'onnx', 'matplotlib', 'pyrender')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
