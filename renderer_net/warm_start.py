"""Reads an exported renderer back, to go on learning."""

import json
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from freeavatar.rigs.errors import RenderError

from .model import KIND, KIND_KEY
from .net import RendererConfig, RendererNet


def exported_renderer(path: Path) -> RendererNet:
    """The network of a file that `export_renderer` wrote.

    Raises:
        RenderError: it is missing, damaged or another network.
    """
    try:
        model = onnx.load(path)
        about = {entry.key: entry.value for entry in model.metadata_props}
        if about.get(KIND_KEY) != KIND:
            raise RenderError(f"{path} is not this version's renderer")
        net = RendererNet(RendererConfig.from_dict(json.loads(about["config"])))
        held = {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}
        # Of equal tensors the exporter keeps one.
        for node in model.graph.node:
            if node.op_type == "Identity" and node.input[0] in held:
                held[node.output[0]] = held[node.input[0]]
        net.load_state_dict({name: torch.from_numpy(held[name]) for name in net.state_dict()})
    except (OSError, DecodeError, KeyError, ValueError, RuntimeError) as error:
        raise RenderError(f"the renderer {path} is missing or damaged: {error}") from error
    return net.eval()
