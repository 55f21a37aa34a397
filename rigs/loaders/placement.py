"""Brings a file's world into rig space: metres, y up, the face toward +z."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.spec import Control, FloatArray

from .assembly import Assembly

PLAUSIBLE_HEAD = (0.1, 0.7)
"""Height of a head in metres: a child's face without its skull to a cartoon head with hair."""
USUAL_HEAD = 0.25
Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])

DOWNWARD = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")
"""ARKit names whose motion is mostly downward on every face."""


@dataclass(frozen=True)
class Placement:
    """From the file's world to rig space: rotate, then scale."""

    rotation: NDArray[np.float64]
    """(3, 3), columns are turned."""
    scale: float
    up_axis: str
    notes: tuple[str, ...]

    def points(self, points: FloatArray | NDArray[np.float64]) -> FloatArray:
        """(..., 3) positions or displacements of the file, in rig space."""
        matrix = self.rotation * self.scale
        if np.array_equal(matrix, np.eye(3)):
            return np.asarray(points, np.float32)
        return np.asarray(points @ matrix.T, np.float32)

    def directions(self, vectors: FloatArray) -> FloatArray:
        """(..., 3) unit vectors of the file, in rig space."""
        return np.asarray(vectors @ self.rotation.T, np.float32)


def find_placement(
    assembly: Assembly,
    controls: Sequence[Control],
    head: FloatArray | None,
    *,
    half_turn: bool | None = None,
    metres: bool = False,
) -> Placement:
    """Decide how a file is turned and scaled.

    glTF says y up and metres; exports often break that. Up is believed to be z only when jaw and
    lid controls, known by name, move along z. The face is where the controls move the mesh, as
    seen from the middle of the head. A head of implausible size is scaled by a power of ten
    (centimetres, millimetres, ...), else to 0.25 m.

    Args:
        assembly: of the file.
        controls: described by name, in the order of the assembly's targets.
        head: (V,) how far vertices follow the head bone, or None without one.
        half_turn: whether the face looks along -z; None: find out (VRM says).
        metres: the file is known to be in metres.
    """
    notes: list[str] = []
    rotation, up_axis = np.eye(3), "y"
    motion = np.linalg.norm(assembly.deltas, axis=2).max(axis=0, initial=0)
    if _is_z_up(assembly, controls):
        rotation, up_axis = Z_UP, "z"
        notes.append("The file has z up; it was turned to y up.")
    vertices = assembly.vertices @ rotation.T
    region = np.ones(len(vertices), bool) if head is None else head > 0.5
    quarter = _facing(vertices[region], motion[region]) if half_turn is None else 2 * half_turn
    if quarter:
        rotation = np.linalg.matrix_power(_turn_y(), 4 - quarter) @ rotation
        direction = {1: "+x", 2: "-z", 3: "-x"}[quarter]
        notes.append(f"The face in the file looks along {direction}; it was turned to +z.")
    height = _head_height(vertices, motion, region, head is not None)
    scale = 1.0 if metres else _scale(height)
    if scale != 1.0:
        notes.append(_scale_note(height, scale))
    return Placement(rotation=rotation, scale=scale, up_axis=up_axis, notes=tuple(notes))


def _is_z_up(assembly: Assembly, controls: Sequence[Control]) -> bool:
    total = np.zeros(3)
    for delta, control in zip(assembly.deltas, controls, strict=True):
        # Only controls that stand for one downward shape; emotions and visemes prove nothing.
        if set(control.hub) <= set(DOWNWARD) and control.hub:
            weight = np.linalg.norm(delta, axis=1, keepdims=True)
            total += (delta * weight).sum(axis=0) / max(float(weight.sum()), 1e-12)
    return bool(total[2] < 0 and -total[2] > 1.5 * np.abs(total[1]))


def _facing(vertices: NDArray[np.float64], motion: FloatArray) -> int:
    """Quarter turns from +z (over +x) to where the face looks; 0 unless the evidence is strong."""
    if not motion.any():
        return 0
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    centroid = (vertices * motion[:, None]).sum(axis=0) / motion.sum()
    offset = (centroid - (low + high) / 2) / np.maximum((high - low) / 2, 1e-9)
    x, z = float(offset[0]), float(offset[2])
    if z < -0.1 and -z > abs(x):
        return 2
    if abs(x) > 0.3 and abs(x) > 2 * abs(z):
        return 1 if x > 0 else 3
    return 0


def _turn_y() -> NDArray[np.float64]:
    """A quarter turn about y that takes +z to +x."""
    return np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])


def _head_height(
    vertices: NDArray[np.float64],
    motion: FloatArray,
    region: NDArray[np.bool_],
    has_bone: bool,
) -> float:
    heights = vertices[region, 1] if region.any() else vertices[:, 1]
    whole = float(np.ptp(heights))
    moving = motion > 0.05 * motion.max(initial=0)
    if has_bone or not moving.any():
        return whole
    # Without a head bone a body is told from a head by the part that the controls move.
    face = float(np.ptp(vertices[moving, 1]))
    return whole if whole <= 2.5 * face or face == 0 else 1.4 * face


def _scale(height: float) -> float:
    low, high = PLAUSIBLE_HEAD
    if height <= 0 or low <= height <= high:
        return 1.0
    power = np.floor(np.log10(high / height))
    scale = float(10.0**power)
    return scale if low <= height * scale <= high else USUAL_HEAD / height


def _scale_note(height: float, scale: float) -> str:
    known = {0.01: "centimetres", 0.001: "millimetres"}
    unit = next((name for s, name in known.items() if abs(scale / s - 1) < 1e-6), None)
    if unit:
        return f"The file is in {unit}; it was brought to metres."
    return (
        f"Its head is {height:.3g} units tall, so the file's unit is not the metre; "
        f"it was scaled by {scale:.4g} to a head of {height * scale:.2f} m."
    )
