"""Sky light and backgrounds from environment maps."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import FloatArray

from .drawing import Light, to_bytes

FACTORS = np.array([0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392,
                    1.092548, 0.546274])  # fmt: skip
"""Of the nine real spherical harmonics."""
BANDS = np.array([1.0, *[2 / 3] * 3, *[1 / 4] * 5])
"""What a matt surface keeps of each band, over pi (Ramamoorthi and Hanrahan, SIGGRAPH 2001)."""
TURNS = 16
"""Directions around each map for which its light is computed once."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment map."""

    name: str
    picture: NDArray[np.uint8]
    """(512, 1024, 3) RGB, latitude down."""
    harmonics: FloatArray
    """(TURNS, 9, 3) light on a matt surface, the camera looking to each of `TURNS` directions."""
    small: FloatArray
    """(16, 32, 3) radiance."""


def read_environments(folder: Path) -> tuple[Environment, ...]:
    """The environment maps (``*.hdr``) of a folder.

    Raises:
        ValueError: there is none.
    """
    found = tuple(_read(path) for path in sorted(folder.glob("*.hdr")))
    if not found:
        raise ValueError(f"no environment map (*.hdr) in {folder}")
    return found


def _read(path: Path) -> Environment:
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise ValueError(f"{path} is no picture that OpenCV reads")
    full = np.ascontiguousarray(stored[..., 2::-1]).astype(np.float32)
    radiance = np.asarray(cv2.resize(full, (1024, 512), interpolation=cv2.INTER_AREA), np.float32)
    coarse = cv2.resize(radiance, (64, 32), interpolation=cv2.INTER_AREA)
    # One exposure for all maps: a grey matt ball under it is about half as bright as white.
    latitude = (np.arange(32) + 0.5) / 32 * np.pi
    mean = (coarse * np.sin(latitude)[:, None, None]).mean() / np.sin(latitude).mean()
    scale = 0.55 / max(float(mean), 1e-6)
    coarse = coarse * scale
    return Environment(
        name=path.stem,
        picture=to_bytes(np.minimum(radiance * scale * 0.9, 1.0)),
        harmonics=np.stack(
            [_harmonics(np.roll(coarse, -64 * t // TURNS, 1)) for t in range(TURNS)]
        ),
        small=np.minimum(cv2.resize(coarse, (32, 16), interpolation=cv2.INTER_AREA), 4.0),
    )


def _harmonics(radiance: FloatArray) -> FloatArray:
    """(9, 3) of a map (H, W, 3) whose middle column lies behind the camera."""
    high, wide = radiance.shape[:2]
    latitude = (np.arange(high) + 0.5) / high * np.pi
    longitude = ((np.arange(wide) + 0.5) / wide - 0.5) * 2 * np.pi
    y = np.cos(latitude)[:, None] * np.ones(wide)
    # Seen from inside, columns go clockwise: from the viewer's side (+z) to the left (-x).
    x = -np.sin(latitude)[:, None] * np.sin(longitude)
    z = np.sin(latitude)[:, None] * np.cos(longitude)
    basis = np.stack([np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y])
    solid = np.sin(latitude)[:, None] * (np.pi / high) * (2 * np.pi / wide)
    found = np.einsum("khw,hwc,hw->kc", basis, radiance, solid * np.ones(wide))
    return np.asarray(found * (FACTORS**2 * BANDS)[:, None], np.float32)


def random_light(environment: Environment, turn: int, make: np.random.Generator) -> Light:
    """Light of an environment seen in one of `TURNS` directions, and a key light."""
    harmonics = environment.harmonics[turn] * np.exp(make.normal(0, 0.25))
    # Cameras balance most of a light's colour away.
    cast = np.maximum(harmonics[0], 1e-3) / max(float(harmonics[0].mean()), 1e-3)
    harmonics = harmonics / cast ** make.uniform(0.3, 1.0)
    if make.random() < 0.25:
        # A studio: even light of any colour.
        harmonics = harmonics * 0.15
        harmonics[0] += make.uniform(0.35, 0.8) * np.exp(make.normal(0, 0.08, 3))
    side, up = make.normal(0, 0.7), make.normal(0.45, 0.4)
    direction = np.array([np.sin(side) * np.cos(up), np.sin(up), np.cos(side) * np.cos(up)])
    warmth = make.normal(0, 0.16)
    tint = np.array([np.exp(warmth), 1.0, np.exp(-warmth)])
    strength = make.choice(
        [0.0, make.uniform(0.1, 0.5), make.uniform(0.4, 1.2)], p=[0.25, 0.4, 0.35]
    )
    small = np.roll(environment.small, -32 * turn // TURNS, axis=1)
    return Light(
        harmonics=harmonics.astype(np.float32),
        environment=np.ascontiguousarray(small, np.float32),
        direction=direction.astype(np.float32),
        colour=(strength * tint).astype(np.float32),
        gloss=float(make.uniform(0.1, 1.0)),
    )
