"""freeavatar eval renderer: the neural renderer beside the reference pictures."""

import argparse
import importlib.util
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeavatar.foundation.errors import TrainingError

from .arguments import whole_number
from .torch_first import import_torch

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray
    from torch import Tensor

    from freeavatar.renderer_net.model import NeuralRenderer
    from freeavatar.renderer_net.numpy_splatting import PointPictures

    from .training.rig_feed import RigFeed, RigPictures

    Picture = NDArray[uint8]

EPILOG = """\
The pictures are those of `freeavatar data rig-renders RIG --split validation` (or test): controls
are combined as in no training picture. In brackets: the rig's points alone, before the network.

examples:
  freeavatar eval renderer --data renders/mannequin renders/hero --sheet sheet.png
"""
COLUMNS = (
    ("psnr", "PSNR dB", "{:.1f}"),
    ("ssim", "SSIM", "{:.3f}"),
    ("features", "features", "{:.3f}"),
    ("embedding", "embedding", "{:.3f}"),
    ("mask", "mask", "{:.3f}"),
)
SHOWN = 6
"""Pictures of each rig on the sheet."""


def add_renderer(kinds: Any) -> None:
    """Add ``eval renderer`` to the command line."""
    p = kinds.add_parser(
        "renderer",
        help="the neural renderer on held-out pictures of rigs",
        description="Measure the neural renderer beside the reference pictures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--data", nargs="+", type=Path, required=True, metavar="FOLDER", help="one for each rig"
    )
    p.add_argument(
        "--split",
        choices=("validation", "test"),
        default="validation",
        help="default: %(default)s",
    )
    p.add_argument(
        "--limit",
        type=whole_number(8, math.inf),
        default=100,
        metavar="N",
        help="pictures of each rig (default: %(default)s)",
    )
    p.add_argument("--weights", type=Path, metavar="FILE", help="default: the one that ships")
    p.add_argument("--sheet", type=Path, metavar="FILE.png", help="reference | ours | difference")
    p.add_argument("--json", action="store_true", help="figures for scripts")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    import_torch()
    needed = ("torch", "timm", "safetensors")
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise TrainingError(
            f"the figures need {', '.join(missing)}; install with: pip install 'freeavatar[train]'"
        )
    from freeavatar.renderer_net.capturing import appearance_of
    from freeavatar.renderer_net.model import NeuralRenderer
    from freeavatar.renderer_net.numpy_splatting import PointPictures

    from .training.rig_feed import RigFeed
    from .training.torch_foundation import TorchFoundation

    feed, view = RigFeed(args.data, args.split, batch=16), TorchFoundation()
    figures: dict[str, dict[str, float]] = {}
    rows = []
    for place, rig in enumerate(feed.rigs()):
        # Weights are recorded as they were shown: a VRM's overrides have acted on them already.
        rig = replace(rig, expressions={})
        look = appearance_of(rig)
        size = (feed.size, feed.size)
        with NeuralRenderer(rig, look, size=size, weights=args.weights) as renderer:
            points = PointPictures(look)
            figures[rig.name], shown = _measured(renderer, points, feed, place, args.limit, view)
        rows += shown
    if args.json:
        print(json.dumps(figures, indent=1))
    else:
        print("\n".join(_table(figures)))
    if args.sheet is not None:
        _write_sheet(rows, args.sheet)
        print(f"reference | ours | difference: {args.sheet}", file=sys.stderr)
    return 0


