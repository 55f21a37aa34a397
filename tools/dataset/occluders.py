"""Things before a face: hands, strands of hair, microphones, bars, cards."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

_BITS = 4
_Points = NDArray[np.floating[Any]]


def add_occluders(
    picture: FloatArray, landmarks: FloatArray, skin: FloatArray, make: np.random.Generator
) -> None:
    """Put one or two things before the face, in place.

    Args:
        picture: (S, S, 3) 0..255.
        landmarks: (156, 2) pixels.
        skin: (3,) colour of the person's hands.
        make: draws what and where.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    for _ in range(1 if make.random() < 0.75 else 2):
        kind = make.random()
        if kind < 0.35:
            _hand(picture, low, high, skin, make)
        elif kind < 0.6:
            _strands(picture, low, high, make)
        else:
            _thing(picture, low, high, make)


def _hand(
    picture: FloatArray, low: FloatArray, high: FloatArray, skin: FloatArray,
    make: np.random.Generator,
) -> None:  # fmt: skip
    """A palm with fingers that reaches into the face from its border."""
    size = high - low
    middle = (low + high) / 2
    way = make.uniform(0, 2 * np.pi)
    inward = -np.array([np.cos(way), np.sin(way)])
    tip = middle - inward * size * make.uniform(0.12, 0.45)
    thick = float(size.mean() * make.uniform(0.07, 0.11))
    across = np.array([-inward[1], inward[0]])
    length = float(size.mean() * make.uniform(0.3, 0.5))
    tone = skin * make.uniform(0.75, 1.15)
    bend = make.normal(0, 0.25)
    paint = _Layer(picture)
    wrist = tip - inward * (length + 2.5 * thick)
    count = int(make.integers(2, 5))
    paint.capsule(wrist - inward * 4 * thick, wrist, 2.2 * thick, tone * 0.92)
    for k in range(count):
        side = (k - (count - 1) / 2) * thick * make.uniform(0.95, 1.25)
        reach = length * make.uniform(0.8, 1.05)
        knuckle = wrist + across * side * 1.1
        joint = knuckle + inward * reach * 0.6
        end = joint + (inward + across * bend) * reach * 0.5
        shade = tone * make.uniform(0.9, 1.08)
        paint.capsule(knuckle, joint, 0.55 * thick, shade)
        paint.capsule(joint, end, 0.5 * thick, shade * 1.03)
    paint.finish(make)


def _strands(
    picture: FloatArray, low: FloatArray, high: FloatArray, make: np.random.Generator
) -> None:
    """Hair that falls from above, in one bundle."""
    size = high - low
    colour = make.uniform(10, 70) * np.array([1.0, 0.85, 0.7]) * make.uniform(0.8, 2.2)
    root = np.array([low[0] + size[0] * make.uniform(0.1, 0.9), low[1] - size[1] * 0.35])
    end = np.array(
        [root[0] + size[0] * make.normal(0, 0.35), low[1] + size[1] * make.uniform(0.1, 0.9)]
    )
    bow = size[0] * make.normal(0, 0.2)
    share = np.linspace(0, 1, 16)
    for _ in range(int(make.integers(5, 40))):
        shift = make.normal(0, 0.025, 2) * size
        x = root[0] + (end[0] - root[0]) * share + bow * np.sin(np.pi * share) + shift[0]
        y = root[1] + (end[1] - root[1]) * share * make.uniform(0.7, 1.1) + shift[1] * share
        pixels = np.round(np.stack([x, y], axis=1) * (1 << _BITS)).astype(np.int32)
        tone = tuple(float(c) for c in colour * make.uniform(0.6, 1.3))
        thick = 2 if make.random() < 0.2 else 1
        cv2.polylines(picture, [pixels], False, tone, thick, cv2.LINE_AA, _BITS)


def _thing(
    picture: FloatArray, low: FloatArray, high: FloatArray, make: np.random.Generator
) -> None:
    """A bar, a card, a ball or a microphone, in any colour."""
    size = high - low
    reach = float(size.mean())
    at = low + size * make.uniform(0.0, 1.0, 2)
    tone = make.uniform(5, 245, 3) if make.random() < 0.6 else np.full(3, make.uniform(5, 240))
    paint = _Layer(picture)
    way = make.uniform(0, 2 * np.pi)
    along = np.array([np.cos(way), np.sin(way)])
    kind = make.integers(4)
    if kind == 0:
        paint.capsule(
            at - along * reach * 2, at + along * reach * 2, reach * make.uniform(0.02, 0.1), tone
        )
    elif kind == 1:
        paint.card(at, along, reach * make.uniform(0.15, 0.35, 2), tone)
    elif kind == 2:
        paint.capsule(at, at + along, reach * make.uniform(0.08, 0.22), tone)
    else:
        head = np.array([at[0], low[1] + size[1] * make.uniform(0.75, 1.1)])
        thick = reach * make.uniform(0.07, 0.12)
        paint.capsule(
            head, head + np.array([make.normal(0, 0.4), 1.0]) * reach, thick * 0.6, tone * 0.6
        )
        paint.capsule(head, head + 0.1, thick, tone * 0.5 + 20)
    paint.finish(make)


class _Layer:
    """Shapes that are drawn together over a picture, with a soft edge and a shadow."""

    def __init__(self, picture: FloatArray) -> None:
        self._picture = picture
        self._colour = np.zeros_like(picture)
        self._cover = np.zeros(picture.shape[:2], np.float32)

    def capsule(self, start: _Points, end: _Points, radius: float, tone: _Points) -> None:
        """A round-ended stroke, lighter along its middle."""
        ends = [tuple(int(v) for v in np.round(p)) for p in (start, end)]
        for share, gain in ((1.0, 0.78), (0.75, 0.92), (0.45, 1.04)):
            thick = max(1, round(2 * radius * share))
            cv2.line(
                self._colour, ends[0], ends[1], [float(c) for c in tone * gain], thick, cv2.LINE_AA
            )
        cv2.line(self._cover, ends[0], ends[1], 1.0, max(1, round(2 * radius)), cv2.LINE_AA)

    def card(self, at: _Points, along: _Points, half: _Points, tone: _Points) -> None:
        """A rectangle."""
        across = np.array([-along[1], along[0]])
        corners = [at + along * half[0] * a + across * half[1] * b for a, b in
                   ((-1, -1), (1, -1), (1, 1), (-1, 1))]  # fmt: skip
        pixels = np.round(np.array(corners)).astype(np.int32)
        cv2.fillPoly(self._colour, [pixels], [float(c) for c in tone], cv2.LINE_AA)
        cv2.fillPoly(self._cover, [pixels], 1.0, cv2.LINE_AA)

    def finish(self, make: np.random.Generator) -> None:
        """Lay it over the picture."""
        soft = float(make.uniform(0.4, 2.0))
        cover = cv2.GaussianBlur(self._cover, (0, 0), soft)[..., None]
        colour = cv2.GaussianBlur(self._colour, (0, 0), soft)
        shift = make.normal(0, 3, 2)
        move = np.array([[1, 0, shift[0]], [0, 1, abs(shift[1]) + 2]])
        size = self._cover.shape[::-1]
        shadow = cv2.GaussianBlur(cv2.warpAffine(self._cover, move, size), (0, 0), 4.0)[..., None]
        self._picture *= 1.0 - 0.35 * shadow
        solid = np.maximum(cover, 1e-3)
        self._picture[:] = self._picture * (1 - cover) + colour / solid * cover * cover
