"""Hair, glasses, hands and clothes for the heads that we draw."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from freeavatar.animator.anchor_table import ANCHOR_INDEX
from freeavatar.foundation.expression import FloatArray

from .drawing import GLOSSY, MATT, SKIN, IntArray, vertex_normals
from .head_anchors import places
from .heads import Person
from .pieces import Piece, Values, capsule, joined, piece, sheet_triangles, tube
from .skin import FLAT
from .valid_reader import STRANDS

HAIR = np.array([[.012, .009, .008], [.03, .017, .01], [.075, .04, .02], [.2, .12, .055],
                 [.42, .29, .15], [.16, .05, .02], [.3, .29, .28], [.6, .58, .56]])  # fmt: skip
"""Linear colours from black to white."""
HAIR_SHARES = np.array([0.28, 0.22, 0.18, 0.09, 0.06, 0.05, 0.08, 0.04])
BALD = 0.72
"""Brightness of a bald scalp, in that of the forehead."""
DYED, DYE = 0.05, 0.6
"""Share of people with hair of any other colour, and how far from a natural one it is."""
USUAL_EYES = 0.062
"""Metres between the eyes of a grown-up, which all sizes here go by."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where a face is on its head."""

    eyes: Values
    """(3,) between the eyes."""
    scale: float
    """Size of the face; 1 is a usual grown-up's."""
    points: FloatArray
    """(154, 3) anchors."""

    def point(self, name: str) -> FloatArray:
        """(3,) an anchor by name."""
        return np.asarray(self.points[ANCHOR_INDEX[name]])


def frame_of(person: Person) -> Frame:
    """The frame of a person with anchors."""
    if person.head.anchors is None:
        raise ValueError(f"{person.name} has no face points")
    between = float(np.linalg.norm(person.pivots[0] - person.pivots[1]))
    return Frame(
        eyes=person.pivots.mean(axis=0).astype(np.float64),
        scale=between / USUAL_EYES,
        points=places(person.head.anchors, person.vertices),
    )


def bald(person: Person) -> bool:
    """Whether the texture shows skin on the scalp: as bright as the forehead."""
    frame = frame_of(person)
    at = (person.vertices - frame.eyes) / frame.scale
    top = float(frame.point("forehead")[1] - frame.eyes[1]) / frame.scale
    front = person.head.skin & (at[:, 2] > -0.12) & (np.abs(at[:, 0]) < 0.05)
    scalp, brow = front & (at[:, 1] > top + 0.035), front & (abs(at[:, 1] - top) < 0.01)
    seen = []
    for rows in (scalp, brow):
        u, v = person.head.coordinates[rows, 0], person.head.coordinates[rows, 1]
        high, wide = person.texture.shape[:2]
        texels = person.texture[(v * (high - 1)).astype(int), (u * (wide - 1)).astype(int)]
        seen.append(float(texels.mean()) if len(texels) else 255.0)
    return seen[0] > BALD * seen[1]


def hair(person: Person, make: np.random.Generator) -> list[Piece]:
    """Hair on the scalp: a shell over the skin, and for some a curtain down to the neck."""
    frame = frame_of(person)
    rows, shell = _scalp(person, frame, make)
    spread = DYE if make.random() < DYED else 0.07
    colour = HAIR[make.choice(len(HAIR), p=HAIR_SHARES)] * np.exp(make.normal(0, spread, 3))
    at = shell[rows] - frame.eyes
    turn = np.arctan2(at[:, 0], -at[:, 2] - 0.09 * frame.scale)
    uvs = _strands(turn, at[:, 1] / frame.scale)
    number = np.full(len(person.vertices), -1, np.int64)
    number[rows] = np.arange(len(rows))
    over = number[person.head.triangles]
    triangles: IntArray = over[(over >= 0).all(axis=1)].astype(np.int32)
    kind = MATT if make.random() < 0.5 else GLOSSY
    shell_piece = piece(shell[rows], triangles, kind, colour, uvs)
    # Above the forehead the turn jumps: those triangles would run through the whole strip.
    flat = np.where(np.ptp(uvs[triangles][:, :, 0], axis=1) > 0.4, FLAT, 0).astype(np.uint8)
    pieces = [replace(shell_piece, kinds=shell_piece.kinds | flat)]
    if make.random() < 0.35:
        pieces.append(_curtain(frame, colour, make))
    return pieces


