"""Films the synthetic actor: a puppeteered average face before a backdrop, in a painted shirt.

The head is drawn at twice the size of the film, so that edges are smooth. What has no surface, hair
and the ears' edges, moves along with the nearest skin.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.rigs.rotation import matrix_from_angles

from .actor_portrait import take_apart
from .ict import HEAD, SKIN
from .person import Person, prepare
from .portraits import Portraits
from .puppet_rig import Posed, PuppetRig
from .puppeteer import Framing, Puppet
from .rasteriser import Visible, normals

SIZE = 560
"""Side of the film, pixels."""
FINER = 2
"""Heads are drawn so many times larger."""
WIDE, ABOVE = 3.2, 1.19
"""Side of the picture and what it shows above the eyes, in distances from the eyes to the chin."""
LASHES = 0.3
LIPS_MEET = 0.03
"""mouthClose that shuts the fitted neutral, which leaves a gap of a pixel."""
GAMMA = 0.85
"""Lifts the dim studio picture."""
COLOURFUL = 1.15
WARM = np.array([1.03, 1.0, 0.97], np.float32)
GRAIN = 1.8
"""Noise of the camera, sRGB levels."""
SMOOTH = 6.0
"""Pixels of the film over which the motion around the head evens out."""
EAR = 16.0
"""Pixels of the film by which ears stand out beyond the surface, at most."""
HAIR = 40.0
"""Pixels of the film by which hair stands out, at most."""
HIDDEN_AT = 0.24
"""Sine of the head's turn at which what stands out beyond the farther ear is hidden."""
_BRUSH = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3 * FINER + 1, 3 * FINER + 1))
_EYE_CORNERS, _CHIN = [33, 133, 263, 362], 152


