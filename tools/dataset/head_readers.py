"""Heads from the files of ``synth/``: their meshes, shapes and motions, in metres."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

from .drawing import EYE, GLOSSY, MATT, SKIN, IntArray
from .drawing import vertex_normals as _normals
from .heads import Head, Motion

ICT_MODES = 40
TONGUE_FIRST = 16312
"""Vertices of the region of gums and tongue from here on are the tongue."""
TONGUE = np.array([0.0, -0.006, 0.036], np.float32)
"""Metres that the tip of the ICT tongue moves under tongueOut, which that head lacks."""
RED, ROSE, BONE, SHADE = (
    (0.16, 0.03, 0.03),
    (0.42, 0.13, 0.12),
    (0.72, 0.66, 0.55),
    (0.3, 0.12, 0.1),
)
LASH_LINE = 0.75
"""How much darker the upper lid's margin is; the files' lashes would be solid cards."""


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """A head and what makes people of it."""

    head: Head
    neutral: FloatArray
    """(V, 3)"""
    identities: FloatArray
    """(I, V * 3) displacements."""
    identity_names: tuple[str, ...]
    motion: Motion
    """Of the 52 ARKit shapes, in their order."""
    colours: FloatArray
    """(V, 3) linear, 1 on skin."""


def halves_of(names: list[str], shape: str) -> list[str]:
    """The ICT shapes that make up an ARKit shape."""
    for ending, short in (("Left", "_L"), ("Right", "_R")):
        if shape.endswith(ending) and shape[: -len(ending)] + short in names:
            return [shape[: -len(ending)] + short]
    return [n for n in (shape, shape + "_L", shape + "_R") if n in names]


def read_ict(path: Path) -> Shapes:
    """The ICT face: exact ARKit shapes, and a tongue that comes out."""
    with np.load(path) as data:
        names = data["expr_names"].tolist()
        ranges = dict(
            zip(data["region_names"].tolist(), data["region_vertex_range_inclusive"], strict=True)
        )
        neutral = data["neutral"] / 100.0
        deltas = data["expr_delta"].astype(np.float32) / 100.0
        modes = data["id_delta"][:ICT_MODES].astype(np.float32) / 100.0
        triangles = data["tri"].astype(np.int32)
    region = np.full(len(neutral), "", dtype="U24")
    for name, (first, last) in ranges.items():
        region[first : last + 1] = name
    left_out = ("lacrimal", "eyeblend", "eye_occlusion", "eyelashes")
    kept = ~np.char.startswith(region, left_out[0])
    for name in left_out[1:]:
        kept &= ~np.char.startswith(region, name)
    number = np.cumsum(kept) - 1
    triangles = number[triangles[kept[triangles].all(axis=1)]].astype(np.int32)
    region = region[kept]
    eyes = tuple(
        np.flatnonzero(region == f"eyeball_{s}").astype(np.int32) for s in ("left", "right")
    )
    shaped = [
        sum(
            (deltas[names.index(n)][kept] for n in halves_of(names, shape)),
            np.zeros((kept.sum(), 3)),
        )
        for shape in BLENDSHAPES
    ]
    places = neutral[kept].astype(np.float32)
    tongue = np.flatnonzero(kept) >= TONGUE_FIRST
    tongue &= region == "gums_tongue"
    shaped[BLENDSHAPES.index("tongueOut")] = _tongue_out(places, tongue)
    head = _head(
        "ict", triangles, places, region, eyes,
        skin=("face", "head_neck"), glossy=("gums_tongue", "teeth"),
        inside=("mouth_socket", "gums_tongue", "teeth"),
    )  # fmt: skip
    colours = _region_colours(
        region, {"mouth_socket": RED, "eye_socket": SHADE, "gums_tongue": ROSE, "teeth": BONE}
    )
    motion = Motion.of(shaped)
    _darken_lids(colours, head.skin, motion)
    return Shapes(
        head=head,
        neutral=places,
        identities=np.ascontiguousarray(modes[:, kept].reshape(len(modes), -1)),
        identity_names=(),
        motion=motion,
        colours=colours,
    )


def read_makehuman(path: Path) -> Shapes:
    """The MakeHuman head with its identity targets."""
    with np.load(path) as data:
        groups = data["group_names"].tolist()
        owner = data["tri_group"]
        triangles = data["tri"].astype(np.int32)
        neutral = (data["neutral"] / 10.0).astype(np.float32)
        names = data["arkit_viseme_names"].tolist()
        deltas = data["arkit_viseme_delta"].astype(np.float32) / 10.0
        identities = data["identity_delta"].astype(np.float32) / 10.0
        identity_names = tuple(data["identity_names"].tolist())
    region = np.full(len(neutral), "body", dtype="U24")
    for g, name in enumerate(groups):
        region[np.unique(triangles[owner == g])] = name
    teeth = np.char.endswith(region, "teeth")
    low, high = neutral[teeth].min(axis=0), neutral[teeth].max(axis=0)
    ceiling = high + np.array([0.004, 0.004, -0.008])
    within = np.all((neutral > low - 0.004) & (neutral < ceiling), axis=1)
    # The mouth's lining looks to its middle, cheeks and lips look away from it.
    inward = np.einsum("vx,vx->v", _normals(neutral, triangles), neutral - (low + high) / 2) < 0
    region[(region == "body") & within & inward] = "walls"
    eyes = tuple(np.flatnonzero(region == f"helper-{s}-eye").astype(np.int32) for s in ("l", "r"))
    tongue = region == "helper-tongue"
    shaped = [deltas[names.index(shape)] for shape in BLENDSHAPES]
    shaped[BLENDSHAPES.index("tongueOut")] *= tongue[:, None]
    head = _head(
        "makehuman", triangles, neutral, region, eyes,
        skin=("body",), glossy=("helper-tongue", "helper-lower-teeth", "helper-upper-teeth"),
        inside=("walls", "helper-tongue", "helper-lower-teeth", "helper-upper-teeth"),
    )  # fmt: skip
    colours = _region_colours(
        region,
        {"walls": RED, "helper-tongue": ROSE, "helper-lower-t": BONE, "helper-upper-t": BONE},
    )
    motion = Motion.of(shaped)
    _darken_lids(colours, head.skin, motion)
    return Shapes(
        head=head,
        neutral=neutral,
        identities=identities.reshape(len(identities), -1),
        identity_names=identity_names,
        motion=motion,
        colours=colours,
    )


def _tongue_out(places: FloatArray, tongue: NDArray[np.bool_]) -> FloatArray:
    """(V, 3) displacement that lengthens the tongue over the lower lip."""
    share = np.clip((places[:, 2] - 0.045) / 0.052, 0.0, 1.0) ** 1.5
    return np.where(tongue[:, None], share[:, None] * TONGUE, 0.0).astype(np.float32)


def _head(
    name: str,
    triangles: IntArray,
    places: FloatArray,
    region: NDArray[np.str_],
    eyes: tuple[IntArray, ...],
    *,
    skin: tuple[str, ...],
    glossy: tuple[str, ...],
    inside: tuple[str, ...],
) -> Head:
    of = region[triangles[:, 0]]
    kinds = np.full(len(triangles), MATT, np.uint8)
    kinds[np.isin(of, skin)] = SKIN
    kinds[np.isin(of, glossy)] = GLOSSY
    on_eye = np.zeros(len(places), bool)
    coordinates = np.zeros((len(places), 3), np.float32)
    coordinates[:, 2] = -1.0
    for rows in eyes:
        on_eye[rows] = True
        middle = (places[rows].max(axis=0) + places[rows].min(axis=0)) / 2
        coordinates[rows] = (places[rows] - middle) / np.ptp(places[rows], axis=0).max() * 2
    kinds[on_eye[triangles].all(axis=1)] = EYE
    hairs = np.char.find(region, "eyelashes") >= 0
    keep = ~hairs[triangles].any(axis=1)
    return Head(
        name=name,
        triangles=np.ascontiguousarray(triangles[keep]),
        kinds=kinds[keep],
        coordinates=coordinates,
        eyes=(eyes[0], eyes[1]),
        inside=np.isin(region, inside),
        skin=np.isin(region, skin),
    )


def _region_colours(
    region: NDArray[np.str_], table: dict[str, tuple[float, float, float]]
) -> FloatArray:
    colours = np.ones((len(region), 3), np.float32)
    for name, colour in table.items():
        colours[np.char.startswith(region, name)] = colour
    return colours


def _darken_lids(colours: FloatArray, skin: NDArray[np.bool_], motion: Motion) -> None:
    """Paint, in place, a dark line on the vertices that travel farthest when an eye shuts."""
    for shape in ("eyeBlinkLeft", "eyeBlinkRight"):
        k = BLENDSHAPES.index(shape)
        part = slice(motion.starts[k], motion.starts[k + 1])
        down = -motion.offsets[part, 1]
        share = np.clip((down / down.max() - 0.84) / 0.1, 0.0, 1.0)
        rows = motion.rows[part]
        colours[rows] *= (1 - LASH_LINE * share * skin[rows])[:, None]


def middles(head: Head, vertices: FloatArray) -> FloatArray:
    """(2, 3) of the left and the right eyeball."""
    return np.stack(
        [(vertices[r].max(axis=0) + vertices[r].min(axis=0)) / 2 for r in head.eyes]
    ).astype(np.float32)
