"""Puts each blendshape on its scale: at rest it says nothing, in full swing as much as is true.

A network trained on likelihoods says the mean of what a picture may show. Where it is unsure that
is too much at rest and too little in full swing. Two numbers of each channel, measured on people
whom it was not trained on, take both back as far as its correlation with the truth allows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES, GROUPS, SWAPPED
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.heads import Heads

from .distributed import Processes
from .expression_training import Validation
from .feeding import Pictures

RESTS = np.linspace(0.0, 0.3, 31)
FINE = 0.02
"""Largest rest of the channels that move mouth, lids, brows and eyes. Below it nothing is said, and
on real faces small movements there are what is wanted: with rests up to 0.3 the curves of clips
followed the picture less closely (.875 for .892), with errors on renders smaller by a seventh."""
RARE = frozenset({*GROUPS["cheeks and nose"], *GROUPS["tongue"]})
"""Channels that may have any rest."""
GAINS = np.linspace(1.0, 1.6, 13)
"""More would make a camera's noise and the lids of real faces too large."""
SWING = 0.8
"""Deviation of a channel, in deviations of its truth, below which it swings too little."""
MISSING, FOLLOWING = 1.0, 3.0
"""What missing swing costs, and what correlation is worth, in mean sizes of the true value."""
LIVE = 0.01
"""Deviation of the truth below which a channel stays as it is."""
FEWEST = 50
"""Pictures below which a channel stays as it is."""

Array = NDArray[np.float32]


def scales(found: Array, wanted: Array) -> tuple[Array, Array]:
    """Rest and gain of each channel that make up best for what it says too much and too little.

    That is the least of absolute error, missing swing and lost correlation, see `MISSING`.

    Args:
        found: (N, 52) as the network says them unscaled.
        wanted: (N, 52) truth, NaN where unknown.

    Returns:
        Rest (52,) 0..0.3 (see `FINE`) and gain (52,) 1..1.6, the same for both sides.
    """
    rest = np.zeros(len(BLENDSHAPES), np.float32)
    gain = np.ones(len(BLENDSHAPES), np.float32)
    for channel in range(len(BLENDSHAPES)):
        sides = sorted({channel, int(SWAPPED[channel])})
        if channel != sides[0]:
            continue
        truth, value = (a[:, sides].ravel() for a in (wanted, found))
        known = np.isfinite(truth)
        if known.sum() >= FEWEST and truth[known].std() > LIVE:
            rests = RESTS if channel in RARE else RESTS[RESTS <= FINE + 1e-6]
            rest[sides], gain[sides] = _best(value[known], truth[known], rests)
    return rest, gain


def _best(value: Array, truth: Array, rests: NDArray[np.floating]) -> tuple[float, float]:
    size = float(np.abs(truth).mean())
    choices = []
    for rest in rests:
        for gain in GAINS:
            scaled = np.clip((value - rest) * gain, 0.0, 1.0)
            spread = float(scaled.std())
            cost = float(np.abs(scaled - truth).mean()) / size
            cost += MISSING * max(SWING - spread / float(truth.std()), 0.0)
            if spread > 1e-6:
                cost -= FOLLOWING * float(np.corrcoef(scaled, truth)[0, 1])
            choices.append((round(cost, 5), rest, gain))
    _, rest, gain = min(choices)
    return float(rest), float(gain)


def set_scales(heads: Heads, rest: Array, gain: Array) -> None:
    """Give heads the numbers of `scales`, each (52,)."""
    heads.rest.copy_(torch.from_numpy(rest))
    heads.gain.copy_(torch.from_numpy(gain))


@torch.no_grad()
def calibrate(net: ExpressionNet, batches: Sequence[Pictures]) -> dict[str, Any]:
    """Set a network's scales by pictures of people whom it was not trained on.

    Args:
        net: in evaluation mode.
        batches: such pictures, as they are.

    Returns:
        Figures of the network with its scales on these pictures, see `Validation`.
    """
    count = len(BLENDSHAPES)
    set_scales(net.heads, np.zeros(count, np.float32), np.ones(count, np.float32))
    found = np.concatenate([net(b.crops).blendshapes.numpy() for b in batches])
    wanted = np.concatenate([b.targets.blendshapes.numpy() for b in batches])
    set_scales(net.heads, *scales(found, wanted))
    return Validation(batches, Processes())(net)
