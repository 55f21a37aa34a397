"""Colours of the fox."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from .sculpt_fields import bump, smoothstep, vector
from .sculpt_paint import Picture, colour, iris, mix, picture, positions
from .sculpt_pieces import Piece, linear

FUR, CREAM, DARK = "#e5762b", "#fbead0", "#4b2a20"


def coat(face: Piece, size: int = 512) -> Picture:
    """Orange above, cream below with a ragged edge, darker lids, tear lines and bridge."""
    at = positions(face, size)
    x, y, z = at[..., 0] * 1000, at[..., 1] * 1000, at[..., 2] * 1000
    out = np.broadcast_to(colour(FUR), at.shape)
    out = mix(out, colour("#c9581f"), 0.45 * smoothstep(y, 30.0, 85.0))
    out = mix(out, colour("#f29a4a"), 0.55 * bump(at, vector(0, 30, 62), vector(12, 40, 30)))
    ragged = 2.2 * np.abs(((np.arctan2(z - 40, x) * 11.0) % 2.0) - 1.0)
    edge = np.where(z > 50, -21.0 - 0.03 * (z - 50), -21.0) + 9.0 * smoothstep(x, 24.0, 62.0)
    out = mix(out, colour(CREAM), smoothstep(edge + ragged - y, -1.2, 1.6))
    shadow = bump(at, vector(0, -60, 30), vector(60, 16, 60))
    out = mix(out, colour("#e9cfae"), 0.5 * shadow)
    tear = np.hypot((x - 20.0 + 0.20 * (z - 60.0)) / 3.0, (y - 6.0 + 0.18 * (z - 60)) / 4.5)
    out = mix(out, colour(DARK), 0.65 * smoothstep(tear, 1.3, 0.4) * smoothstep(z, 52.0, 58.0))
    return picture(out)


def looks(face: Piece) -> Mapping[str, Mapping[str, Any]]:
    """Fields of `Part` by material, in the order of drawing."""
    eye = iris(
        256, "#fff8ea", "#b2560f", "#ffc84a", "#2b160c",
        iris_radius=0.215, pupil=(0.080, 0.110), highlight=0.046,
    )  # fmt: skip
    rough = {"roughness": 0.8}
    return MappingProxyType(
        {
            "skin": {"texture": coat(face), "colour": (1.0, 1.0, 1.0, 1.0), **rough},
            "fur": {"colour": linear(0xDC, 0x6C, 0x26), **rough},
            "cream": {"colour": linear(0xF8, 0xE6, 0xCB), **rough},
            "dark": {"colour": linear(0x4B, 0x2A, 0x20), **rough},
            "ear_inner": {"colour": linear(0xF3, 0xC3, 0xA4), **rough},
            "lips": {"colour": linear(0x3A, 0x20, 0x1C), "roughness": 0.5},
            "mouth": {"colour": linear(0x7A, 0x24, 0x2E), "roughness": 0.7, "double_sided": True},
            "teeth": {"colour": linear(0xFC, 0xF7, 0xEC), "roughness": 0.3},
            "tongue": {"colour": linear(0xE8, 0x6F, 0x7A), "roughness": 0.45},
            "nose": {"colour": linear(0x24, 0x18, 0x1A), "roughness": 0.28},
            "eye": {"texture": eye, "colour": (1.0, 1.0, 1.0, 1.0), "roughness": 0.25},
            "lash": {"colour": linear(0x2A, 0x16, 0x12), "roughness": 0.8},
            "lid": {"colour": linear(0x3A, 0x20, 0x18), "roughness": 0.8},
        }
    )
