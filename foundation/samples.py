"""One training picture with everything that is known about it, and its form in a shard.

A shard is a WebDataset tar; of each sample it holds ``KEY.jpg`` (the crop), ``KEY.npy`` (the
numbers, float32, NaN where unknown) and ``KEY.json`` (who and what).
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .expression import BLENDSHAPES, FloatArray
from .landmarks import LANDMARKS

Domain = Literal["photo", "avatar", "cartoon", "none"]
"""``none``: no face in the picture."""
JPEG_QUALITY = 92


def _unknown(*shape: int) -> Callable[[], FloatArray]:
    return lambda: np.full(shape, np.nan, np.float32)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A face (or none) in a crop of `freeavatar.foundation.crops.STORED_SIZE` pixels."""

    picture: NDArray[np.uint8]
    """(S, S, 3) RGB."""
    identity: str
    """Who is shown; splits go by it. Mixed people have names of their own."""
    domain: Domain
    expression: int = -1
    """Number of the expression in its seeded sequence: pictures with the same number show the same
    blendshapes; -1 where it is not from one."""
    blendshapes: FloatArray = field(default_factory=_unknown(52))
    """(52,) ARKit coefficients 0..1."""
    eyes: FloatArray = field(default_factory=_unknown(2, 2))
    """(2, 2) yaw, pitch of left and right eye relative to the head, radians, as in `Expression`."""
    head: FloatArray = field(default_factory=_unknown(3, 3))
    """(3, 3) rotation in the axes of the crop (its x and y; y up), as `Expression.head`."""
    place: FloatArray = field(default_factory=_unknown(3))
    """(3,) x, y of the mean of the four eye corners, crop pixels, and the metres that the side of
    the crop spans at their depth."""
    landmarks: FloatArray = field(default_factory=_unknown(len(LANDMARKS), 2))
    """(156, 2) crop pixels, pixel (0, 0) has its middle at (0.5, 0.5)."""

    @property
    def face(self) -> bool:
        """Whether there is a face."""
        return self.domain != "none"


_LAYOUT: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("blendshapes", (len(BLENDSHAPES),)),
    ("eyes", (2, 2)),
    ("head", (3, 3)),
    ("place", (3,)),
    ("landmarks", (len(LANDMARKS), 2)),
)
NUMBERS = sum(int(np.prod(shape)) for _, shape in _LAYOUT)


def pack(sample: Sample, key: str) -> dict[str, str | bytes]:
    """A sample as the files of one WebDataset record."""
    numbers = np.concatenate([getattr(sample, name).ravel() for name, _ in _LAYOUT])
    array = io.BytesIO()
    np.save(array, numbers.astype(np.float32), allow_pickle=False)
    facts = {
        "identity": sample.identity,
        "domain": sample.domain,
        "expression": sample.expression,
    }
    done, picture = cv2.imencode(
        ".jpg", sample.picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    )
    if not done:
        raise ValueError(f"{key}: cannot encode a picture of shape {sample.picture.shape}")
    return {
        "__key__": key,
        "jpg": picture.tobytes(),
        "npy": array.getvalue(),
        "json": json.dumps(facts).encode(),
    }


def unpack_numbers(data: bytes) -> dict[str, FloatArray]:
    """The arrays of a record's ``npy``, by the names of `Sample`'s fields.

    Raises:
        ValueError: it was written by another version.
    """
    flat = np.load(io.BytesIO(data), allow_pickle=False)
    if flat.shape != (NUMBERS,):
        raise ValueError(f"expected {NUMBERS} numbers in a sample, found shape {flat.shape}")
    out: dict[str, FloatArray] = {}
    start = 0
    for name, shape in _LAYOUT:
        count = int(np.prod(shape))
        out[name] = flat[start : start + count].reshape(shape)
        start += count
    return out


def unpack(record: Mapping[str, bytes]) -> Sample:
    """A sample from the files of its record.

    Raises:
        ValueError: the picture does not decode, or the numbers are from another version.
    """
    picture = cv2.imdecode(np.frombuffer(record["jpg"], np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("a picture of the shard does not decode")
    facts = json.loads(record["json"])
    return Sample(
        picture=np.ascontiguousarray(picture[..., ::-1]),
        identity=str(facts["identity"]),
        domain=cast(Domain, facts["domain"]),
        expression=int(facts["expression"]),
        **unpack_numbers(record["npy"]),
    )
