"""Sequences show what they say, and mirror images follow."""

import numpy as np
import pytest

from freeavatar.animator.training import sequences as module
from freeavatar.animator.training.expression_views import MIRRORED, ExpressionViews
from freeavatar.animator.training.sequences import FRAMES, Sequences, random_sequences, tokens_of

from .conftest import SWAPPED


@pytest.fixture(scope="module")
def some(views: ExpressionViews) -> Sequences:
    return random_sequences(views, 60, np.random.default_rng(4))


def test_every_odd_sequence_is_the_mirror_image_of_the_one_before(some: Sequences) -> None:
    np.testing.assert_allclose(some.truth[1::2], some.truth[0::2][..., SWAPPED], atol=1e-6)
    assert (some.view[1::2] == MIRRORED).all() and (some.view[0::2] != MIRRORED).all()
    np.testing.assert_array_equal(some.pictures[1::2], some.pictures[0::2])


def test_there_are_faces_that_rest_that_change_and_cuts(
    views: ExpressionViews, some: Sequences
) -> None:
    still = some.pictures[:, 0] == some.pictures[:, 1]
    people = views.people[some.pictures]
    same = (people[:, 0] == people[:, 1]) & ~still
    assert 0.2 < still.mean() < 0.65 and same.any()
    np.testing.assert_allclose(some.truth[still].std(axis=1), 0.0, atol=1e-6)
    cut = ~still & ~same
    assert cut.any() and set(np.unique(some.share[cut])) == {0.0, 1.0}
    mixed = some.share[same]
    assert ((mixed > 0.1) & (mixed < 0.9)).any()


def test_frames_between_two_pictures_are_mixed_alike(
    views: ExpressionViews, some: Sequences
) -> None:
    tokens = tokens_of(views, some)
    assert tokens.shape == (120, FRAMES, 64, 192)
    seen = ~some.blind
    for s in np.flatnonzero(seen)[:10]:
        first, second = some.pictures[s]
        for t in range(FRAMES):
            view, share = some.view[s, t], some.share[s, t]
            wanted = views.truth[first, view] * (1 - share) + views.truth[second, view] * share
            np.testing.assert_allclose(some.truth[s, t], wanted, atol=1e-6)
            part = views.tokens[0][[first, second], view].astype(np.float32)
            wanted = part[0] * (1 - share) + part[1] * share
            np.testing.assert_allclose(tokens[s, t], wanted, atol=1e-3)


def test_recorded_curves_have_no_tokens_but_true_shapes(
    views: ExpressionViews, some: Sequences
) -> None:
    assert some.blind.any() and not some.blind.all()
    tokens = tokens_of(views, some)
    assert not tokens[some.blind].any() and tokens[~some.blind].any(axis=(1, 2, 3)).all()
    apart = np.abs(some.shapes - some.truth)
    assert apart[some.blind].mean() < 0.03 < apart[~some.blind].mean()


def test_rest_is_taken_away_from_some(views: ExpressionViews) -> None:
    """The toy foundation reads 0.1 in a resting face."""
    np.testing.assert_allclose(views.resting, 0.1, atol=1e-6)
    some = random_sequences(views, 80, np.random.default_rng(5))
    calm = some.shapes[some.calm & ~some.blind[:, None]].mean(axis=1)
    assert np.isclose(calm, 0.0, atol=1e-5).any() and np.isclose(calm, 0.1, atol=1e-5).any()


def test_a_face_at_rest_counts_as_calm(views: ExpressionViews, some: Sequences) -> None:
    assert some.calm.any() and not some.calm.all()
    assert some.truth[some.calm].max() < module.CALM
