"""Test pictures beside what the curves make a character do. Real people are never shown."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from freeavatar.animator.performer import FINISHED_TAKE, Performer
from freeavatar.foundation.expression import Expression
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import Rig

from .predictions import Predictions
from .shards import Truth
from .sheets import CELL, arrange

Picture = NDArray[np.uint8]

LICENCE = (
    "Composite portraits (averages, no real person): debruine/webmorphR.stim, CC BY 4.0, "
    "re-rendered. VALID avatars: c-frame/valid-avatars-glb, MIT. Legislators are never shown."
)
MOST = 12


def may_show(identity: str, domain: str) -> bool:
    """Whether a picture may be shown to people: rendered characters and composite faces only."""
    if domain in ("avatar", "cartoon"):
        return True
    return all(part.rpartition("/")[2].startswith("composite__") for part in identity.split("+"))


def example_sheet(truth: Truth, given: Mapping[str, Predictions], rig: Rig) -> Image.Image | None:
    """Picture, the character with the true curves, and with those of each reader.

    Returns:
        RGB picture; None where no picture may be shown.

    Raises:
        RenderError: the rig has no mesh, or no OpenGL is to be had.
    """
    pairs = zip(truth.identity, truth.domain, strict=True)
    shown = np.flatnonzero([may_show(str(i), str(d)) for i, d in pairs])
    if not len(shown):
        return None
    shown = shown[np.linspace(0, len(shown) - 1, min(MOST, len(shown))).astype(int)]
    moments = []
    with Renderer(rig, size=(CELL, CELL)) as renderer:
        for i in shown:
            cells = [np.asarray(cv2.resize(truth.pictures[i], (CELL, CELL)), np.uint8)]
            known = np.nan_to_num(truth.blendshapes[i])
            cells.append(posed(rig, renderer, known, truth.head[i], truth.eyes[i]))
            for p in given.values():
                cells.append(posed(rig, renderer, p.blendshapes[i], p.head[i], p.eyes[i]))
            moments.append((str(truth.domain[i]), cells))
    return arrange(moments, title="test pictures", labels=["picture", "truth", *given])


def posed(
    rig: Rig,
    renderer: Renderer,
    curves: NDArray[np.floating],
    head: NDArray[np.floating],
    eyes: NDArray[np.floating],
) -> Picture:
    """The rig with curves (52,), a head rotation (3, 3) and a gaze (2, 2), see `Expression`.

    Returns:
        (CELL, CELL, 3) as the renderer draws it; grey where a curve is no number.
    """
    if not np.isfinite(curves).all():
        return np.full((CELL, CELL, 3), 60, np.uint8)
    angles = np.zeros((2, 3), np.float32)
    angles[:, :2] = np.nan_to_num(eyes)
    expression = Expression(
        index=0,
        time=0.0,
        found=True,
        blendshapes=np.clip(curves, 0, 1).astype(np.float32),
        head=np.asarray(head, np.float64) if np.isfinite(head).all() else np.eye(3),
        eyes=angles,
    )
    return renderer.picture(Performer(rig, FINISHED_TAKE).perform(expression))
