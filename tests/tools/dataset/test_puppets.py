"""Puppeteered portraits: fits, looks and labels."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeavatar.foundation.crops import STORED_SIZE
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.foundation.landmarks import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS, places
from freeavatar.tools.dataset.backdrops import before, person_share
from freeavatar.tools.dataset.expressions import HELD_OUT, expression
from freeavatar.tools.dataset.ict import EYE, TEETH
from freeavatar.tools.dataset.mixing import mixed
from freeavatar.tools.dataset.person import Person, prepare
from freeavatar.tools.dataset.portraits import Portraits, load_portraits
from freeavatar.tools.dataset.puppet_people import PuppetPeople
from freeavatar.tools.dataset.puppeteer import Puppet
from freeavatar.tools.dataset.puppets import SAME_PERSON, PuppetSource
from freeavatar.tools.dataset.splits import split_of

pytest.importorskip("torch")
STRAIGHT = np.eye(3, dtype=np.float32)


@pytest.fixture(scope="module")
def faces(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven portraits: three people, one of them of the test split, and an averaged face."""
    folder = tmp_path_factory.mktemp("puppets") / "webmorph"
    folder.mkdir()
    wanted = ["composite__f_multi.jpg"]
    for number in ("002", "005", "018"):
        pairs = (f"neutral_front__{number}_03.jpg", f"smiling_front__{number}_08.jpg")
        wanted += pairs
    for name in wanted:
        shutil.copy(shared / "faces" / "webmorph" / name, folder)
    return folder


@pytest.fixture(scope="module")
def source(shared: Path, faces: Path) -> PuppetSource:
    return PuppetSource(*_places(shared, faces), "train", 1)


@pytest.fixture(scope="module")
def portraits(shared: Path, faces: Path, source: PuppetSource) -> Portraits:
    folders, _, bundle, cache = _places(shared, faces)
    return load_portraits(folders, source.people.rig.ict, bundle, cache)[0]


@pytest.fixture(scope="module")
def person(source: PuppetSource, portraits: Portraits) -> Person:
    return prepare(source.people.rig, portraits, 1)


def _places(shared: Path, faces: Path) -> tuple[list[Path], Path, Path, Path]:
    bundle = shared / "mediapipe" / "face_landmarker.task"
    return [faces], shared / "synth" / "ict_face.npz", bundle, faces.parent / "cache"


def _shapes(**amounts: float) -> FloatArray:
    out = np.zeros(len(BLENDSHAPES), np.float32)
    for name, amount in amounts.items():
        out[BLENDSHAPES.index(name)] = amount
    return out


def _seen(source: PuppetSource, person: Person, part: int, **amounts: float) -> int:
    """Pixels of a part of the face."""
    puppet = Puppet(source.people.rig, person)
    shot = puppet.shoot(puppet.pose(_shapes(**amounts), STRAIGHT), puppet.framing(320))
    seen = shot.visible.triangle[shot.visible.triangle >= 0]
    return int((source.people.rig.part[seen] == part).sum())


def test_fits_explain_the_landmarks(portraits: Portraits) -> None:
    """0.7 mm on average; without learned offsets it is about two."""
    assert np.median(portraits.error) < 0.09
    smiling = np.array([name.startswith("smiling") for name in portraits.name])
    smile = portraits.blendshapes[:, BLENDSHAPES.index("mouthSmileLeft")]
    assert smile[smiling].mean() > smile[~smiling].mean() + 0.2
    assert np.abs(portraits.rotation).max() < 0.3


def test_a_puppet_shows_the_landmarks_where_it_says(
    source: PuppetSource, portraits: Portraits
) -> None:
    """Rendered as in the photo, the points lie where they were found in the photo."""
    rig = source.people.rig
    who = prepare(rig, portraits, 1, unit=None)
    puppet = Puppet(rig, who)
    frame = puppet.framing(640)
    shot = puppet.shoot(puppet.pose(who.blendshapes, who.rotation), frame)
    for near, far in ((33, 263), (61, 291), (105, 334)):
        rows = places(near, far)
        truth = portraits.landmarks[1][[near, far]] * (640 / 640)
        assert np.linalg.norm(shot.landmarks[rows] - truth, axis=1).max() < 6.0
    photo = portraits.picture(1)[:640, :640].astype(float)
    low, high = shot.landmarks.min(axis=0).astype(int), shot.landmarks.max(axis=0).astype(int)
    part = np.s_[low[1] : high[1], low[0] : high[0]]
    assert np.abs(photo[part] - shot.picture[part]).mean() < 14


