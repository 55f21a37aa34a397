"""Renders the person of a portrait with an expression that is known exactly.

The photo is the texture of the ICT face that was fitted to it; mouth, eyes and lashes are painted.
What lies around the head follows its outline.

To render one person at any size, framed as in the photo and with its background::

    ict = load_ict(ict_file)
    (portraits,) = load_portraits([folder], ict, bundle, cache)
    rig = PuppetRig(ict, portraits.offsets)
    who = portraits.name.index("composite__f_multi.jpg")
    person = prepare(rig, portraits, who, unit=None)  # the photo in full resolution
    puppet = Puppet(rig, person)
    posed = puppet.pose(blendshapes, head=rotation_matrix(np.array([0.0, 0.2, 0.0])))
    shot = puppet.shoot(posed, puppet.framing(size=512))  # shot.picture (512, 512, 3) 0..255
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from . import ict_points
from .glasses import draw_glasses
from .ict import GUM, HOLLOW, SOCKET, TEETH, eye_middles
from .lashes import draw_lashes
from .person import Person
from .puppet_rig import BLINKS, OUTER, Posed, PuppetRig, project
from .puppet_shading import Around, EyeLook, Paint, shade
from .rasteriser import Visible, normals, outline

DISTANCE = 90.0
"""Usual distance of the camera, centimetres."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """A lamp and what comes from all around; directions in camera space."""

    direction: FloatArray = field(default_factory=lambda: np.array([0.0, 0.25, 0.97], np.float32))
    """(3,) unit vector toward the lamp."""
    lamp: FloatArray = field(default_factory=lambda: np.full(3, 0.38, np.float32))
    """(3,) RGB strength."""
    ambient: FloatArray = field(default_factory=lambda: np.full(3, 0.62, np.float32))
    """(3,) RGB strength."""
    gloss: float = 0.0
    """0..1 mirrored light on the skin."""
    sharpness: float = 20.0
    """Exponent of that highlight."""


@dataclass(frozen=True, kw_only=True)
class Framing:
    """Which part of the projection plane a square picture shows."""

    matrix: NDArray[np.float64]
    """(2, 3) centimetres of the plane to pixels."""
    size: int
    """Side of the picture, pixels."""

    @property
    def unit(self) -> float:
        """Pixels per centimetre."""
        return float(np.hypot(*self.matrix[:, 0]))

    def pixels(self, plane: FloatArray) -> FloatArray:
        """(..., 2) centimetres to pixels."""
        return (plane @ self.matrix[:, :2].T + self.matrix[:, 2]).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A rendered picture and where things are in it."""

    picture: FloatArray
    """(S, S, 3) 0..255."""
    landmarks: FloatArray
    """(156, 2) pixels."""
    visible: Visible
    """What each pixel sees, until the next shot."""
    vertices: FloatArray
    """(V, 2) pixels."""


