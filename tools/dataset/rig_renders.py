"""Reference pictures of one rig: what the neural renderer learns from."""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freeavatar.renderer_net.samples import RigSample, pack
from freeavatar.rigs import registry
from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.camera import face_camera
from freeavatar.rigs.light import STUDIO, Light
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import Rig, RigFrame
from freeavatar.rigs.vrm_expressions import resolve_expressions

from .balance import Counts
from .rig_poses import RigPoses
from .shard_files import SampleKind
from .splits import SPLITS, Split

PER_SHARD = 500
"""Samples of a shard: half a minute of work that an interruption may cost."""
LENSES = tuple(float(np.radians(a)) for a in (14.0, 22.0, 34.0))
"""Fields of view."""
STRAIGHT = 0.3
"""Share of samples whose head looks straight ahead."""
IN_STUDIO = 0.35
"""Share of samples in the studio's own light."""
YAW, PITCH, ROLL = (float(np.radians(a)) for a in (35.0, 20.0, 10.0))
"""Farthest turns of the head, radians."""
SHOWN = 1e-3
"""Weight from which a control counts as set."""


class RigRenders:
    """Makes any sample of a rig by its number; the same number gives the same sample.

    Args:
        source: a rig's name or file.
        split: numbers of one split never show a combination of another (`RigPoses`).
        size: pixels a side.
        seed: of the whole source.
        curves: recorded ARKit takes whose expressions are shown too.

    Raises:
        RigError: there is no such rig.
        RenderError: it has no mesh, or there is no OpenGL.
        DataError: a recording cannot be used.
    """

    def __init__(
        self,
        source: str,
        split: Split,
        *,
        size: int = 128,
        seed: int = 0,
        curves: Sequence[Path] = (),
    ) -> None:
        self.rig: Rig = registry.load(source)
        self._source, self._split, self._seed = source, split, seed
        self._poses = RigPoses(self.rig, split, curves)
        self._span = np.array([c.maximum - c.neutral for c in self.rig.controls], np.float32)
        with contextlib.ExitStack() as stack:
            self._renderers = [
                stack.enter_context(_renderer(self.rig, size, lens)) for lens in LENSES
            ]
            self._open = stack.pop_all()

    def sample(self, number: int) -> RigSample:
        """The sample with a number."""
        make = np.random.default_rng((self._seed, SPLITS.index(self._split), number))
        weights, eyes = self._poses.draw(make)
        head = np.zeros(3, np.float32)
        if make.random() >= STRAIGHT:
            head[:] = make.uniform(-1, 1, 3) * (YAW, PITCH, ROLL)
        light = _light(make)
        lens = int(make.integers(len(LENSES)))
        values = self.rig.neutral + self._span * weights
        frame = RigFrame(index=number, time=0.0, values=values, head=head, eyes=eyes)
        picture, mask = self._renderers[lens].drawn(frame, light)
        return RigSample(
            picture=picture,
            mask=mask,
            # A VRM's binary and override flags decide what is shown of what was set.
            weights=unit_weights(self.rig, resolve_expressions(self.rig, values)),
            head=head,
            eyes=eyes,
            light=light.vector,
            field_of_view=LENSES[lens],
            rig=self.rig.name,
            source=self._source,
            source_sha256=self.rig.source_sha256,
            controls=self.rig.names,
        )

    def close(self) -> None:
        """Free the graphics memory."""
        self._open.close()


class RenderCounts(Counts):
    """How often the head is turned, the light another, and how many controls are set."""

    def add(self, sample: RigSample) -> None:
        """Count one sample."""
        self.samples += 1
        self._count("rig", sample.rig)
        self._count("head", "turned" if sample.head.any() else "straight")
        studio = np.array_equal(sample.light, STUDIO.vector)
        self._count("light", "studio" if studio else "other")
        moved = int((np.abs(sample.weights) > SHOWN).sum())
        self._count("set", "9 or more" if moved > 8 else "3 to 8" if moved > 2 else str(moved))

    def lines(self) -> list[str]:
        """For a person: one line a property, in per cent."""
        rigs = ", ".join(self.counts.get("rig", ()))
        return [f"{self.samples} pictures of {rigs}", *self._shares(("head", "light", "set"))]


def state_of(rig: Rig) -> str:
    """16 hexadecimal digits that change with whatever a rig's pictures and weights mean."""
    told = hashlib.sha256(rig.source_sha256.encode())
    for control in rig.controls:
        limits = (control.minimum, control.neutral, control.maximum)
        told.update(repr((control.name, *map(float, limits))).encode())
    if rig.mesh is not None:
        told.update(rig.mesh.vertices.tobytes())
        told.update(rig.mesh.deltas.tobytes())
    return told.hexdigest()[:16]


def _check(sample: Any, split: Split) -> None:
    """A rig is nobody's face: `RigPoses` keeps the splits apart."""


PICTURES = SampleKind[RigSample](pack=pack, counts=RenderCounts, check=_check)
"""Reference pictures of rigs in shards."""


def _renderer(rig: Rig, size: int, lens: float) -> Renderer:
    square = (size, size)
    return Renderer(rig, size=square, camera=face_camera(rig, square, field_of_view=lens))


def _light(make: np.random.Generator) -> Light:
    if make.random() < IN_STUDIO:
        return STUDIO
    warm = float(make.normal(0, 0.15))
    return Light(
        yaw=float(make.uniform(-1.6, 1.6)),
        pitch=float(make.uniform(-0.5, 0.7)),
        strength=float(make.uniform(0.3, 1.3)),
        ambient=float(make.uniform(0.4, 1.8)),
        tint=(1.0 + max(warm, 0), 1.0, 1.0 - min(max(warm, -0.5), 0.5)),
    )
