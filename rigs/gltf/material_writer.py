"""Writes the materials of a rig's parts, and their pictures as PNG."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import Part

from .builder import GlbBuilder


class MaterialWriter:
    """Adds each part's material, and each picture, once."""

    def __init__(self, builder: GlbBuilder) -> None:
        self._builder = builder
        self._materials: dict[int, int] = {}
        self._textures: dict[int, int] = {}

    def write(self, part: Part) -> int:
        """The index of a part's material."""
        key = id(part)
        if key not in self._materials:
            self._materials[key] = self._builder.append("materials", self._describe(part))
        return self._materials[key]

    def _describe(self, part: Part) -> dict[str, Any]:
        surface: dict[str, Any] = {
            "baseColorFactor": [float(np.clip(c, 0, 1)) for c in part.colour],
            "roughnessFactor": float(np.clip(part.roughness, 0, 1)),
            "metallicFactor": float(np.clip(part.metallic, 0, 1)),
        }
        if part.texture is not None:
            surface["baseColorTexture"] = {"index": self._texture(part.texture, part.blend)}
        material: dict[str, Any] = {"name": part.name, "pbrMetallicRoughness": surface}
        if part.double_sided:
            material["doubleSided"] = True
        if part.blend:
            material["alphaMode"] = "BLEND"
        if part.unlit:
            material["extensions"] = {"KHR_materials_unlit": {}}
            self._builder.content["extensionsUsed"] = ["KHR_materials_unlit"]
        return material

    def _texture(self, picture: NDArray[np.uint8], alpha: bool) -> int:
        key = id(picture)
        if key not in self._textures:
            from PIL import Image

            opaque = not alpha and bool((picture[..., 3] == 255).all())
            out = io.BytesIO()
            Image.fromarray(picture[..., :3] if opaque else picture).save(out, "PNG")
            view = self._builder.view(out.getvalue())
            source = self._builder.append("images", {"bufferView": view, "mimeType": "image/png"})
            self._textures[key] = self._builder.append("textures", {"source": source})
        return self._textures[key]
