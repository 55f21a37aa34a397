"""Writes a trained network as ONNX, and proves that it says what torch says.

The averaged weights are written; batch normalisation is folded into the convolutions before, so
that the proof covers it.
"""

import copy
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from freeavatar.foundation.config import ExpressionConfig
from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.expression_model import SIGNATURE
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.heads import ExpressionOutput
from freeavatar.foundation.onnx_session import KIND
from freeavatar.foundation.vit import NORMALISED

from . import checkpoints
from .loop import BEST
from .runtime_form import DOMAIN, RuntimeForm

OPSET = 17
TOLERANCE = 1e-4
"""Most that any output may differ from torch's."""
HALF_TOLERANCE = 5e-3
"""The same where weights are stored in half precision; tokens may differ by ten times this."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    path: Path
    bytes: int
    difference: float
    """Largest difference to torch over all outputs but the tokens, random and given crops."""
    tokens_difference: float
    milliseconds: float
    """Median of one crop on one thread."""


def load_network(path: Path) -> tuple[ExpressionNet, checkpoints.State]:
    """The averaged network of a run (its best checkpoint) or of a checkpoint file.

    Raises:
        TrainingError: there is none, or it is of another kind.
    """
    checkpoint = checkpoints.load(path / BEST if path.is_dir() else path)
    net = ExpressionNet(ExpressionConfig.from_dict(checkpoint.state.config))
    checkpoints.fill(net, checkpoint.part("average"))
    return net.eval(), checkpoint.state


def export_network(
    net: ExpressionNet,
    path: Path,
    *,
    facts: Mapping[str, str],
    crops: NDArray[np.uint8] | None = None,
    half: bool = False,
) -> Exported:
    """Write an expression network.

    Args:
        net: in evaluation mode, float32, on the CPU.
        path: ``*.onnx``.
        facts: kept in the file's metadata.
        crops: (N, S, S, 3) RGB, real faces on which the copy is checked besides random pixels.
        half: store large weights in float16; they are cast back when the file is loaded.

    Raises:
        TrainingError: what was written does not say what the network says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = net.config.encoder.size
    example = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    names = list(ExpressionOutput._fields)
    folded = RuntimeForm(folded_network(net))
    part = path.with_name(path.name + ".part")
    with warnings.catch_warnings():
        # The exporter says at each call that a newer one exists; this one keeps the graph plain.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            folded,
            (example,),
            part,
            input_names=["crop"],
            output_names=names,
            dynamic_axes={name: {0: "n"} for name in ("crop", *names)},
            opset_version=OPSET,
            custom_opsets={DOMAIN: 1},
            dynamo=False,
        )
    model = onnx.load(part)
    if half:
        # Before it loses digits, the file is to say exactly what the network says.
        _checked(net, part, path, crops, TOLERANCE)
        _halve(model)
    for key, value in {KIND: SIGNATURE.kind, **facts}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, part)
    result = _checked(net, part, path, crops, HALF_TOLERANCE if half else TOLERANCE)
    part.replace(path)
    return result


def folded_network(net: ExpressionNet) -> ExpressionNet:
    """A copy without batch normalisation, which its convolutions now do."""
    net = copy.deepcopy(net).eval()
    for module in net.modules():
        name = NORMALISED.get(type(module))
        if name is not None:
            norm = module.norm
            assert isinstance(norm, nn.BatchNorm2d)
            setattr(module, name, fuse_conv_bn_eval(getattr(module, name), norm))
            module.norm = nn.Identity()
    return net


def _halve(model: onnx.ModelProto) -> None:
    """Replace large float32 weights by float16 ones, each with a cast in front of its use.

    onnxruntime folds the casts when it loads the file, so that it computes as before.
    """
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 1024:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _checked(
    net: ExpressionNet,
    part: Path,
    path: Path,
    crops: NDArray[np.uint8] | None,
    tolerance: float,
) -> Exported:
    size = net.config.encoder.size
    random = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    pictures = random if crops is None else np.concatenate([random, crops])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(part, options, providers=["CPUExecutionProvider"])
    names = list(ExpressionOutput._fields)
    found = dict(zip(names, session.run(names, {"crop": pictures}), strict=True))
    with torch.no_grad():
        wanted = net(torch.from_numpy(pictures))._asdict()
    apart = {k: float(np.abs(found[k] - wanted[k].numpy()).max()) for k in names}
    tokens = apart.pop("tokens")
    worst = max(apart, key=lambda k: apart[k])
    if not (apart[worst] <= tolerance and tokens <= 10 * tolerance):
        raise TrainingError(
            f"{path}: the ONNX file differs from torch by {apart[worst]:.1e} in {worst} and "
            f"{tokens:.1e} in the tokens; at most {tolerance:.0e} is allowed"
        )
    return Exported(
        path=path,
        bytes=part.stat().st_size,
        difference=apart[worst],
        tokens_difference=tokens,
        milliseconds=_milliseconds(session, pictures[:1]),
    )


def _milliseconds(session: Any, picture: NDArray[np.uint8]) -> float:
    times = []
    for _ in range(60):
        start = time.perf_counter()
        session.run(None, {"crop": picture})
        times.append(time.perf_counter() - start)
    return float(np.median(times[10:]) * 1000)


def export_facts(state: checkpoints.State, *, version: str) -> dict[str, str]:
    """What a file says of itself.

    Args:
        state: of its checkpoint.
        version: of freeavatar.
    """
    config = ExpressionConfig.from_dict(state.config)
    return {
        "version": version,
        "config": json.dumps(state.config),
        "config_digest": config.digest(),
        "data": json.dumps(state.facts.get("data", {})),
        "samples": str(state.samples),
        "licence": "MIT; see the model card for the data's",
    }
