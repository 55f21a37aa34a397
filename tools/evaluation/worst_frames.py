"""The frames of rendered actors that were read worst, shown with what was meant and what was read.

The rendered actor is no person: its pictures may be shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from freeavatar.foundation.expression import BLENDSHAPES, Frame
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import Rig
from freeavatar.tools.dataset.expressions import eyes_of

from .examples import posed
from .sheets import CELL, arrange

Values = NDArray[np.float64]

MOST = 10
"""Frames of a sheet."""
NAMED = 2
"""Channels that a caption names."""
LONGEST_NAME = 16
"""Letters of the actor's name for which a caption has room."""


@dataclass(frozen=True, kw_only=True)
class WorstFrame:
    """One frame that was read badly."""

    error: float
    """Mean absolute error of the channels that the actor shows."""
    caption: str
    """The actor, when, and the channels that are farthest off: read/true."""
    picture: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    truth: Values
    """(52,) what it shows; 0 in channels that it cannot show."""
    given: Values
    """(52,) what was read."""


def worst_frames(
    actor: str,
    way: str,
    frames: Sequence[Frame],
    truth: Values,
    given: Values,
    most: int = MOST,
) -> list[WorstFrame]:
    """The frames with the largest mean error, worst first.

    Args:
        actor: its name, for the captions.
        way: how the head moves, for the captions.
        frames: T pictures.
        truth: (T, 52) NaN in channels that the actor cannot show.
        given: (T, 52) NaN rows, where no face was found, are left out.
        most: frames.
    """
    apart = np.abs(given - truth)
    shown = np.isfinite(truth).any(axis=0)
    error = apart[:, shown].mean(axis=1)
    order = [int(i) for i in np.argsort(-error) if np.isfinite(error[i])]
    return [
        WorstFrame(
            error=float(error[i]),
            caption=f"{actor[:LONGEST_NAME]} {way} {frames[i].time:.0f} s: "
            f"{_farthest(truth[i], given[i])}",
            picture=frames[i].picture,
            truth=np.nan_to_num(truth[i]),
            given=given[i],
        )
        for i in order[:most]
    ]


def _farthest(truth: Values, given: Values) -> str:
    apart = np.nan_to_num(np.abs(given - truth))
    named = np.argsort(-apart)[:NAMED]
    return ", ".join(f"{BLENDSHAPES[i]} {_short(given[i])}/{_short(truth[i])}" for i in named)


def _short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def worst_sheet(frames: Iterable[WorstFrame], rig: Rig, reader: str) -> Image.Image | None:
    """Actor, the rig with the true curves, and the rig with those that were read.

    Args:
        frames: of any number of performances; the `MOST` worst are shown.
        rig: that performs both.
        reader: name of the one that read.

    Returns:
        RGB picture; None without a frame.

    Raises:
        RenderError: no OpenGL is to be had.
    """
    worst = sorted(frames, key=lambda frame: -frame.error)[:MOST]
    if not worst:
        return None
    moments = []
    with Renderer(rig, size=(CELL, CELL)) as renderer:
        for frame in worst:
            cells = [np.asarray(cv2.resize(frame.picture, (CELL, CELL)), np.uint8)]
            for curves in (frame.truth, frame.given):
                gaze = eyes_of(curves.astype(np.float32))
                cells.append(posed(rig, renderer, curves, np.eye(3), gaze))
            moments.append((frame.caption, cells))
    return arrange(moments, title="worst frames", labels=["actor", "truth", reader])
