"""Draws rigs with the trained network: no OpenGL, no torch."""

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.blendshapes import unit_weights
from freeavatar.rigs.errors import RenderError
from freeavatar.rigs.spec import FloatArray, Rig, RigFrame
from freeavatar.rigs.vrm_expressions import resolve_expressions

from .appearance import Appearance
from .dots import CODE
from .numpy_splatting import STUDIO, PointPictures

WEIGHTS = Path(__file__).parent / "weights" / "renderer.onnx"
"""The network that ships."""
KIND_KEY, KIND = "kind", "renderer/1"
STEP = 8
"""Pixels that the size of a picture is a multiple of."""


def renderer_is_there() -> bool:
    """Whether the network is installed."""
    return WEIGHTS.is_file()


class NeuralRenderer:
    """Draws one rig as `freeavatar.rigs.rendering.Renderer` does; use as a context manager.

    Args:
        rig: what performs.
        appearance: of that rig.
        size: pixels a side, multiples of 8; the picture is square.
        code: (16,) what tuning has learnt of the rig; None for nothing.
        weights: the ``.onnx`` file; None for the one that ships.
        threads: most cores that one picture uses.

    Raises:
        RenderError: the network is missing or another one, or the appearance is not this rig's.
    """

    def __init__(
        self,
        rig: Rig,
        appearance: Appearance,
        *,
        size: tuple[int, int] = (128, 128),
        code: FloatArray | None = None,
        weights: Path | None = None,
        threads: int = 1,
    ) -> None:
        if len(appearance.displacements) != len(rig.controls):
            raise RenderError(
                f"rig {rig.name} has {len(rig.controls)} controls, its appearance "
                f"{len(appearance.displacements)}; register the rig again"
            )
        if size[0] != size[1] or size[0] % STEP or size[0] < 2 * STEP:
            raise RenderError(
                f"a picture of {size[0]}×{size[1]} pixels cannot be drawn: take a square of a "
                f"multiple of {STEP}"
            )
        self.rig, self._size = rig, size[0]
        self._points = PointPictures(appearance)
        self._session = _opened(weights or WEIGHTS, threads)
        self._code = np.zeros(CODE, np.float32) if code is None else np.asarray(code, np.float32)

    def picture(self, frame: RigFrame, light: FloatArray = STUDIO) -> NDArray[np.uint8]:
        """The rig performing a frame of its own, (S, S, 3) sRGB.

        Args:
            frame: of this rig.
            light: (8,) as `freeavatar.rigs.light.Light.vector`.
        """
        colour, _ = self.drawn(frame, light)
        return colour

    def drawn(
        self, frame: RigFrame, light: FloatArray = STUDIO, lens: float | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The picture (S, S, 3) sRGB and where the rig is, (S, S) 0..255.

        Args:
            frame: of this rig.
            light: (8,).
            lens: field of view, radians; None for that of the reference pictures.
        """
        weights = unit_weights(self.rig, resolve_expressions(self.rig, frame.values))
        maps = self._points.maps(weights, frame.head, frame.eyes, light, self._size, lens)
        condition = np.concatenate([light, self._code])[None].astype(np.float32)
        colour, mask = self._session.run(
            ["colour", "mask"], {"maps": maps[None], "condition": condition}
        )
        return _bytes(colour[0].transpose(1, 2, 0)), _bytes(mask[0, 0])

    def close(self) -> None:
        """Nothing to free; as the reference renderer has it."""

    def __enter__(self) -> "NeuralRenderer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _bytes(values: FloatArray) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.clip(values * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8))


def _opened(path: Path, threads: int) -> Any:
    import onnxruntime

    if not path.is_file():
        raise RenderError(f"the renderer's network {path} is missing; install freeavatar again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own errors share no base class
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RenderError(f"the renderer's network {path} is damaged ({reason})") from error
    kind = session.get_modelmeta().custom_metadata_map.get(KIND_KEY, "nothing known")
    if kind != KIND:
        raise RenderError(f"{path} is a network of kind {kind}, this version needs {KIND}")
    return session
