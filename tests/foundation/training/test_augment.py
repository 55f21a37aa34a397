"""Views of stored samples: varied, the same for the same seed, fast, faces kept or taken away."""

import time

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.crops import NETWORK_SIZE, STORED_SIZE
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.training.augment import TARGETS, Augmenter, plain_view, unknown
from freeavatar.foundation.training.photometry import CALM, Photometry

COUNT = 300


@pytest.fixture(autouse=True)
def one_thread() -> None:
    cv2.setNumThreads(1)


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    """Something with the contrasts of a face."""
    picture = np.full((STORED_SIZE, STORED_SIZE, 3), (120, 130, 150), np.uint8)
    cv2.ellipse(picture, (80, 80), (45, 60), 0, 0, 360, (205, 160, 130), -1)
    for x in (62, 98):
        cv2.circle(picture, (x, 68), 6, (40, 30, 30), -1)
    cv2.ellipse(picture, (80, 112), (20, 7), 0, 0, 360, (150, 60, 60), -1)
    return cv2.GaussianBlur(picture, (0, 0), 1)


@pytest.fixture
def numbers() -> dict[str, FloatArray]:
    rng = np.random.default_rng(0)
    return {name: rng.random(shape).astype(np.float32) for name, shape in TARGETS.items()}


def test_the_same_seed_gives_the_same_views(
    face: NDArray[np.uint8], numbers: dict[str, FloatArray]
) -> None:
    def views() -> list[NDArray[np.uint8]]:
        augment, rng = Augmenter(3), np.random.default_rng(9)
        return [augment.view(face, numbers, rng).crop for _ in range(20)]

    first, second = views(), views()
    np.testing.assert_array_equal(first, second)
    assert len({crop.tobytes() for crop in first}) == 20


def test_views_have_the_networks_form_and_every_target(
    face: NDArray[np.uint8], numbers: dict[str, FloatArray]
) -> None:
    view = Augmenter().view(face, numbers, np.random.default_rng(0))
    assert view.crop.shape == (NETWORK_SIZE, NETWORK_SIZE, 3)
    assert view.crop.dtype == np.uint8
    assert view.face
    assert {name: target.shape for name, target in view.targets.items()} == TARGETS


def test_views_that_must_agree_are_mirrored_alike(
    face: NDArray[np.uint8], numbers: dict[str, FloatArray]
) -> None:
    augment, rng = Augmenter(), np.random.default_rng(0)
    for _ in range(10):
        same = augment.view(face, numbers, rng, mirrored=False).targets["blendshapes"]
        np.testing.assert_array_equal(same, numbers["blendshapes"])
        other = augment.view(face, numbers, rng, mirrored=True).targets["blendshapes"]
        assert (other != numbers["blendshapes"]).any()


def test_most_views_still_look_like_their_picture(
    face: NDArray[np.uint8], numbers: dict[str, FloatArray]
) -> None:
    """Augmentation must not eat the face: the plain cut stays correlated with nearly every view."""
    photometry, rng = Photometry(), np.random.default_rng(0)
    crop = plain_view(face, numbers).crop
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).ravel().astype(float)
    alike = []
    for _ in range(COUNT):
        out = cv2.cvtColor(photometry(crop, rng), cv2.COLOR_RGB2GRAY).ravel().astype(float)
        alike.append(np.corrcoef(grey, out + rng.normal(0, 1e-3, out.shape))[0, 1])
    assert np.median(alike) > 0.9
    # Light from one side outweighs the faint face of this test now and then.
    assert np.mean(np.array(alike) > 0.25) > 0.95
    assert np.mean(np.array(alike) > 0.5) > 0.85
    # And it must do something.
    assert np.mean(np.array(alike) > 0.999) < CALM + 0.2


def test_the_picture_given_stays_as_it_is(face: NDArray[np.uint8]) -> None:
    photometry, rng = Photometry(), np.random.default_rng(0)
    before = face.copy()
    for _ in range(50):
        photometry(face, rng, donor=face)
    np.testing.assert_array_equal(face, before)


def test_views_without_a_face_know_nothing(face: NDArray[np.uint8]) -> None:
    augment, rng = Augmenter(), np.random.default_rng(0)
    for _ in range(40):
        view = augment.without_face(face, rng)
        assert not view.face
        assert view.crop.shape == (NETWORK_SIZE, NETWORK_SIZE, 3)
        for name, target in view.targets.items():
            np.testing.assert_array_equal(target, unknown()[name])


def test_a_picture_beside_the_face_hardly_shows_it() -> None:
    """A white face on black: what is made to show none has a small part of its white."""
    picture = np.zeros((STORED_SIZE, STORED_SIZE, 3), np.uint8)
    cv2.circle(picture, (80, 80), 50, (255, 255, 255), -1)
    from freeavatar.foundation.training.augment import _beside
    from freeavatar.foundation.training.geometry import warp

    rng = np.random.default_rng(0)
    whole = (picture > 128).mean() * (STORED_SIZE / NETWORK_SIZE) ** 2
    shown = [(warp(picture, _beside(rng)) > 128).mean() / whole for _ in range(100)]
    assert max(shown) < 0.35


def test_a_view_costs_little(face: NDArray[np.uint8], numbers: dict[str, FloatArray]) -> None:
    """0.25 ms on the machine this was written on; the bound leaves room for a busy one."""
    augment, rng = Augmenter(), np.random.default_rng(0)
    start = time.process_time()
    for _ in range(COUNT):
        augment.view(face, numbers, rng)
    assert (time.process_time() - start) / COUNT < 0.002