def _scalp(
    person: Person, frame: Frame, make: np.random.Generator
) -> tuple[NDArray[np.intp], FloatArray]:
    """Vertices under hair and where the shell lies over all; it dips under the skin at its edge."""
    at = (person.vertices - frame.eyes) / frame.scale
    top = float(frame.point("forehead")[1] - frame.eyes[1]) / frame.scale
    high = top + make.uniform(0.002, 0.03)
    back = np.array([-0.16, -0.125, -0.1, -0.075, -0.05, -0.02, 0.06])
    sides = make.uniform(-0.055, 0.01)
    line = np.array([-0.09, -0.05, sides, sides, 0.02, high - 0.006, high])
    wave = make.normal(0, 0.004) * np.sin(at[:, 0] * make.uniform(60, 160) + make.uniform(0, 6))
    parting = make.normal(0, 0.1) * at[:, 0]
    above = at[:, 1] - np.interp(at[:, 2], back, line) + wave + parting
    rows = np.flatnonzero(person.head.skin & (above > -0.012))
    share = np.clip(above / make.uniform(0.015, 0.05), -0.3, 1.0)
    thick = make.choice([make.uniform(0.002, 0.008), make.uniform(0.008, 0.028)])
    noise = sum(np.sin(at @ make.normal(0, f, 3) + make.uniform(0, 6)) for f in (40.0, 70.0, 120.0))
    volume = thick * share * (1 + 0.15 * noise * (share > 0)) - 0.001
    normals = vertex_normals(person.vertices, person.head.triangles)
    lift = np.maximum(volume, -0.004)[:, None] * frame.scale * normals
    return rows, (person.vertices + lift).astype(np.float32)


def _strands(turn: Values, height: Values) -> Values:
    """(V, 2) places in the strip of strands at the texture's lower end."""
    u = np.clip(turn / (2 * np.pi) + 0.5, 0.0, 1.0)
    v = STRANDS + (1 - STRANDS) * (0.5 + np.clip(height, -0.25, 0.25) * 1.9)
    return np.stack([u, np.clip(v, STRANDS + 0.004, 0.996)], axis=1)


def _curtain(frame: Frame, colour: Values, make: np.random.Generator) -> Piece:
    """Long hair: a sheet around the back and the sides of the head."""
    reach = make.uniform(1.75, 2.15)
    turn = np.linspace(-reach, reach, 25)
    y = np.linspace(0.075, -make.uniform(0.1, 0.26), 12)
    swell = 1.0 + 0.1 * np.sin(np.linspace(0, np.pi, 12)) + make.normal(0, 0.03)
    ripple = 1 + 0.02 * np.sin(turn * make.uniform(5, 14))
    x = np.sin(turn) * 0.083 * swell[:, None] * ripple
    z = -0.088 - np.cos(turn) * 0.108 * swell[:, None] * ripple
    sheet = np.stack([x, np.broadcast_to(y[:, None], x.shape), z], axis=-1).reshape(-1, 3)
    uvs = _strands(np.repeat(turn[None], 12, axis=0).ravel(), sheet[:, 1])
    return piece(sheet * frame.scale + frame.eyes, sheet_triangles(12, 25), MATT | 16, colour, uvs)


