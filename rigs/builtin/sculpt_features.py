"""Mouths and eyelids: the loops of vertices around an opening and the numbers controls move by."""

from dataclasses import dataclass

import numpy as np

from .sculpt_fields import Array, Field, gradient, smoothstep
from .sculpt_lofts import ball, moved_uvs
from .sculpt_pieces import Piece, marked, mirrored
from .sculpt_skin import Opening


def confocal(x: Array, y: Array, focus: float) -> tuple[Array, Array]:
    """Confocal elliptic coordinates about a slit from -focus to focus.

    Returns:
        (distance, direction): 0 on the slit and growing outward; angle from the +x end, so that
        sin(direction) is 1 above the middle of the slit, -1 below, 0 beyond its ends.
    """
    w = np.arccosh((np.abs(x) + 1j * y) / focus)
    flip = np.real(w) < 0
    return np.abs(np.real(w)), np.where(flip, -np.imag(w), np.imag(w))


def slit(distance: Array, direction: Array, focus: float) -> tuple[Array, Array]:
    """Inverse of `confocal`: (x, y)."""
    return (
        focus * np.cosh(distance) * np.cos(direction),
        focus * np.sinh(distance) * np.sin(direction),
    )


@dataclass(frozen=True, kw_only=True)
class Eye:
    """An eyeball and the outline of its lids, on the character's left."""

    centre: Array
    """(3,)"""
    radius: float
    half_width: float
    upper: float
    """Height of the upper lid's edge above the eye's centre, metres."""
    lower: float
    """Depth of the lower lid's edge below it."""
    outward: float = 0.0
    """Turn of the whole eye about y toward the side, radians."""
    tilt: float = 0.0
    """How far the outer corner lies above the inner one, metres."""
    nasal: float = 0.4
    """How far the lids' loops spread toward the nose, as a share of how far they spread outward."""
    line: float = 0.09
    """Thickness of the line along the upper lid, as a share of the outline's size."""
    meet: float = 0.32
    """Where closed lids meet: 0 on the line between the corners, 1 at the lower lid's edge."""
    lid_gap: float = 0.07
    """Distance of the lid's edge from the eyeball as a share of the radius."""

    @property
    def frame(self) -> Array:
        """(3, 3) columns: the eye's own x, y and z axes."""
        s, c = np.sin(self.outward), np.cos(self.outward)
        return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])

    def outline(self, turn: Array, scale: float | Array) -> Array:
        """(n, 2) own x, y of the lid edge, enlarged about its centre."""
        spread = self.nasal + (1.0 - self.nasal) * smoothstep(np.cos(turn), -1.0, 0.1)
        scale = 1.0 + (scale - 1.0) * spread
        x = self.half_width * np.cos(turn)
        height = np.where(np.sin(turn) > 0, self.upper, self.lower)
        y = height * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.85
        return np.column_stack([x * scale, (y + self.tilt * np.cos(turn)) * scale])

    def on_sphere(self, flat: Array, radius: float | Array) -> Array:
        """(n, 2) own x, y to (n, 3) points of a sphere about the eye's centre."""
        z = np.sqrt(np.maximum(radius**2 - np.sum(flat**2, axis=1), 1e-6))
        return np.asarray(self.centre + np.column_stack([flat, z]) @ self.frame.T)

    def elevation(self, points: Array) -> Array:
        """Angle of points above the eye's horizontal plane, radians."""
        own = (points - self.centre) @ self.frame
        return np.arctan2(own[:, 1], np.maximum(own[:, 2], 1e-6))


def lids(eye: Eye, field: Field, around: int = 36, line: str = "lash") -> Opening:
    """Loops from the skin of the orbit over the lids to just behind their edges.

    Attributes: `lid` how far a vertex follows its lid (1 at the edge), `lid_open` and `lid_shut`
    elevations of the edge at this direction when open and when shut, `lid_turn` direction.
    """
    turn = np.linspace(0.0, 2.0 * np.pi, around, endpoint=False)
    edge_flat = eye.outline(turn, 1.0)
    # Toward the nose the lids stand off the eyeball, out of the hollow beside the bridge.
    stand = eye.lid_gap + 0.09 * smoothstep(-np.cos(turn), 0.3, 1.0)
    edge = eye.on_sphere(edge_flat, eye.radius * (1.0 + stand))
    scales = np.array([1.75, 1.55, 1.38, 1.26, 1.15, 1.04])
    follow = [0.0, 0.12, 0.40, 0.71, 0.86, 0.92, 1.0, 1.0]
    rings = [_onto(eye, field, eye.outline(turn, s)) for s in scales]
    wide = 1.0 + eye.line * (0.45 + 0.55 * smoothstep(np.cos(turn), -1.0, 0.7))
    rim = _onto(eye, field, eye.outline(turn, wide))
    rings[-1] = np.where((np.sin(turn) > 0.0)[:, None], rim, 0.65 * rings[-1] + 0.35 * edge)
    inner = eye.on_sphere(edge_flat * 0.99, eye.radius * 1.012)
    rings += [edge, inner]
    low = eye.on_sphere(
        np.column_stack([edge_flat[:, 0], _lower_edge(eye, edge_flat[:, 0])]), eye.radius
    )
    opened = eye.elevation(edge)
    shut = eye.meet * eye.elevation(low) + (1.0 - eye.meet) * eye.elevation(
        eye.on_sphere(np.column_stack([edge_flat[:, 0], eye.tilt * np.cos(turn)]), eye.radius)
    )
    n = len(rings)
    lash = [line if np.sin(t) > 0.12 else "lid" for t in turn + np.pi / around]
    ones = np.ones((n, 1))
    return Opening(
        rings=np.stack(rings),
        materials=["skin"] * 5 + [lash, lash],
        closed=True,
        attributes={
            "lid": np.array(follow)[:, None] * np.ones(around),
            "lid_open": ones * opened,
            "lid_shut": ones * shut,
            "lid_turn": ones * turn,
        },
    )


