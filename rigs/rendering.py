"""Pictures of a rig performing, drawn off screen by pyrender."""

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .blendshapes import pose
from .camera import Camera, face_camera
from .errors import RenderError
from .light import STUDIO, Light
from .spec import FloatArray, Mesh, Rig, RigFrame
from .surface import Normals, SurfaceView

if TYPE_CHECKING:
    from .opengl import Canvas

BACKGROUND = (0.155, 0.165, 0.185)
"""sRGB 0..1 behind every rig: dark enough for the rim light, light enough for dark hair."""


class Renderer:
    """Draws one rig, again and again; use as a context manager.

    Several may live at once, in one thread or several, each used by one thread at a time.

    Args:
        rig: with a mesh.
        size: width and height in pixels.
        background: sRGB 0..1.
        camera: None finds the face (`freeavatar.rigs.camera.face_camera`).

    Raises:
        RenderError: the rig has no mesh, or no OpenGL is to be had.
    """

    def __init__(
        self,
        rig: Rig,
        *,
        size: tuple[int, int] = (512, 512),
        background: tuple[float, float, float] = BACKGROUND,
        camera: Camera | None = None,
    ) -> None:
        if rig.mesh is None or not len(rig.mesh.triangles):
            raise RenderError(f"rig {rig.name} has no mesh to draw; choose one that has")
        if min(size) < 1:
            raise RenderError(f"a picture of {size[0]}×{size[1]} pixels cannot be drawn")
        self.rig = rig
        self.camera = camera if camera is not None else face_camera(rig, size)
        self._mesh: Mesh = rig.mesh
        self._normals = Normals(rig.mesh)
        self._canvas: Canvas | None = _canvas(rig.mesh, self.camera, background)

    def picture(self, frame: RigFrame, light: Light = STUDIO) -> NDArray[np.uint8]:
        """The rig performing a frame of its own, (H, W, 3) sRGB."""
        return self.drawn(frame, light)[0]

    def drawn(
        self, frame: RigFrame, light: Light = STUDIO
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The picture (H, W, 3) sRGB, and where the rig is: (H, W), 255 or 0."""
        return self._draw(pose(self.rig, frame), light)

    def picture_of(self, vertices: FloatArray) -> NDArray[np.uint8]:
        """The rig with its vertices (V, 3) at given places, (H, W, 3) sRGB.

        Raises:
            RenderError: the renderer was closed.
            ValueError: the vertices are not this rig's.
        """
        return self._draw(vertices, STUDIO)[0]

    def _draw(
        self, vertices: FloatArray, light: Light
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if self._canvas is None:
            raise RenderError(f"the renderer of rig {self.rig.name} is closed")
        if vertices.shape != self._mesh.vertices.shape:
            raise ValueError(
                f"rig {self.rig.name} has vertices {self._mesh.vertices.shape}, "
                f"not {vertices.shape}"
            )
        placed = np.asarray(vertices, np.float32)
        return self._canvas.draw(placed, self._normals.of(placed), light)

    def surface(self, vertices: FloatArray) -> SurfaceView:
        """What this renderer's camera sees of vertices (V, 3), to find mesh points by pixel."""
        return surface_view(self._mesh, vertices, self.camera)

    def close(self) -> None:
        """Free the graphics memory; safe to call twice."""
        if self._canvas is not None:
            self._canvas.delete()
            self._canvas = None

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def surface_view(mesh: Mesh, vertices: FloatArray, camera: Camera) -> SurfaceView:
    """What a camera sees of a mesh posed at vertices (V, 3); needs no OpenGL."""
    both = np.zeros(len(mesh.triangles), np.bool_)
    for part in mesh.parts:
        both[part.first_triangle : part.first_triangle + part.triangle_count] = part.double_sided
    return SurfaceView(
        camera=camera,
        vertices=np.asarray(vertices, np.float32),
        triangles=mesh.triangles,
        double_sided=both,
    )


def _canvas(mesh: Mesh, camera: Camera, background: tuple[float, float, float]) -> "Canvas":
    if sys.platform.startswith("linux"):
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyglet

        # pyrender's window, which we never open, would otherwise ask for an X display's libraries.
        pyglet.options["headless"] = True
        from .opengl import Canvas

        return Canvas(mesh, camera, background)
    except Exception as error:
        # PyOpenGL and pyrender report a missing driver as anything from ImportError and
        # AttributeError to a bare AssertionError.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RenderError(
            f"cannot draw: OpenGL did not start ({reason}); on Debian or Ubuntu run: "
            "sudo apt-get install libegl1 libgl1 libgl1-mesa-dri"
        ) from error
