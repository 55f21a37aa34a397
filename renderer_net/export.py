"""Writes a trained renderer as ONNX and checks that it draws the same."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from freeavatar.rigs.errors import RenderError

from .dots import CODE, LIGHT, MAPS
from .model import KIND, KIND_KEY
from .net import RendererNet

CLOSE = 1e-4
"""Most that the file may differ from torch."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    path: Path
    bytes: int
    difference: float
    """Largest from torch, of colours 0..1."""


def export_renderer(net: RendererNet, path: Path, *, facts: Mapping[str, str]) -> Exported:
    """Write a network.

    Args:
        net: trained.
        path: ``.onnx`` to make.
        facts: what the file says of itself besides its kind and sizes.

    Raises:
        RenderError: the file does not draw what the network draws.
    """
    net = net.eval()
    make = torch.Generator().manual_seed(0)
    maps = torch.rand((2, MAPS, 64, 64), generator=make)
    condition = torch.rand((2, LIGHT + CODE), generator=make)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The newer exporter needs shapes it can prove; this network takes any size.
    torch.onnx.export(
        net,
        (maps, condition),
        str(path),
        input_names=["maps", "condition"],
        output_names=["colour", "mask"],
        dynamic_axes={
            "maps": {0: "n", 2: "h", 3: "w"},
            "condition": {0: "n"},
            "colour": {0: "n", 2: "h", 3: "w"},
            "mask": {0: "n", 2: "h", 3: "w"},
        },
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(path)
    told = {KIND_KEY: KIND, "config": json.dumps(net.config.to_dict()), **facts}
    onnx.helper.set_model_props(model, dict(told))
    onnx.save(model, path)
    with torch.no_grad():
        wanted = [x.numpy() for x in net(maps, condition)]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(["colour", "mask"], {"maps": maps.numpy(), "condition": condition.numpy()})
    difference = max(float(np.abs(a - b).max()) for a, b in zip(found, wanted, strict=True))
    if difference > CLOSE:
        path.unlink()
        raise RenderError(f"the exported renderer differs from torch by {difference:.1e}")
    return Exported(path=path, bytes=path.stat().st_size, difference=difference)
