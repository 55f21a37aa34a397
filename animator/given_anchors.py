"""Face points from the few that a person gives, where no detector sees a face.

As the front view shows them, the reference head's points are scaled and moved to fit the given ones
and bent by a smooth warp so that they meet them exactly. From there on all is as if a detector had
seen them (`anchors`). A point given on one side stands for its partner too.
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from freeavatar.rigs.camera import Camera, face_camera
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import Anchors, Rig

from .anchor_table import ANCHOR_INDEX, ANCHOR_NAMES, ANCHORS, SIDES
from .anchors import place_anchors
from .motion import anchor_positions

Values = NDArray[np.float64]
GivenPoints = Mapping[str, tuple[float, ...]]
"""Name of a face point to x, y, z in metres of rig space, or to x, y in pixels of the front view.
"""

FRONT_SIZE = 1024
"""Side of the front view in whose pixels points may be given."""
FEWEST = 3
"""Points that must be given."""
FLAT = 0.1
"""Share of the reference head's extent along an axis that the given points must span for a scale
along it."""
NEEDED = (
    "nose_root", "chin", "nose_base", "upper_lip_line", "nose_wing_left", "nose_wing_right",
    "mouth_corner_left", "mouth_corner_right", "eye_corner_outer_left", "eye_corner_outer_right",
    "eye_corner_inner_left", "eye_corner_inner_right",
)  # fmt: skip
"""Points by which a face's features are measured (`proportions`)."""


def front_camera(rig: Rig) -> Camera:
    """The camera of the front view, straight before the face.

    Raises:
        ValueError: the rig has no mesh.
    """
    return face_camera(rig, (FRONT_SIZE, FRONT_SIZE), turning=False)


def parse_points(words: Sequence[str]) -> GivenPoints:
    """Points as they are given on the command line.

    Args:
        words: each the path of a TOML file with a table ``points``, or NAME=X,Y,Z or NAME=X,Y.

    Raises:
        RigError: a name is unknown, or a place is not two or three numbers; says which.
    """
    points: dict[str, tuple[float, ...]] = {}
    for word in words:
        name, equals, place = word.partition("=")
        if equals:
            points[_known(name.strip())] = _numbers(name, place.split(","))
        else:
            points |= _read_file(Path(word))
    return points


def anchors_from(rig: Rig, points: GivenPoints, *, head: Rig | None = None) -> Anchors:
    """All face points of a rig from a few.

    Args:
        rig: with a mesh.
        points: what was given, see `parse_points`.
        head: with all face points, whose proportions fill in the rest; None for the built-in
            reference.

    Raises:
        RigError: the rig has no mesh, too few points are given, they lie in a row, or they lie so
            far from the mesh that the face's size cannot be told.
    """
    if rig.mesh is None or not len(rig.mesh.triangles):
        raise RigError(f"rig {rig.name} has no mesh on which face points could lie")
    rows, places = _pixels_of(rig, points)
    rows, places = _both_sides(rows, places)
    head = head or _reference_head()
    known = front_camera(head).project(anchor_positions(head))[0]
    pixels = _warped(known, rows, places)
    anchors = place_anchors(rig, front_camera(rig), pixels, _irises(pixels), outline=False)
    lost = [name for name in NEEDED if not anchors.found[ANCHOR_INDEX[name]]]
    if lost:
        raise RigError(
            f"the front view shows no skin of the rig at {', '.join(lost[:4])}: give "
            f"{'that point' if len(lost) == 1 else 'those points'} too, or check the given ones"
        )
    return anchors


def _read_file(path: Path) -> dict[str, tuple[float, ...]]:
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RigError(f"{path}: face points cannot be read ({reason})") from None
    table = fields.get("points")
    if not isinstance(table, dict) or not table:
        raise RigError(f'{path}: no table [points] with lines such as "nose_tip = [0, 1.6, 0.1]"')
    return {
        _known(name): _numbers(name, place if isinstance(place, list) else [place])
        for name, place in table.items()
    }


