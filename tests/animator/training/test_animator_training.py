"""The animator learns what the baseline gets wrong, and resumes; ablations are what they say."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from freeavatar.animator.animator_config import AnimatorConfig
from freeavatar.animator.animator_export import export_animator
from freeavatar.animator.animator_net import AnimatorNet, Answer
from freeavatar.animator.columns import Columns
from freeavatar.animator.reference_columns import reference_columns
from freeavatar.animator.training.animator_training import (
    AnimatorOptions,
    average_with,
    load_animator,
    train_animator,
)
from freeavatar.animator.training.batches import Performances, TrainingBatch
from freeavatar.animator.training.card import animator_card
from freeavatar.animator.training.expression_views import ExpressionViews
from freeavatar.animator.training.losses import AnimatorWeights, supervised_losses, total
from freeavatar.animator.training.performances import Performance
from freeavatar.animator.training.separate import SeparateAnimators
from freeavatar.animator.training.validation import Validation
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.training.distributed import Processes
from freeavatar.foundation.training.loop import RunOptions
from freeavatar.foundation.training.schedule import Budget, Schedule

SMALL = AnimatorConfig(dim=24)
FRAMES_A_STEP = 3 * 4 * 4


@pytest.fixture(scope="module")
def reference() -> Columns:
    return reference_columns()


@pytest.fixture(scope="module")
def feed(performances: list[Performance], views: ExpressionViews) -> Performances:
    return Performances(performances, views)


@pytest.fixture
def batch(feed: Performances) -> TrainingBatch:
    return next(feed.all_in_turn(3, 4))


def options(folder: Path, steps: int, **kind: bool) -> RunOptions:
    return RunOptions(
        folder=folder,
        budget=Budget(samples=steps * FRAMES_A_STEP),
        schedule=Schedule(peak=4e-3),
        validate_every=20,
        half=False,
        average_decay=0.9,
        **kind,
    )


def said(weights: torch.Tensor, batch: TrainingBatch) -> Answer:
    """An answer of these weights, with the right shapes."""
    return Answer(weights, batch.truth, torch.zeros(2, len(weights), 0))


def test_the_right_answer_costs_nothing_but_its_sparsity(batch: TrainingBatch) -> None:
    losses = supervised_losses(said(batch.ideal, batch), batch)
    for name in ("weights", "motion", "expression", "steadiness", "calm"):
        assert float(losses[name]) == 0.0, name
    followed = supervised_losses(said(batch.followed, batch), batch)
    assert float(followed["followed"]) == 0.0 < float(losses["followed"])
    assert float(losses["sparsity"]) > 0.0
    wrong = supervised_losses(said(batch.solver, batch), batch)
    for name in ("weights", "motion", "steadiness", "calm"):
        assert float(wrong[name]) > float(losses[name]), name


def test_padding_costs_nothing(batch: TrainingBatch) -> None:
    padding = ~batch.given.rigs.valid[batch.given.rig][:, None]
    assert padding.any()
    spoilt = batch.ideal + 5.0 * padding.float()
    losses, plain = (supervised_losses(said(w, batch), batch) for w in (spoilt, batch.ideal))
    for name in ("weights", "motion", "steadiness", "calm", "symmetry", "sparsity"):
        torch.testing.assert_close(losses[name], plain[name], msg=name)


def test_a_mirrored_face_must_move_the_partners(batch: TrainingBatch) -> None:
    """On a rig whose first two columns are each other's mirror image."""
    count = batch.ideal.shape[2]
    swapped = torch.arange(count)
    swapped[:2] = torch.tensor([1, 0])
    symmetric = replace(
        batch,
        mirrored=swapped.expand(len(batch.numbers), -1),
        symmetric=torch.ones(len(batch.numbers), dtype=torch.bool),
    )
    found = torch.zeros_like(batch.ideal)
    found[0::2, :, 0] = 0.6
    found[1::2, :, 1] = 0.6
    assert float(supervised_losses(said(found, symmetric), symmetric)["symmetry"]) == 0.0
    found[1::2] = found[0::2]
    assert float(supervised_losses(said(found, symmetric), symmetric)["symmetry"]) > 0.05
    asymmetric = replace(symmetric, symmetric=~symmetric.symmetric)
    assert float(supervised_losses(said(found, asymmetric), asymmetric)["symmetry"]) == 0.0


def test_the_total_weighs_every_loss() -> None:
    losses = {"weights": torch.tensor(1.0), "perceptual": torch.tensor(2.0)}
    weights = AnimatorWeights(weights=3.0, perceptual=0.5)
    assert float(total(losses, weights)) == 4.0


def test_untrained_it_is_as_good_as_the_solver_and_the_ideal_is_best(
    feed: Performances, reference: Columns
) -> None:
    believes = AnimatorNet(SMALL, reference).eval()
    torch.nn.init.constant_(believes.matching.believe.bias, -40.0)
    figures = Validation(feed)(believes)
    assert figures["score"] == pytest.approx(0.0, abs=1e-3)
    assert figures["weight error"] == pytest.approx(figures["solver weight error"], abs=1e-5)
    assert "faceless weight error" not in figures, "nothing was measured"
    assert figures["solver weight error"] > 0.01 and figures["solver calm"] > 0.003

    class Knows(torch.nn.Module):
        """Gives the ideal, which the validation's batches hold in their order."""

        def __init__(self) -> None:
            super().__init__()
            self.answers = [said(b.ideal, b) for b in feed.all_in_turn(8, 6)]

        def forward(self, given: object) -> Answer:
            return self.answers.pop(0)

    perfect = Validation(feed)(Knows())
    assert perfect["weight error"] == perfect["motion error"] == 0.0
    assert perfect["unsteadiness"] < 1e-3


