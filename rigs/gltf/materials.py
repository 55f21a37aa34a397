"""glTF materials and their base colour pictures.

Source: glTF 2.0 specification, section 3.9; KHR_texture_transform; KHR_materials_unlit.
"""

import io
import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.errors import RigError

from .accessors import view_bytes
from .document import Document, external_bytes
from .fields import Fields

MAX_PIXELS = 8192 * 8192

Picture = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Material:
    """What is drawn of a glTF material."""

    name: str = ""
    colour: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    texture: Picture | None = None
    uv_set: int = 0
    """Which TEXCOORD attribute the texture uses."""
    uv_transform: tuple[tuple[float, float, float], tuple[float, float, float]] = (
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
    )
    """Rows of the affine map (u, v, 1) to the coordinates the picture is read at."""
    roughness: float = 1.0
    metallic: float = 1.0
    double_sided: bool = False
    blend: bool = False
    unlit: bool = False


class Materials:
    """Reads a file's materials, each and each picture once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._materials: dict[int, Material] = {}
        self._pictures: dict[int, Picture | None] = {}
        self._textures: dict[tuple[int, str, float], Picture] = {}

    def read(self, index: int | None) -> Material:
        """A material by index; glTF's default material for None.

        Raises:
            RigError: it or its picture is damaged.
        """
        if index is None:
            return Material()
        if index not in self._materials:
            self._materials[index] = self._read(self._document.item("materials", index))
        return self._materials[index]

    def _read(self, fields: Fields) -> Material:
        surface = fields.object("pbrMetallicRoughness")
        place = surface.object("baseColorTexture")
        mode = fields.text("alphaMode", "OPAQUE")
        transform = place.object("extensions").object("KHR_texture_transform")
        red, green, blue, alpha = surface.numbers("baseColorFactor", (1.0, 1.0, 1.0, 1.0))
        return Material(
            name=fields.text("name"),
            colour=(red, green, blue, 1.0 if mode == "OPAQUE" else alpha),
            texture=self._texture(place, mode, fields.number("alphaCutoff", 0.5)),
            uv_set=transform.integer("texCoord", place.integer("texCoord", 0, high=7), high=7),
            uv_transform=_uv_transform(transform),
            roughness=surface.number("roughnessFactor", 1.0),
            metallic=surface.number("metallicFactor", 1.0),
            double_sided=fields.flag("doubleSided"),
            blend=mode in ("BLEND", "MASK"),
            unlit=fields.object("extensions").has("KHR_materials_unlit"),
        )

    def _texture(self, place: Fields, mode: str, cutoff: float) -> Picture | None:
        if not place.has("index"):
            return None
        source = self._source(self._document.item("textures", place.integer("index")))
        if source is None:
            return None
        if source not in self._pictures:
            self._pictures[source] = self._picture(source)
        picture = self._pictures[source]
        if picture is None:
            return None
        key = (source, mode, cutoff if mode == "MASK" else 0.0)
        if key not in self._textures:
            self._textures[key] = _with_alpha(picture, mode, cutoff)
        return self._textures[key]

    def _source(self, texture: Fields) -> int | None:
        if texture.has("source"):
            return texture.integer("source")
        extensions = texture.object("extensions")
        if extensions.has("EXT_texture_webp"):
            return extensions.object("EXT_texture_webp").integer("source")
        self._note_ktx2()
        return None

    def _note_ktx2(self) -> None:
        self._document.note(
            "Its textures are KTX2 (Basis), which is not read here: the plain base colour is drawn."
        )

    def _picture(self, index: int) -> Picture | None:
        image = self._document.item("images", index)
        if image.has("bufferView"):
            data = bytes(view_bytes(self._document, image.integer("bufferView")))
        else:
            data = external_bytes(image, self._document.folder)
        if data[:7] == b"\xabKTX 20":
            self._note_ktx2()
            return None
        return decode_picture(data, self._document, image.where)


def decode_picture(data: bytes, document: Document, where: str) -> Picture:
    """A PNG, JPEG or WebP as (H, W, 4) sRGB + alpha, uint8.

    Raises:
        RigError: it is damaged or has more than MAX_PIXELS.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # Our own limit below is stricter than Pillow's warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise RigError(
                    f"{document.file}: the picture {where} has {width}×{height} pixels; "
                    f"at most {MAX_PIXELS} are read: scale it down"
                )
            document.claim(4 * width * height, f"the picture {where}")
            return np.asarray(picture.convert("RGBA"), np.uint8)
    except RigError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds on damaged data
        raise RigError(
            f"{document.file}: the picture {where} is no readable PNG, JPEG or WebP"
        ) from error


def _with_alpha(picture: Picture, mode: str, cutoff: float) -> Picture:
    if mode == "BLEND" or (mode == "OPAQUE" and bool((picture[..., 3] == 255).all())):
        return picture
    out = picture.copy()
    out[..., 3] = 255 if mode != "MASK" else np.where(picture[..., 3] >= cutoff * 255, 255, 0)
    return out


def _uv_transform(
    fields: Fields,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    (du, dv), (su, sv) = fields.numbers("offset", (0.0, 0.0)), fields.numbers("scale", (1.0, 1.0))
    turn = fields.number("rotation", 0.0)
    c, s = math.cos(turn), math.sin(turn)
    return (su * c, sv * s, du), (-su * s, sv * c, dv)