def test_lids_and_lips_open_and_close(source: PuppetSource, person: Person) -> None:
    open_eyes = _seen(source, person, EYE)
    shut = _seen(source, person, EYE, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    wide = _seen(source, person, EYE, eyeWideLeft=1.0, eyeWideRight=1.0)
    assert shut < 0.1 * open_eyes < open_eyes < wide
    assert _seen(source, person, TEETH) < 60
    assert _seen(source, person, TEETH, mouthSmileLeft=1, mouthSmileRight=1, jawOpen=0.2) > 100


def test_the_tongue_hides_teeth(source: PuppetSource, person: Person) -> None:
    puppet = Puppet(source.people.rig, person)
    out = puppet.pose(_shapes(jawOpen=0.3, tongueOut=1.0), STRAIGHT)
    shot = puppet.shoot(out, puppet.framing(256))
    corners = source.people.rig.triangles[shot.visible.triangle]
    tongue = (source.people.rig.ict.tongue[corners].min(axis=2) > 0.5) & (
        shot.visible.triangle >= 0
    )
    assert tongue.sum() > 150
    red, _, blue = shot.picture[tongue].mean(axis=0)
    assert red > 1.2 * blue


def test_samples_are_what_they_say(source: PuppetSource) -> None:
    for number in (0, 1, SAME_PERSON, 5 * SAME_PERSON + 3):
        sample = source.sample(number)
        blendshapes, eyes = expression(sample.expression)
        np.testing.assert_array_equal(sample.blendshapes, blendshapes)
        np.testing.assert_allclose(sample.eyes, eyes)
        assert sample.picture.shape == (STORED_SIZE, STORED_SIZE, 3)
        assert sample.picture.std() > 8
        assert split_of(sample.identity) == "train"
        assert "composite" not in sample.identity
        # The crop is level and holds all points with a margin of 28 % on the longer side.
        across = sample.landmarks[list(LEFT_EYE_CORNERS)].mean(axis=0) - sample.landmarks[
            list(RIGHT_EYE_CORNERS)
        ].mean(axis=0)
        assert abs(across[1]) < 0.02 and across[0] > 20
        spread = np.ptp(sample.landmarks, axis=0).max()
        assert spread == pytest.approx(STORED_SIZE / (1.25 * 1.25), rel=1e-3)
        np.testing.assert_allclose(sample.head @ sample.head.T, np.eye(3), atol=1e-5)
        assert 0.2 < sample.place[2] < 0.4


def test_the_same_number_gives_the_same_sample(
    shared: Path, faces: Path, source: PuppetSource
) -> None:
    again = PuppetSource(*_places(shared, faces), "train", 1)
    for number in (40, 2):
        first, second = source.sample(number), again.sample(number)
        np.testing.assert_array_equal(first.picture, second.picture)
        assert first.identity == second.identity


def test_many_pairs_show_one_face_in_two_poses(source: PuppetSource) -> None:
    pairs = [(source.expression_of(2 * n), source.expression_of(2 * n + 1)) for n in range(300)]
    assert 0.33 < np.mean([a == b for a, b in pairs]) < 0.47
    assert 0.43 < np.mean([a + 1 == b for a, b in pairs]) < 0.57
    twice = next(n for n, (a, b) in enumerate(pairs) if a == b)
    first, second = source.sample(2 * twice), source.sample(2 * twice + 1)
    assert first.identity == second.identity
    np.testing.assert_array_equal(first.blendshapes, second.blendshapes)
    assert np.abs(first.head - second.head).max() > 0.05


def test_held_out_people_show_held_out_expressions(shared: Path, faces: Path) -> None:
    other = PuppetSource(*_places(shared, faces), "test", 1).sample(0)
    assert other.expression >= HELD_OUT
    assert other.identity == "webmorph/005"


def test_few_expressions_are_shown_often(shared: Path, faces: Path) -> None:
    few = PuppetSource(*_places(shared, faces), "test", 1, bank=6)
    numbers = {few.expression_of(number) for number in range(200)}
    assert numbers == set(range(1_000_000, 1_000_006))


def test_a_split_without_people_is_refused(shared: Path, faces: Path) -> None:
    with pytest.raises(ValueError, match="no portrait of the split nowhere"):
        PuppetPeople(*_places(shared, faces), "nowhere")


def test_a_mixed_person_is_between_both(source: PuppetSource, portraits: Portraits) -> None:
    rig = source.people.rig
    first, second = prepare(rig, portraits, 1), prepare(rig, portraits, 3)
    both = mixed(first, second, rig, 0.5)
    np.testing.assert_allclose(both.neutral, (first.neutral + second.neutral) / 2, atol=1e-5)
    assert both.name == "+".join(sorted([first.name, second.name]))
    changed = np.abs(both.photo.astype(int) - first.photo).max(axis=2)
    assert changed.max() > 20
    assert changed[:5].max() == 0


def test_a_plain_backdrop_is_told_from_a_person() -> None:
    y, x = np.mgrid[0:200, 0:160].astype(np.float32)
    photo = np.stack([180 + 0.1 * y, 190 + 0.1 * x, np.full_like(x, 200)], axis=2)
    figure = (np.hypot(x - 80, (y - 110) * 0.8) < 50) | ((y > 150) & (np.abs(x - 80) < 65))
    photo[figure] = (150, 90, 60)
    head = np.hypot(x - 80, y - 110) < 30
    share = person_share(photo.astype(np.uint8), head, 150)
    assert share is not None
    assert np.abs(share - figure).mean() < 0.02
    blue = np.zeros((200, 160, 3), np.uint8) + np.array([0, 0, 255], np.uint8)
    put = before(photo.astype(np.uint8), share, blue)
    np.testing.assert_allclose(put[2, 2], (0, 0, 255), atol=2)
    np.testing.assert_allclose(put[110, 80], (150, 90, 60), atol=2)
    noise = np.random.default_rng(0).integers(0, 255, photo.shape).astype(np.uint8)
    assert person_share(noise, head, 150) is None


def test_wrinkles_and_tint_change_only_the_looks(source: PuppetSource, person: Person) -> None:
    rig = source.people.rig
    plain = Puppet(rig, replace(person, wrinkles=0.0))
    old = Puppet(rig, replace(person, wrinkles=0.5))
    posed = plain.pose(_shapes(browInnerUp=1, browOuterUpLeft=1, browOuterUpRight=1), STRAIGHT)
    frame = plain.framing(160)
    one, two = plain.shoot(posed, frame), old.shoot(posed, frame)
    np.testing.assert_array_equal(one.landmarks, two.landmarks)
    assert np.abs(one.picture - two.picture).max() > 15