def _measured(
    renderer: "NeuralRenderer",
    points: "PointPictures",
    feed: "RigFeed",
    place: int,
    limit: int,
    view: Any,
) -> "tuple[dict[str, float], list[Picture]]":
    """Means over a rig's pictures, and rows of the sheet."""
    import torch

    from .training.renderer_training import crop_of, figures_of, points_alone

    crop = crop_of(renderer.rig, feed.size)
    parts: list[dict[str, float]] = []
    shown: list[Picture] = []
    for batch in feed.all_of(place, limit):
        began = time.perf_counter()
        drawn = [_drawn(renderer, batch, row) for row in range(len(batch))]
        seconds = (time.perf_counter() - began) / len(batch)
        maps = _maps(points, batch)
        with torch.no_grad():
            part = figures_of(*_tensors(drawn), batch, view, crop)
            alone = figures_of(*points_alone(maps), batch, view, crop)
        part |= {f"points_{key}": value for key, value in alone.items()}
        parts.append({**part, "seconds": seconds, "count": float(len(batch))})
        theirs = (batch.pictures * 255.0).round().byte().permute(0, 2, 3, 1).numpy()
        shown += [
            _row(t, o) for t, (o, _) in zip(theirs[: SHOWN - len(shown)], drawn, strict=False)
        ]
    count = sum(p["count"] for p in parts)
    means = {k: sum(p[k] * p["count"] for p in parts) / count for k in parts[0] if k != "count"}
    means["frames_per_second"] = 1.0 / means.pop("seconds")
    return {**means, "pictures": count}, shown


def _drawn(renderer: "NeuralRenderer", batch: "RigPictures", row: int) -> "tuple[Picture, Picture]":
    import numpy as np

    from freeavatar.rigs.spec import RigFrame

    rig = renderer.rig
    span = np.array([c.maximum - c.neutral for c in rig.controls], np.float32)
    frame = RigFrame(
        index=row,
        time=0.0,
        values=rig.neutral + span * batch.weights[row].numpy(),
        head=batch.head[row].numpy(),
        eyes=batch.eyes[row].numpy(),
    )
    return renderer.drawn(frame, batch.light[row].numpy(), float(batch.lens[row]))


def _maps(points: "PointPictures", batch: "RigPictures") -> "Tensor":
    import numpy as np
    import torch

    size = batch.pictures.shape[-1]
    posed = zip(batch.weights, batch.head, batch.eyes, batch.light, batch.lens, strict=True)
    maps = [
        points.maps(w.numpy(), h.numpy(), e.numpy(), light.numpy(), size, float(lens))
        for w, h, e, light, lens in posed
    ]
    return torch.tensor(np.stack(maps)).float()


def _tensors(drawn: "Sequence[tuple[Picture, Picture]]") -> "tuple[Tensor, Tensor]":
    """(N, 3, S, S) and (N, 1, S, S), 0..1."""
    import numpy as np
    import torch

    colours = torch.tensor(np.stack([colour for colour, _ in drawn])).permute(0, 3, 1, 2)
    masks = torch.tensor(np.stack([mask for _, mask in drawn]))[:, None]
    return colours.float() / 255.0, masks.float() / 255.0


def _row(theirs: "Picture", ours: "Picture") -> "Picture":
    import numpy as np

    apart = np.abs(theirs.astype(np.int16) - ours.astype(np.int16))
    return np.hstack([theirs, ours, np.clip(2 * apart, 0, 255).astype(np.uint8)])


def _write_sheet(rows: "Sequence[Picture]", path: Path) -> None:
    import numpy as np
    from PIL import Image

    across = max(1, round(math.sqrt(len(rows) / 1.5)))
    blank = np.zeros_like(rows[0])
    filled = [*rows, *[blank] * (-len(rows) % across)]
    lines = [np.hstack(filled[i : i + across]) for i in range(0, len(filled), across)]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack(lines)).save(path)


def _table(figures: dict[str, dict[str, float]]) -> list[str]:
    width = max(len("rig"), *(len(name) for name in figures))
    head = "  ".join(f"{title:>15}" for _, title, _ in COLUMNS)
    lines = [f"{'rig':<{width}}  {head}  frames/s  pictures"]
    for name, each in figures.items():
        cells = (
            f"{form.format(each[key])} ({form.format(each[f'points_{key}'])})"
            for key, _, form in COLUMNS
        )
        row = "  ".join(f"{cell:>15}" for cell in cells)
        speed, count = each["frames_per_second"], each["pictures"]
        lines.append(f"{name:<{width}}  {row}  {speed:8.0f}  {count:8.0f}")
    return [*lines, "in brackets: the points alone, before the network"]
