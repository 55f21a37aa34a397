"""An embedding forgets who is seen and keeps what is expressed."""

import logging

import numpy as np
import pytest
import torch

from freeavatar.foundation.config import EncoderConfig, ExpressionConfig, HeadsConfig
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.training.person_directions import (
    DIRECTIONS,
    FEWEST_PEOPLE,
    FEWEST_PICTURES,
    free_embedding,
    freed_of_people,
)

from .toy_faces import toy_pictures

torch.set_num_threads(1)
SIZE, PEOPLE = 64, 40


def pictures(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings in which four directions tell the person and others the curves."""
    fixed = np.random.default_rng(0)
    persons = fixed.normal(0, 1.0, (PEOPLE, 4)) @ fixed.normal(0, 1, (4, SIZE))
    shown = fixed.normal(0, 1.0, (52, SIZE))
    make = np.random.default_rng(seed)
    who = make.integers(0, PEOPLE, count)
    curves = np.where(make.random((count, 52)) < 0.2, make.random((count, 52)), 0.0)
    noise = 0.2 * make.normal(0, 1, (count, SIZE))
    return curves @ shown + persons[who] + noise, curves, who


def explained(rows: np.ndarray, by: np.ndarray) -> float:
    """Share of the variance of ``rows`` that a linear map of ``by`` explains."""
    by = np.concatenate([by, np.ones((len(by), 1))], axis=1)
    rest = rows - by @ np.linalg.lstsq(by, rows, rcond=None)[0]
    return 1.0 - float(rest.var(axis=0).sum() / rows.var(axis=0).sum())


def test_people_go_and_expressions_stay() -> None:
    freed = freed_of_people(*pictures(1, 3000))
    assert freed is not None and np.linalg.matrix_rank(freed) == SIZE - DIRECTIONS
    embeddings, curves, who = pictures(2, 3000)
    without = embeddings @ freed.T
    names = np.eye(PEOPLE)[who]
    assert explained(embeddings, names) > 0.3
    assert explained(without, names) < 0.03
    assert explained(without, curves) > 0.9 > explained(embeddings, curves)


def test_too_few_people_leave_the_network_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    few = (FEWEST_PEOPLE - 1) * FEWEST_PICTURES
    who = np.arange(few) % (FEWEST_PEOPLE - 1)
    make = np.random.default_rng(0)
    assert freed_of_people(make.normal(size=(few, SIZE)), make.random((few, 52)), who) is None

    net = small_net()
    before = net.heads.out["embedding"].weight.clone()
    with caplog.at_level(logging.WARNING):
        assert free_embedding(net, [toy_pictures(16, seed=1, size=64)]) == 0
    assert "not freed of who is seen" in caplog.text
    assert torch.equal(net.heads.out["embedding"].weight, before)


def test_the_networks_own_layer_does_it() -> None:
    net = small_net()
    batches = [toy_pictures(64, seed=seed, size=64) for seed in range(5)]
    for batch in batches:
        batch.people.copy_(torch.arange(64) % FEWEST_PEOPLE)
    with torch.no_grad():
        before = torch.cat([net(b.crops).embedding for b in batches]).double().numpy()
    looked = free_embedding(net, batches)
    curves = np.concatenate([b.targets.blendshapes.double().numpy() for b in batches])
    people = np.concatenate([b.people.numpy() for b in batches])
    known = np.isfinite(curves).all(axis=1)
    assert looked == known.sum() > 100
    freed = freed_of_people(before[known], curves[known], people[known])
    assert freed is not None
    wanted = before @ freed.T
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    with torch.no_grad():
        after = torch.cat([net(b.crops).embedding for b in batches]).double().numpy()
    np.testing.assert_allclose(after, wanted, atol=1e-3)


def small_net() -> ExpressionNet:
    torch.manual_seed(0)
    encoder = EncoderConfig(
        size=64, stem_widths=(8, 8, 8, 16), stem_residuals=(0, 1, 1, 0), depth=1, heads=2
    )
    heads = HeadsConfig(token_dim=8, hidden_dim=32, meaning_dim=64)
    return ExpressionNet(ExpressionConfig(encoder=encoder, heads=heads)).eval()