def _lower_edge(eye: Eye, x: Array) -> Array:
    cos = np.clip(x / eye.half_width, -1.0, 1.0)
    return np.asarray(-eye.lower * (1.0 - cos**2) ** 0.425 + eye.tilt * cos)


def _onto(eye: Eye, field: Field, flat: Array) -> Array:
    """Own x, y carried along the eye's view axis onto the outermost surface."""
    low, high = np.full(len(flat), -0.02), np.full(len(flat), 0.08)
    for t in np.linspace(high[0], low[0], 60):
        hit = field(eye.centre + np.column_stack([flat, np.full(len(flat), t)]) @ eye.frame.T) < 0
        fresh = hit & (low == -0.02)
        low = np.where(fresh, t, low)
    high = low + 0.1 / 59
    for _ in range(24):
        z = 0.5 * (low + high)
        hit = field(eye.centre + np.column_stack([flat, z]) @ eye.frame.T) < 0
        low, high = np.where(hit, z, low), np.where(hit, high, z)
    return np.asarray(eye.centre + np.column_stack([flat, high]) @ eye.frame.T)


def turned_lids(eye: Eye, points: Array, angle: Array, share: Array, lift: Array) -> Array:
    """(n, 3) displacement of lid vertices turned about the eye's own x axis.

    Straight lines between the open and the shut pose must not cut into the eyeball, so the turned
    points are lifted until their whole path clears it.

    Args:
        eye: whose lids they are.
        points: (n, 3).
        angle: (n,) radians, positive upward.
        share: (n,) 0 leaves a vertex where it is on the way.
        lift: (n,) factor by which turned points stand farther off, at least.
    """
    own = (points - eye.centre) @ eye.frame
    turn = angle * share
    s, c = np.sin(turn), np.cos(turn)
    turned = np.column_stack(
        [own[:, 0], c * own[:, 1] + s * own[:, 2], c * own[:, 2] - s * own[:, 1]]
    )
    steps = np.linspace(0.0, 1.0, 17)[:, None, None]
    start = np.linalg.norm(own, axis=1)
    clear = np.minimum(start, eye.radius * 1.03)
    lift = 1.0 + (lift - 1.0) * share
    # The loop tucked against the eyeball may dip into it: the edge before it hides that.
    clear = np.where(start < eye.radius * 1.02, 0.0, clear)
    for _ in range(50):
        path = own + steps * (turned * lift[:, None] - own)
        closest = np.linalg.norm(path, axis=2).min(axis=0)
        lift = np.where((closest < clear) & (np.abs(turn) > 1e-4), lift + 0.006, lift)
    return np.asarray((turned * lift[:, None] - own) @ eye.frame.T)


def eyeball(eye: Eye, material: str = "eye", rings: int = 16, around: int = 28) -> Piece:
    """The eyeball; its texture is centred on the pupil, the front half reaching radius 0.5."""
    piece = ball(np.zeros(3), eye.radius, material, rings, around)
    return Piece(
        vertices=eye.centre + piece.vertices @ eye.frame.T,
        triangles=piece.triangles,
        uvs=np.zeros((len(piece.vertices), 2)),
    )


def eye_uvs(pair: Piece, eye: Eye) -> Piece:
    """Texture coordinates of both eyeballs: they look ahead, highlights fall on the same side."""
    n = len(pair.vertices) // 2
    flip = np.array([-1.0, 1.0, 1.0])
    left = pair.vertices[:n] - eye.centre
    right = pair.vertices[n:] - eye.centre * flip
    own = np.concatenate([left, right]) / eye.radius
    angle = np.arccos(np.clip(own[:, 2], -1.0, 1.0))
    radius = np.minimum(angle / np.pi, 0.5)
    flat = own[:, :2] / np.maximum(np.hypot(own[:, 0], own[:, 1]), 1e-9)[:, None]
    return moved_uvs(pair, np.column_stack([0.5 + radius * flat[:, 0], 0.5 - radius * flat[:, 1]]))


def both_eyes(eye: Eye) -> Piece:
    """The left eyeball and its mirror image, both looking ahead."""
    return marked(eye_uvs(mirrored(eyeball(eye)), eye), eye=1.0)


def lifted(field: Field, points: Array, height: Array | float) -> Array:
    """Points moved along the surface's outward direction."""
    g = gradient(field, points)
    g /= np.maximum(np.linalg.norm(g, axis=1, keepdims=True), 1e-9)
    return np.asarray(points + np.asarray(height).reshape(-1, 1) * g)
