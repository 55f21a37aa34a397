"""Figures on test pictures: known errors in, known figures out."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.foundation.errors import SourceError
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.foundation.samples import Sample, pack
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.tools.evaluation.accuracy import (
    accuracy,
    channel_figures,
    gaze_between,
    rotation_between,
)
from freeavatar.tools.evaluation.examples import may_show
from freeavatar.tools.evaluation.predictions import Predictions, by_network, network_view
from freeavatar.tools.evaluation.shards import Truth, load_truth, truth_of
from freeavatar.tools.evaluation.similarity import (
    all_triplets,
    identity_probe,
    real_pairs,
    similarity,
    triplets,
)

Values = NDArray[np.float64]
JAW = BLENDSHAPES.index("jawOpen")
PEOPLE, EXPRESSIONS = 6, 10


def curves_of(number: int) -> NDArray[np.float32]:
    """(52,) the curves of a numbered expression; the tongue never moves."""
    make = np.random.default_rng(number)
    curves = make.random(52).astype(np.float32) * (make.random(52) < 0.3)
    curves[BLENDSHAPES.index("tongueOut")] = 0
    return curves


def samples(domain: str = "photo", prefix: str = "webmorph/") -> list[Sample]:
    """Every person with every expression; the picture's first pixel tells both."""
    out = []
    for person in range(PEOPLE):
        for number in range(EXPRESSIONS):
            picture = np.zeros((160, 160, 3), np.uint8)
            picture[16, 16] = (person, number, 200)
            out.append(
                Sample(
                    picture=picture,
                    identity=f"{prefix}{person:03}",
                    domain=domain,  # type: ignore[arg-type]
                    expression=1_000_000 + number,
                    blendshapes=curves_of(number),
                    eyes=np.zeros((2, 2), np.float32),
                    head=np.eye(3, dtype=np.float32),
                    landmarks=np.random.default_rng(0).random((156, 2)).astype(np.float32) * 160,
                )
            )
    return out


@pytest.fixture(scope="module")
def truth() -> Truth:
    return truth_of([*samples(), *samples("avatar", "valid/")])


def perfect(truth: Truth) -> Predictions:
    return Predictions(
        found=np.ones(len(truth.pictures), bool),
        blendshapes=truth.blendshapes.copy(),
        eyes=truth.eyes.copy(),
        head=truth.head.copy(),
        landmarks=truth.landmarks.copy(),
        embedding=truth.blendshapes.copy(),
    )


def test_the_truth_has_no_error(truth: Truth) -> None:
    figures = accuracy(truth, perfect(truth), np.ones(len(truth.pictures), bool))
    table = figures.channels.table()
    assert figures.pictures == 2 * PEOPLE * EXPRESSIONS
    assert table["all"].error == 0 and table["all"].correlation == pytest.approx(1)
    assert table["all"].never_moving > 0.05
    assert table["tongue"].channels == 0 and np.isnan(table["tongue"].correlation)
    assert (figures.geometry.head, figures.geometry.landmarks) == (0, 0)


def test_damping_keeps_the_correlation_and_shows_in_the_error(truth: Truth) -> None:
    known = truth.blendshapes
    figures = channel_figures(known, known * 0.5)
    live = figures.live
    assert 45 < live.sum() < 52 and not live[-1]
    np.testing.assert_allclose(figures.correlation[live], 1, atol=1e-9)
    np.testing.assert_allclose(figures.error[live], known.mean(axis=0)[live] / 2)
    np.testing.assert_allclose(figures.never_moving, known.mean(axis=0))
    constant = channel_figures(known, known * 0)
    assert (constant.correlation[live] == 0).all()


def test_unknown_values_are_left_out() -> None:
    make = np.random.default_rng(0)
    known = make.random((100, 52))
    given = known.copy()
    given[:50, JAW] = np.nan
    known[50:60, JAW] += 0.5
    known[95:, JAW] = np.nan
    figures = channel_figures(known, given)
    assert figures.error[JAW] == pytest.approx(0.5 * 10 / 45)
    assert figures.error[JAW + 1] == 0
    assert np.isnan(channel_figures(known[:5], given[:5]).error).all()


