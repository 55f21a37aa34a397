"""Endless rigs that nobody has made: random people with control sets that were mixed anew.

A person (ICT, MakeHuman or VALID; only those of one split) does the ARKit shapes in a style of its
own. Its controls are mixes of these shapes, or VALID's own expressions; that and nothing else is
what an animator gets to see. What it should answer is known: the weights with which these controls
come closest, over the whole face, to what the person's own ARKit shapes would show.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from freeavatar.animator.anchor_table import ANCHOR_INDEX, ANCHORS
from freeavatar.animator.columns import columns_of
from freeavatar.animator.descriptors import Descriptors, FoundationView, descriptors_of
from freeavatar.animator.features import features
from freeavatar.animator.proportions import feature_sizes
from freeavatar.animator.training.ideal_controls import IdealControls
from freeavatar.animator.training.training_rig import TrainingRig, mirrored_columns, nameless
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.rigs.spec import Anchors, Control, IntArray, Mesh, Rig

from .control_mixes import ControlMix, own_mixes, random_mixes
from .head_anchors import as_rig, places
from .heads import Motion, Person
from .people import People
from .styles import random_style

KINDS = {"ict": 0.45, "makehuman": 0.35, "valid": 0.2}
"""Shares of the people."""
OWN = 0.5
"""Share of VALID's people who keep that head's own expressions as controls."""
FACELESS = 0.12
"""Share of the drawn rigs that are shown without face points, as a robot or an animal."""
MISPLACED = 0.5
"""Share of rigs whose face points lie a little beside where they should, as on real rigs."""
ASTRAY = 0.03
"""How far such points are off at most, in heights of the face."""
PER_SHAPE = 16
"""Points of the face taken for each ARKit shape, among those that it moves most."""
BLUR = 0.06
"""Width, in heights of the face, over which a half of a cut control fades."""
TONES = 3
"""Steps of each colour of a drawn rig's parts; textures keep theirs."""
BY_POINTS = 0.5
"""Part that the face points' weighted features have in what counts as close; the rest is plain
distance all over the face."""


@dataclass(frozen=True, kw_only=True)
class ProceduralRig:
    """A made-up rig."""

    number: int
    descriptors: Descriptors
    points: Rig
    """Nothing but the corners of its face points."""
    ideal: IdealControls

    @cached_property
    def training(self) -> TrainingRig:
        """As the animator's training takes it."""
        columns = columns_of(self.descriptors)
        points = self.points if self.descriptors.anchored else replace(self.points, anchors=None)
        return TrainingRig(
            columns=columns,
            solved=nameless(points, columns),
            ideal=self.ideal,
            mirrored=mirrored_columns(self.descriptors, columns),
        )


class ProceduralRigs:
    """Makes any rig by its number; the same number gives the same rig.

    Args:
        people: of one split; no one of another split lends a face.
        seed: of the whole sequence.
        view: the foundation's eyes, which look at drawings of the rigs; None draws none.
        drawn: share of the rigs that is drawn where there are eyes.
    """

    def __init__(
        self,
        people: People,
        *,
        seed: int = 0,
        view: FoundationView | None = None,
        drawn: float = 0.3,
    ) -> None:
        self._people, self._seed = people, seed
        self._view, self._drawn = view, drawn

    def rig(self, number: int) -> TrainingRig:
        """As the animator's training takes it."""
        return self.whole(number).training

    def whole(self, number: int) -> ProceduralRig:
        """The rig with a number.

        Raises:
            RenderError: it is to be drawn and no OpenGL is to be had.
        """
        make = np.random.default_rng([self._seed, 5, number])
        kinds = [kind for kind in KINDS if self._people.names[kind]]
        shares = np.array([KINDS[kind] for kind in kinds])
        names = self._people.names[str(make.choice(kinds, p=shares / shares.sum()))]
        person = self._people.person(names[make.integers(len(names))])
        drawn = self._view is not None and bool(make.random() < self._drawn)
        faceless = bool(make.random() < FACELESS) and drawn
        made = _MadeUp(person, make)
        points = made.point_rig(make)
        descriptors = descriptors_of(points)
        if drawn and self._view is not None:
            descriptors = replace(descriptors, picture=made.looks(self._view), drawn=True)
        if faceless:
            descriptors = replace(
                descriptors,
                motion=np.zeros_like(descriptors.motion),
                found=np.zeros_like(descriptors.found),
            )
        return ProceduralRig(
            number=number, descriptors=descriptors, points=points, ideal=made.ideal()
        )


