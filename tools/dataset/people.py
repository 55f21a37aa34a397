"""The people that are drawn, by name: textured, random and built-in ones."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from freeavatar.animator.anchors import LandmarksOf
from freeavatar.animator.solver import ExpressionSolver
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.rigs.registry import load
from freeavatar.rigs.spec import Anchors

from .accessories import bald, hair
from .built_in_heads import built_in_person, varied
from .head_anchors import anchors_for, filled, pitch_between, places
from .head_readers import Shapes, middles, read_ict, read_makehuman
from .heads import Motion, Person
from .makehuman_people import random_targets
from .skin import mixed, tint, with_skin_of
from .splits import split_of
from .teeth import Teeth
from .unnamed_controls import known_shapes, rig_of_points, solved
from .valid_reader import ValidPeople, read_valid

ALL = np.ones(len(BLENDSHAPES), bool)
NUMBERS = {"ict": 2000, "makehuman": 2000, "mannequin": 200, "toon": 400}
"""How many people of each made-up kind there are."""
KINDS = {"valid": 0.3, "ict": 0.28, "makehuman": 0.24, "toon": 0.1, "mannequin": 0.08}
"""Shares of the pictures."""
PITCHES = {"mannequin": -0.12, "toon": -0.09, "valid": -0.1}
"""Radians by which heads must be pitched: what MediaPipe sees of them, less what it sees of the ICT
face. For the people of VALID this is averaged with what the shape of each face says."""
WHOLE = 0
"""Number of somebody in VALID on whom every face point is found."""
MOUTH_OPEN = 26
"""Number of the expression of VALID that opens the mouth."""


class People:
    """Everybody of one split.

    Args:
        synth: folder with ``ict_face.npz``, ``makehuman_head.npz``, ``valid_heads.npz`` and
            ``valid_textures``.
        cache: where face points are kept.
        split: train, validation or test.
        landmarks_of: gives the landmark detector that finds face points which are not there yet.

    Raises:
        ValueError: the data is not complete, or face points are missing and cannot be found.
    """

    def __init__(
        self, synth: Path, cache: Path, split: str, landmarks_of: Callable[[], LandmarksOf | None]
    ) -> None:
        self._cache, self._landmarks_of = cache, landmarks_of
        self._valid = read_valid(synth / "valid_heads.npz", synth / "valid_textures")
        self._valid_anchors: dict[int, Anchors] = {}
        self._ict = self._anchored(read_ict(synth / "ict_face.npz"))
        self._makehuman = self._anchored(read_makehuman(synth / "makehuman_head.npz"))
        self._teeth = Teeth(self._ict)
        self._level = places(_anchors(self._ict), self._ict.neutral)
        self._pitches = {
            "makehuman": pitch_between(
                places(_anchors(self._makehuman), grown_up(self._makehuman)), self._level
            ),
            "valid": PITCHES["valid"],
        }
        self._valid_head = self._teeth.head_with(self._valid.head)
        self._ict = self._dressed(self._ict)
        self._makehuman = self._dressed(self._makehuman)
        toon = load("toon")
        shown = known_shapes(toon, ExpressionSolver(toon))
        self._built_in = {
            "mannequin": built_in_person("mannequin", ALL),
            "toon": built_in_person("toon", shown),
        }
        self.names = {
            kind: [n for n in self._everybody(kind) if split_of(n) == split] for kind in KINDS
        }
        own = [self._valid.names.index(n.partition("/")[2]) for n in self.names["valid"]]
        self.textures = [self._valid.textures[i] for i in own]
        if not own:
            raise ValueError(f"no textured person belongs to the split {split}")
        self.person = lru_cache(maxsize=8)(self._whole_person)

    def choose(self, make: np.random.Generator) -> Person:
        """Somebody at random."""
        kinds = [k for k in KINDS if self.names[k]]
        shares = np.array([KINDS[k] for k in kinds])
        kind = str(make.choice(kinds, p=shares / shares.sum()))
        return self.person(self.names[kind][make.integers(len(self.names[kind]))])

    def _whole_person(self, name: str) -> Person:
        """With hair, and with what it takes to hold the head level."""
        person = self._person(name)
        kind = name.partition("/")[0]
        if kind in NUMBERS and kind in PITCHES:
            return replace(person, pitch=PITCHES[kind])
        anchors = person.head.anchors
        if anchors is None:
            raise ValueError(f"{name} has no face points")
        own = pitch_between(places(anchors, person.vertices), self._level)
        # A single face's features say as much of their shape as of how they lie.
        person = replace(person, pitch=0.5 * (own + self._pitches.get(kind, 0.0)))
        return with_hair(person, np.random.default_rng([1, *name.encode()]))

    def _everybody(self, kind: str) -> list[str]:
        if kind == "valid":
            return [f"valid/{name}" for name in self._valid.names]
        return [f"{kind}/{i:04d}" for i in range(NUMBERS[kind])]

    def _person(self, name: str) -> Person:
        kind, _, rest = name.partition("/")
        if kind == "valid":
            return self._textured(name, self._valid.names.index(rest))
        make = np.random.default_rng([int(rest), sum(kind.encode())])
        if kind == "ict":
            weights = make.normal(0, 0.75, len(self._ict.identities)).astype(np.float32)
            return self._made_up(name, self._ict, weights, make)
        if kind == "makehuman":
            weights = random_targets(self._makehuman.identity_names, make)
            return self._made_up(name, self._makehuman, weights, make)
        built_in = self._built_in[kind]
        return replace(varied(built_in, make) if int(rest) else built_in, name=name)

    def _made_up(
        self, name: str, shapes: Shapes, weights: FloatArray, make: np.random.Generator
    ) -> Person:
        used = np.flatnonzero(weights)
        moved = weights[used] @ shapes.identities[used]
        vertices = shapes.neutral + moved.reshape(-1, 3).astype(np.float32)
        colours = shapes.colours.copy()
        colours[shapes.head.skin] *= tint(make)
        return Person(
            name=name,
            head=shapes.head,
            vertices=vertices,
            motion=shapes.motion,
            controls_of=lambda blendshapes: blendshapes,
            pivots=middles(shapes.head, vertices),
            colours=colours,
            texture=mixed(self.textures, make),
            known=ALL,
        )

    def _textured(self, name: str, number: int) -> Person:
        valid = self._valid
        anchors = self._anchors_of_valid(number)
        motion = valid.motion(number)
        rig = rig_of_points(name, valid.neutrals[number], motion, anchors)
        solver = ExpressionSolver(rig, use_names=False)
        known = known_shapes(rig, solver)
        drive = solved(solver, known)
        known[BLENDSHAPES.index("tongueOut")] = True
        vertices, motion = self._teeth.fitted(valid.neutrals[number], motion, anchors)
        colours = np.ones((len(vertices), 3), np.float32)
        colours[len(valid.neutrals[number]) :] = self._teeth.colours
        return Person(
            name=name,
            head=replace(self._valid_head, anchors=anchors),
            vertices=vertices,
            motion=motion,
            controls_of=lambda blendshapes: np.concatenate([drive(blendshapes), blendshapes]),
            pivots=valid.pivots[number],
            colours=colours,
            texture=valid.textures[number],
            known=known,
        )

    def _anchors_of_valid(self, number: int) -> Anchors:
        if number not in self._valid_anchors:
            person = _plain_valid(self._valid, number)
            found = anchors_for(
                person, f"valid-{self._valid.names[number]}", self._cache, self._landmarks_of()
            )
            # All have one mesh: what was not found on this face is where it is on the first.
            self._valid_anchors[number] = (
                filled(found, self._anchors_of_valid(WHOLE)) if number != WHOLE else found
            )
        return self._valid_anchors[number]

    def _anchored(self, shapes: Shapes) -> Shapes:
        """With face points, found on a grown-up's face."""
        vertices = grown_up(shapes)
        person = Person(
            name=shapes.head.name,
            head=shapes.head,
            vertices=vertices,
            motion=shapes.motion,
            controls_of=lambda blendshapes: blendshapes,
            pivots=middles(shapes.head, vertices),
            colours=shapes.colours,
            texture=np.full((8, 8, 3), 255, np.uint8),
            known=ALL,
        )
        anchors = anchors_for(person, shapes.head.name, self._cache, self._landmarks_of())
        return replace(shapes, head=replace(shapes.head, anchors=anchors))

    def _dressed(self, shapes: Shapes) -> Shapes:
        """With coordinates in the textures of the textured people."""
        anchors = self._anchors_of_valid(WHOLE)
        opened = np.zeros(len(BLENDSHAPES), np.float32)
        opened[BLENDSHAPES.index("jawOpen")] = 0.4
        neutral = grown_up(shapes)
        mean = self._valid.neutrals.mean(axis=0)
        motion: Motion = self._valid.motion(WHOLE)
        yawning = np.zeros(len(motion.starts) - 1, np.float32)
        yawning[MOUTH_OPEN] = 0.4
        head = with_skin_of(
            shapes.head,
            shapes.motion.apply(neutral, opened),
            self._valid.head,
            motion.apply(mean, yawning),
            anchors,
        )
        return replace(shapes, head=head)


