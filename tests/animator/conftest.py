"""A face of nothing but anchor points, so that solver tests need no mesh file."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from freeavatar.animator.anchor_table import ANCHOR_INDEX, ANCHOR_NAMES, ANCHORS, SLITS
from freeavatar.animator.anchors import find_anchors
from freeavatar.foundation.expression import BLENDSHAPES
from freeavatar.foundation.mediapipe_reader import landmark_finder
from freeavatar.rigs.loaders.load import load_rig
from freeavatar.rigs.spec import Anchors, Control, Mesh, Part, Rig

Values = NDArray[np.float64]
PointFace = Callable[..., Rig]

REGIONS_OF = {
    "eye": ("lids", "eyes"),
    "brow": ("brows", "forehead"),
    "jaw": ("jaw", "lips"),
    "mouth": ("lips", "corners", "cheeks"),
    "cheek": ("cheeks",),
    "nose": ("nose",),
    "tongue": (),
}


def layout() -> Values:
    """(A, 3) points of a flat face, 20 cm high: eyes 1 cm open, lips closed."""
    make = np.random.default_rng(7)
    rows = {"forehead": 0.08, "brows": 0.06, "eyes": 0.04, "lids": 0.04, "nose": 0.0}
    at = np.array(
        [(0.0, rows.get(a.region, -0.03), 0.0) for a in ANCHORS]
    ) + 0.004 * make.standard_normal((len(ANCHORS), 3))
    for i, a in enumerate(ANCHORS):
        side = {"right": -1.0, "left": 1.0}.get(a.name.rpartition("_")[2], 0.0)
        at[i, 0] += 0.03 * side
    for above, upper, lower, below in SLITS:
        middle = 0.04 if upper.startswith("lid") else -0.04
        half = 0.005 if upper.startswith("lid") else 0.0
        for name, offset in ((above, 0.01), (upper, half), (lower, -half), (below, -0.01)):
            at[ANCHOR_INDEX[name], 1] = middle + offset
    for name, x, y in (("nose_root", 0.0, 0.04), ("chin", 0.0, -0.09), ("nose_base", 0.0, 0.0)):
        at[ANCHOR_INDEX[name], :2] = x, y
    for side, sign in (("left", 1.0), ("right", -1.0)):
        at[ANCHOR_INDEX[f"eye_corner_outer_{side}"], 0] = sign * 0.045
        at[ANCHOR_INDEX[f"eye_corner_inner_{side}"], 0] = sign * 0.015
        at[ANCHOR_INDEX[f"mouth_corner_{side}"], :2] = sign * 0.025, -0.04
        at[ANCHOR_INDEX[f"nose_wing_{side}"], 0] = sign * 0.018
    return at


def arkit_motion() -> Values:
    """(52, A, 3) motion of each ARKit shape: its own region, its own side, its own pattern."""
    make = np.random.default_rng(11)
    motion = np.zeros((52, len(ANCHORS), 3))
    for s, name in enumerate(BLENDSHAPES):
        regions = next(r for prefix, r in REGIONS_OF.items() if name.startswith(prefix))
        side = next((w for w in ("Left", "Right") if name.endswith(w)), "").lower()
        if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            side = ""
        for i, a in enumerate(ANCHORS):
            if a.region in regions and (not side or a.name.endswith(side)):
                motion[s, i] = 0.004 * make.standard_normal(3)
    for side in ("Left", "Right"):
        blink = BLENDSHAPES.index(f"eyeBlink{side}")
        motion[blink] = 0.0
        for at in ("outer", "mid", "inner"):
            motion[blink, ANCHOR_INDEX[f"lid_upper_{at}_{side.lower()}"], 1] = -0.010
    return motion


@pytest.fixture(scope="session")
def arkit_points() -> Values:
    """(52, A, 3) see `arkit_motion`."""
    return arkit_motion()


@pytest.fixture(scope="session")
def point_face() -> PointFace:
    """Builds a rig whose vertices are the anchors themselves."""

    def build(
        controls: Sequence[Control], motion: Values, stretch: Sequence[float] = (1.0, 1.0, 1.0)
    ) -> Rig:
        size = np.array(stretch)
        count = len(ANCHORS)
        corners = np.repeat(np.arange(count, dtype=np.int32)[:, None], 3, axis=1)
        anchors = Anchors(
            names=ANCHOR_NAMES,
            vertices=corners,
            barycentric=np.tile(np.array([1.0, 0.0, 0.0], np.float32), (count, 1)),
            found=np.ones(count, bool),
        )
        triangles = np.arange(count - count % 3, dtype=np.int32).reshape(-1, 3)
        mesh = Mesh(
            vertices=(layout() * size).astype(np.float32),
            triangles=triangles,
            deltas=(motion * size).astype(np.float32),
            parts=(Part(name="face", first_triangle=0, triangle_count=len(triangles)),),
        )
        return Rig(name="points", controls=tuple(controls), mesh=mesh, anchors=anchors)

    return build


@pytest.fixture(scope="session")
def arkit_controls() -> tuple[Control, ...]:
    """The 52 controls by their names."""
    return tuple(Control(name=n, hub={n: 1.0}, convention="arkit") for n in BLENDSHAPES)


@pytest.fixture(scope="session")
def anchored(shared: Path) -> Callable[[str], Rig]:
    """Loads a shared rig and finds its anchors, once per session."""
    landmarks_of = landmark_finder(shared / "mediapipe" / "face_landmarker.task")

    @cache
    def find(name: str) -> Rig:
        rig = load_rig(shared / "rigs" / name)
        return replace(rig, anchors=find_anchors(rig, landmarks_of))

    return find
