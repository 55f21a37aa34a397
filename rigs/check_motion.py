"""What a rig's controls do to its mesh, measured."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .conventions.names import keys, separate_sides
from .spec import FloatArray, Mesh, Rig

STILL = 5e-4
"""Part of the head's height below which a motion cannot be seen: 0.1 mm on a human head."""
SAME = 0.02
"""Relative difference of two displacement fields below which they count as one."""
UNEVEN = 1.5
"""Ratio of the sizes of a left and a right motion worth a remark; scans differ by less."""
ASIDE = 0.05
"""Part of the head's width by which a motion must be off the middle to have a side."""

_RESTING = frozenset({"neutral", "sil", "visemesil", "basis", "natural", "ん"})


def is_resting(name: str) -> bool:
    """Whether a name means the face at rest (neutral, silence), which need not move anything."""
    stem = keys(name)[0].partition("|")[0]
    return stem in _RESTING or stem.endswith("neutral")


@dataclass(frozen=True)
class Motion:
    """Measurements of the displacement fields of a rig with a mesh."""

    rig: Rig

    @property
    def mesh(self) -> Mesh:
        """The rig's mesh.

        Raises:
            ValueError: it has none.
        """
        if self.rig.mesh is None:
            raise ValueError(f"rig {self.rig.name} has no mesh to measure")
        return self.rig.mesh

    @cached_property
    def _head(self) -> FloatArray:
        """(N, 3) vertices that the head carries, or all."""
        joint = self.mesh.joint("head")
        if joint is None or not (joint.weights > 0.5).any():
            return self.mesh.vertices
        return np.asarray(self.mesh.vertices[joint.weights > 0.5])

    @cached_property
    def head_height(self) -> float:
        """Metres from the lowest to the highest vertex of the head."""
        return float(np.ptp(self._head[:, 1])) if len(self._head) else 0.0

    @cached_property
    def still(self) -> tuple[int, ...]:
        """Controls that move nothing one could see."""
        return tuple(np.flatnonzero(self.mesh.motion < STILL * self.head_height).tolist())

    @cached_property
    def doubles(self) -> tuple[tuple[int, ...], ...]:
        """Groups of controls with the same displacement field."""
        moving = [k for k in range(len(self.rig.controls)) if k not in self.still]
        if not moving:
            return ()
        flat = self.mesh.deltas[moving].reshape(len(moving), -1)
        products = (flat @ flat.T).astype(np.float64)
        power = np.diag(products)
        apart = power[:, None] + power[None] - 2 * products
        same = apart < SAME**2 * np.maximum(power[:, None], power[None])
        groups = {tuple(np.flatnonzero(row).tolist()) for row in same if row.sum() > 1}
        return tuple(sorted(tuple(moving[i] for i in group) for group in groups))

    @cached_property
    def _by_key(self) -> dict[str, dict[str, int]]:
        """Controls by the rest of their name, then by the side it speaks of."""
        found: dict[str, dict[str, int]] = {}
        for k, name in enumerate(separate_sides(self.rig.names)):
            stem, _, side = keys(name)[0].partition("|")
            if side:
                found.setdefault(stem, {}).setdefault(side, k)
        return found

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) controls whose names mirror each other."""
        return tuple(
            (sides["left"], sides["right"]) for sides in self._by_key.values() if len(sides) == 2
        )

    @cached_property
    def one_sided(self) -> tuple[int, ...]:
        """Controls named for a side whose mirror image the rig lacks."""
        return tuple(
            k for sides in self._by_key.values() if len(sides) == 1 for k in sides.values()
        )

    @cached_property
    def uneven(self) -> tuple[tuple[int, int, float], ...]:
        """(left, right, ratio) of pairs whose sides move by very different amounts."""
        motion = self.mesh.motion
        out = []
        for left, right in self.pairs:
            if left in self.still or right in self.still:
                continue
            ratio = float(max(motion[left], motion[right]) / min(motion[left], motion[right]))
            if ratio > UNEVEN:
                out.append((left, right, ratio))
        return tuple(out)

    @cached_property
    def _aside(self) -> NDArray[np.float64]:
        """(K,) where each motion lies, + on the character's left, in widths of the head."""
        weights = np.linalg.norm(self.mesh.deltas, axis=2).astype(np.float64)
        across = self.mesh.vertices[:, 0].astype(np.float64)
        low, high = self._head[:, 0].min(), self._head[:, 0].max()
        total = np.maximum(weights.sum(axis=1), 1e-12)
        middle = (low + high) / 2
        return np.asarray(((weights @ across) / total - middle) / max(high - low, 1e-12))

    @cached_property
    def crossed(self) -> tuple[int, ...]:
        """Controls named for one side that move the other."""
        wanted = {"left": 1.0, "right": -1.0}
        return tuple(
            k
            for k, control in enumerate(self.rig.controls)
            if k not in self.still
            and control.side in wanted
            and self._aside[k] * wanted[control.side] < -ASIDE
        )
