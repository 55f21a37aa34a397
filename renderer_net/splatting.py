"""Draws a rig's surface points as soft dots, differentiable in what the rig does (torch).

Points move with the controls and joints, are projected, and spread over the four pixels around
them; what lies behind the nearest counts exponentially less. Gaps between points are filled from
coarser grids. `numpy_splatting` does the same without torch.

Sources:
    Zwicker et al., Surface Splatting, SIGGRAPH 2001.
    Niklaus, Liu, Softmax Splatting for Video Frame Interpolation, CVPR 2020 (weights by depth).
    Gortler et al., The Lumigraph, SIGGRAPH 1996 (filling gaps from coarser grids).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from freeavatar.rigs import light as studio
from freeavatar.rigs.rendering import BACKGROUND

from .appearance import Appearance
from .dots import BEHIND, FULL, GLANCING, LEVELS


class Points(nn.Module):
    """One rig's points.

    Args:
        appearance: of the rig.
    """

    points: Tensor
    displacements: Tensor
    colours: Tensor
    normals: Tensor
    joints: Tensor
    pivots: Tensor
    eye: Tensor
    studio: Tensor

    def __init__(self, appearance: Appearance) -> None:
        super().__init__()
        for name in ("points", "displacements", "normals", "joints", "pivots", "eye"):
            self._keep(name, torch.tensor(getattr(appearance, name)))
        self._keep("colours", to_linear(torch.tensor(appearance.colours)))
        self._keep("studio", _diffuse(self.normals[None], studio_light(1))[0])
        self.field_of_view, self.height = appearance.field_of_view, appearance.height

    def _keep(self, name: str, values: Tensor) -> None:
        # The rig has them; a checkpoint need not.
        self.register_buffer(name, values, persistent=False)

    @property
    def controls(self) -> int:
        """How many the rig has."""
        return len(self.displacements)

    def maps(
        self,
        weights: Tensor,
        head: Tensor,
        eyes: Tensor,
        light: Tensor,
        size: int,
        lens: Tensor | None = None,
    ) -> Tensor:
        """Pictures of the points.

        Args:
            weights: (B, K) unit weights.
            head: (B, 3) yaw, pitch, roll, radians.
            eyes: (B, 2, 3) the same of the left and the right eye.
            light: (B, 8) as `freeavatar.rigs.light.Light.vector`.
            size: pixels a side.
            lens: (B,) fields of view, radians; the camera steps back or forth so that the face
                stays as large. None for the lens of the reference pictures.

        Returns:
            (B, `MAPS`, size, size).
        """
        shape = (len(weights), *self.points.shape)
        moved = self.displacements.reshape(self.controls, -1)
        at = self.points + (weights @ moved).reshape(shape)
        normals = self.normals.expand(shape)
        for row, angles in enumerate((eyes[:, 0], eyes[:, 1], head)):
            at, normals = self._turned(row, angles, at, normals)
        colours = to_srgb(self.colours * _diffuse(normals, light) / self.studio)
        focal, eye = self._camera(len(weights), lens)
        seen = eye - at
        facing = (functional.normalize(seen, dim=-1) * normals).sum(dim=-1)
        fade = ((facing + GLANCING) / (2 * GLANCING)).clamp(0.0, 1.0)
        depth = seen[..., 2].clamp(min=1e-3)
        flat = torch.stack((-seen[..., 0], seen[..., 1]), dim=-1) * (focal / depth)[..., None]
        pixels = (flat + 0.5) * size - 0.5
        away = (depth - focal * self.height) / self.height
        values = torch.cat((colours, normals, -away[..., None]), dim=-1)
        sums = _splatted(pixels, away, fade, values, size)
        return _filled(sums)

    def _camera(self, count: int, lens: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, 1) focal lengths of pictures one unit high, and (B, 1, 3) where the camera stands."""
        own = torch.full((count,), self.field_of_view, device=self.eye.device)
        focal = 0.5 / torch.tan((own if lens is None else lens) / 2)[:, None]
        nearer = (focal - 0.5 / torch.tan(own / 2)[:, None]) * self.height
        along = torch.tensor((0.0, 0.0, 1.0), device=self.eye.device)
        return focal, self.eye + nearer[..., None] * along

    def _turned(
        self, row: int, angles: Tensor, at: Tensor, normals: Tensor
    ) -> tuple[Tensor, Tensor]:
        share = self.joints[row][:, None]
        turn = rotation(angles).transpose(1, 2)
        local = at - self.pivots[row]
        at = at + share * (local @ turn - local)
        normals = functional.normalize(normals + share * (normals @ turn - normals), dim=-1)
        return at, normals


def rotation(angles: Tensor) -> Tensor:
    """(B, 3) yaw, pitch, roll to (B, 3, 3), as `freeavatar.rigs.rotation.matrix_from_angles`."""
    yaw, pitch, roll = (-angles[:, 0], angles[:, 1], angles[:, 2])
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)

    def matrix(*rows: Tensor) -> Tensor:
        return torch.stack(rows, dim=-1).reshape(-1, 3, 3)

    about_y = matrix(yaw.cos(), zero, yaw.sin(), zero, one, zero, -yaw.sin(), zero, yaw.cos())
    about_x = matrix(
        one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos()
    )
    about_z = matrix(roll.cos(), -roll.sin(), zero, roll.sin(), roll.cos(), zero, zero, zero, one)
    return about_y @ about_x @ about_z