def test_training_beats_the_solver_and_resumes(
    feed: Performances, reference: Columns, tmp_path: Path
) -> None:
    own = AnimatorOptions(config=SMALL, rigs=3, pairs=2)
    folder = tmp_path / "run"
    state = train_animator(feed, feed, own, options(folder, 40), Processes(), reference=reference)
    first = state.facts["validation"]
    assert first["weight error"] < 0.9 * first["solver weight error"]
    assert state.step == 40
    with pytest.raises(TrainingError, match="--resume"):
        train_animator(feed, feed, own, options(folder, 60), Processes(), reference=reference)
    more = options(folder, 60, resume=True)
    state = train_animator(feed, feed, own, more, Processes(), reference=reference)
    assert state.step == 60 and state.best >= first["score"]
    net, kept = load_animator(folder)
    assert not net.training and kept.samples <= 60 * FRAMES_A_STEP
    exported = export_animator(net, tmp_path / "weights", facts={})
    text = animator_card(exported, net, kept)
    assert "3 rigs that nobody has made" in text and "- weight error: 0." in text
    assert str(tmp_path) not in text and "Went on" not in text


@pytest.mark.parametrize("exported", [True, False])
def test_a_training_goes_on_from_other_weights(
    exported: bool, feed: Performances, reference: Columns, tmp_path: Path
) -> None:
    own = AnimatorOptions(config=SMALL, rigs=3, pairs=2)
    run = options(tmp_path / "before", 40)
    best = train_animator(feed, feed, own, run, Processes(), reference=reference)
    before, kept = load_animator(run.folder)
    start = tmp_path / "weights" if exported else run.folder
    export_animator(before, tmp_path / "weights", facts={"samples": str(kept.samples)})
    first = options(tmp_path / "on", 1)
    again = replace(own, start=start)
    state = train_animator(feed, feed, again, first, Processes(), reference=reference)
    assert state.best == pytest.approx(best.best, rel=0.1)
    file = "animator.safetensors" if exported else "before"
    assert state.facts["start"] == {"file": file, "samples": kept.samples}
    net, kept = load_animator(first.folder)
    card = animator_card(export_animator(net, tmp_path / "next", facts={}), net, kept)
    assert f"- Went on from `{file}`, which had been trained on {40 * FRAMES_A_STEP:,} fr" in card
    other = replace(again, config=AnimatorConfig(dim=16))
    with pytest.raises(TrainingError, match="of other sizes"):
        train_animator(feed, feed, other, options(tmp_path / "x", 1), Processes())
    with pytest.raises(TrainingError, match="leave --from out"):
        replace(again, separate=True)


def test_the_mean_lies_between_what_was_known_and_what_was_learnt(
    reference: Columns, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    before, net = AnimatorNet(SMALL, reference), AnimatorNet(SMALL, reference)
    with torch.no_grad():
        before.reference_motion.add_(1.0)
    export_animator(before.eval(), tmp_path, facts={"samples": "7"})
    own = {k: v.clone() for k, v in net.state_dict().items()}
    assert average_with(tmp_path, net) == {"file": "animator.safetensors", "samples": 7}
    old = before.state_dict()
    for name, value in net.state_dict().items():
        known_head = name.startswith("reference_")
        wanted = own[name] if known_head else (own[name] + old[name]) / 2
        torch.testing.assert_close(value, wanted, rtol=0, atol=1e-7, msg=name)
    assert not torch.equal(net.shape_value.weight, own["shape_value.weight"])
    with pytest.raises(TrainingError, match="of other sizes"):
        average_with(tmp_path, AnimatorNet(AnimatorConfig(dim=16), reference))


def test_ablations_leave_out_what_they_say(
    feed: Performances, reference: Columns, batch: TrainingBatch
) -> None:
    torch.manual_seed(0)
    plain = AnimatorNet(replace(SMALL, injection=False), reference)
    assert not [n for n, _ in plain.named_parameters() if "scale_shift" in n]
    blind = AnimatorNet(replace(SMALL, pictures=False), reference).train()
    losses = supervised_losses(blind(batch.given), batch)
    total(losses, AnimatorWeights()).backward()  # type: ignore[no-untyped-call]
    gradient = blind.controls.picture.weight.grad
    assert gradient is None or not gradient.any()


def test_separate_networks_answer_for_their_own_rig_only(
    feed: Performances, reference: Columns, batch: TrainingBatch, tmp_path: Path
) -> None:
    nets = SeparateAnimators(SMALL, 3, reference)
    with torch.no_grad():
        for parameter in nets.each[1].parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        found = nets(batch.given, batch.numbers).weights
        untrained = AnimatorNet(SMALL, reference).eval()
        untrained.load_state_dict(nets.each[0].state_dict())
        untrained = untrained(batch.given).weights
    changed = (found - untrained).abs().amax(dim=(1, 2)) > 0.01
    assert changed[batch.given.rig == 1].any() and not changed[batch.given.rig != 1].any()
    own = AnimatorOptions(config=SMALL, rigs=3, separate=True)
    run = options(tmp_path / "run", 4)
    state = train_animator(feed, feed, own, run, Processes(), reference=reference)
    assert state.facts["validation"]["weight error"] > 0
    with pytest.raises(TrainingError, match="not a joint animator"):
        load_animator(tmp_path / "run")


def test_batches_of_nothing_are_refused() -> None:
    with pytest.raises(TrainingError, match="at least one rig"):
        AnimatorOptions(rigs=0)
