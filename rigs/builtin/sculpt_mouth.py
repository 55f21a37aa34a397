"""A mouth as a slit in the skin: its loops, and what every vertex of the skin knows of it."""

from collections.abc import Callable, Sequence

import numpy as np

from .sculpt_features import confocal
from .sculpt_fields import Array
from .sculpt_pieces import Piece, marked, mirrored
from .sculpt_skin import Opening


def mouth_loops(
    rings: Sequence[Array],
    anchors: Sequence[Array],
    distances: Sequence[Array],
    turn: Array,
    inside: Sequence[float],
    materials: Sequence[str],
) -> Opening:
    """Half of a mouth, for `mirrored`.

    Args:
        rings: R of (N, 3), from the face to deep in the mouth.
        anchors: R of (N, 3), the points of the face whose motion the vertices share.
        distances: R of (N,), confocal distances from the slit.
        turn: (N,) confocal directions.
        inside: R numbers, 0 on the face to 1 deep in the mouth.
        materials: R - 1, one for each band.

    Returns:
        Loops with the attributes mouth, mouth_turn, inside and anchor.
    """
    stacked = np.stack(rings)
    stacked[:, [0, -1], 0] = 0.0
    return Opening(
        rings=stacked,
        materials=materials,
        closed=False,
        capped=True,
        attributes={
            "mouth": np.stack(distances),
            "mouth_turn": np.ones((len(stacked), 1)) * turn,
            "inside": np.array(inside)[:, None] * np.ones(len(turn)),
            "anchor": np.stack(anchors),
        },
    )


def with_mouth(half: Piece, flat: Callable[[Array], tuple[Array, Array]], focus: float) -> Piece:
    """Both sides of a skin whose every vertex knows where it lies about the mouth.

    Args:
        half: the left side, with the attributes of `mouth_loops` on the loops.
        flat: of points (n, 3), x and the height over the line between the lips.
        focus: half the width of the slit, in the units of `flat`.
    """
    mouth = np.asarray(half.attributes["mouth"]).copy()
    turn = np.asarray(half.attributes["mouth_turn"]).copy()
    anchor = np.asarray(half.attributes["anchor"]).copy()
    plain = np.linalg.norm(anchor, axis=1) == 0
    mouth[plain], turn[plain] = confocal(*flat(half.vertices[plain]), focus)
    anchor[plain] = half.vertices[plain]
    return mirrored(marked(half, mouth=mouth, mouth_turn=turn, anchor=anchor, skin=1.0))
