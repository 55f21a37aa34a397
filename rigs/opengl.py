"""What pyrender lacks: moving vertices in place, several contexts at once, our own shading.

Imports pyrender and OpenGL at once; import it only when drawing.
"""

import os
from typing import Any

import numpy as np
import pyrender
from numpy.typing import NDArray
from OpenGL import GL
from PIL import Image
from pyrender.constants import RenderFlags
from pyrender.renderer import Renderer as SceneRenderer
from pyrender.shader_program import ShaderProgram

from . import light as lamps
from . import shaders
from .camera import Camera
from .light import STUDIO, Light
from .occlusion import shade_hollows
from .spec import FloatArray, Mesh, Part

LARGEST_TEXTURE = 2048
"""Pixels a side; larger textures only slow down pictures of a few hundred pixels."""


class StudioProgram(ShaderProgram):  # type: ignore[misc]
    """Compiles the sources of `freeavatar.rigs.shaders` instead of pyrender's files."""

    def __init__(self) -> None:
        super().__init__("vertex", "fragment")

    def _load(self, shader_filename: str) -> str:
        return shaders.VERTEX if shader_filename == "vertex" else shaders.FRAGMENT


class DrawnMesh(pyrender.Mesh):  # type: ignore[misc]
    """One part of a rig; its vertices are rewritten in the graphics memory for every picture."""

    def __init__(self, mesh: Mesh, part: Part) -> None:
        run = slice(part.first_triangle, part.first_triangle + part.triangle_count)
        self.used, local = np.unique(mesh.triangles[run], return_inverse=True)
        self.part = part
        data = np.zeros((len(self.used), 8), np.float32)
        data[:, :3] = mesh.vertices[self.used]
        data[:, 5] = 1.0
        if mesh.uvs is not None:
            # pyrender turns pictures upside down on upload, glTF coordinates have v down.
            data[:, 6] = mesh.uvs[self.used, 0]
            data[:, 7] = 1.0 - mesh.uvs[self.used, 1]
        self._data = data
        primitive = pyrender.Primitive(
            positions=data[:, :3],
            normals=data[:, 3:6],
            texcoord_0=data[:, 6:],
            indices=local.reshape(-1, 3),
            material=_material(part),
        )
        super().__init__(primitives=[primitive])

    @property
    def bounds(self) -> NDArray[np.float64]:
        """(2, 3) corners; pyrender's own uses a numpy name that is gone."""
        return np.array([self._data[:, :3].min(axis=0), self._data[:, :3].max(axis=0)])

    def move(self, vertices: FloatArray, normals: FloatArray) -> None:
        """Take new positions and normals (V, 3) of the whole rig; its context must be current."""
        self._data[:, :3] = vertices[self.used]
        self._data[:, 3:6] = normals[self.used]
        primitive = self.primitives[0]
        if not primitive._in_context():
            primitive._add_to_context()
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, primitive._buffers[0])
        GL.glBufferSubData(GL.GL_ARRAY_BUFFER, 0, self._data.nbytes, self._data)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, 0)


def _material(part: Part) -> pyrender.MetallicRoughnessMaterial:
    return pyrender.MetallicRoughnessMaterial(
        baseColorFactor=np.asarray(part.colour, np.float32),
        baseColorTexture=None if part.texture is None else _texture(part.texture),
        roughnessFactor=float(np.clip(part.roughness, 0.0, 1.0)),
        metallicFactor=float(np.clip(part.metallic, 0.0, 1.0)),
        alphaMode="BLEND" if part.blend else "OPAQUE",
        doubleSided=bool(part.double_sided),
    )


def _texture(picture: NDArray[np.uint8]) -> pyrender.Texture:
    height, width = picture.shape[:2]
    if max(height, width) > LARGEST_TEXTURE:
        scale = LARGEST_TEXTURE / max(height, width)
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(Image.fromarray(picture, "RGBA").resize(smaller, Image.Resampling.BOX))
    return pyrender.Texture(source=picture, source_channels="RGBA")


def _lamps(light: Light) -> dict[str, Any]:
    """The shader's uniforms of a light."""
    vectors = {
        "light_key": light.turn @ lamps.KEY,
        "light_fill": light.turn @ lamps.FILL,
        "light_tint": light.tint,
        "key_colour": lamps.KEY_COLOUR,
        "fill_colour": lamps.FILL_COLOUR,
        "ambient_down": lamps.AMBIENT_DOWN,
        "ambient_up": lamps.AMBIENT_UP,
    }
    return {
        **{name: np.array(value, np.float32) for name, value in vectors.items()},
        "light_strength": light.strength,
        "light_ambient": light.ambient,
        "key_wrap": lamps.KEY_WRAP,
        "fill_wrap": lamps.FILL_WRAP,
    }


