"""What the trained foundation sees in a drawn picture, as functions that gradients pass through."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from freeavatar.foundation.config import ExpressionConfig
from freeavatar.foundation.crops import NETWORK_SIZE, Crop, crop_around
from freeavatar.foundation.expression_model import FULL_NETWORK
from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.landmarks import EYE_CORNERS
from freeavatar.foundation.training.warm_start import exported_config, start_from


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the network sees of N crops."""

    features: Sequence[Tensor]
    """Maps (N, C, h, w) of each stage of the stem but the first, and of the tokens."""
    embedding: Tensor
    """(N, 64) unit length."""


class TorchFoundation(nn.Module):
    """The expression network, frozen.

    Args:
        path: what was trained: an exported whole network, a checkpoint or a run's folder; None for
            the network that ships.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        path = path or FULL_NETWORK
        self.net = ExpressionNet(ExpressionConfig.from_dict(exported_config(path)))
        blank = torch.zeros((2, NETWORK_SIZE, NETWORK_SIZE, 3), dtype=torch.uint8)
        start_from(path, self.net, blank)
        self.net.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "TorchFoundation":
        """It stays in evaluation mode."""
        return super().train(False)

    def look(self, crops: Tensor) -> "Seen":
        """What it sees of crops (N, 3, 128, 128), sRGB 0..1."""
        tokens, maps = self.net.encoder.looked(2.0 * crops - 1.0)
        side = round(tokens.shape[1] ** 0.5)
        whole = tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
        return Seen(features=[*maps[1:], whole], embedding=self.net.heads(tokens, maps).embedding)

    def tokens(self, crops: Tensor) -> Tensor:
        """(N, 64, 192) of crops (N, 3, 128, 128), sRGB 0..1."""
        tokens: Tensor = self.net.encoder(2.0 * crops - 1.0)
        return tokens


def cut(pictures: Tensor, crop: Crop) -> Tensor:
    """Crops (N, 3, 128, 128) of pictures (N, 3, S, S), all at one place, differentiable."""
    size = pictures.shape[-1]
    back = np.linalg.inv(np.vstack([crop.matrix, [0.0, 0.0, 1.0]]))[:2]
    # Both picture and crop go from -1 to 1 between their outer edges.
    half = NETWORK_SIZE / 2
    turn = back[:, :2] * half
    middle = back[:, :2] @ [half, half] + back[:, 2]
    matrix = np.concatenate([turn, middle[:, None]], axis=1) / (size / 2)
    matrix[:, 2] -= 1.0
    theta = torch.tensor(matrix, dtype=pictures.dtype, device=pictures.device)
    grid = functional.affine_grid(
        theta.expand(len(pictures), 2, 3),
        [len(pictures), 3, NETWORK_SIZE, NETWORK_SIZE],
        align_corners=False,
    )
    return functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def face_crop(points: NDArray[np.floating] | None, size: int) -> Crop:
    """Where the face of a rig lies in its pictures.

    Args:
        points: (154, 2) pixels of the rig's face points at rest, or None where it has none.
        size: pixels a side of the picture.
    """
    if points is None:
        return Crop(centre=(size / 2, size / 2), side=0.75 * size, roll=0.0)
    # The irises, which no crop depends on, are not among a rig's points.
    irises = points[list(EYE_CORNERS)].reshape(2, 2, 2).mean(axis=1)
    return crop_around(np.concatenate([points, irises]).astype(np.float32))
