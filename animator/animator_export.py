"""Writes a trained animator as two ONNX files, and proves that they say what torch says."""

import json
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
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from freeavatar.foundation.errors import TrainingError
from freeavatar.foundation.onnx_session import KIND, Signature

from .animator_batch import RigBatch
from .animator_config import (
    CODE_SIZE,
    SHAPES,
    STATE_SIZE,
    TOKEN_SIZE,
    TOKENS,
    AnimatorConfig,
)
from .animator_files import (
    FRAME_FILE,
    FRAME_SIGNATURE,
    INJECTED,
    LAYERS,
    PAIR,
    RIG_FILE,
    RIG_SIGNATURE,
    TRAINED_FILE,
)
from .animator_net import AnimatorNet, Described
from .columns import FLAGS, MOTION_SIZE, PICTURE_SIZE
from .decoder_layer import LayerWeights
from .solver_matrices import MATRICES
from .unrolled_solver import Problem

OPSET = 17
TOLERANCE = 1e-4
"""Most that any output may differ from torch's."""
CHECKED = ((1, 1), (1, 52), (3, 300))
"""Rigs and columns with which the copy is checked."""

OF_CONTROLS = len(Described._fields) - 1
"""Outputs of the first file that are no layers."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    folder: Path
    bytes: int
    difference: float
    """Largest difference to torch over all outputs."""


def export_animator(net: AnimatorNet, folder: Path, *, facts: Mapping[str, str]) -> Exported:
    """Write `RIG_FILE`, `FRAME_FILE` and, to tune rigs with, `TRAINED_FILE`.

    Args:
        net: in evaluation mode, float32, on the CPU.
        folder: is made where it is missing.
        facts: kept in both files' metadata.

    Raises:
        TrainingError: the network has another number of layers than files are made for, or what
            was written does not say what the network says; no file is then replaced.
    """
    if net.config.layers != LAYERS:
        raise TrainingError(f"an animator of {net.config.layers} layers has no place in the files")
    folder.mkdir(parents=True, exist_ok=True)
    rows = _rig_rows(1, 7)
    once, frame = _PerRig(net).eval(), _PerFrame(net).eval()
    with torch.no_grad():
        described = once(*_tensors(rows))
    example = _frame_rows(1, 7) | dict(zip(RIG_SIGNATURE.outputs, described, strict=True))
    example["valid"] = rows["valid"]
    tensors = {k: torch.as_tensor(example[k]) for k in FRAME_SIGNATURE.inputs}
    marked = {"config": json.dumps(net.config.to_dict()), PAIR: _pair(net), **facts}
    parts = {
        RIG_FILE: _write(
            once,
            tuple(_tensors(rows)),
            folder / RIG_FILE,
            RIG_SIGNATURE,
            {k: _axes(k) for k in (*rows, *RIG_SIGNATURE.outputs)},
            marked,
        ),
        FRAME_FILE: _write(
            frame,
            tuple(tensors.values()),
            folder / FRAME_FILE,
            FRAME_SIGNATURE,
            {k: _axes(k) for k in (*tensors, "weights") if k not in ("tokens", "shapes", "state")},
            marked,
        ),
    }
    difference = max(_difference(once, frame, parts, sizes) for sizes in CHECKED)
    if not difference <= TOLERANCE:
        raise TrainingError(
            f"{folder}: the ONNX files differ from torch by {difference:.1e}; at most "
            f"{TOLERANCE:.0e} is allowed"
        )
    trained = folder / f"{TRAINED_FILE}.part"
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    save_file(tensors, trained, {KIND: FRAME_SIGNATURE.kind, **marked})
    trained.chmod(0o644)
    parts[TRAINED_FILE] = trained
    for name, part in parts.items():
        part.replace(folder / name)
    size = sum((folder / name).stat().st_size for name in parts)
    return Exported(folder=folder, bytes=size, difference=difference)


def load_exported(folder: Path) -> tuple[AnimatorNet, int]:
    """The network that `export_animator` wrote, as torch has it, ready to be used.

    Returns:
        The network; frames it was trained on, 0 where the file does not tell.

    Raises:
        TrainingError: it is missing, damaged, or another version's.
    """
    path = folder / TRAINED_FILE
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if about.get(KIND) != FRAME_SIGNATURE.kind:
            raise TrainingError(f"{path} is another version's animator; install freeavatar again")
        net = AnimatorNet(AnimatorConfig.from_dict(json.loads(about["config"])))
        net.load_state_dict(tensors)
        samples = int(about.get("samples", "0"))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} is missing or damaged: {error}") from error
    return net.eval(), samples


class _PerRig(nn.Module):
    """The first file."""

    def __init__(self, net: AnimatorNet) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, motion: Tensor, picture: Tensor, flags: Tensor, valid: Tensor, code: Tensor
    ) -> tuple[Tensor, ...]:
        rigs = RigBatch(
            motion=motion,
            picture=picture,
            flags=flags,
            valid=valid,
            code=code,
            **dict.fromkeys(("upper", *MATRICES), valid),
        )
        *of_controls, layers = self.net.describe(rigs)
        return (*of_controls, *(part for layer in layers for kind in layer for part in kind))


class _PerFrame(nn.Module):
    """The second file: one expression for all rigs."""

    def __init__(self, net: AnimatorNet) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        tokens: Tensor,
        shapes: Tensor,
        state: Tensor,
        upper: Tensor,
        valid: Tensor,
        *rest: Tensor,
    ) -> tuple[Tensor, Tensor]:
        problem, rest = Problem(*rest[: len(MATRICES)]), rest[len(MATRICES) :]
        of_controls, injected = rest[:OF_CONTROLS], rest[OF_CONTROLS:]
        reading = self.net.reading(tokens.unsqueeze(1), shapes.unsqueeze(1), state)
        pairs = list(zip(injected[::2], injected[1::2], strict=True))
        layers = [LayerWeights(*pairs[i : i + 3]) for i in range(0, len(pairs), 3)]
        queries, follow, trust = of_controls
        described = Described(queries, follow, trust, layers)
        memory = self.net.remember(reading)
        weights = self.net.decide(described, problem, reading, memory, upper, valid)
        return weights.squeeze(1), reading.state


def _write(
    module: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    signature: Signature,
    axes: dict[str, dict[int, str]],
    facts: Mapping[str, str],
) -> Path:
    part = path.with_name(f"{path.name}.part")
    with warnings.catch_warnings():
        # The exporter says at each call that a newer one exists, and that a recurrent network was
        # traced with one row; one row is all it gets. What it says of traced sizes comes as a kind
        # of warning that has no public name.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            part,
            input_names=list(signature.inputs),
            output_names=list(signature.outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(part)
    for key, value in {KIND: signature.kind, **facts}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, part)
    return part


def _axes(name: str) -> dict[int, str]:
    """Which axes are open: rigs, and columns where there are any."""
    if name in ("queries", "follow", "linear"):
        return {0: "rigs", 2: "columns"}
    if name == "step":
        return {0: "rigs", 1: "columns", 2: "columns"}
    return {0: "rigs"} if name in INJECTED or name == "code" else {0: "rigs", 1: "columns"}


def _pair(net: AnimatorNet) -> str:
    """Something that hardly two networks have in common."""
    total = sum(float(value.double().square().sum()) for value in net.state_dict().values())
    return f"{net.config.digest()}-{total:.12e}"


def _rig_rows(rigs: int, columns: int) -> Arrays:
    make = np.random.default_rng(columns)
    valid = np.ones((rigs, columns), np.float32)
    valid[1:, columns // 2 + 1 :] = 0.0
    rows = {
        "motion": make.standard_normal((rigs, columns, MOTION_SIZE)),
        "picture": make.standard_normal((rigs, columns, PICTURE_SIZE)),
        "flags": make.integers(0, 2, (rigs, columns, len(FLAGS))),
        "code": make.standard_normal((rigs, CODE_SIZE)),
    }
    arrays = {k: v.astype(np.float32) for k, v in rows.items()} | {"valid": valid}
    return {k: arrays[k] for k in RIG_SIGNATURE.inputs}


def _frame_rows(rigs: int, columns: int) -> Arrays:
    make = np.random.default_rng(columns + 1)
    rows = {
        "tokens": make.standard_normal((1, TOKENS, TOKEN_SIZE)),
        "shapes": make.random((1, SHAPES)),
        "state": make.standard_normal((2, 1, STATE_SIZE)),
        "upper": np.ones((rigs, columns)),
        "step": make.standard_normal((rigs, columns, columns)) / (2.0 * columns),
        "linear": make.standard_normal((rigs, SHAPES, columns)) / SHAPES,
        "offset": make.standard_normal((rigs, columns)),
        "regain": make.random((rigs, columns)),
    }
    return {k: v.astype(np.float32) for k, v in rows.items()}


def _tensors(rows: Arrays) -> list[Tensor]:
    return [torch.from_numpy(row) for row in rows.values()]


def _difference(
    once: nn.Module, frame: nn.Module, parts: Mapping[str, Path], sizes: tuple[int, int]
) -> float:
    """Largest difference of both files to torch, for so many rigs and columns."""
    rows = _rig_rows(*sizes)
    told = _run(parts[RIG_FILE], rows)
    with torch.no_grad():
        wanted = once(*_tensors(rows))
    worst = max(_apart(a, b) for a, b in zip(told, wanted, strict=True))
    inputs = _frame_rows(*sizes) | dict(zip(RIG_SIGNATURE.outputs, told, strict=True))
    inputs["valid"] = rows["valid"]
    inputs = {k: inputs[k] for k in FRAME_SIGNATURE.inputs}
    with torch.no_grad():
        wanted = frame(*_tensors(inputs))
    said = _run(parts[FRAME_FILE], inputs)
    return max(worst, *(_apart(a, b) for a, b in zip(said, wanted, strict=True)))


def _run(path: Path, inputs: Arrays) -> list[NDArray[Any]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    known = {node.name for node in session.get_inputs()}
    return list(session.run(None, {k: v for k, v in inputs.items() if k in known}))


def _apart(found: NDArray[Any], wanted: Tensor) -> float:
    return float(np.abs(found - wanted.numpy()).max())