def glasses(person: Person, make: np.random.Generator) -> Piece:
    """A frame with two rims, bridge and temples."""
    frame = frame_of(person)
    s = frame.scale
    wide, high = make.uniform(0.021, 0.028) * s, make.uniform(0.014, 0.024) * s
    power = make.uniform(2.0, 4.0)
    radius = make.uniform(0.0006, 0.0022) * s
    front = max(float(frame.point(f"eye_corner_inner_{side}")[2]) for side in ("left", "right"))
    front = max(front, float(frame.point("nose_root")[2]) - 0.004 * s) + 0.009 * s
    turn = np.linspace(0, 2 * np.pi, 33)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    ring = np.sign(ring) * np.abs(ring) ** (2 / power)
    low = make.uniform(0.0, 0.006) * s
    parts = []
    for pivot in person.pivots.astype(np.float64):
        side = np.sign(pivot[0] - frame.eyes[0])
        middle = np.array([pivot[0] + side * 0.002 * s, pivot[1] - low, front])
        rim = np.c_[ring * (wide, high), -0.12 * np.abs(ring[:, 0]) * wide] + middle
        parts.append(tube(rim, radius))
        hinge = middle + np.array([side * wide, 0.4 * high, -0.12 * wide])
        ear = np.array([frame.eyes[0] + side * 0.076 * s, hinge[1], frame.eyes[2] - 0.09 * s])
        knee = np.array([ear[0], hinge[1], hinge[2] - 0.012 * s])
        parts.append(tube(np.stack([hinge, knee, ear]), radius))
    inner = np.array([np.abs(person.pivots[0, 0] - frame.eyes[0]) + 0.002 * s - wide, 0.0, 0.0])
    bridge = np.array([frame.eyes[0], frame.eyes[1] - low + 0.3 * high, front])
    over = bridge + np.array([0.0, 0.002 * s, 0.001])
    parts.append(tube(np.stack([bridge - inner, over, bridge + inner]), radius))
    vertices, triangles = joined(parts)
    shade = make.choice([0.01, 0.03, 0.2, 0.5]) * np.exp(make.normal(0, 0.3, 3))
    return piece(vertices, triangles, GLOSSY, shade)


def body(person: Person, make: np.random.Generator) -> Piece:
    """Shoulders and chest in a shirt, under the neck."""
    frame = frame_of(person)
    chin = (float(frame.point("chin")[1]) - frame.eyes[1]) / frame.scale
    turn = np.linspace(0, 2 * np.pi, 29)[:-1]
    y = chin + np.array([-0.055, -0.075, -0.1, -0.14, -0.22, -0.4])
    x = np.array([0.056, 0.085, 0.13, 0.18, 0.2, 0.2]) * make.uniform(0.9, 1.1)
    z = np.array([0.062, 0.085, 0.1, 0.11, 0.12, 0.12]) * make.uniform(0.95, 1.15)
    ring = np.stack([np.sin(turn), np.zeros(28), np.cos(turn)], axis=1)
    shape = ring * np.stack([x, x * 0, z], axis=1)[:, None] + np.array([0.0, 0.0, -0.1])
    shape[:, :, 1] += y[:, None]
    colour = np.exp(make.uniform(-4, -0.4)) * np.exp(make.normal(0, 0.5, 3))
    return piece(
        shape.reshape(-1, 3) * frame.scale + frame.eyes,
        sheet_triangles(6, 28, closed=True),
        MATT | 16,
        np.minimum(colour, 0.8),
    )


def hand(person: Person, make: np.random.Generator) -> Piece:
    """Fingers and a palm before a cheek, the mouth or an eye."""
    frame = frame_of(person)
    names = ("mouth_corner_left", "mouth_corner_right", "chin", "cheek_outer_left",
             "cheek_outer_right", "brow_outer_upper_left", "forehead",
             "lower_lip_edge")  # fmt: skip
    target = frame.point(names[make.integers(len(names))]).astype(np.float64)
    turn = make.uniform(0, 2 * np.pi)
    along = np.array([np.cos(turn), np.sin(turn), make.normal(0, 0.3)])
    across = np.array([-np.sin(turn), np.cos(turn), 0.0])
    count = int(make.integers(1, 5))
    parts = []
    lift = np.array([0.0, 0.0, make.uniform(0.012, 0.035)])
    for finger in range(count):
        base = target + lift + across * (finger - count / 2) * 0.0185 - along * 0.085
        length = 0.07 * (1 - 0.12 * abs(finger - 1.5)) * make.uniform(0.85, 1.1)
        tip = base + along * length + np.array([0.0, 0.0, make.normal(-0.008, 0.006)])
        parts.append(capsule(base, tip, 0.0088))
    palm = target + lift - along * 0.12
    parts.append(capsule(palm - across * 0.03, palm + across * 0.025, 0.034))
    parts.append(capsule(palm, palm - along * 0.2, 0.028))
    vertices, triangles = joined(parts)
    tone = np.array([0.5, 0.3, 0.22]) * np.exp(make.normal(-0.4, 0.5))
    return piece(vertices, triangles, SKIN, tone)
