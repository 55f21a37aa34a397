"""One head in one picture: where it is seen from, what it wears, its light and its background."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.crops import STORED_SIZE, Crop
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.landmarks import places
from freeavatar.rigs.rotation import matrix_from_angles

from .accessories import body, glasses, hand
from .drawing import EYE, MATT, SKIN, Iris, Surface, draw, to_bytes
from .environments import background
from .heads import Person
from .lighting import TURNS, Environment, random_light
from .pieces import Piece

FOCAL_LENGTH = 1000.0
"""Pixels of the frame that the crop is cut from; large, since crops are at least a pixel wide."""
FINER = 2
"""Drawn pixels per stored one, in each direction."""
BRIGHTNESS = 0.22
"""Linear light, 1 is white, near which the mean of a head is brought."""
CLOTHED, WITH_GLASSES, WITH_HAND = 0.9, 0.15, 0.08
"""Shares of the pictures."""
WITH_IRISES = 0.25
"""Share of the unpainted heads whose eyes are painted all the same."""
UPPER_LIP, LOWER_LIP = places(13, 14)
DARKENING = 70.0
"""Of the mouth's inside, per metre behind the lips."""
IRISES = np.array([[.06, .03, .015], [.03, .014, .008], [.09, .12, .17], [.13, .16, .12],
                   [.05, .05, .045], [.14, .08, .03]], np.float32)  # fmt: skip
"""Linear colours."""


@dataclass(frozen=True, kw_only=True)
class View:
    """Where a head is seen from."""

    rotation: NDArray[np.float64]
    """(3, 3) of the head, in camera space."""
    distance: float
    """Metres from the camera to the middle between the eyes."""


def random_view(make: np.random.Generator) -> View:
    """Mostly a face toward the camera, else anything up to 60° aside and 35° up or down."""
    if make.random() < 0.6:
        yaw, pitch = make.normal(0, 0.3), make.normal(0, 0.17)
    else:
        yaw, pitch = make.uniform(-1.05, 1.05), make.uniform(-0.61, 0.61)
    angles = np.array(
        [np.clip(yaw, -1.05, 1.05), np.clip(pitch, -0.61, 0.61), make.normal(0, 0.15)]
    )
    return View(
        rotation=matrix_from_angles(angles), distance=float(np.exp(make.uniform(-0.9, 0.9)))
    )


def projected(points: FloatArray, distance: float) -> tuple[FloatArray, FloatArray]:
    """Pixels of the frame, y down, and one over the depths."""
    inverse = (1.0 / np.maximum(distance - points[:, 2], 0.05)).astype(np.float32)
    flat = points[:, :2] * inverse[:, None] * np.array([FOCAL_LENGTH, -FOCAL_LENGTH])
    return flat.astype(np.float32), inverse


def surface_of(
    person: Person,
    posed: FloatArray,
    points: FloatArray,
    seen: tuple[FloatArray, NDArray[np.float64], float],
    crop: Crop,
    make: np.random.Generator,
    *,
    bare: bool = False,
    worn: Sequence[Piece] | None = None,
) -> Surface:
    """A posed head with what it wears, in camera space and in the pixels of the crop.

    Args:
        person: who.
        posed: (V, 3) vertices in the head's space.
        points: (156, 3) face points there.
        seen: the place (3,) that is in the middle of the view, the head's rotation (3, 3) and its
            distance, metres.
        crop: what the picture shows, of the size that `photographed` is asked for.
        make: chooses what is worn besides hair.
        bare: without anything on it, not even hair.
        worn: besides hair, in place of what would be chosen.
    """
    middle, rotation, distance = seen
    head = person.head
    chosen = _worn(person, make) if worn is None and not bare else worn or []
    pieces = [] if bare else [*person.pieces, *chosen]
    vertices = np.concatenate([posed, *(p.vertices for p in pieces)])
    turned = ((vertices - middle) @ rotation.T).astype(np.float32)
    flat, inverse = projected(turned, distance)
    starts = np.cumsum([len(posed), *(len(p.vertices) for p in pieces)])
    return Surface(
        vertices=turned,
        pixels=crop.from_frame(flat) * FINER,
        inverse_depth=inverse,
        triangles=np.concatenate(
            [head.triangles, *(p.triangles + s for p, s in zip(pieces, starts, strict=False))]
        ).astype(np.int32),
        kinds=np.concatenate([head.kinds, *(p.kinds for p in pieces)]),
        coordinates=np.concatenate([head.coordinates, *(p.coordinates for p in pieces)]),
        colours=np.concatenate(
            [_with_dark_mouth(person, posed, points, make), *(p.colours for p in pieces)]
        ),
        texture=person.texture,
    )


