"""The ICT face fitted to the landmarks of portraits: who is in a picture, how posed, how feeling.

A portrait is explained by 60 ways in which people differ, the 51 ARKit shapes that a still shows, a
rotation, a scale and a place, by Adam on a robust distance to 470 landmarks of MediaPipe. The
landmarks do not lie exactly on vertices: their offsets are learned from neutral portraits first.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

from . import ict_points
from .ict import GAZE_PITCH, GAZE_YAW, IRIS_RADIUS, IctFace, eye_middles

MODES = 60
"""Ways in which people differ that are fitted."""
DISTANCE = 90.0
"""Centimetres from the camera to the middle of the head; a portrait does not tell."""
POINTS = (*range(468), 468, 473)
"""Landmarks that are fitted: the face, the right and the left iris."""
BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Portraits (N) explained; pixels are those of the landmarks."""

    modes: FloatArray
    """(N, 60) standard deviations of the ways in which people differ."""
    blendshapes: FloatArray
    """(N, 52)"""
    rotation: FloatArray
    """(N, 3) rotation vector of the head, camera y up, z toward the camera."""
    scale: FloatArray
    """(N,) pixels per centimetre at the middle of the head."""
    shift: FloatArray
    """(N, 2) pixels of the middle of the head."""
    error: FloatArray
    """(N,) mean distance to the landmarks, centimetres."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """The points that are seen as a linear model, flat (3 x 470 numbers)."""

    neutral: Tensor
    """(1410,)"""
    modes: Tensor
    """(60, 1410)"""
    shapes: Tensor
    """(52, 1410)"""


def point_model(ict: IctFace, offsets: FloatArray) -> Model:
    """The landmarks of the ICT face.

    Args:
        ict: the face.
        offsets: (470, 3) what landmarks lie off their vertices, centimetres.
    """
    vertices = np.array(ict_points.VERTICES)
    left, right = eye_middles(ict.neutral) + np.array([0.0, 0.0, IRIS_RADIUS], np.float32)
    neutral = np.concatenate([ict.neutral[vertices], [right, left]]) + offsets
    modes = ict.identity[:MODES]
    balls = [modes[:, eye].mean(axis=1)[:, None] for eye in (ict.eyes[1], ict.eyes[0])]
    modes = np.concatenate([modes[:, vertices], *balls], axis=1)
    shapes = np.zeros((len(BLENDSHAPES), len(POINTS), 3), np.float32)
    for k, shape in enumerate(ict.shapes):
        dense = np.zeros_like(ict.neutral)
        dense[shape.vertices] = shape.offsets
        shapes[k, :468] = dense[vertices]
    wide, high = IRIS_RADIUS * np.sin(GAZE_YAW), IRIS_RADIUS * np.sin(GAZE_PITCH)
    for point, side, outward in ((468, "Right", -1.0), (469, "Left", 1.0)):
        for look, move in (
            ("Out", (outward * wide, 0.0, 0.0)),
            ("In", (-outward * wide, 0.0, 0.0)),
            ("Up", (0.0, high, 0.0)),
            ("Down", (0.0, -high, 0.0)),
        ):
            shapes[BLENDSHAPES.index(f"eyeLook{look}{side}"), point] = move
    return Model(
        neutral=_tensor(neutral.ravel()),
        modes=_tensor(modes.reshape(MODES, -1)),
        shapes=_tensor(shapes.reshape(len(shapes), -1)),
    )


def fit_portraits(landmarks: FloatArray, model: Model) -> Fit:
    """Explain portraits.

    Args:
        landmarks: (N, 478, 2) pixels.
        model: from `point_model`.
    """
    parts = [
        _fit(landmarks[k : k + BATCH], model, steps=350, sparse=1.5, spread=0.3)[0]
        for k in range(0, len(landmarks), BATCH)
    ]
    names = ("modes", "blendshapes", "rotation", "scale", "shift", "error")
    return Fit(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def learn_offsets(landmarks: FloatArray, ict: IctFace) -> FloatArray:
    """What MediaPipe's landmarks lie off ICT's vertices, from people at rest.

    People are fitted with their expression held neutral, looking into the camera; the median of
    what remains, turned back into the head, is the offset. It cannot be seen along the view, so it
    lies across it.

    Args:
        landmarks: (N, 478, 2) of some dozens of neutral portraits.
        ict: the face.

    Returns:
        (470, 3) centimetres.
    """
    offsets = np.zeros((len(POINTS), 3), np.float32)
    for _ in range(3):
        model = point_model(ict, offsets)
        still = replace(model, shapes=torch.zeros_like(model.shapes))
        fit, residual = _fit(landmarks, still, steps=160, sparse=0.0, spread=0.5)
        missed = np.concatenate([residual * (1.0, -1.0), np.zeros_like(residual[..., :1])], axis=2)
        turn = _matrices(_tensor(fit.rotation)).numpy()
        offsets -= 0.9 * np.median(np.einsum("npk,nkj->npj", missed, turn), axis=0)
    return offsets.astype(np.float32)


def _fit(
    landmarks: FloatArray, model: Model, *, steps: int, sparse: float, spread: float
) -> tuple[Fit, FloatArray]:
    """Fit a batch; also returns what remains (N, 470, 2), centimetres in the picture's axes."""
    seen = _tensor(landmarks[:, list(POINTS), :2])
    count = len(seen)
    unit = _pixels_per_centimetre(seen)[:, None]
    rotation = torch.zeros(count, 3)
    across = seen[:, 263] - seen[:, 33]
    rotation[:, 2] = -torch.atan2(across[:, 1], across[:, 0])
    growth = torch.zeros(count, 1)
    shift = seen[:, (33, 263, 1, 152)].mean(dim=1) / unit
    modes = torch.zeros(count, MODES)
    shapes = torch.zeros(count, len(BLENDSHAPES))
    unknown = [rotation, growth, shift, modes, shapes]
    rates = (0.015, 0.015, 0.09, 0.06, 0.03)
    groups = [
        {"params": [x.requires_grad_()], "lr": r} for x, r in zip(unknown, rates, strict=True)
    ]
    optimiser = torch.optim.Adam(groups)
    weights = _weights()
    target = seen / unit[..., None]
    residual = torch.zeros_like(target)
    for step in range(steps):
        if step == int(steps * 0.7):
            for group in optimiser.param_groups:
                group["lr"] *= 0.3
        # First the person and the pose: expressions would explain a wrong place of the head.
        felt = shapes if step >= 40 else torch.zeros_like(shapes)
        flat = model.neutral + modes @ model.modes + felt @ model.shapes
        residual = _project(flat.view(count, -1, 3), rotation, growth, shift) - target
        robust = torch.sqrt(1 + ((residual / 0.15) ** 2).sum(dim=-1)) - 1
        loss = (weights * robust).sum() + spread * (modes**2).sum() + sparse * shapes.abs().sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            shapes.clamp_(0, 1)
    residual = residual.detach()
    fit = Fit(
        modes=_array(modes),
        blendshapes=_array(shapes),
        rotation=_array(rotation),
        scale=_array(torch.exp(growth) * unit)[:, 0],
        shift=_array(shift * unit),
        error=_array(residual.norm(dim=-1).mean(dim=1)),
    )
    return fit, _array(residual)