class Stage:
    """Draws moments of a performance.

    Args:
        portraits: with fits.
        index: of an averaged portrait before a light backdrop.
        rig: with the offsets of these portraits.
    """

    def __init__(self, portraits: Portraits, index: int, rig: PuppetRig) -> None:
        landmarks = portraits.landmarks[index]
        eyes, chin = landmarks[_EYE_CORNERS].mean(axis=0), landmarks[_CHIN]
        layers = take_apart(portraits.picture(index), eyes, chin)
        side = WIDE * float(chin[1] - eyes[1])
        self._corner = (float(eyes[0]) - side / 2, float(eyes[1]) - ABOVE * side / WIDE)
        self._grow = SIZE / side
        fine = float(portraits.scale[index]) * self._grow * FINER
        person = _at_rest(rig, _unfolded(rig, prepare(rig, portraits, index, unit=fine)))
        height, width = person.photo.shape[:2]
        enlarged = width / layers.outline.shape[1]
        self._eyes = eyes * enlarged
        self._unit = float(chin[1] - eyes[1]) * enlarged
        # Below the ears the surface is as wide as the person; the neck does not turn with the jaw.
        down = (np.arange(len(layers.outline)) - eyes[1]) / (chin[1] - eyes[1])
        around = layers.outline * np.clip((0.565 - down) / 0.035, 0, 1)[:, None].astype(np.float32)
        size, how = (width, height), cv2.INTER_CUBIC
        large = np.asarray(cv2.resize(layers.person, size, interpolation=how), np.uint8)
        self._outline = np.asarray(cv2.resize(around, size, interpolation=how), np.float32)
        self._rig = rig
        self._puppet = Puppet(rig, replace(person, photo=large, lashes=LASHES))
        self._backdrop = self._framed(layers.backdrop)
        self._shirt = self._framed(layers.shirt), self._framed(layers.shirt_outline)
        self._chance = np.random.default_rng(1)

    def draw(
        self, blendshapes: FloatArray, head: FloatArray, shift: FloatArray
    ) -> NDArray[np.uint8]:
        """One moment.

        Args:
            blendshapes: (52,)
            head: (3,) yaw, pitch, roll, radians.
            shift: (2,) metres right and up in the picture.

        Returns:
            (SIZE, SIZE, 3) sRGB with the camera's noise, other noise each time.
        """
        turn = matrix_from_angles(head).astype(np.float32)
        frame = self._framing(shift)
        person, outline = self._head(self._puppet.pose(blendshapes, turn), frame)
        picture = self._backdrop * (1 - outline) + person
        # Shoulders take less part in what sways.
        pixels = np.array([50.0, -60.0]) * shift * self._puppet.person.unit / FINER
        shirt, worn = (_moved(layer, pixels) for layer in self._shirt)
        picture = picture * (1 - worn[..., None]) + shirt * worn[..., None]
        lifted = 255 * (np.clip(picture, 0, 255) / 255) ** GAMMA
        grey = lifted.mean(axis=-1, keepdims=True)
        lifted = (grey + (lifted - grey) * COLOURFUL) * WARM
        return np.asarray(np.clip(lifted + self._noise() + 0.5, 0, 255), np.uint8)

    def _framing(self, shift: FloatArray) -> Framing:
        person = self._puppet.person
        scale = self._grow * FINER
        place = person.shift - np.array(self._corner) * scale
        place = place + np.array([100.0, -100.0]) * shift * person.unit
        matrix = np.concatenate([np.eye(2) * person.unit, place[:, None]], axis=1)
        return Framing(matrix=matrix, size=SIZE * FINER)

    def _head(self, posed: Posed, frame: Framing) -> tuple[FloatArray, FloatArray]:
        """(S, S, 3) colours of head and neck times their outline, and that (S, S, 1)."""
        shot = self._puppet.shoot(posed, frame)
        surface = shot.visible.triangle >= 0
        x, y, away = self._around(shot.visible, frame)
        person = self._puppet.person
        colours = cv2.remap(person.photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.remap(self._outline, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = np.clip(alpha, 0, 1) * self._uncovered(x, y, away, posed)
        alpha = np.where(surface, 1.0, alpha).astype(np.float32)
        # Slivers and specks between the surface and what lies around it.
        alpha = cv2.morphologyEx(alpha, cv2.MORPH_OPEN, _BRUSH)
        alpha = cv2.morphologyEx(alpha, cv2.MORPH_CLOSE, _BRUSH)[..., None]
        shown = np.where(surface[..., None], np.clip(shot.picture, 0, 255), colours)
        small = _shrunk(np.concatenate([shown * alpha, alpha], axis=-1).astype(np.float32))
        return small[..., :3], small[..., 3:]

    def _uncovered(
        self, x: FloatArray, y: FloatArray, away: FloatArray, posed: Posed
    ) -> FloatArray:
        """(S', S') 0 where the cheek of a turned head hides the ear behind it, elsewhere 1."""
        ahead = float(posed.head[0, 2])
        behind = (x - self._eyes[0]) * ahead > 0
        # Hair stands out above the ears; toward them it nestles against the head.
        high = np.clip((self._eyes[1] - y) / self._unit - 0.1, 0, 0.7) / 0.7
        reach = EAR * np.clip(1 - abs(ahead) / HIDDEN_AT, 0, 1) + HAIR * high
        hidden = 1 - np.clip(reach - away + 1, 0, 1)
        return np.asarray(1 - behind * hidden, np.float32)

    def _around(
        self, visible: Visible, frame: Framing
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """x and y (S', S') in the photo of every pixel without a surface: as far from its own place
        as the nearest skin is; and how far away that is, pixels of the film."""
        small = np.s_[::FINER, ::FINER]
        triangle, weights = visible.triangle[small], visible.weights[small]
        skin = (triangle >= 0) & (self._rig.part[triangle] <= HEAD)
        corners = self._puppet.person.places[self._rig.triangles[triangle[skin]]]
        second, third = weights[skin].T[..., None]
        own = np.stack(np.meshgrid(*[np.arange(SIZE) * FINER + 0.5] * 2), axis=-1)
        apart = np.zeros((SIZE, SIZE, 2), np.float32)
        places = corners[:, 0] * (1 - second - third) + corners[:, 1] * second
        apart[skin] = places + corners[:, 2] * third - own[skin]
        away, nearest = ndimage.distance_transform_edt(~skin, return_indices=True)
        apart = apart[nearest[0], nearest[1]]
        smooth = cv2.GaussianBlur(apart, (0, 0), SMOOTH)
        share = np.clip(away / SMOOTH, 0, 1)[..., None].astype(np.float32)
        apart = apart * (1 - share) + smooth * share
        apart = cv2.resize(apart, (frame.size, frame.size), interpolation=cv2.INTER_LINEAR)
        y, x = np.mgrid[0 : frame.size, 0 : frame.size].astype(np.float32)
        away = cv2.resize(away.astype(np.float32), (frame.size, frame.size))
        return x + apart[..., 0], y + apart[..., 1], away

    def _framed(self, layer: FloatArray) -> FloatArray:
        """What the film shows of a layer of the portrait."""
        x, y = self._corner
        grow = self._grow
        matrix = np.array([[grow, 0, 0.5 * grow - 0.5 - x * grow]] * 2)
        matrix[1] = 0, grow, 0.5 * grow - 0.5 - y * grow
        return np.asarray(
            cv2.warpAffine(
                layer, matrix, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
        )

    def _noise(self) -> FloatArray:
        """(S, S, 3) of the camera: mostly of brightness, neighbours alike."""
        grey = self._chance.normal(0, 1.0, (SIZE, SIZE, 1))
        colour = self._chance.normal(0, 0.35, (SIZE, SIZE, 3))
        soft = cv2.GaussianBlur((grey + colour).astype(np.float32), (0, 0), 0.6)
        return np.asarray(soft * (GRAIN / float(soft.std())), np.float32)


def _unfolded(rig: PuppetRig, person: Person) -> Person:
    """Texture places for a photo whose colours go on beyond the outline: what faces away in it is
    taken from just inside the outline, all else from where it is seen."""
    posed = rig.pose(person.neutral, person.blendshapes, person.rotation, person.rotation)
    facing = normals(posed.vertices, rig.lit)[:, 2]
    inside = np.array(person.inside, np.float32)
    flat = person.points - inside
    length = np.maximum(np.linalg.norm(flat, axis=1), 1e-6)
    ray = np.arctan2(flat[:, 1], flat[:, 0]) / (2 * np.pi) % 1.0 * len(person.reach)
    edge = person.reach[ray.astype(np.int64) % len(person.reach)] * 0.985
    part = rig.ict.part
    away = np.clip((0.1 - facing) / 0.15, 0, 1) * ((part == SKIN) | (part == HEAD))
    # Lips, lids and nostrils turn away too, but far from the outline.
    away *= np.clip((length / edge - 0.75) / 0.1, 0, 1)
    radius = length + away * np.maximum(edge - length, 0)
    return replace(person, places=(inside + flat * (radius / length)[:, None]).astype(np.float32))


def _at_rest(rig: PuppetRig, person: Person) -> Person:
    """With lips that meet in the neutral, as they do in the photo: part of who is shown."""
    neutral = person.neutral.copy()
    shape = rig.ict.shapes[BLENDSHAPES.index("mouthClose")]
    neutral[shape.vertices] += shape.offsets * np.float32(LIPS_MEET)
    return replace(person, neutral=neutral)


def _shrunk(picture: FloatArray) -> FloatArray:
    return np.asarray(cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA))


def _moved(layer: FloatArray, pixels: NDArray[np.float64]) -> FloatArray:
    matrix = np.array([[1, 0, pixels[0]], [0, 1, pixels[1]]])
    return np.asarray(cv2.warpAffine(layer, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE))
