"""Training that goes on from other weights: nothing is lost on the way through a file."""

import copy
from pathlib import Path

import onnx
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from freeavatar.foundation.config import EncoderConfig, ExpressionConfig, HeadsConfig
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.training.checkpoints import Average, State, save
from freeavatar.foundation.training.export import (
    export_facts,
    export_network,
    folded_network,
)
from freeavatar.foundation.training.warm_start import start_from
from freeavatar.foundation.training.weight_average import average_with

torch.set_num_threads(1)
SMALL = EncoderConfig(
    size=64, stem_widths=(8, 8, 8, 16), stem_residuals=(0, 1, 1, 0), depth=2, heads=2
)
CONFIG = ExpressionConfig(encoder=SMALL, heads=HeadsConfig(token_dim=8, hidden_dim=32))


def crops(count: int, seed: int = 0) -> torch.Tensor:
    make = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 64, 64, 3), dtype=torch.uint8, generator=make)


def trained_net() -> ExpressionNet:
    """A network whose normalisation has seen pictures and whose scales are its own."""
    torch.manual_seed(1)
    net = ExpressionNet(CONFIG)
    for seed in range(20):
        net(crops(8, seed))
    net.heads.gain.fill_(1.5)
    net.heads.rest.fill_(0.02)
    return net.eval()


def exported(net: ExpressionNet, folder: Path, *, half: bool = False) -> Path:
    facts = export_facts(State(config=CONFIG.to_dict(), samples=1234), version="1")
    return export_network(net, folder / "net.onnx", facts=facts, half=half).path


@pytest.mark.parametrize("kind", ["onnx", "half", "checkpoint"])
def test_a_network_goes_on_where_another_ended(tmp_path: Path, kind: str) -> None:
    before = trained_net()
    if kind != "checkpoint":
        path = exported(before, tmp_path, half=kind == "half")
    else:
        path = tmp_path / "best.safetensors"
        state = State(config=CONFIG.to_dict(), samples=1234)
        save(path, state, model=before, average=Average(before))
    torch.manual_seed(2)
    after = ExpressionNet(CONFIG)
    facts = start_from(path, after, crops(32, 77))

    assert facts["samples"] == 1234 and "heads.trunk" in facts["heads"]
    with torch.no_grad():
        wanted, found = before(crops(4, 5)), after.eval()(crops(4, 5))
    for name, value in wanted._asdict().items():
        close = 2e-2 if kind == "half" else 2e-5
        torch.testing.assert_close(getattr(found, name), value, rtol=0, atol=close, msg=name)


def test_a_network_that_did_not_look_at_points_twice_says_the_same_at_first(
    tmp_path: Path,
) -> None:
    before = trained_net()
    narrower = before.heads.meaning[0].weight.shape[1] - 156 * CONFIG.heads.detail_dim
    with torch.no_grad():
        before.heads.detail.out.zero_()
        before.heads.meaning[0].weight[:, narrower:] = 0.0
    path = tmp_path / "best.safetensors"
    save(path, State(config=CONFIG.to_dict()), model=before, average=Average(before))
    with safe_open(path, "pt") as file:
        kept = {k: file.get_tensor(k) for k in file.keys() if ".detail." not in k}  # noqa: SIM118
        about = file.metadata()
    reading = "average.heads.meaning.0.weight"
    kept[reading] = kept[reading][:, :narrower].contiguous()
    save_file(kept, path, about)

    after = ExpressionNet(CONFIG)
    facts = start_from(path, after, crops(32, 77))
    assert not any(".detail" in name for name in facts["heads"])
    assert after.heads.detail.out[..., 2:].abs().max() > 0, "what is new can be learnt"
    with torch.no_grad():
        wanted, found = before(crops(4, 5)), after.eval()(crops(4, 5))
    for name, value in wanted._asdict().items():
        torch.testing.assert_close(getattr(found, name), value, rtol=0, atol=2e-5, msg=name)


def test_normalisation_taken_from_a_file_can_be_trained(tmp_path: Path) -> None:
    """In training mode batch statistics are used: they must be about those that were set."""
    before = trained_net()
    after = ExpressionNet(CONFIG)
    seen = crops(64, 77)
    start_from(exported(before, tmp_path), after, seen)
    with torch.no_grad():
        still, training = after.eval()(seen).tokens, after.train()(seen).tokens
    torch.testing.assert_close(training, still, rtol=0, atol=1e-3)


def test_heads_of_another_shape_are_left_and_another_encoder_is_refused(tmp_path: Path) -> None:
    path = exported(trained_net(), tmp_path)
    wider = ExpressionConfig(encoder=SMALL, heads=HeadsConfig(token_dim=8, hidden_dim=48))
    net = ExpressionNet(wider)
    fresh = net.heads.trunk.weight.clone()
    start_from(path, net, crops(8))
    assert torch.equal(net.heads.trunk.weight, fresh)
    with pytest.raises(TrainingError, match="encoder of another size"):
        start_from(path, ExpressionNet(ExpressionConfig()), crops(8))


@pytest.mark.parametrize("content", [None, b"", b"no network", b"\x08\x07"])
def test_what_is_no_network_of_ours_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"net\.onnx: not (a readable|an expression)"):
        start_from(path, ExpressionNet(CONFIG), crops(8))


def test_a_network_for_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    graph = onnx.helper.make_graph([], "g", [], [])
    onnx.save(onnx.helper.make_model(graph), path)
    with pytest.raises(TrainingError, match="not an expression network of ours"):
        start_from(path, ExpressionNet(CONFIG), crops(8))


def test_the_mean_of_a_network_and_the_one_it_went_on_from(tmp_path: Path) -> None:
    """With itself it says the same; with another, its folded weights are halfway."""
    before = trained_net()
    path = exported(before, tmp_path)
    same = copy.deepcopy(before)
    assert average_with(path, same, crops(32, 77))["samples"] == 1234
    with torch.no_grad():
        wanted, found = before(crops(4, 5)), same(crops(4, 5))
    for name, value in wanted._asdict().items():
        torch.testing.assert_close(getattr(found, name), value, rtol=0, atol=2e-5, msg=name)
    torch.manual_seed(3)
    net = ExpressionNet(CONFIG)
    net(crops(8, 3))
    net.eval()
    own, old = (folded_network(each).state_dict() for each in (net, before))
    average_with(path, net, crops(32, 77))
    mean = folded_network(net).state_dict()
    for name, value in mean.items():
        if value.is_floating_point():
            between = (own[name] + old[name]) / 2
            torch.testing.assert_close(value, between, rtol=0, atol=2e-5, msg=name)
