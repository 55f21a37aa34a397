"""freeavatar eval renderer: the neural renderer beside the reference pictures."""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import whole_number

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from freeavatar.renderer_net.model import NeuralRenderer
    from freeavatar.rigs.spec import Rig

    from .training.rig_feed import RigFeed, RigPictures

    Picture = NDArray[uint8]

EPILOG = """\
The pictures are those of `freeavatar data rig-renders RIG --split validation` (or test): controls
are combined as in no training picture.

examples:
  freeavatar eval renderer --data renders/mannequin renders/hero --sheet sheet.png
"""
COLUMNS = (
    ("psnr", "PSNR dB", "{:.1f}"),
    ("ssim", "SSIM", "{:.3f}"),
    ("features", "features", "{:.3f}"),
    ("embedding", "embedding", "{:.3f}"),
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
    from freeavatar.renderer_net.capturing import appearance_of
    from freeavatar.renderer_net.model import NeuralRenderer
    from freeavatar.rigs import registry

    from .training.foundation_view import FoundationView
    from .training.rig_feed import RigFeed

    feed, view = RigFeed(args.data, args.split, batch=16), FoundationView()
    figures: dict[str, dict[str, float]] = {}
    rows = []
    for place, name in enumerate(feed.names):
        rig = registry.load(feed.sources[place])
        look = appearance_of(rig)
        size = (feed.size, feed.size)
        with NeuralRenderer(rig, look, size=size, weights=args.weights) as renderer:
            figures[name], shown = _measured(renderer, rig, feed, place, args.limit, view)
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
    renderer: "NeuralRenderer", rig: "Rig", feed: "RigFeed", place: int, limit: int, view: Any
) -> "tuple[dict[str, float], list[Picture]]":
    """Means over a rig's pictures, and rows of the sheet."""
    import numpy as np
    import torch

    from .training.renderer_training import crop_of, figures_of

    crop = crop_of(rig, feed.size)
    parts: list[dict[str, float]] = []
    shown: list[Picture] = []
    for batch in feed.all_of(place, limit):
        began = time.perf_counter()
        drawn = np.stack([_drawn(renderer, rig, batch, row) for row in range(len(batch))])
        seconds = (time.perf_counter() - began) / len(batch)
        ours = torch.tensor(drawn).permute(0, 3, 1, 2).float() / 255.0
        with torch.no_grad():
            part = figures_of(ours, batch.pictures, view, crop)
        parts.append({**part, "seconds": seconds, "count": float(len(batch))})
        if len(shown) < SHOWN:
            theirs = (batch.pictures * 255.0).round().byte().permute(0, 2, 3, 1).numpy()
            shown += [_row(t, o) for t, o in zip(theirs[:SHOWN], drawn, strict=False)]
    count = sum(p["count"] for p in parts)
    means = {k: sum(p[k] * p["count"] for p in parts) / count for k in parts[0] if k != "count"}
    means["frames_per_second"] = 1.0 / means.pop("seconds")
    return {**means, "pictures": count}, shown[:SHOWN]


def _drawn(renderer: "NeuralRenderer", rig: "Rig", batch: "RigPictures", row: int) -> Any:
    import numpy as np

    from freeavatar.rigs.spec import RigFrame

    span = np.array([c.maximum - c.neutral for c in rig.controls], np.float32)
    frame = RigFrame(
        index=row,
        time=0.0,
        values=rig.neutral + span * batch.weights[row].numpy(),
        head=batch.head[row].numpy(),
        eyes=batch.eyes[row].numpy(),
    )
    return renderer.drawn(frame, batch.light[row].numpy(), float(batch.lens[row]))[0]


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
    head = "  ".join(f"{title:>9}" for _, title, _ in COLUMNS)
    lines = [f"{'rig':<{width}}  {head}  frames/s  pictures"]
    for name, each in figures.items():
        cells = "  ".join(f"{form.format(each[key]):>9}" for key, _, form in COLUMNS)
        speed, count = each["frames_per_second"], each["pictures"]
        lines.append(f"{name:<{width}}  {cells}  {speed:8.0f}  {count:8.0f}")
    return lines