class StudioRenderer(SceneRenderer):  # type: ignore[misc]
    """pyrender's passes with our shading, and the parts in the order they must be drawn."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(width, height)
        self._lamps = _lamps(STUDIO)
        self._studio: StudioProgram | None = None

    def lit_by(self, light: Light) -> None:
        """Take another light from now on."""
        self._lamps = _lamps(light)

    def _get_primitive_program(self, primitive: Any, flags: int, program_flags: int) -> Any:
        if self._studio is None:
            self._studio = StudioProgram()
            self._studio._add_to_context()
        return self._studio

    def _bind_lighting(self, scene: Any, program: Any, node: Any, flags: int) -> None:
        part = node.mesh.part
        program.set_uniform("unlit", int(part.unlit))
        program.set_uniform("blended", int(part.blend))
        program.set_uniform("has_texture", int(part.texture is not None))
        for name, value in self._lamps.items():
            program.set_uniform(name, value)

    def _sorted_mesh_nodes(self, scene: Any) -> list[Any]:
        """Opaque parts as they come, then blended parts from far to near."""
        eye = scene.get_pose(scene.main_camera_node)[:3, 3]

        def order(node: Any) -> tuple[bool, float]:
            middle = node.mesh.bounds.mean(axis=0)
            return node.mesh.part.blend, -float(np.linalg.norm(middle - eye))

        return sorted(scene.mesh_nodes, key=order)

    def delete(self) -> None:
        """Free what this context holds; it must be current."""
        if self._studio is not None:
            self._studio.delete()
            self._studio = None
        super().delete()


class Canvas(pyrender.OffscreenRenderer):  # type: ignore[misc]
    """A hidden OpenGL context that draws one rig.

    The context is current only inside a call, so that several canvases, also in different
    threads, do not disturb each other.
    """

    def __init__(self, mesh: Mesh, camera: Camera, background: tuple[float, float, float]) -> None:
        self.meshes = [DrawnMesh(mesh, part) for part in mesh.parts if part.triangle_count]
        self.scene = pyrender.Scene(bg_color=(*background, 1.0))
        for drawn in self.meshes:
            self.scene.add(drawn)
        self._camera = camera
        width, height = camera.size
        lens = pyrender.PerspectiveCamera(
            yfov=camera.field_of_view,
            aspectRatio=width / height,
            znear=camera.near,
            zfar=camera.far,
        )
        self.scene.add(lens, pose=camera.pose)
        super().__init__(width, height)
        self._release()

    def _create(self) -> None:
        if os.environ.get("PYOPENGL_PLATFORM") == "egl" and "EGL_DEVICE_ID" not in os.environ:
            self._platform = _first_egl(self.viewport_width, self.viewport_height)
        else:
            super()._create()
        self._renderer: StudioRenderer | None = StudioRenderer(
            self.viewport_width, self.viewport_height
        )

    def draw(
        self, vertices: FloatArray, normals: FloatArray, light: Light = STUDIO
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(V, 3) positions and normals to a (H, W, 3) sRGB picture and (H, W) 255 on the rig."""
        if self._renderer is None:
            raise RuntimeError("this canvas was deleted")
        self._platform.make_current()
        try:
            self._renderer._update_context(self.scene, RenderFlags.NONE)
            for drawn in self.meshes:
                drawn.move(vertices, normals)
            self._renderer.lit_by(light)
            flags = RenderFlags.OFFSCREEN | RenderFlags.RGBA
            colour, depth = self._renderer.render(self.scene, flags)
        finally:
            self._release()
        camera = self._camera
        picture = shade_hollows(colour, depth, focus=camera.focus, height=camera.shown_height)
        return picture, np.where(depth > 0, 255, 0).astype(np.uint8)

    def delete(self) -> None:
        """Free the context and what lies in it; safe to call twice."""
        if self._renderer is None:
            return
        self._platform.make_current()
        self._renderer.delete()
        self._renderer = None
        self._release()
        if _is_egl(self._platform):
            from OpenGL.EGL import eglDestroyContext

            # Not the platform's delete_context: it shuts down the display that all contexts of
            # the process share, and every other canvas with it.
            eglDestroyContext(self._platform._egl_display, self._platform._egl_context)
        else:
            self._platform.delete_context()

    def _release(self) -> None:
        if _is_egl(self._platform):
            from OpenGL.EGL import EGL_NO_CONTEXT, EGL_NO_SURFACE, eglMakeCurrent

            display = self._platform._egl_display
            eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT)
        else:
            self._platform.make_uncurrent()


def _first_egl(width: int, height: int) -> Any:
    """An EGL context, current, on the first device that gives one.

    pyrender takes the first device only, which may be a card that this user or container may not
    open, with the software driver behind it.
    """
    from pyrender.platforms import egl

    failure: Exception = RuntimeError("no EGL device")
    for device in egl.query_devices() if egl._eglQueryDevicesEXT else [egl.get_default_device()]:
        platform = egl.EGLPlatform(width, height, device=device)
        try:
            platform.init_context()
            return platform
        except Exception as error:  # pyrender asserts, PyOpenGL raises its own
            failure = error
    raise failure


def _is_egl(platform: Any) -> bool:
    return hasattr(platform, "_egl_context")
