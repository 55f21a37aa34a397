"""Pictures of letters, discs and plain colour: round and dark spots in the places of eyes, no face.

Titles in films are what detectors take for faces most often.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:;.8oOeg%&@"


def plain(size: int, rng: Generator) -> Picture:
    """(size, size, 3) of one colour (often black) or of a gradient between two."""
    first, second = rng.integers(0, 256, (2, 3)) * (rng.random() > 0.25)
    if rng.random() < 0.5:
        second = first
    slope = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    across = np.broadcast_to(first + (second - first) * slope, (size, size, 3))
    out = across if rng.random() < 0.5 else across.swapaxes(0, 1)
    return np.ascontiguousarray(out).astype(np.uint8)


def letters(size: int, rng: Generator) -> Picture:
    """(size, size, 3) of big letters, discs and rings on a plain ground."""
    out = plain(size, rng)
    for _ in range(int(rng.integers(1, 5))):
        colour = [int(v) for v in rng.integers(0, 256, 3)]
        x, y = (int(v) for v in rng.uniform(-0.2, 0.9, 2) * size)
        if rng.random() < 0.75:
            text = "".join(rng.choice(list(_LETTERS), int(rng.integers(1, 5))))
            font, scale = _FONTS[int(rng.integers(len(_FONTS)))], float(rng.uniform(0.8, 5))
            width = int(rng.integers(1, 4 + int(4 * scale)))
            if rng.random() < 0.5:  # an outline of another colour
                around = [int(v) for v in rng.integers(0, 256, 3)]
                cv2.putText(out, text, (x, y + size // 4), font, scale, around, width + 6, 16)
            cv2.putText(out, text, (x, y + size // 4), font, scale, colour, width, 16)
        else:
            radius = int(rng.uniform(0.03, 0.3) * size)
            cv2.circle(out, (x, y), radius, colour, int(rng.choice((-1, 3, 8))), 16)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.3, 2.0))), np.uint8)
