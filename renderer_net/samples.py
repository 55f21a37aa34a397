"""One reference picture of a rig with everything that made it, and its form in a shard.

Of each sample a WebDataset record holds ``KEY.webp`` (the picture), ``KEY.png`` (the mask),
``KEY.npy`` (the numbers, float32) and ``KEY.json`` (which rig).
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import FloatArray

from .dots import LIGHT

QUALITY = 95
_FIXED = 3 + 6 + LIGHT + 1
"""Numbers before the weights: head, eyes, light, lens."""


@dataclass(frozen=True, kw_only=True)
class RigSample:
    """A rig performing one frame."""

    picture: NDArray[np.uint8]
    """(S, S, 3) RGB of the reference renderer."""
    mask: NDArray[np.uint8]
    """(S, S) 255 where the rig is."""
    weights: FloatArray
    """(K,) unit weights of the rig's controls."""
    head: FloatArray
    """(3,) yaw, pitch, roll, radians."""
    eyes: FloatArray
    """(2, 3) the same of the left and the right eye."""
    light: FloatArray
    """(8,) as `freeavatar.rigs.light.Light.vector`."""
    field_of_view: float
    """Of the lens, radians."""
    rig: str
    """Its name."""
    source: str
    """What it is loaded by: a rig's name or its file, as given when it was drawn."""
    source_sha256: str = ""
    """Of the rig's file; empty where it has none."""
    controls: tuple[str, ...] = ()
    """(K,) names of the controls; empty where they were not told."""


def pack(sample: RigSample, key: str) -> dict[str, str | bytes]:
    """A sample as the files of one record.

    Raises:
        ValueError: the picture cannot be encoded.
    """
    numbers = np.concatenate(
        [sample.head, sample.eyes.ravel(), sample.light, [sample.field_of_view], sample.weights]
    )
    array = io.BytesIO()
    np.save(array, numbers.astype(np.float32), allow_pickle=False)
    done, picture = cv2.imencode(
        ".webp", sample.picture[..., ::-1], (cv2.IMWRITE_WEBP_QUALITY, QUALITY)
    )
    marked, mask = cv2.imencode(".png", sample.mask)
    if not (done and marked):
        raise ValueError(f"{key}: cannot encode a picture of shape {sample.picture.shape}")
    facts = {
        "rig": sample.rig,
        "source": sample.source,
        "source_sha256": sample.source_sha256,
        "controls": sample.controls,
    }
    return {
        "__key__": key,
        "webp": picture.tobytes(),
        "png": mask.tobytes(),
        "npy": array.getvalue(),
        "json": json.dumps(facts).encode(),
    }


def unpack(record: Mapping[str, bytes]) -> RigSample:
    """A sample from the files of its record.

    Raises:
        KeyError: a file of the record is missing.
        ValueError: a picture does not decode, or the numbers are from another version.
    """
    picture = cv2.imdecode(np.frombuffer(record["webp"], np.uint8), cv2.IMREAD_COLOR)
    mask = cv2.imdecode(np.frombuffer(record["png"], np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None or mask is None or picture.shape[:2] != mask.shape:
        raise ValueError("a picture of the shard does not decode")
    numbers = np.load(io.BytesIO(record["npy"]), allow_pickle=False)
    if numbers.ndim != 1 or len(numbers) <= _FIXED or not np.isfinite(numbers).all():
        raise ValueError(f"expected more than {_FIXED} numbers in a sample, found {numbers.shape}")
    head, eyes, light, lens, weights = np.split(numbers.astype(np.float32), (3, 9, 17, 18))
    facts = json.loads(record["json"])
    if not isinstance(facts, dict) or not isinstance(facts.get("controls", []), list):
        raise ValueError("a sample does not say which rig it shows")
    controls = tuple(str(name) for name in facts.get("controls", ()))
    if len(controls) not in (0, len(weights)):
        raise ValueError(f"{len(controls)} controls but {len(weights)} weights in a sample")
    return RigSample(
        picture=np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8),
        mask=np.asarray(mask, np.uint8),
        weights=weights,
        head=head,
        eyes=eyes.reshape(2, 3),
        light=light,
        field_of_view=float(lens[0]),
        rig=str(facts["rig"]),
        source=str(facts["source"]),
        source_sha256=str(facts.get("source_sha256", "")),
        controls=controls,
    )
