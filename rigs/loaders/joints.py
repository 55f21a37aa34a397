"""Finds what turns: the head, the eyes and the jaw, among a file's bones and nodes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freeavatar.rigs.gltf.scene import NodeTree
from freeavatar.rigs.rotation import matrix_from_angles
from freeavatar.rigs.spec import FloatArray, Joint, JointRole

from .assembly import Assembly
from .placement import Placement

JAW_OPENING = np.radians(20.0)
"""Angle of the control made for a rig whose jaw has a bone but no morph target."""

NO_EYEBALL = {
    "aim", "bag", "bottom", "brow", "control", "corner", "ctrl", "down", "end", "gland",
    "highlight", "in", "inner", "lash", "lashes", "lid", "lids", "line", "look", "lower",
    "master", "out", "outer", "plica", "shadow", "shell", "socket", "target", "tear", "tip",
    "top", "up", "upper", "water", "wet",
}  # fmt: skip
NO_HEAD = {"end", "top", "tip", "target", "aim", "ctrl", "control", "hat", "look", "nub"}
LEFT = {"l", "left", "lft", "lt"}
RIGHT = {"r", "right", "rgt", "rt"}


@dataclass(frozen=True)
class FoundJoint:
    """A joint with the node of the file that it is."""

    joint: Joint
    node: int
    """Node index, -1 for a joint that no node stands for."""


def words(name: str) -> list[str]:
    """A node name in lower-case words: "CC_Base_L_Eye" and "LeftEye" alike."""
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", name))
    found = re.findall(r"[a-z]+", split.lower())
    out: list[str] = []
    for word in found:
        glued = re.fullmatch(r"(left|right|l|r)?(eye)(?:balls?|s)?(left|right|l|r)?", word)
        out += [part for part in glued.groups() if part] if glued else [word]
    return out


def find_head(
    tree: NodeTree, assembly: Assembly, named: Mapping[str, int]
) -> tuple[int, FloatArray | None]:
    """The node that carries the whole face, and how far vertices follow it.

    A node called head counts only if nearly all vertices that controls or eyes move follow it:
    in some files "head" is the face mesh alone, beside the eyes.

    Args:
        named: nodes that the file itself declares ("head": 5), as VRM does.

    Returns:
        Node and (V,) weights, or (-1, None).
    """
    if "head" in named:
        return named["head"], assembly.following(tree.under(named["head"]))
    moving = np.linalg.norm(assembly.deltas, axis=2).max(axis=0, initial=0)
    face = moving > 0.05 * moving.max(initial=0)
    for eye in _eye_candidates(tree, assembly):
        face |= assembly.following(tree.under(eye)) > 0.5
    for wanted in ("head", "neck"):
        for node in tree.shown:
            found = words(tree.names[node])
            if wanted not in found or NO_HEAD & set(found):
                continue
            follow = assembly.following(tree.under(node))
            if face.any() and (follow[face] > 0.3).mean() >= 0.9:
                return node, follow
    return -1, None


def find_joints(
    tree: NodeTree,
    assembly: Assembly,
    placement: Placement,
    head: tuple[int, FloatArray | None],
    named: Mapping[str, int],
) -> tuple[tuple[FoundJoint, ...], tuple[str, ...]]:
    """Head, eyes and jaw with pivots in rig space; and notes.

    The left eye is the one at +x whatever its name is: some files name them as seen by a viewer.
    """
    vertices = placement.points(assembly.vertices)
    eyes, notes = _eyes(tree, assembly, placement, vertices, named)
    found = [_head(tree, assembly, placement, vertices, head, named), *eyes]
    jaw = named.get("jaw", -1)
    if jaw < 0:
        jaw = next((n for n in tree.shown if _is_jaw(tree.names[n])), -1)
    if jaw >= 0:
        weights = assembly.following(tree.under(jaw))
        if weights.max() > 0.1:
            pivot = placement.points(tree.matrices[jaw][:3, 3])
            found.append(_found("jaw", tree, jaw, pivot, weights))
    return tuple(found), notes


def jaw_displacement(joint: Joint, vertices: FloatArray) -> FloatArray:
    """(V, 3) displacement when the jaw joint opens by JAW_OPENING."""
    turn = matrix_from_angles(np.array([0.0, JAW_OPENING, 0.0])).astype(np.float32)
    local = vertices - joint.pivot
    return np.asarray(joint.weights[:, None] * (local @ turn.T - local), np.float32)


def neck_joint(vertices: FloatArray, deltas: FloatArray) -> Joint:
    """A head joint for a rig without a head bone: everything turns about the neck."""
    motion = np.linalg.norm(deltas, axis=2).max(axis=0, initial=0)
    everything = np.ones(len(vertices), np.float32)
    return Joint(role="head", pivot=neck_point(vertices, motion), weights=everything)


def neck_point(vertices: FloatArray, motion: FloatArray) -> FloatArray:
    """Where a head without a bone turns: under the face, midway through the skull's depth."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = (low + high) / 2
    if motion.any():
        face_y = float((vertices[:, 1] * motion).sum() / motion.sum())
        y = max(float(low[1]), face_y - 0.25 * min(float(np.ptp(vertices[:, 1])), 0.3))
    else:
        y = float(low[1] + 0.2 * (high[1] - low[1]))
    return np.array([middle[0], y, middle[2]], np.float32)


