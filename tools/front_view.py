"""The picture in which a person reads off where a rig's face points are, or checks them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from freeavatar.rigs.spec import Rig

TICK = 64
"""Pixels between two lines of the ruler."""
LINE, LABEL, POINT = (110, 116, 128), (200, 205, 214), (255, 196, 0)


def front_view(rig: "Rig") -> Image.Image:
    """The neutral from straight ahead under a grid of pixels, with the face points the rig has.

    Args:
        rig: with a mesh.

    Raises:
        RenderError: the rig has no mesh, or no OpenGL is to be had.
    """
    from freeavatar.animator.given_anchors import FRONT_SIZE, front_camera
    from freeavatar.animator.motion import anchor_positions, anchors_of
    from freeavatar.rigs.errors import RenderError
    from freeavatar.rigs.rendering import Renderer
    from freeavatar.rigs.spec import RigFrame

    if rig.mesh is None:
        raise RenderError(f"rig {rig.name} has no mesh to draw; choose one that has")
    camera = front_camera(rig)
    with Renderer(rig, size=camera.size, camera=camera) as renderer:
        picture = renderer.picture(RigFrame(index=0, time=0.0, values=rig.neutral))
    view = Image.fromarray(picture)
    draw = ImageDraw.Draw(view, "RGBA")
    _ruler(draw, FRONT_SIZE)
    if rig.anchors is not None:
        at = camera.project(anchor_positions(rig)[anchors_of(rig).found])[0]
        for x, y in np.asarray(at):
            draw.ellipse((x - 2.5, y - 2.5, x + 2.5, y + 2.5), fill=POINT)
    return view


def _ruler(draw: ImageDraw.ImageDraw, size: int) -> None:
    font: Any = ImageFont.load_default(size=13)
    for at in range(TICK, size, TICK):
        draw.line((at, 0, at, size), fill=(*LINE, 90))
        draw.line((0, at, size, at), fill=(*LINE, 90))
        draw.text((at, 3), str(at), font=font, fill=LABEL, anchor="mt")
        draw.text((3, at), str(at), font=font, fill=LABEL, anchor="lm")
