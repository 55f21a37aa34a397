"""Writes a trained face finder as the ONNX file that ships."""

from pathlib import Path

import numpy as np
import torch

from freeavatar.foundation.errors import ConfigError, TrainingError
from freeavatar.foundation.face_finder import INPUT, OUTPUTS, SIGNATURE
from freeavatar.foundation.finder_net import FinderConfig, FinderNet, FinderPeaks
from freeavatar.foundation.onnx_session import KIND, Network

from .checkpoints import fill, load
from .finder_data import decoded, read_shard, shards_of
from .quantise import Inputs, eight_bits

TOLERANCE = 1e-4
RANGED = 60
"""Composites on which the ranges of the eight-bit copy are measured."""
EXACT = "/net/heads"
"""Part of the names of the operators that stay in full precision there: score, box and points."""
SHAPE = (352, 640)


def export(checkpoint: Path, out: Path) -> float:
    """Write the averaged weights of a checkpoint; returns the largest difference from torch.

    Raises:
        TrainingError: it is no checkpoint of a face finder, or the file would say something else
            than the network.
    """
    kept = load(checkpoint)
    try:
        net = FinderNet(FinderConfig.from_dict(kept.state.config))
    except ConfigError as error:
        raise TrainingError(f"{checkpoint}: {error}") from error
    fill(net, kept.part("average"))
    peaks = FinderPeaks(net).eval()
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    _write(peaks, part)
    apart = difference(peaks, part)
    if apart > TOLERANCE:
        part.unlink()
        raise TrainingError(f"{out}: the exported network differs by {apart:.2g}; not written")
    part.replace(out)
    return apart


def difference(peaks: FinderPeaks, path: Path) -> float:
    """Largest difference of any output between torch and the file, on a picture of noise of
    another size than the file was traced with."""
    picture = np.random.default_rng(0).integers(0, 256, (1, 256, 384, 3), dtype=np.uint8)
    with torch.no_grad():
        wanted = [v.numpy() for v in peaks(torch.from_numpy(picture))]
    found = Network(path, SIGNATURE).run(**{INPUT: picture})
    return max(
        float(np.abs(found[name] - v).max()) for name, v in zip(OUTPUTS, wanted, strict=True)
    )


def _write(peaks: FinderPeaks, path: Path) -> None:
    import onnx

    sizes = {1: "height", 2: "width"}
    torch.onnx.export(
        peaks,
        (torch.zeros(1, *SHAPE, 3, dtype=torch.uint8),),
        str(path),
        input_names=[INPUT],
        output_names=list(OUTPUTS),
        dynamic_axes={INPUT: sizes, **dict.fromkeys(OUTPUTS, sizes)},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {KIND: SIGNATURE.kind})
    onnx.save(model, str(path))


def quantise(path: Path, composites: Path, out: Path) -> None:
    """Write the eight-bit copy of an exported face finder.

    Args:
        path: ``.onnx`` that `export` wrote.
        composites: folder with composites of validation people.
        out: gets the copy.

    Raises:
        TrainingError: there are no composites.
    """
    shown: list[Inputs] = []
    for shard in shards_of(composites, "validation"):
        for data, _ in read_shard(shard)[: RANGED - len(shown)]:
            shown.append({INPUT: decoded(data)[None]})
    part = out.with_name(out.name + ".part")
    out.parent.mkdir(parents=True, exist_ok=True)
    eight_bits(path, part, shown, exact=lambda name: EXACT in name)
    part.replace(out)
