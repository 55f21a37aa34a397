"""Displacement fields over the meaning of a character's vertices: what its controls are made of."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from .sculpt_features import Eye, turned_lids
from .sculpt_fields import Array, Field, near, slide, smoothstep, vector
from .sculpt_pieces import Assembly


@dataclass(frozen=True, kw_only=True)
class Motion:
    """A character's vertices as its controls see them."""

    assembly: Assembly
    field: Field
    """Head surface that sliding skin stays on."""
    eye: Eye
    hinge: Array
    """(3,) jaw joint."""

    def attribute(self, name: str) -> Array:
        """Per-vertex number from the assembly."""
        return self.assembly.get(name)

    @property
    def at(self) -> Array:
        """(V, 3) the point of the face whose motion each vertex shares."""
        anchor = self.attribute("anchor")
        return np.where((self.attribute("skin") > 0)[:, None], anchor, self.assembly.vertices)

    @property
    def above(self) -> Array:
        """(V,) 1 over the middle of the mouth, -1 under it, 0 beyond its corners."""
        return np.asarray(np.sin(self.attribute("mouth_turn")))

    @property
    def folded(self) -> Array:
        """(V, 3) `at` with both sides laid on the left."""
        return np.column_stack([np.abs(self.at[:, 0]), self.at[:, 1:]])

    @property
    def side(self) -> Array:
        """(V,) 1 on the left, -1 on the right, eased across the middle."""
        return np.asarray(np.tanh(self.at[:, 0] / 0.004))

    @property
    def off_lids(self) -> Array:
        """(V,) 1 on skin away from the lids' edges."""
        return 1.0 - smoothstep(self.attribute("lid"), 0.0, 0.7)

    def brow(self, centre: tuple[float, float], size: tuple[float, float]) -> Array:
        """(V,) forehead and brow around a point, millimetres, away from the lids."""
        far = (self.at[:, :2] * 1000.0 - centre) / size
        front = smoothstep(self.at[:, 2], 0.012, 0.045) * self.attribute("skin")
        return np.asarray(np.exp(-np.sum(far**2, axis=1)) * front * self.off_lids)

    def around_mouth(self, width: float) -> Array:
        """(V,) 1 on the lips, falling off over `width` in confocal distance; skin only."""
        deep = 1.0 - 0.92 * self.attribute("inside")
        return near(self.attribute("mouth"), width) * deep * self.attribute("skin")

    def of_left(self, low: float = -12.0, high: float = 26.0) -> Array:
        """(V,) 0 on the right of x = low, 1 on the left of x = high (millimetres)."""
        return smoothstep(self.at[:, 0], low / 1000.0, high / 1000.0)

    def slid(self, displacement: Array, share: float = 1.0) -> Array:
        """Displacement corrected so that skin stays on the head.

        Args:
            displacement: (V, 3).
            share: how much of the correction to apply.
        """
        out = displacement.copy()
        use = (np.linalg.norm(displacement, axis=1) > 1e-6) & (self.attribute("skin") > 0)
        start, wish = self.at[use], displacement[use]
        # Projecting shortens motion on slopes: go on until the skin has moved as far as asked.
        once = slide(self.field, start, start + wish) - start
        length = np.linalg.norm(wish, axis=1) / np.maximum(np.linalg.norm(once, axis=1), 1e-9)
        moved = start + wish * np.minimum(length, 2.5)[:, None]
        out[use] += share * (slide(self.field, start, moved) - start - wish)
        return out

    def jaw(self, angle: float, weight: Array) -> Array:
        """Lower face turned about the hinge; `angle` in degrees opens the mouth."""
        turn = Rotation.from_rotvec([np.radians(angle), 0.0, 0.0]).as_matrix()
        local = self.assembly.vertices - self.hinge
        return np.asarray((local @ turn.T - local) * weight[:, None])

    def shut(self, amount: float = 1.0, upper: float = 1.0, lower: float = 1.0) -> Array:
        """Left lids turned toward where they meet; 1 closes them, negative amounts open wider."""
        moving = (self.attribute("lid") > 0) & (self.assembly.vertices[:, 0] > 0)
        travel = self.attribute("lid_shut") - self.attribute("lid_open")
        is_upper = smoothstep(np.sin(self.attribute("lid_turn")), -0.05, 0.05)
        share = is_upper * upper + (1.0 - is_upper) * lower
        # Closed lids overlap by a hair, the upper one in front, so that no white shows between.
        angle = amount * share * (travel - 0.035 * is_upper)
        out = np.zeros_like(self.assembly.vertices)
        out[moving] = turned_lids(
            self.eye,
            self.assembly.vertices[moving],
            angle[moving],
            self.attribute("lid")[moving],
            1.0 + 0.045 * max(amount, 0.0) * is_upper[moving],
        )
        return out

    def both(self, left: Array) -> Array:
        """A left motion and its mirror image together."""
        return np.asarray(left + self.assembly.mirrored(left))


def push(x: float, y: float, z: float, weight: Array) -> Array:
    """(V, 3) one direction in millimetres times (V,) weights."""
    return np.asarray(weight[:, None] * vector(x, y, z))