def _project(points: Tensor, rotation: Tensor, growth: Tensor, shift: Tensor) -> Tensor:
    """(N, P, 3) in the head to (N, P, 2) in the picture, both centimetres."""
    turned = points @ _matrices(rotation).transpose(1, 2)
    flat = turned[..., :2] / (1 - turned[..., 2:] / DISTANCE)
    return flat * torch.tensor([1.0, -1.0]) * torch.exp(growth)[..., None] + shift[:, None]


def _matrices(rotation: Tensor) -> Tensor:
    """(N, 3) rotation vectors to (N, 3, 3), by Rodrigues' formula."""
    angle = torch.sqrt((rotation**2).sum(dim=-1, keepdim=True) + 1e-12)
    x, y, z = (rotation / angle).unbind(dim=-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).view(-1, 3, 3)
    angle = angle[..., None]
    return torch.eye(3) + torch.sin(angle) * cross + (1 - torch.cos(angle)) * cross @ cross


def _pixels_per_centimetre(seen: Tensor) -> Tensor:
    """A first guess from the eyes or, where the head is turned, from the height of the face."""
    right, left = seen[:, (33, 133)].mean(dim=1), seen[:, (263, 362)].mean(dim=1)
    high = (seen[:, 10] - seen[:, 152]).norm(dim=1) / 18.0
    return torch.maximum((right - left).norm(dim=1) / 6.1, high)


def _weights() -> Tensor:
    weights = torch.ones(len(POINTS))
    weights[list(ict_points.OUTLINE)] = 0.15
    weights[list(ict_points.BROWS)] = 1.5
    weights[list(ict_points.LIPS)] = 2.5
    weights[[*ict_points.RIGHT_EYE, *ict_points.LEFT_EYE, 468, 469]] = 4.0
    return weights


def _tensor(values: NDArray[np.generic]) -> Tensor:
    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)


def _array(values: Tensor) -> FloatArray:
    return values.detach().numpy().astype(np.float32)
