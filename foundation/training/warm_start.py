"""Starts a training from weights that were trained before: a checkpoint, or an exported file.

In an exported file batch normalisation has gone into the convolutions, and linear maps have lost
their names. Both come back here: statistics are measured on some pictures, and the normalisation is
set so that it changes nothing, which is what makes the network trainable again.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.onnx_session import KIND
from freeavatar.foundation.vit import NORMALISED, normalised

from . import checkpoints
from .loop import BEST
from .runtime_form import ATTENTION

_EXPORTED = "net."
_READING = "heads.meaning.0.weight"


def start_from(path: Path, net: ExpressionNet, crops: Tensor) -> dict[str, Any]:
    """Fill a network with what fits of other weights: the encoder whole, heads by name and shape.

    Args:
        path: ``.onnx`` that `export_network` wrote, a checkpoint, or the folder of a run.
        net: to fill.
        crops: (N, S, S, 3) uint8 RGB faces, on which an exported file's normalisation is measured.

    Returns:
        For ``run.json``: name of the file, pictures it was trained on, what was taken.

    Raises:
        TrainingError: it cannot be read, or its encoder is of another size.
    """
    if path.suffix == ".onnx":
        tensors, config, samples = _exported(path)
    else:
        checkpoint = checkpoints.load(path / BEST if path.is_dir() else path)
        tensors, samples = checkpoint.part("average"), checkpoint.state.samples
        config = checkpoint.state.config
    if config.get("encoder") != net.config.encoder.to_dict():
        raise TrainingError(f"{path}: an encoder of another size; take its own --size")
    own = net.state_dict()
    fitting = {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    if _READING in tensors and _READING not in fitting:
        fitting |= _widened(tensors[_READING], own[_READING])
    net.load_state_dict(fitting, strict=False)
    if path.suffix == ".onnx":
        _unfold(net, tensors, crops)
    heads = sorted({k.rpartition(".")[0] for k in fitting if k.startswith("heads.")})
    return {"file": path.name, "samples": samples, "heads": heads}


def _widened(weight: Tensor, own: Tensor) -> dict[str, Tensor]:
    """The layer that reads the expression, where it is to see more than it did: nothing is given
    for that at first."""
    more = own.shape[1] - weight.shape[1]
    if more < 0 or weight.shape[0] != own.shape[0]:
        return {}
    return {_READING: functional.pad(weight, (0, more))}


def exported_config(path: Path) -> Mapping[str, Any]:
    """The configuration of an expression network that was trained before.

    Args:
        path: as for `start_from`.

    Raises:
        TrainingError: it cannot be read.
    """
    if path.suffix == ".onnx":
        return _exported(path)[1]
    return checkpoints.load(path / BEST if path.is_dir() else path).state.config


def _exported(path: Path) -> tuple[dict[str, Tensor], Mapping[str, Any], int]:
    """Tensors by their names in the network, its configuration, and pictures trained on."""
    try:
        model = onnx.load(path)
    except (OSError, DecodeError) as error:
        raise TrainingError(f"{path}: not a readable ONNX file ({error})") from error
    about = {entry.key: entry.value for entry in model.metadata_props}
    if not about.get(KIND, "").startswith("expression/") or "config" not in about:
        raise TrainingError(f"{path}: not an expression network of ours")
    held = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    # Half precision is kept under another name, and of equal tensors only one.
    for node in model.graph.node:
        if node.op_type in ("Identity", "Cast") and node.input[0] in held:
            held[node.output[0]] = held[node.input[0]]
    kept = {k: v for k, v in held.items() if k.startswith(_EXPORTED)}
    kept |= _named_by_bias(model.graph, held)
    config: Mapping[str, Any] = json.loads(about["config"])
    tensors = {k.removeprefix(_EXPORTED): torch.tensor(v).float() for k, v in kept.items()}
    return tensors, config, int(about.get("samples", "0"))


def _named_by_bias(graph: onnx.GraphProto, held: Mapping[str, Any]) -> dict[str, Any]:
    """Weights of linear maps: the exporter turned them over and named only their biases."""
    adding = [node for node in graph.node if node.op_type in ("Add", ATTENTION)]
    biased = {
        part: name
        for node in adding
        for part in node.input
        for name in node.input
        if name.startswith(_EXPORTED) and name.endswith(".bias") and part != name
    }
    # Queries, keys and values come of one map, whose bias attention adds.
    biased |= {
        node.input[0]: biased[node.output[0]]
        for node in graph.node
        if node.op_type == "Split" and node.output[0] in biased
    }
    found = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in held and node.output[0] in biased:
            name = biased[node.output[0]].removesuffix("bias") + "weight"
            found[name] = held[node.input[1]].T.copy()
    return found


@torch.no_grad()
def _unfold(net: ExpressionNet, tensors: Mapping[str, Tensor], crops: Tensor) -> None:
    """Set each normalisation so that it gives back what it takes away."""
    hooks = []
    for name, module in net.named_modules():
        part = NORMALISED.get(type(module))
        if part is not None:
            norm = module.norm
            assert isinstance(norm, nn.BatchNorm2d)
            hook = _Measured(tensors[f"{name}.{part}.bias"])
            hooks.append(norm.register_forward_pre_hook(hook))
    training = net.training
    net.eval()
    net.encoder(normalised(crops))
    net.train(training)
    for handle in hooks:
        handle.remove()


class _Measured:
    """Sets a normalisation by its first batch, just before it sees that."""

    def __init__(self, bias: Tensor) -> None:
        self._bias = bias

    def __call__(self, norm: nn.BatchNorm2d, given: tuple[Tensor, ...]) -> None:
        variance, mean = torch.var_mean(given[0], dim=(0, 2, 3), unbiased=False)
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(self._bias + mean)