class Puppet:
    """One person who can be given any expression.

    Args:
        rig: shared by all puppets.
        person: from `freeavatar.tools.dataset.people`.
        look: how the eyes are painted; as the photo suggests where it is None.
    """

    def __init__(self, rig: PuppetRig, person: Person, look: EyeLook | None = None) -> None:
        self.rig = rig
        self.person = person
        self.look = look or person.eyes
        self._colours = _own_colours(rig, person)
        self._directions = _eye_directions(rig, person.neutral)
        self._visible: dict[int, Visible] = {}

    def pose(
        self, blendshapes: FloatArray, head: FloatArray, body: FloatArray | None = None
    ) -> Posed:
        """The person in camera space; the shoulders stay as in the photo where body is None."""
        body = self.person.rotation if body is None else body
        return self.rig.pose(self.person.neutral, blendshapes, head, body)

    def framing(self, size: int) -> Framing:
        """The photo's own framing, its shorter side filling the picture."""
        height, width = self.person.photo.shape[:2]
        grow = size / min(height, width)
        cut = np.maximum(np.array([width - height, 0.0]) / 2, 0.0)
        shift = (self.person.shift - cut) * grow
        matrix = np.concatenate([np.eye(2) * self.person.unit * grow, shift[:, None]], axis=1)
        return Framing(matrix=matrix, size=size)

    def shoot(
        self,
        posed: Posed,
        frame: Framing,
        *,
        light: Light | None = None,
        distance: float = DISTANCE,
    ) -> Shot:
        """Render.

        Args:
            posed: from `pose`.
            frame: what the picture shows.
            light: on the face; even where it is None.
            distance: of the camera, centimetres.
        """
        rig, person, light = self.rig, self.person, light or Light()
        points = frame.pixels(project(posed.vertices, distance))
        visible = self._visible.setdefault(frame.size, Visible(frame.size))
        nearness = np.ascontiguousarray(posed.vertices[:, 2])
        visible.draw(points, nearness, rig.triangles)
        facing = normals(posed.vertices, rig.lit)
        factor, gloss = self._lit(posed, facing, light)
        inside = frame.pixels(project(posed.inside, distance))
        around = Around(
            target=(float(inside[0]), float(inside[1])),
            source=person.inside,
            target_reach=outline(
                visible.triangle >= 0, (float(inside[0]), float(inside[1])), 2.0 * frame.size
            ),
            source_reach=person.reach,
            growth=person.unit / frame.unit,
        )
        paint = Paint(
            photo=person.photo,
            surround=person.surround,
            places=person.places,
            light=factor,
            gloss=gloss,
            colours=self._inner_colours(posed, facing, light),
            eye_directions=self._directions,
            eye_light=_mirrored(posed, light),
            eye=self.look,
            eye_split=rig.ict.eyes[1].start,
            corners=points[[ict_points.VERTICES[362], ict_points.VERTICES[133]]],
            unit=frame.unit,
        )
        picture = shade(visible, rig.triangles, rig.part, paint, around)
        opacity = rig.lash_opacity * np.float32(person.lashes)
        draw_lashes(picture, points, nearness, opacity, rig.lashes, visible)
        if person.glasses is not None:

            def place(at: FloatArray) -> FloatArray:
                return frame.pixels(project(at, distance))

            draw_glasses(picture, person.glasses, person.neutral, posed, place)
        return Shot(
            picture=picture,
            landmarks=frame.pixels(project(posed.landmarks, distance)),
            visible=visible,
            vertices=points,
        )

    def _lit(self, posed: Posed, facing: FloatArray, light: Light) -> tuple[FloatArray, FloatArray]:
        """(V, 3) what the light does to the photo's colours, (V,) mirrored light 0..255."""
        person, outer = self.person, slice(0, OUTER)
        toward = np.maximum(facing @ light.direction, 0.0)
        now = light.ambient + toward[:, None] * light.lamp
        more = posed.blendshapes - person.blendshapes
        folds = self.rig.wrinkles.shading(more, person.wrinkles) / person.shading
        now[outer] *= person.tint[outer] * folds[outer, None]
        for eye, blink in zip(self.rig.ict.eyes, posed.blendshapes[list(BLINKS)], strict=True):
            # What a nearly closed lid leaves open lies in the shade of the lashes.
            now[eye] *= 1.0 - 0.8 * np.clip(blink / 0.25 - 3.0, 0.0, 1.0)
        halfway = light.direction + np.array([0.0, 0.0, 1.0], np.float32)
        halfway = halfway / np.linalg.norm(halfway)
        gloss = np.zeros(len(facing), np.float32)
        if light.gloss:
            shine = np.maximum(facing[outer] @ halfway, 0.0) ** np.float32(light.sharpness)
            gloss[outer] = 120.0 * light.gloss * float(light.lamp.mean()) * shine
        return np.clip(now, 0.1, 2.2).astype(np.float32), gloss

    def _inner_colours(self, posed: Posed, facing: FloatArray, light: Light) -> FloatArray:
        """(V, 3) of mouth and orbits: darker the farther behind the lips."""
        inner = slice(*self.rig.mouth)
        upper, lower = (posed.vertices[list(lip)] for lip in (_UPPER_LIP, _LOWER_LIP))
        # Little light falls through lips that hardly part.
        apart = float(np.linalg.norm(upper - lower, axis=1).mean())
        enters = np.float32(self.person.brightness * (0.2 + 0.8 * min(apart / 0.4, 1.0)))
        depth = posed.vertices[list(_LIPS), 2].mean() - 0.6 - posed.vertices[inner, 2]
        depth = np.clip(depth, 0.0, 9.0)
        toward = np.maximum(facing[inner] @ light.direction, 0.0)[:, None]
        lit = (light.ambient * 0.75 + toward * (light.lamp * 1.3)) * enters
        wet = np.maximum(facing[inner, 2], 0.0) ** 30 * np.float32(40.0)
        out = self._colours.copy()
        out[inner] *= np.exp(-0.33 * depth)[:, None] * lit
        out[inner] += (wet * np.exp(-0.8 * depth) * enters)[:, None]
        return out


def _own_colours(rig: PuppetRig, person: Person) -> FloatArray:
    """(V, 3) of what the photo does not show, before light falls on it."""
    part, tones = rig.ict.part, person.mouth
    out = np.zeros((len(part), 3), np.float32)
    out[part == SOCKET], out[part == GUM], out[part == TEETH] = tones[0], tones[1], tones[3]
    out[rig.ict.tongue > 0] = tones[2]
    out[part == HOLLOW] = 0.5 * person.skin
    return out


_UPPER_LIP = tuple(ict_points.VERTICES[n] for n in (13, 82, 312))
_LOWER_LIP = tuple(ict_points.VERTICES[n] for n in (14, 87, 317))
_LIPS = tuple(ict_points.VERTICES[n] for n in (0, 17, 61, 291, 13, 14))


def _eye_directions(rig: PuppetRig, neutral: FloatArray) -> FloatArray:
    out = np.zeros_like(neutral)
    for eye, middle in zip(rig.ict.eyes, eye_middles(neutral), strict=True):
        away = neutral[eye] - middle
        out[eye] = away / np.linalg.norm(away, axis=1, keepdims=True)
    return out


def _mirrored(posed: Posed, light: Light) -> FloatArray:
    """(2, 3) where on the eyeballs, in their own axes, the lamp is mirrored."""
    halfway = light.direction + np.array([0.0, 0.0, 1.0], np.float32)
    halfway = halfway / np.linalg.norm(halfway)
    in_head = halfway @ posed.head
    return np.stack([in_head @ turn for turn in posed.eye_rotations]).astype(np.float32)