def _known(name: str) -> str:
    if name not in ANCHOR_INDEX:
        close = difflib.get_close_matches(name, ANCHOR_NAMES, 3, 0.4)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise RigError(f"no face point is called {name!r}{hint}")
    return name


def _numbers(name: str, parts: Sequence[Any]) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) not in (2, 3) or not np.isfinite(numbers).all():
        raise RigError(
            f"face point {name}: give x,y,z in metres or x,y in pixels of the front view"
        )
    return numbers


def _pixels_of(rig: Rig, points: GivenPoints) -> tuple[NDArray[np.intp], Values]:
    """Rows of `ANCHORS` and their places (N, 2) in the front view."""
    if len(points) < FEWEST:
        raise RigError(f"{len(points)} face points are too few: give {FEWEST} or more")
    rows = np.array([ANCHOR_INDEX[name] for name in points], np.intp)
    camera = front_camera(rig)
    places = [p if len(p) == 2 else camera.project(np.array(p))[0] for p in points.values()]
    return rows, np.array(places, np.float64)


def _both_sides(rows: NDArray[np.intp], places: Values) -> tuple[NDArray[np.intp], Values]:
    """Given points, and mirrored ones for partners that were not given.

    The mirror goes through given points of the middle, else through the middle of given pairs, else
    through that of the view.
    """
    at = dict(zip(rows.tolist(), places[:, 0].tolist(), strict=True))
    centres = [x for row, x in at.items() if ANCHORS[row].partner == row]
    pairs = [(x + at[p]) / 2 for row, x in at.items() if (p := ANCHORS[row].partner) in at]
    middle = float(np.mean(centres or pairs or [FRONT_SIZE / 2]))
    partners = np.array([ANCHORS[row].partner for row in rows], np.intp)
    lone = ~np.isin(partners, rows)
    mirrored = places[lone] * np.array([-1.0, 1.0]) + np.array([2 * middle, 0.0])
    return np.concatenate([rows, partners[lone]]), np.concatenate([places, mirrored])


def _warped(known: Values, rows: NDArray[np.intp], places: Values) -> Values:
    """The reference's points (A, 2), so that those of the rows lie where they were given."""
    centre, target = known[rows].mean(axis=0), places.mean(axis=0)
    fitted = (known - centre) * _scales(known, rows, places) + target
    residual = places - fitted[rows]
    bend = RBFInterpolator(fitted[rows], residual, kernel="linear", degree=0)
    return np.asarray(fitted + bend(fitted), np.float64)


def _scales(known: Values, rows: NDArray[np.intp], places: Values) -> Values:
    """(2,) factors by which the reference's extent becomes the rig's, along x and y."""
    spread, wanted = (v - v.mean(axis=0) for v in (known[rows], places))
    energy = np.einsum("nx,nx->x", spread, spread)
    spanned = np.sqrt(energy / len(rows)) > FLAT * known.std(axis=0)
    scale = np.einsum("nx,nx->x", spread, wanted) / np.maximum(energy, 1e-12)
    for axis, word, cure in ((0, "side by side", "a corner of an eye"), (1, "in height", "a chin")):
        if not spanned[axis] or scale[axis] <= 0:
            raise RigError(
                f"the given face points do not lie {word} as on a face (left is the character's, "
                f"metres have y up, pixels y down): check them, or give {cure} as well"
            )
    return np.asarray(scale, np.float64)


def _irises(pixels: Values) -> Values:
    """(2, 2) where the right and the left iris should be seen."""
    rows = [[ANCHOR_INDEX[f"lid_{e}_mid_{s}"] for e in ("upper", "lower")] for s in SIDES]
    return np.asarray(pixels[np.array(rows)].mean(axis=1), np.float64)


def _reference_head() -> Rig:
    from freeavatar.rigs import registry

    from .reference import REFERENCE_RIG

    return registry.load(REFERENCE_RIG)