def _found(
    role: JointRole, tree: NodeTree, node: int, pivot: FloatArray, weights: FloatArray
) -> FoundJoint:
    name = tree.names[node] if node >= 0 else ""
    joint = Joint(role=role, pivot=pivot.astype(np.float32), weights=weights, node=name)
    return FoundJoint(joint, node)


def _head(
    tree: NodeTree,
    assembly: Assembly,
    placement: Placement,
    vertices: FloatArray,
    head: tuple[int, FloatArray | None],
    named: Mapping[str, int],
) -> FoundJoint:
    node, weights = head
    motion = np.linalg.norm(assembly.deltas, axis=2).max(axis=0, initial=0)
    if weights is None:
        return FoundJoint(neck_joint(vertices, placement.points(assembly.deltas)), -1)
    pivot = placement.points(tree.matrices[node][:3, 3])
    follows = weights > 0.5
    if "head" not in named and follows.any() and not _near(vertices[follows], pivot):
        pivot = neck_point(vertices[follows], motion[follows])
    return _found("head", tree, node, pivot, weights)


def _is_jaw(name: str) -> bool:
    found = set(words(name))
    return bool({"jaw", "jawbone", "mandible"} & found) and not {"end", "upper", "tip"} & found


def _eye_candidates(tree: NodeTree, assembly: Assembly) -> list[int]:
    """Topmost nodes called an eye that move something."""
    found: list[int] = []
    for node in tree.shown:
        name = set(words(tree.names[node]))
        if "eye" not in name or NO_EYEBALL & name or set(found) & set(tree.above(node)):
            continue
        if not name & (LEFT | RIGHT):
            continue
        if (assembly.following(tree.under(node)) > 0.5).sum() >= 3:
            found.append(node)
    return found


def _eyes(
    tree: NodeTree,
    assembly: Assembly,
    placement: Placement,
    vertices: FloatArray,
    named: Mapping[str, int],
) -> tuple[list[FoundJoint], tuple[str, ...]]:
    nodes = [named[key] for key in ("left_eye", "right_eye") if key in named]
    eyes = []
    for node in nodes or _eye_candidates(tree, assembly):
        weights = assembly.following(tree.under(node))
        if weights.max() > 0.1:
            origin = placement.points(tree.matrices[node][:3, 3])
            if not nodes and not _near(vertices[weights > 0.5], origin):
                origin = _ball_centre(vertices[weights > 0.5].astype(np.float64))
            eyes.append((node, origin, weights))
    middle = float(np.median(vertices[:, 0]))
    found: list[FoundJoint] = []
    notes: list[str] = []
    roles: tuple[tuple[JointRole, int], ...] = (("left_eye", 1), ("right_eye", -1))
    for role, sign in roles:
        mine = [e for e in eyes if (e[1][0] - middle) * sign > 0]
        if mine:
            node, pivot, weights = max(mine, key=lambda e: float(e[2].sum()))
            found.append(_found(role, tree, node, pivot, weights))
            if set(words(tree.names[node])) & (RIGHT if sign > 0 else LEFT):
                notes.append(
                    f'The node "{tree.names[node]}" is on the character\'s '
                    f"{role.replace('_eye', '')}; it was taken for that eye."
                )
    return found, tuple(notes)


def _near(vertices: FloatArray, point: FloatArray) -> bool:
    """Whether a point lies within a box of vertices or within half its size of it."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    size = high - low
    return bool(((point > low - 0.5 * size) & (point < high + 0.5 * size)).all())


def _ball_centre(vertices: NDArray[np.float64]) -> FloatArray:
    """Centre of the sphere through an eyeball that may be only its front half."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = (low + high) / 2
    local = vertices - middle
    # |p - c|² = r² is linear in c and (r² - |c|²).
    system = np.column_stack([2 * local, np.ones(len(local))])
    solution = np.linalg.lstsq(system, (local**2).sum(axis=1), rcond=None)[0]
    centre = solution[:3]
    radius = np.sqrt(max(float(solution[3] + centre @ centre), 0.0))
    size = float((high - low).max())
    sensible = 0.3 * size < radius < size and float(np.abs(centre).max()) < 0.6 * size
    return np.asarray(middle + centre if sensible else middle, np.float32)
