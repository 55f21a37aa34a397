"""The renderer at run time: a file, checked when it is written and when it is read."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from freeavatar.renderer_net.appearance import Appearance
from freeavatar.renderer_net.export import export_renderer
from freeavatar.renderer_net.model import NeuralRenderer
from freeavatar.renderer_net.net import RendererConfig, RendererNet, TorchRenderer
from freeavatar.renderer_net.splatting import studio_light
from freeavatar.renderer_net.warm_start import exported_renderer
from freeavatar.rigs.errors import RenderError, RigError
from freeavatar.rigs.spec import Control, Rig, RigFrame

RIG = Rig(name="ball", controls=tuple(Control(name=n, maximum=2.0) for n in "abc"))


@pytest.fixture(scope="module")
def net() -> RendererNet:
    torch.manual_seed(0)
    net = RendererNet(RendererConfig(widths=(8, 12), condition_dim=8))
    torch.nn.init.normal_(net.leave.weight, std=0.05)
    return net.eval()


@pytest.fixture(scope="module")
def file(net: RendererNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("renderer") / "renderer.onnx"
    exported = export_renderer(net, path, facts={"licence": "MIT"})
    assert exported.difference < 1e-4
    assert exported.bytes == path.stat().st_size
    return path


def test_it_draws_what_torch_draws(net: RendererNet, file: Path, appearance: Appearance) -> None:
    values = np.array([1.0, 0.5, 0.0], np.float32)
    head = np.array([0.3, 0.1, 0.0], np.float32)
    frame = RigFrame(index=0, time=0.0, values=values, head=head)
    with NeuralRenderer(RIG, appearance, size=(64, 64), weights=file) as renderer:
        picture, mask = renderer.drawn(frame)
        assert np.array_equal(renderer.picture(frame), picture)
    assert picture.shape == (64, 64, 3)
    assert mask.shape == (64, 64)
    with torch.no_grad():
        colour, theirs = TorchRenderer(net, [appearance], size=64).render(
            0, torch.tensor(values)[None] / 2.0, torch.tensor(head)[None],
            torch.zeros(1, 2, 3), studio_light(1),
        )  # fmt: skip
    wanted = colour[0].permute(1, 2, 0).numpy() * 255.0
    assert np.abs(picture - wanted).mean() < 0.6
    assert np.abs(mask - theirs[0, 0].numpy() * 255.0).mean() < 0.6
    assert mask[32, 32] > 200
    assert mask[2, 2] < 20


def test_an_appearance_survives_its_file(appearance: Appearance) -> None:
    again = Appearance.from_arrays(appearance.arrays())
    np.testing.assert_array_equal(again.points, appearance.points)
    np.testing.assert_allclose(again.displacements, appearance.displacements, atol=2e-5)
    np.testing.assert_allclose(again.colours, appearance.colours, atol=1e-3)
    assert again.height == pytest.approx(appearance.height)
    broken = appearance.arrays()
    del broken["appearance.normals"]
    with pytest.raises(RigError, match=r"lacks 'appearance\.normals'"):
        Appearance.from_arrays(broken)
    broken = appearance.arrays()
    broken["appearance.normals"] = broken["appearance.normals"][:5]
    with pytest.raises(RigError, match="normals should be"):
        Appearance.from_arrays(broken)


def test_what_does_not_fit_is_refused(file: Path, appearance: Appearance, tmp_path: Path) -> None:
    other = Rig(name="cube", controls=RIG.controls[:2])
    with pytest.raises(RenderError, match="cube has 2 controls, its appearance 3"):
        NeuralRenderer(other, appearance, weights=file)
    with pytest.raises(RenderError, match="square of a multiple of 8"):
        NeuralRenderer(RIG, appearance, size=(100, 60), weights=file)
    with pytest.raises(RenderError, match="is missing"):
        NeuralRenderer(RIG, appearance, weights=tmp_path / "none.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(RenderError, match="damaged"):
        NeuralRenderer(RIG, appearance, weights=damaged)
    foreign = onnx.load(file)
    onnx.helper.set_model_props(foreign, {"kind": "poem/1"})
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(RenderError, match="kind poem/1"):
        NeuralRenderer(RIG, appearance, weights=tmp_path / "foreign.onnx")


def test_a_file_becomes_the_network_again(tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = RendererNet(RendererConfig(widths=(8, 8, 16))).eval()
    torch.nn.init.normal_(net.leave.weight, std=0.05)
    path = tmp_path / "renderer.onnx"
    export_renderer(net, path, facts={})
    back = exported_renderer(path)
    assert back.config == net.config
    for name, value in net.state_dict().items():
        assert torch.equal(back.state_dict()[name], value), name
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RenderError, match="damaged"):
        exported_renderer(path)
    with pytest.raises(RenderError, match="missing"):
        exported_renderer(tmp_path / "none.onnx")
