"""Draws rigs: with OpenGL where there is some, with the neural renderer where there is none."""

import logging
from contextlib import AbstractContextManager
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RenderError
from freeavatar.rigs.spec import Rig, RigFrame

log = logging.getLogger(__name__)
DRAWN = 128
"""Pixels a side of what the neural renderer draws; it was trained on these."""


class Drawing(Protocol):
    """Draws one rig."""

    def picture(self, frame: RigFrame) -> NDArray[np.uint8]:
        """The rig performing a frame of its own, (H, W, 3) sRGB."""
        ...


def open_renderer(
    rig: Rig, *, side: int, neural: bool = False
) -> "AbstractContextManager[Drawing]":
    """A renderer of a rig, as a context manager.

    Args:
        rig: with a mesh.
        side: of the square pictures, pixels.
        neural: True does without OpenGL.

    Raises:
        RenderError: the rig has no mesh; or there is neither OpenGL nor the neural renderer.
    """
    from freeavatar.renderer_net.model import renderer_is_there
    from freeavatar.rigs.rendering import Renderer

    if not neural:
        try:
            return Renderer(rig, size=(side, side))
        except RenderError as error:
            if rig.mesh is None or not renderer_is_there():
                raise
            log.warning("%s; the neural renderer draws %s instead", error, rig.name)
    return _Enlarged(rig, side)


class _Enlarged:
    """The neural renderer's pictures, at the size that was asked for."""

    def __init__(self, rig: Rig, side: int) -> None:
        from freeavatar.animator.identity import load_identity
        from freeavatar.renderer_net.capturing import appearance_of
        from freeavatar.renderer_net.model import NeuralRenderer

        identity = load_identity(rig)
        look = identity.appearance or appearance_of(rig)
        self._renderer = NeuralRenderer(rig, look, size=(DRAWN, DRAWN), code=identity.renderer_code)
        self._side = side

    def picture(self, frame: RigFrame) -> NDArray[np.uint8]:
        """See `Drawing`."""
        drawn = self._renderer.picture(frame)
        square = cv2.resize(drawn, (self._side, self._side), interpolation=cv2.INTER_CUBIC)
        return np.asarray(square, np.uint8)

    def close(self) -> None:
        """Nothing to free."""
        self._renderer.close()

    def __enter__(self) -> "_Enlarged":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
