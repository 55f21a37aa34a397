"""The studio's light can be turned, dimmed and coloured, and stays what it was."""

import numpy as np
import pytest

from freeavatar.rigs import registry
from freeavatar.rigs.light import STUDIO, Light
from freeavatar.rigs.rendering import Renderer
from freeavatar.rigs.spec import RigFrame


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    rig = registry.load("mannequin")
    lights = {
        "studio": STUDIO,
        "other side": Light(yaw=-1.2),
        "dim": Light(strength=0.4),
        "no ambient": Light(ambient=0.0),
        "red": Light(tint=(1.0, 0.3, 0.3)),
    }
    frame = RigFrame(index=0, time=0.0, values=rig.neutral)
    with Renderer(rig, size=(96, 96)) as renderer:
        out = {name: renderer.picture(frame, light) for name, light in lights.items()}
        out["plain"] = renderer.picture(frame)
        out["again"], out["mask"] = renderer.drawn(frame)
    return out


def halves(picture: np.ndarray) -> tuple[float, float]:
    """Brightness of the face left and right of the middle."""
    face = picture[30:70, 30:66].mean(axis=(0, 2))
    return float(face[:18].mean()), float(face[18:].mean())


def test_the_studio_is_the_default(pictures: dict[str, np.ndarray]) -> None:
    assert np.array_equal(pictures["studio"], pictures["plain"])
    assert np.array_equal(pictures["studio"], pictures["again"])


def test_the_key_light_goes_round(pictures: dict[str, np.ndarray]) -> None:
    left, right = halves(pictures["studio"])
    assert left > right + 5
    left, right = halves(pictures["other side"])
    assert right > left + 5


def test_lamps_and_ambient_dim_apart(pictures: dict[str, np.ndarray]) -> None:
    means = {name: float(p[30:70, 30:66].mean()) for name, p in pictures.items() if p.ndim == 3}
    assert means["dim"] < means["studio"] - 20
    assert means["no ambient"] < means["studio"] - 5
    red, studio = (pictures[n][30:70, 30:66].mean(axis=(0, 1)) for n in ("red", "studio"))
    assert red[2] < studio[2] - 10
    assert red[0] == pytest.approx(studio[0], abs=1.0)


def test_the_mask_is_the_head(pictures: dict[str, np.ndarray]) -> None:
    mask = pictures["mask"]
    assert set(np.unique(mask)) == {0, 255}
    assert mask[48, 48] == 255 and mask[2, 2] == 0
    assert 0.15 < (mask > 0).mean() < 0.8


def test_the_numbers_come_back() -> None:
    light = Light(yaw=0.3, pitch=-0.1, strength=1.2, ambient=0.7, tint=(1.0, 0.9, 0.8))
    numbers = light.vector
    assert numbers.shape == (8,)
    np.testing.assert_allclose(Light.from_vector(numbers).vector, numbers)
    np.testing.assert_allclose(STUDIO.turn, np.eye(3), atol=1e-12)
