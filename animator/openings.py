"""Eye anchors from the visible eyeballs, which show better than landmarks where the lids are.

Detectors shrink the eyes of white casts and of cartoons. Where a rig's eyeballs are pieces of their
own, the opening is what is to be seen of them, and the lid anchors are placed around it.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from freeavatar.rigs.spec import FloatArray, IntArray
from freeavatar.rigs.surface import SurfaceView

from .anchor_table import ANCHOR_INDEX, SIDES
from .skin import Layers, triangles_near

GRID = 44
"""Samples across the square that is searched around an iris."""
REACH = 0.46
"""Half the side of that square, as a share of the distance between the irises."""
COLUMNS = {"outer": 0.25, "mid": 0.5, "inner": 0.75}
"""Where lid anchors lie, as shares of the opening's width from the outer corner."""
BESIDE = 0.45
"""Distance of the fold and under-eye anchors from the margin, in heights of the opening; no more
than this share of the opening's width, on eyes that are taller than wide."""


def place_eyes(
    corners: IntArray,
    weights: FloatArray,
    found: NDArray[np.bool_],
    view: SurfaceView,
    layers: Layers,
    irises: NDArray[np.float64],
) -> None:
    """Place the anchors of both eyes around their visible openings, in place.

    An eye whose ball is not a piece of its own keeps its anchors.

    Args:
        corners: (A, 3) vertices of each anchor's triangle; changed.
        weights: (A, 3) its barycentric weights; changed.
        found: (A,) changed.
        view: of the neutral.
        layers: skin and eyes.
        irises: (2, 2) pixels of the right and left iris.
    """
    if not layers.eyes.any():
        return
    half = REACH * float(np.linalg.norm(irises[1] - irises[0]))
    for side, iris in zip(SIDES, irises, strict=True):
        pixels, shows = _visible(view, layers, iris, half)
        if shows is None:
            continue
        wanted = _around(pixels, shows, side)
        rows = np.array([ANCHOR_INDEX[f"{name}_{side}"] for name in wanted])
        at = np.array(list(wanted.values()))
        # A corner may end in a hole: try a little farther out.
        for farther in (1.0, 1.1, 1.25):
            spread = iris + farther * (at - iris)
            placed, share, hit = view.locate(spread, among=layers.skin)
            fresh = hit if farther == 1.0 else hit & ~found[rows]
            corners[rows[fresh]], weights[rows[fresh]] = placed[fresh], share[fresh]
            found[rows] = hit if farther == 1.0 else found[rows] | hit


def _visible(
    view: SurfaceView, layers: Layers, iris: NDArray[np.float64], half: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """(GRID, GRID, 2) pixels around an iris, and where among them its eyeball is seen."""
    steps = np.linspace(-half, half, GRID)
    pixels = iris + np.stack(np.meshgrid(steps, steps), axis=-1)
    near = triangles_near(view, pixels.reshape(-1, 2)) & (layers.eyes | layers.skin)
    corners, _, hit = view.locate(pixels.reshape(-1, 2), among=near)
    on_eye = np.zeros(len(view.vertices), bool)
    on_eye[view.triangles[layers.eyes]] = True
    seen = (hit & np.all(on_eye[corners], axis=1)).reshape(GRID, GRID)
    pieces, count = label(seen)
    middle = pieces[GRID // 2 - 2 : GRID // 2 + 2, GRID // 2 - 2 : GRID // 2 + 2]
    if not count or not middle.any():
        return pixels, None
    return pixels, np.asarray(pieces == np.bincount(middle[middle > 0]).argmax(), bool)


def _around(
    pixels: NDArray[np.float64], shows: NDArray[np.bool_], side: str
) -> dict[str, NDArray[np.float64]]:
    """Pixels of an eye's anchors by name, from where its eyeball shows."""
    x, y = pixels[..., 0], pixels[..., 1]
    step = float(x[0, 1] - x[0, 0])
    left, right = float(x[shows].min()), float(x[shows].max())
    # The character's right eye is on the left of the picture, its outer corner too.
    outer, inner = (left, right) if side == "right" else (right, left)
    wanted = {}
    for name, at in (("eye_corner_outer", outer), ("eye_corner_inner", inner)):
        beyond = np.sign(at - (left + right) / 2) * 1.5 * step
        row = shows & (np.abs(x - at) < step / 2)
        wanted[name] = np.array([at + beyond, float(y[row].mean())])
    height = float(np.ptp(y[shows]))
    beside = BESIDE * min(height, right - left) + step
    for name, share in COLUMNS.items():
        column = outer + share * (inner - outer)
        rows = shows & (np.abs(x - column) <= step)
        top, bottom = float(y[rows].min()), float(y[rows].max())
        wanted[f"lid_fold_{name}"] = np.array([column, top - beside])
        wanted[f"lid_upper_{name}"] = np.array([column, top - step])
        wanted[f"lid_lower_{name}"] = np.array([column, bottom + step])
        wanted[f"under_eye_{name}"] = np.array([column, bottom + beside])
        wanted[f"cheek_squint_{name}"] = np.array([column, bottom + 2.0 * beside])
    return wanted
