"""Teeth, gums and tongue of one head set into the mouth of another that has none."""

from dataclasses import replace

import numpy as np

from freeavatar.animator.anchor_table import ANCHOR_INDEX
from freeavatar.foundation.expression import FloatArray
from freeavatar.rigs.spec import Anchors

from .drawing import GLOSSY, IntArray
from .head_anchors import places
from .head_readers import Shapes
from .heads import Head, Motion

CORNERS = (ANCHOR_INDEX["mouth_corner_right"], ANCHOR_INDEX["mouth_corner_left"])
LIPS = (ANCHOR_INDEX["upper_lip_line"], ANCHOR_INDEX["lower_lip_line"])
BEHIND = np.array([0.0, 0.0, -0.0015], np.float32)
"""Metres; lips are not everywhere as thin as those the teeth come from."""


class Teeth:
    """What is set in.

    Args:
        shapes: a head with face points whose teeth, gums and tongue are used.
    """

    def __init__(self, shapes: Shapes) -> None:
        head = shapes.head
        if head.anchors is None:
            raise ValueError(f"{head.name} has no face points")
        glossy = head.triangles[(head.kinds & 15) == GLOSSY]
        rows = np.unique(glossy)
        number = np.full(len(shapes.neutral), -1, np.int32)
        number[rows] = np.arange(len(rows))
        self.triangles: IntArray = number[glossy]
        self._points = places(head.anchors, shapes.neutral)
        self.vertices: FloatArray = shapes.neutral[rows]
        self.colours: FloatArray = shapes.colours[rows]
        self._motion = Motion.of(list(shapes.motion.dense(len(shapes.neutral))[:, rows]))

    def head_with(self, head: Head) -> Head:
        """The mesh of a head and the teeth, whose vertices come last."""
        count, more = len(head.coordinates), len(self.vertices)
        plain = np.zeros((more, 3), np.float32)
        plain[:, 2] = -1.0
        return replace(
            head,
            triangles=np.concatenate([head.triangles, self.triangles + count]),
            kinds=np.concatenate([head.kinds, np.full(len(self.triangles), GLOSSY, np.uint8)]),
            coordinates=np.concatenate([head.coordinates, plain]),
            inside=np.concatenate([head.inside, np.ones(more, bool)]),
            skin=np.concatenate([head.skin, np.zeros(more, bool)]),
        )

    def fitted(
        self, vertices: FloatArray, motion: Motion, anchors: Anchors
    ) -> tuple[FloatArray, Motion]:
        """Vertices and motion of somebody with the teeth; the motion's last 52 controls are theirs.

        Args:
            vertices: (V, 3) of the head without teeth.
            motion: of it.
            anchors: of it.
        """
        points = places(anchors, vertices)
        width = np.linalg.norm(np.subtract(*points[list(CORNERS)]))
        scale = np.float32(width / np.linalg.norm(np.subtract(*self._points[list(CORNERS)])))
        lips = self._points[list(LIPS)].mean(axis=0)
        there = points[list(LIPS)].mean(axis=0) + BEHIND
        placed = (self.vertices - lips) * scale + there
        moved = Motion(
            starts=np.concatenate([motion.starts, motion.starts[-1] + self._motion.starts[1:]]),
            rows=np.concatenate([motion.rows, self._motion.rows + np.int32(len(vertices))]),
            offsets=np.concatenate([motion.offsets, self._motion.offsets * scale]),
        )
        return np.concatenate([vertices, placed]).astype(np.float32), moved