def studio_light(count: int) -> Tensor:
    """(count, 8) the light of the reference pictures."""
    return torch.tensor([[0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]).repeat(count, 1)


def to_linear(colours: Tensor) -> Tensor:
    """sRGB 0..1 to linear."""
    return torch.where(
        colours <= 0.04045, colours / 12.92, ((colours.clamp(min=0.04) + 0.055) / 1.055) ** 2.4
    )


def to_srgb(colours: Tensor) -> Tensor:
    """Linear to sRGB 0..1."""
    c = colours.clamp(0.0, 1.0)
    return torch.where(c <= 0.0031308, c * 12.92, 1.055 * c.clamp(min=0.003) ** (1 / 2.4) - 0.055)


def _diffuse(normals: Tensor, light: Tensor) -> Tensor:
    """(B, N, 3) light that reaches points with these normals, see `freeavatar.rigs.shaders`."""
    turned = torch.stack((light[:, 0], light[:, 1], torch.zeros_like(light[:, 0])), dim=1)
    turn = rotation(turned)
    strength, ambient = light[:, 2, None, None], light[:, 3, None, None]
    tint = light[:, None, 4:7]
    up = 0.5 + 0.5 * normals[..., 1:2]

    def told(values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values, np.float32), device=normals.device)

    low, high = told(studio.AMBIENT_DOWN), told(studio.AMBIENT_UP)
    out = ambient * (low + up * (high - low))
    for place, colour, wrap, tinted in (
        (studio.KEY, studio.KEY_COLOUR, studio.KEY_WRAP, tint),
        (studio.FILL, studio.FILL_COLOUR, studio.FILL_WRAP, torch.ones_like(tint)),
    ):
        toward = turn @ told(place)
        reach = (((normals @ toward[..., None]) + wrap) / (1.0 + wrap)).clamp(min=0.0)
        soft = reach * reach * (1.0 - 0.5 * wrap) + reach * 0.5 * wrap
        out = out + strength * tinted * told(colour) * soft
    return out.clamp(min=0.02)


def _splatted(pixels: Tensor, depth: Tensor, fade: Tensor, values: Tensor, size: int) -> Tensor:
    """(B, 8, S, S) weighted sums of the values (B, N, 7) in every pixel, and of the weights."""
    batch = len(pixels)
    low = pixels.detach().floor()
    part = pixels - low
    corner = low.long()
    cells, shares = [], []
    for x in (0, 1):
        for y in (0, 1):
            at = corner + torch.tensor((x, y), device=pixels.device)
            inside = ((at >= 0) & (at < size)).all(dim=-1)
            across = part[..., 0] if x else 1 - part[..., 0]
            down = part[..., 1] if y else 1 - part[..., 1]
            cell = (at[..., 1] * size + at[..., 0]).clamp(0, size * size - 1)
            cells.append(cell)
            shares.append(across * down * fade * inside)
    cell, share = torch.stack(cells, dim=-1), torch.stack(shares, dim=-1)
    first = torch.arange(batch, device=pixels.device)[:, None, None] * (size * size)
    flat = (cell + first).flatten()
    nearest = torch.full((batch * size * size,), torch.inf, device=pixels.device)
    with torch.no_grad():
        counted = torch.where(share > 0.1, depth[..., None], torch.inf).flatten()
        nearest.scatter_reduce_(0, flat, counted, "amin")
        front = nearest[flat].reshape(share.shape)
        front = torch.where(torch.isfinite(front), front, depth[..., None])
    weight = share * torch.exp(-((depth[..., None] - front) / BEHIND).clamp(min=0.0))
    ones = torch.ones_like(values[..., :1])
    rows = torch.cat((values, ones), dim=-1)[:, :, None] * weight[..., None]
    sums = torch.zeros(batch * size * size, rows.shape[-1], device=pixels.device)
    sums = sums.index_add(0, flat, rows.flatten(0, 2))
    return sums.reshape(batch, size, size, -1).permute(0, 3, 1, 2)


def _filled(sums: Tensor) -> Tensor:
    """(B, 8, S, S) sums to (B, `MAPS`, S, S)."""
    size = sums.shape[-1]
    values = coverage = None
    for level in reversed(range(LEVELS + 1)):
        pooled = functional.avg_pool2d(sums, 2**level) if level else sums
        weight = pooled[:, 7:]
        mean = pooled[:, :7] / weight.clamp(min=1e-4)
        covered = (weight / FULL).clamp(max=1.0)
        if level:
            scale = (size, size)
            mean, covered = (
                functional.interpolate(m, scale, mode="bilinear", align_corners=False)
                for m in (mean, covered)
            )
        if values is None or coverage is None:
            values, coverage = mean, covered * (covered > 0.5)
        else:
            values = values + covered * (mean - values)
            coverage = torch.maximum(coverage * (coverage > 0.5), covered)
    assert values is not None and coverage is not None
    own = (sums[:, 7:] / FULL).clamp(max=1.0)
    backdrop = torch.tensor(BACKGROUND, device=sums.device)[:, None, None]
    colours = backdrop + coverage * (values[:, :3] - backdrop)
    rest = coverage * values[:, 3:]
    return torch.cat((colours, rest, coverage, coverage - own), dim=1)