def unpainted(surface: Surface, make: np.random.Generator) -> Surface:
    """The surface in one colour all over, mostly without irises: a rig that nobody has painted,
    in the grey of modelling programs, in glTF's white or in clay."""
    colour = np.full(3, make.uniform(0.8, 1.0) if make.random() < 0.4 else make.uniform(0.15, 0.9))
    if make.random() < 0.3:
        colour *= np.exp(make.normal(0.0, 0.25, 3))
    eyes = (surface.kinds == EYE) & (make.random() < WITH_IRISES)
    plain = np.ones(len(surface.vertices), bool)
    plain[surface.triangles[eyes]] = False
    coordinates, colours = surface.coordinates.copy(), surface.colours.copy()
    coordinates[plain, 2] = -1.0
    colours[plain] = colour
    kind = SKIN if make.random() < 0.5 else MATT
    return replace(
        surface,
        kinds=np.where(eyes, surface.kinds, np.uint8(kind)),
        coordinates=coordinates,
        colours=colours,
    )


def photographed(
    surface: Surface,
    environment: Environment,
    make: np.random.Generator,
    *,
    brightness: float = BRIGHTNESS,
    size: int = STORED_SIZE,
) -> NDArray[np.uint8]:
    """(S, S, 3) RGB of a surface in random light, in front of a random part of an environment.

    Args:
        surface: posed and projected.
        environment: lights it and is behind it.
        make: chooses the light, the exposure and what is behind.
        brightness: linear light, 1 is white, near which the head's mean is brought.
        size: S, pixels.
    """
    turn = int(make.integers(TURNS))
    light = random_light(environment, turn, make)
    linear, kind = draw(surface, light, _random_iris(make), size * FINER)
    linear = _with_shaded_eyes(linear, kind)
    behind = background(environment, turn, size, make)
    sides = (size, size)
    shown = cv2.resize(linear, sides, interpolation=cv2.INTER_AREA)
    there = cv2.resize((kind > 0).astype(np.float32), sides, interpolation=cv2.INTER_AREA)
    cover = np.asarray(there, np.float32)[..., None]
    bare = np.asarray(shown / np.maximum(cover, 1e-3), np.float32)
    front = to_bytes(_exposed(bare, cover, brightness, make))
    return np.asarray(front * cover + behind * (1 - cover) + 0.5, np.uint8)


def _worn(person: Person, make: np.random.Generator) -> list[Piece]:
    """Clothes, glasses and hands; cartoon characters and the mannequin come as they are."""
    if person.cartoon:
        return []
    pieces = [body(person, make)] if make.random() < CLOTHED else []
    if make.random() < WITH_GLASSES:
        pieces.append(glasses(person, make))
    if make.random() < WITH_HAND:
        pieces.append(hand(person, make))
    return pieces


def _with_dark_mouth(
    person: Person, posed: FloatArray, points: FloatArray, make: np.random.Generator
) -> FloatArray:
    """Colours (V, 3), darker the deeper in the mouth."""
    colours = person.colours.copy()
    rows = person.head.inside
    depth = points[[UPPER_LIP, LOWER_LIP], 2].mean() - posed[rows, 2]
    dark = np.exp(-np.clip(depth - 0.006, 0.0, 0.2) * DARKENING * make.uniform(0.5, 1.2))
    colours[rows] *= dark[:, None].astype(np.float32)
    return colours


def _random_iris(make: np.random.Generator) -> Iris:
    colour = IRISES[make.integers(len(IRISES))] * np.exp(make.normal(0, 0.3))
    return Iris(
        colour=colour.astype(np.float32),
        white=(make.uniform(0.5, 0.75) * np.array([1.0, 0.95, 0.92])).astype(np.float32),
        radius=float(make.uniform(0.44, 0.53)),
        pupil=float(make.uniform(0.28, 0.55)),
    )


def _with_shaded_eyes(linear: FloatArray, kind: NDArray[np.uint8]) -> FloatArray:
    """Eyes darker toward the lids, most below the upper one."""
    eye = (kind == 3).astype(np.float32)
    near = cv2.blur(eye, (17, 17))
    lower = np.roll(near, 4, axis=0)
    share = np.clip(0.3 + 0.95 * (0.5 * near + 0.5 * lower), 0.0, 1.0)
    linear[kind == 3] *= share[kind == 3][:, None]
    return linear


def _exposed(
    linear: FloatArray, cover: FloatArray, brightness: float, make: np.random.Generator
) -> FloatArray:
    """As a camera would: the head's mean brightness is brought near a wanted one."""
    mean = float((linear * cover).sum() / max(float(cover.sum()) * 3, 1.0))
    wanted = brightness * np.exp(make.normal(0, 0.35))
    gain = (wanted / max(mean, 1e-3)) ** 0.75
    return np.asarray(linear * gain, np.float32)
