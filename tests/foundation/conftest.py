"""Movies made on the spot, each frame grey with a level that tells its number; a small training."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

LEVEL = 8
"""Grey levels from one frame to the next."""


def level(picture: NDArray[np.uint8]) -> int:
    """The frame number that a picture's middle shows."""
    height, width = picture.shape[:2]
    return round(float(picture[height // 2, width // 2].mean()) / LEVEL)


@pytest.fixture
def number() -> Callable[[NDArray[np.uint8]], int]:
    return level


@pytest.fixture
def movie(tmp_path: Path) -> Callable[..., Path]:
    """``movie(name, …)`` writes a small movie and returns its path.

    The left upper corner is white, so that turning and mirroring show.
    """

    def write(
        name: str,
        *,
        ticks: Sequence[int] = tuple(range(24)),
        rate: int = 24,
        codec: str = "libx264",
        form: str = "yuv420p",
        size: tuple[int, int] = (64, 48),
        rotation: int | None = None,
        pixel: Fraction | None = None,
        sound: bool = False,
        options: dict[str, str] | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", options=options or {}) as container:
            container.metadata.update(metadata or {})
            stream: Any = container.add_stream(codec, rate=rate)
            stream.width, stream.height, stream.pix_fmt = *size, form
            stream.gop_size = 12
            if pixel is not None:
                stream.codec_context.sample_aspect_ratio = pixel
            if rotation is not None:
                stream.set_display_rotation(rotation)
            if sound:
                track: Any = container.add_stream("aac", rate=16000, layout="mono")
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, 16000), np.float32), format="fltp", layout="mono"
                )
                silence.rate, silence.pts = 16000, 0
                container.mux(track.encode(silence) + track.encode())
            for i, tick in enumerate(ticks):
                picture = np.full((size[1], size[0], 3), i * LEVEL % 256, np.uint8)
                picture[:8, :8] = 255
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=form)
                frame.pts, frame.time_base = tick, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on toy faces."""
    # Torch takes seconds to load, and most tests here need none.
    import torch

    from freeavatar.foundation.training.expression_training import (
        ExpressionOptions,
        train_expression,
    )

    from .toy_faces import ToyFeed
    from .toy_runs import ALONE, CONFIG, run_options

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    feed = ToyFeed(batch=32, size=64, second_views=8)
    train_expression(
        feed, ExpressionOptions(config=CONFIG), run_options(folder, samples=32 * 150), ALONE
    )
    return folder