def test_errors_of_head_gaze_and_landmarks_are_in_their_units(truth: Truth) -> None:
    given = perfect(truth)
    turned = np.repeat(matrix_from_angles(np.radians([10.0, 0.0, 0.0]))[None], len(given.head), 0)
    given = replace(
        given,
        head=turned,
        eyes=given.eyes + np.radians([0.0, 5.0]),
        landmarks=given.landmarks + np.array([3.0, 4.0]),
    )
    counted = np.arange(len(given.head)) < 70
    figures = accuracy(truth, given, counted)
    assert figures.pictures == 70
    assert figures.geometry.head == pytest.approx(10)
    assert figures.geometry.gaze == pytest.approx(5)
    assert figures.geometry.landmarks == pytest.approx(5)
    assert rotation_between(turned[:1], turned[:1])[0] == pytest.approx(0, abs=1e-5)
    assert gaze_between(np.zeros(2), np.array([np.pi / 2, 0.0])) == pytest.approx(90)


def test_closed_eyes_have_no_gaze(truth: Truth) -> None:
    blink = [BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")]
    curves = truth.blendshapes.copy()
    curves[:, blink] = 1.0
    shut = replace(truth, blendshapes=curves)
    figures = accuracy(shut, perfect(shut), np.ones(len(curves), bool))
    assert np.isnan(figures.geometry.gaze)


class Network:
    """Answers by the first pixel of its view."""

    def read(self, crops: NDArray[np.uint8]) -> "Network.Answer":
        assert crops.shape[1:] == (128, 128, 3)
        return Network.Answer(crops[:, 0, 0].astype(np.float32))

    class Answer:
        def __init__(self, pixel: NDArray[np.float32]) -> None:
            n = len(pixel)
            self.blendshapes = np.stack([curves_of(int(p[1])) for p in pixel])
            self.eyes = np.zeros((n, 2, 2), np.float32)
            self.head = np.repeat(np.eye(3, dtype=np.float32)[None], n, 0)
            self.landmarks = np.full((n, 156, 2), 0.5, np.float32)
            self.confidence = pixel[:, 2] / 255
            self.embedding = self.blendshapes
            self.tokens = np.repeat(pixel[:, None], 64, 1)


def test_a_network_sees_the_middle_of_the_stored_crops() -> None:
    truth = truth_of(samples())
    nobody = np.zeros((4, 160, 160, 3), np.uint8)
    nobody[0, 16, 16, 2] = 255
    assert network_view(truth.pictures).shape == (60, 128, 128, 3)
    done: list[int] = []
    given = by_network(Network(), truth.pictures, nobody, tick=done.append)
    assert sum(done) == 60
    np.testing.assert_allclose(given.blendshapes, truth.blendshapes)
    assert given.landmarks[0, 0].tolist() == [80, 80]
    assert given.false_faces == 0.25
    assert given.tokens is not None and given.tokens.shape == (60, 3)


def test_triplets_are_right_for_the_curves_and_random_for_noise(truth: Truth) -> None:
    drawn = all_triplets(truth)
    exact = similarity(drawn, truth.blendshapes)
    assert set(exact.right) == {"photo", "avatar", "photo → avatar", "avatar → photo"}
    assert exact.across_people == 1.0 and exact.across_domains == 1.0
    assert exact.right["photo"]["same person"][0] == 1.0
    noise = np.random.default_rng(0).random((len(truth.pictures), 16))
    assert 0.2 < similarity(drawn, noise).across_people < 0.5
    # Features that know nothing but the person take the own person for the nearest.
    who = np.unique(truth.identity, return_inverse=True)[1]
    person = np.eye(2 * PEOPLE)[who] + 1e-3 * noise[:, : 2 * PEOPLE]
    assert similarity(drawn, person).right["photo"]["same person"][0] == 0.0


def test_triplets_keep_people_apart(truth: Truth) -> None:
    drawn = triplets(truth, "same expression", "photo", "avatar")
    who, number = truth.identity, truth.expression
    assert len(drawn.anchor) > 100
    assert (truth.domain[drawn.anchor] == "photo").all()
    assert (truth.domain[drawn.negative] == "avatar").all()
    assert (number[drawn.anchor] == number[drawn.positive]).all()
    assert (number[drawn.anchor] != number[drawn.negative]).all()
    assert (who[drawn.positive] != who[drawn.negative]).all()
    hard = triplets(truth, "same person", "photo", "photo")
    assert (who[hard.anchor] == who[hard.negative]).all()
    assert (who[hard.anchor] != who[hard.positive]).all()


def test_a_probe_finds_people_only_where_they_are_told() -> None:
    make = np.random.default_rng(0)
    who = np.repeat([f"p{i}" for i in range(10)], 20)
    noise = make.normal(size=(200, 8))
    told = np.concatenate([noise, np.eye(10)[np.repeat(np.arange(10), 20)]], axis=1)
    leaking = identity_probe(told, who)
    assert leaking.people == 10 and leaking.chance == 0.1
    assert leaking.accuracy > 0.95
    assert identity_probe(noise, who).accuracy < 0.3
    assert np.isnan(identity_probe(noise[:1], who[:1]).accuracy)


def test_real_smiles_belong_together_when_the_mood_outweighs_the_person() -> None:
    make = np.random.default_rng(0)
    person, mood = make.normal(size=(12, 6)), np.array([0.0, 0, 0, 0, 0, 9.0])
    strong = real_pairs(person, person + mood)
    assert strong.people == 12 and strong.right == 1.0
    assert real_pairs(person, person + 0.01 * mood).right == 0.0
    assert np.isnan(real_pairs(person[:1], person[:1]).right)


def write_shard(path: Path, given: list[Sample]) -> None:
    with tarfile.open(path, "w") as tar:
        for i, sample in enumerate(given):
            record = pack(sample, f"{i:06}")
            for kind in ("jpg", "npy", "json"):
                data = record[kind]
                assert isinstance(data, bytes)
                member = tarfile.TarInfo(f"{record['__key__']}.{kind}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def test_shards_are_sampled_evenly_and_always_alike(tmp_path: Path) -> None:
    nobody = [Sample(picture=np.zeros((160, 160, 3), np.uint8), identity="none", domain="none")]
    write_shard(tmp_path / "test-000000.tar", samples() + nobody * 9)
    write_shard(tmp_path / "test-000001.tar", samples("avatar", "valid/"))
    write_shard(tmp_path / "train-000000.tar", samples("cartoon", "rig/"))
    truth = load_truth([tmp_path], limit=40)
    assert dict(zip(*np.unique(truth.domain, return_counts=True), strict=True)) == {
        "avatar": 20,
        "photo": 20,
    }
    # Expressions are shared between people and domains, so that triplets can be drawn.
    photo, avatar = (set(truth.expression[truth.domain == d]) for d in ("photo", "avatar"))
    assert photo == avatar and len(photo) < EXPRESSIONS
    assert len(truth.faceless) == 4
    again = load_truth([tmp_path], limit=40)
    assert (again.identity == truth.identity).all()
    np.testing.assert_array_equal(again.blendshapes, truth.blendshapes)


def test_folders_without_test_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no test-\*.tar"):
        load_truth([tmp_path])
    with pytest.raises(SourceError, match="no folder"):
        load_truth([])
    (tmp_path / "test-000000.tar").write_bytes(b"no archive")
    with pytest.raises(SourceError, match="no readable shard"):
        load_truth([tmp_path])


@pytest.mark.parametrize(
    ("identity", "domain", "shown"),
    [
        ("webmorph/composite__f_white", "photo", True),
        ("webmorph/composite__f_white+webmorph/composite__m_white", "photo", True),
        ("webmorph/composite__f_white+webmorph/004", "photo", False),
        ("legislators/000267", "photo", False),
        ("valid/Black_M_1_Casual", "avatar", True),
    ],
)
def test_real_people_are_never_shown(identity: str, domain: str, shown: bool) -> None:
    assert may_show(identity, domain) is shown