class _MadeUp:
    """A person, how it does the ARKit shapes, and its controls."""

    def __init__(self, person: Person, make: Generator) -> None:
        if person.head.anchors is None:
            raise ValueError(f"{person.name} has no face points")
        self._person, self._anchors = person, person.head.anchors
        own = person.motion.dense(len(person.vertices))
        shares = np.stack([person.controls_of(row) for row in np.eye(52, dtype=np.float32)])
        shapes = np.tensordot(shares.astype(np.float32), own, axes=1)
        shapes *= np.asarray(person.known, np.float32)[:, None, None]
        style = random_style(make)
        self._wanted = np.tensordot(style, shapes, axes=1)
        """(52, V, 3) what the person does to show each ARKit shape."""
        keeps = len(own) != len(BLENDSHAPES) and make.random() < OWN
        # Teeth that were lent to VALID's people are no controls of theirs.
        own = own[np.abs(own[:, person.head.skin]).max(axis=(1, 2), initial=0.0) > 0]
        self._mixes = own_mixes(len(own), make) if keeps else random_mixes(make)
        self._controls = self._moved(own if keeps else self._wanted)

    def ideal(self) -> IdealControls:
        """How to reach the ARKit shapes with the controls."""
        lowest = np.array([mix.lowest for mix in self._mixes], np.float32)
        back = np.flatnonzero(lowest < 0)
        controls = np.concatenate([self._controls, -self._controls[back]])
        rows = self._rows()
        scale = self._scales(rows)
        return IdealControls(
            self._features(controls, rows, scale),
            self._features(self._wanted, rows, scale),
            np.concatenate([np.ones(len(lowest), np.float32), -lowest[back]]),
        )

    def point_rig(self, make: Generator) -> Rig:
        """The corners of the face points, as a rig with nameless controls."""
        anchors = self._anchors
        if make.random() < MISPLACED:
            anchors = self._misplaced(anchors, make)
        corners, where = np.unique(anchors.vertices, return_inverse=True)
        return Rig(
            name=self._person.name,
            controls=self._control_list(),
            mesh=Mesh(
                vertices=self._person.vertices[corners],
                triangles=np.zeros((0, 3), np.int32),
                deltas=np.ascontiguousarray(self._controls[:, corners]),
                parts=(),
            ),
            anchors=replace(
                anchors, vertices=where.reshape(anchors.vertices.shape).astype(np.int32)
            ),
        )

    def looks(self, view: FoundationView) -> FloatArray:
        """(K, P) what drawings of the controls look like."""
        from freeavatar.animator.control_pictures import picture_changes

        # Drawn piece by piece of one colour: few colours, few pieces.
        colours = np.round(self._person.colours * TONES) / TONES
        motion = Motion.of(list(self._controls))
        person = replace(self._person, motion=motion, colours=colours.astype(np.float32))
        rig = replace(as_rig(person), controls=self._control_list(), anchors=self._anchors)
        return picture_changes(rig, view)

    def _control_list(self) -> tuple[Control, ...]:
        return tuple(
            Control(name=f"c{k:03d}", minimum=mix.lowest) for k, mix in enumerate(self._mixes)
        )

    @cached_property
    def _at(self) -> FloatArray:
        return places(self._anchors, self._person.vertices)

    @cached_property
    def _height(self) -> float:
        return float(np.ptp(self._at[:, 1]))

    def _moved(self, basis: FloatArray) -> FloatArray:
        """(K, V, 3) displacements of the controls."""
        shares = np.stack([mix.shares for mix in self._mixes])
        moved = np.tensordot(shares, basis, axes=1)
        for k, mix in enumerate(self._mixes):
            if mix.side or mix.half:
                moved[k] *= self._part(mix)[:, None]
        return np.asarray(moved, np.float32)

    def _part(self, mix: ControlMix) -> FloatArray:
        """(V,) 0..1 where a cut control acts."""
        x, y = self._person.vertices[:, 0], self._person.vertices[:, 1]
        lips = [ANCHOR_INDEX[f"{which}_lip_line"] for which in ("upper", "lower")]
        part = np.ones(len(x), np.float32)
        for side, along in ((mix.side, x), (mix.half, y)):
            middle = float(self._at[lips, 0 if side is mix.side else 1].mean())
            if side:
                sign = 1.0 if side in ("left", "upper") else -1.0
                share = 0.5 + sign * (along - middle) / (BLUR * self._height)
                part *= np.clip(share, 0.0, 1.0)
        return part

    def _rows(self) -> IntArray:
        """Vertices that are compared: spread over what each ARKit shape moves."""
        make = np.random.default_rng(0)
        reach = np.linalg.norm(self._wanted, axis=2)
        chosen = []
        for row in reach:
            moved = np.flatnonzero(row > 0.4 * row.max(initial=0.0))
            if row.max(initial=0.0) > 0:
                chosen.append(make.choice(moved, min(PER_SHAPE, len(moved)), replace=False))
        return np.unique(np.concatenate(chosen)).astype(np.int32)

    def _features(
        self, motion: FloatArray, rows: IntArray, scale: tuple[float, float]
    ) -> NDArray[np.float64]:
        """(N, F) by what motions (N, V, 3) are compared."""
        near, far = self._both(motion, rows)
        return np.concatenate([near * scale[0], far * scale[1]], axis=1)

    def _scales(self, rows: IntArray) -> tuple[float, float]:
        """Factors that give both kinds of features their part."""
        energies = [float((part**2).sum(axis=1).mean()) for part in self._both(self._wanted, rows)]
        near, far = (np.sqrt(share / max(energy, 1e-12)) for share, energy in
                     zip((BY_POINTS, 1.0 - BY_POINTS), energies, strict=True))  # fmt: skip
        return float(near), float(far)

    def _both(
        self, motion: FloatArray, rows: IntArray
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        anchors = self._anchors
        sizes = feature_sizes(self._at.astype(np.float64))
        at = np.einsum("ac,nacx->nax", anchors.barycentric, motion[:, anchors.vertices])
        near = features(at.astype(np.float64) / sizes, anchors.found)
        return near, motion[:, rows].reshape(len(motion), -1).astype(np.float64)

    def _misplaced(self, anchors: Anchors, make: Generator) -> Anchors:
        """Face points beside their places; those of lids and lips, which margins hold, stay."""
        skin = np.flatnonzero(self._person.head.skin)
        at = self._person.vertices[skin]
        corners, weights = anchors.vertices.copy(), anchors.barycentric.copy()
        for i, anchor in enumerate(ANCHORS):
            if anchor.region in ("lids", "lips", "corners"):
                continue
            apart = np.linalg.norm(at - self._at[i], axis=1)
            near = skin[apart < ASTRAY * self._height * make.random()]
            if len(near):
                corners[i], weights[i] = make.choice(near), (1.0, 0.0, 0.0)
        return replace(anchors, vertices=corners, barycentric=weights)
