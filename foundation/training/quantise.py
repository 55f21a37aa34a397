"""The copy of an exported network that runs: eight-bit weights and activations.

On processors with eight-bit dot products it takes about half the time, and a third of the space.
The last maps stay in full precision: they place points and boxes to a fraction of a pixel. So does
what makes curves tremble most.

Source:
    Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference, CVPR 2018.
"""

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from freeavatar.foundation.errors import TrainingError

from .feeding import Pictures
from .metrics import expression_figures

Inputs = dict[str, NDArray[np.uint8]]
CALIBRATED = 256
"""Pictures on which the ranges of the activations are measured."""
KINDS = ("Conv", "MatMul", "Gemm")
"""Operators with weights; the others stay as they are."""
PERCENTILE = 99.995
"""Part of what is seen on those pictures that the ranges hold, in percent: a few values beyond them
are cut, all others are told more finely. Under a camera's noise curves then deviate by .0068, with
ranges that hold everything by .0075 (the same parts in eight bits; .0064 in full precision).
"""
EXACT = ("/heads/", "/stages.0.", "/stages.1.0/")
"""Parts of the names of the expression network's operators that stay in full precision. The heads
in eight bits shift points by a tenth of a pixel, which the brows of real faces show. The first
convolutions of the stem make most of the trembling: .0071 with them in eight bits, too, which saves
nothing.
"""
WIDEST = "/heads/meaning.0/"
"""The layer of the heads that is in eight bits all the same: it is the widest of all, and that
saves a tenth of the network's time (2.36 to 2.12 ms)."""
MOST_LOST = {"correlation": 0.01, "landmarks, px": -0.1}
"""Most that a figure may fall (rise, where negative) on the pictures it is judged by."""


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """What was written."""

    path: Path
    bytes: int
    before: dict[str, float]
    """Figures of the file it was made from, see `expression_figures`."""
    after: dict[str, float]


def quantise(path: Path, out: Path, batches: Sequence[Pictures]) -> Quantised:
    """Write the eight-bit copy of an exported network.

    Args:
        path: ``.onnx`` that `export_network` wrote in full precision.
        out: gets the copy.
        batches: pictures of validation people; the first `CALIBRATED` give the ranges, all of them
            the figures.

    Raises:
        TrainingError: the copy loses more than `MOST_LOST`; nothing is written then.
    """
    crops = np.concatenate([b.crops.numpy() for b in batches])
    part = out.with_name(out.name + ".part")
    shown = [{"crop": c[None]} for c in crops[:CALIBRATED]]
    eight_bits(path, part, shown, exact=_exact, percentile=PERCENTILE)
    before, after = (_figures(file, batches) for file in (path, part))
    for name, most in MOST_LOST.items():
        lost = (before[name] - after[name]) * np.sign(most)
        if not lost <= abs(most):
            part.unlink()
            raise TrainingError(
                f"{path}: in eight bits {name} would go from {before[name]:.3f} to "
                f"{after[name]:.3f}; the copy was not written"
            )
    part.replace(out)
    return Quantised(path=out, bytes=out.stat().st_size, before=before, after=after)


def eight_bits(
    path: Path,
    out: Path,
    inputs: Sequence[Inputs],
    *,
    exact: Callable[[str], bool],
    percentile: float | None = None,
) -> None:
    """Write the eight-bit copy of an ONNX file, with what that says of itself.

    Args:
        path: in full precision.
        out: gets the copy.
        inputs: on which the ranges of the activations are measured.
        exact: whether the operator of this name stays in full precision.
        percentile: part of what is seen that the ranges hold; None for all of it.
    """
    # Products of matrices come out in full precision as they are added up, at no cost.
    options: dict[str, Any] = {
        "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],
        "DefaultTensorType": onnx.TensorProto.FLOAT,
    }
    method = CalibrationMethod.MinMax
    if percentile is not None:
        method, options["CalibPercentile"] = CalibrationMethod.Percentile, percentile
    root = logging.getLogger()
    level = root.level
    # The quantiser gives advice at length.
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
            plain = Path(folder) / "plain.onnx"
            quant_pre_process(str(path), str(plain), skip_symbolic_shape=True)
            quantize_static(
                str(plain),
                str(out),
                _Shown(inputs),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=list(KINDS),
                nodes_to_exclude=[n.name for n in onnx.load(plain).graph.node if exact(n.name)],
                calibrate_method=method,
                extra_options=options,
            )
    finally:
        root.setLevel(level)
    _copy_about(path, out)


def _exact(name: str) -> bool:
    """Whether an operator of the expression network stays in full precision."""
    return any(part in name for part in EXACT) and WIDEST not in name


class _Shown(CalibrationDataReader):  # type: ignore[misc]
    """Inputs one by one."""

    def __init__(self, inputs: Sequence[Inputs]) -> None:
        self._inputs = iter(inputs)

    def get_next(self) -> Inputs | None:
        """The next one; None after the last."""
        return next(self._inputs, None)


def _copy_about(path: Path, part: Path) -> None:
    """What the file says of itself, which the quantiser drops."""
    about: Mapping[str, str] = {e.key: e.value for e in onnx.load(path).metadata_props}
    model = onnx.load(part)
    onnx.helper.set_model_props(model, {**about, "precision": "int8"})
    onnx.save(model, part)


def _figures(file: Path, batches: Sequence[Pictures]) -> dict[str, float]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = ["blendshapes", "eyes", "head", "place", "landmarks", "confidence"]
    parts: list[list[Any]] = [session.run(names, {"crop": b.crops.numpy()}) for b in batches]
    found = {n: np.concatenate([p[i] for p in parts]) for i, n in enumerate(names)}
    wanted = {
        n: np.concatenate([getattr(b.targets, n).numpy() for b in batches])
        for n in vars(batches[0].targets)
    }
    return expression_figures(found, wanted)