def grown_up(shapes: Shapes) -> FloatArray:
    """(V, 3) of the average grown-up: MakeHuman's bare mesh is nobody."""
    if not shapes.identity_names:
        return shapes.neutral
    weights = random_targets(shapes.identity_names, None)
    return (shapes.neutral + (weights @ shapes.identities).reshape(-1, 3)).astype(np.float32)


def with_hair(person: Person, make: np.random.Generator) -> Person:
    """Most people who have none on their texture get hair; of the others, some."""
    share = 0.85 if bald(person) else 0.45
    if person.name.startswith("valid/") and share < 0.5:
        return person
    return replace(person, pieces=tuple(hair(person, make))) if make.random() < share else person


def _anchors(shapes: Shapes) -> Anchors:
    if shapes.head.anchors is None:
        raise ValueError(f"{shapes.head.name} has no face points")
    return shapes.head.anchors


def _plain_valid(valid: ValidPeople, number: int) -> Person:
    return Person(
        name=valid.names[number],
        head=valid.head,
        vertices=valid.neutrals[number],
        motion=valid.motion(number),
        controls_of=lambda blendshapes: blendshapes,
        pivots=valid.pivots[number],
        colours=np.ones((valid.neutrals.shape[1], 3), np.float32),
        texture=valid.textures[number],
        known=ALL,
    )
