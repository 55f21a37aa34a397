"""Colours of the cartoon character."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from .sculpt_fields import Array, bump, smoothstep, vector
from .sculpt_paint import Picture, colour, iris, mix, picture, positions
from .sculpt_pieces import Piece, linear

SKIN = "#f0b48c"
FRECKLES = (
    (33, -35), (41, -33), (49, -36), (37, -42), (45, -43), (54, -42), (28, -41), (60, -37),
)  # fmt: skip


def complexion(face: Piece, size: int = 512) -> Picture:
    """Skin with rosy cheeks, nose and chin, freckles, nostrils and warm lids."""
    at = positions(face, size)
    out = np.broadcast_to(colour(SKIN), at.shape)
    rose = 0.60 * bump(at, vector(52, -42, 66), vector(21, 15, 60))
    rose = rose + 0.50 * bump(at, vector(0, -32, 110), vector(15, 10, 30))
    rose = rose + 0.22 * bump(at, vector(0, -98, 85), vector(18, 10, 40))
    out = mix(out, colour("#e87860"), np.clip(rose, 0.0, 0.7))
    orbit = _around_eye(at)
    out = mix(out, colour("#d98a68"), 0.45 * orbit)
    for x, y in FRECKLES:
        far = np.hypot(at[..., 0] - x / 1000, at[..., 1] - y / 1000)
        out = mix(out, colour("#b8683f"), 0.55 * smoothstep(far, 0.0019, 0.0007) * (at[..., 2] > 0))
    nostril = bump(at, vector(5.2, -40.5, 103), vector(3.0, 1.6, 12))
    return picture(mix(out, colour("#8a4330"), smoothstep(nostril, 0.25, 0.8)))


def _around_eye(at: Array) -> Array:
    far = np.hypot((at[..., 0] - 0.039) / 0.033, (at[..., 1] + 0.002) / 0.030)
    return np.asarray(smoothstep(far, 1.25, 0.9) * (at[..., 2] > 0))


def looks(face: Piece) -> Mapping[str, Mapping[str, Any]]:
    """Fields of `Part` by material, in the order of drawing."""
    eye = iris(
        256, "#fbf7f0", "#1f5d57", "#5fc7a0", "#122b2c",
        iris_radius=0.195, pupil=(0.090, 0.100), highlight=0.042,
    )  # fmt: skip
    return MappingProxyType(
        {
            "skin": {
                "texture": complexion(face),
                "colour": (1.0, 1.0, 1.0, 1.0),
                "roughness": 0.62,
            },
            "ear": {"colour": linear(0xEE, 0xA8, 0x82), "roughness": 0.62},
            "neck": {"colour": linear(0xE4, 0xA2, 0x7B), "roughness": 0.65},
            "lips": {"colour": linear(0xCE, 0x74, 0x62), "roughness": 0.45},
            "mouth": {"colour": linear(0x6E, 0x1A, 0x24), "roughness": 0.7, "double_sided": True},
            "teeth": {"colour": linear(0xFB, 0xF6, 0xEA), "roughness": 0.3},
            "tongue": {"colour": linear(0xDD, 0x5E, 0x66), "roughness": 0.45},
            "eye": {"texture": eye, "colour": (1.0, 1.0, 1.0, 1.0), "roughness": 0.25},
            "lash": {"colour": linear(0x3A, 0x1F, 0x1C), "roughness": 0.8},
            "lid": {"colour": linear(0xD9, 0x8E, 0x70), "roughness": 0.6},
            "hair": {"colour": linear(0x74, 0x31, 0x1B), "roughness": 0.55},
            "hair_light": {"colour": linear(0x93, 0x45, 0x22), "roughness": 0.5},
            "cloth": {"colour": linear(0x1F, 0x7A, 0x8C), "roughness": 0.9},
            "cord": {"colour": linear(0xF4, 0xC9, 0x5D), "roughness": 0.8},
        }
    )
