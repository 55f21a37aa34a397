"""How crops follow a face: how far two of them are apart, and when the next one moves."""

import math
from dataclasses import replace

from .crops import Crop


def apart(a: Crop, b: Crop) -> float:
    """How differently two crops show a face: the largest of shift, scale and turn.

    Shift in sides of the smaller crop, scale as the logarithm of the sides' ratio, turn in radians:
    0.1 is a tenth of the crop, 10 % of size or 6°.
    """
    shift = math.dist(a.centre, b.centre)
    scale = abs(math.log(a.side / b.side))
    return max(shift / min(a.side, b.side), scale, abs(turned(a.roll, b.roll)))


def drawn_along(crop: Crop, own: Crop, slack: float) -> Crop:
    """The crop for the next picture: it stays put within ``slack`` of the face's own crop and is
    drawn along beyond it, so that noise does not move it and motion does not make it jump.

    Args:
        crop: that was cut.
        own: that the face's points ask for.
        slack: as `apart` measures it.
    """
    far = apart(crop, own)
    if far <= slack:
        return crop
    stay = slack / far
    x, y = (o + stay * (c - o) for c, o in zip(crop.centre, own.centre, strict=True))
    return replace(
        own,
        centre=(x, y),
        side=float(own.side * (crop.side / own.side) ** stay),
        roll=own.roll + stay * turned(crop.roll, own.roll),
    )


def turned(a: float, b: float) -> float:
    """``a - b`` as an angle between -pi and pi."""
    return (a - b + math.pi) % (2 * math.pi) - math.pi
