"""How well a network finds the faces of validation pictures while it trains."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.finder_grid import STRIDES, faces_of_cells, without_overlaps
from freeavatar.foundation.finder_net import FinderPeaks

from .finder_data import Picture
from .finder_tally import Tally

MOST_OVERLAP = 0.4


@torch.no_grad()
def tallies(
    net: FinderPeaks,
    samples: Iterable[tuple[Picture, FloatArray]],
    thresholds: Sequence[float],
    device: torch.device,
) -> dict[float, Tally]:
    """Let a network look at pictures and count at each threshold.

    Args:
        net: in evaluation mode.
        samples: pictures (H, W, 3), sides multiples of 32, and faces (F, 11).
        thresholds: scores 0..1.
        device: where the network is.
    """
    out = {threshold: Tally() for threshold in thresholds}
    for picture, faces in samples:
        cells = net(torch.from_numpy(np.ascontiguousarray(picture))[None].to(device))
        scores, boxes = found_in([c[0].float().cpu().numpy() for c in cells], min(thresholds))
        for threshold, tally in out.items():
            tally.add(boxes[scores >= threshold], faces)
    return out


def found_in(cells: Sequence[FloatArray], threshold: float) -> tuple[FloatArray, FloatArray]:
    """Scores (F,) and boxes (F, 4), best first, of the outputs for one picture."""
    parts = [faces_of_cells(c, s, threshold)[:2] for c, s in zip(cells, STRIDES, strict=True)]
    scores = np.concatenate([p[0] for p in parts])
    boxes = np.concatenate([p[1] for p in parts])
    kept = without_overlaps(boxes, scores, MOST_OVERLAP)
    return scores[kept], boxes[kept]
