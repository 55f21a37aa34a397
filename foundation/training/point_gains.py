"""Measures how a network's curves are to be corrected by the points it finds.

The correction is that of least expected error: the curves' own errors, the points' errors and how
curves open apertures are taken from validation people, each person's own mean left out.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from freeavatar.foundation.apertures import APERTURES, DEPTH, SLOPE, straightened
from freeavatar.foundation.expression import BLENDSHAPES, GROUPS, SWAPPED
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.point_correction import PARTS, REACH, PointGains

from .feeding import Pictures

Values = NDArray[np.float64]

FEWEST = 6
"""Pictures of a person below which nothing can be said about their mean."""
CLEARER = 0.3
"""Variance of the points' errors on what a camera sees, in that on validation people: of their
pictures half are blurred, dark, noisy or covered. Chosen on three of the shared clips, whose curves
followed the picture more closely the smaller it was, while a still face's trembled more."""
LEAST = 0.025
"""Eye distances by which a channel at 1 must open one of the apertures to be corrected with them:
what opens them less is shown by more than apertures, and the network sees that."""
RIDGE = 0.5
"""Keeps channels that hardly move out of what opens an aperture."""
_MOUTH = (*GROUPS["mouth and jaw"], *GROUPS["cheeks and nose"])
OPENED_BY: Sequence[Sequence[int]] = (
    _MOUTH,
    _MOUTH,
    (*GROUPS["lids"], *GROUPS["gaze"]),
    (*GROUPS["lids"], *GROUPS["gaze"]),
    GROUPS["brows"],
    GROUPS["brows"],
)
"""Channels that can open or close each aperture."""
MIRRORED_APERTURES = (0, 1, 3, 2, 5, 4)
"""Where each aperture goes when the face is mirrored."""
SEEN_OTHERWISE = (*GROUPS["gaze"], *GROUPS["cheeks and nose"])
"""Channels that change apertures but are not corrected by them."""


@torch.no_grad()
def point_gains(net: ExpressionNet, batches: Sequence[Pictures]) -> PointGains:
    """Measure on pictures of people whom the network was not trained on.

    Args:
        net: in evaluation mode, with its scales.
        batches: such pictures, as they are.
    """
    rows: list[tuple[Values, ...]] = []
    for batch in batches:
        found, wanted = net(batch.crops), batch.targets
        rows.append(
            tuple(
                np.asarray(x, np.float64)
                for x in (
                    found.blendshapes, found.landmarks, found.head,
                    wanted.blendshapes, wanted.landmarks, wanted.head, batch.people,
                )
            )
        )  # fmt: skip
    said, points, head, truth, true_points, true_head, people = (
        np.concatenate(x) for x in zip(*rows, strict=True)
    )
    frontal = np.cos(np.radians(REACH[0][0]))
    usable = (
        np.isfinite(truth).all(axis=1)
        & np.isfinite(true_points).all(axis=(1, 2))
        & (np.nan_to_num(true_head[:, 2, 2]) > frontal)
        & (head[:, 2, 2] > frontal)
    )
    seen, shown = (
        straightened(p[usable], h[usable], np.array(DEPTH), np.array(SLOPE))
        for p, h in ((points, head), (true_points, true_head))
    )
    return gains(said[usable], truth[usable], seen, shown, people[usable])


def gains(said: Values, truth: Values, seen: Values, shown: Values, people: Values) -> PointGains:
    """The gains of least expected squared error.

    Args:
        said: (N, 52) curves of the network.
        truth: (N, 52).
        seen: (N, 6) apertures by the network's points.
        shown: (N, 6) true ones.
        people: (N,) equal for one identity.
    """
    names, counts = np.unique(people, return_counts=True)
    often = np.isin(people, names[counts >= FEWEST])
    parts = (x[often].astype(np.float64) for x in (said, truth, seen, shown))
    said, truth, seen, shown = (_without_person(x, people[often]) for x in parts)
    change = np.zeros((len(BLENDSHAPES), len(APERTURES)))
    for aperture, channels in enumerate(OPENED_BY):
        x = truth[:, list(channels)]
        square = x.T @ x + RIDGE * np.eye(len(channels))
        change[list(channels), aperture] = np.linalg.solve(square, x.T @ shown[:, aperture])
    errors = np.cov(truth - said, rowvar=False)
    noise = CLEARER * np.cov(seen - shown, rowvar=False)
    correct = np.zeros((len(APERTURES), len(BLENDSHAPES)))
    opening = np.abs(change) + np.abs(change[SWAPPED][:, MIRRORED_APERTURES])
    for part in PARTS:
        pair = list(part)
        clearly = (opening[:, pair] >= 2 * LEAST).any(axis=1)
        channels = [c for c in OPENED_BY[pair[0]] if clearly[c] and c not in SEEN_OTHERWISE]
        own = errors[np.ix_(channels, channels)]
        opened = change[np.ix_(channels, pair)]
        spread = opened.T @ own @ opened + noise[np.ix_(pair, pair)]
        correct[np.ix_(pair, channels)] = np.linalg.solve(spread, opened.T @ own)
    return PointGains(change=change, correct=correct)


def _without_person(values: Values, people: Values) -> Values:
    """Differences from each person's mean."""
    out = values.copy()
    for person in np.unique(people):
        out[people == person] -= values[people == person].mean(axis=0)
    return out
