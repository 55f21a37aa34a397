"""Which patches of a picture a masked autoencoder sees.

Source:
    He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022.
"""

import torch
from torch import Tensor


def random_masks(
    count: int,
    tokens: int,
    ratio: float,
    *,
    device: torch.device | str = "cpu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Hide the same number of tokens of every picture, at random.

    Args:
        count: pictures N.
        tokens: tokens T of a picture.
        ratio: part that is hidden, 0..1; at least one token stays visible.

    Returns:
        (N, T) bool, True where hidden.
    """
    hidden = min(round(tokens * ratio), tokens - 1)
    order = torch.rand(count, tokens, device=device, generator=generator).argsort(dim=1)
    masks = torch.zeros(count, tokens, dtype=torch.bool, device=device)
    return masks.scatter(1, order[:, :hidden], True)


def visible_indices(masks: Tensor) -> Tensor:
    """Indices (N, K), rising, of the K tokens of each picture that are visible.

    Args:
        masks: (N, T) bool, True where hidden, as many in each row.
    """
    visible = int((~masks[0]).sum())
    # A stable sort puts the visible first and keeps their order.
    return masks.to(torch.uint8).argsort(dim=1, stable=True)[:, :visible]


def visible_pixels(masks: Tensor, side: int) -> Tensor:
    """One where a picture of ``side`` pixels is visible, else zero.

    Args:
        masks: (N, T) bool, True where hidden; T is a square number, row by row.
        side: a multiple of its root.

    Returns:
        (N, 1, side, side) float32.
    """
    root = round(masks.shape[1] ** 0.5)
    grid = (~masks).reshape(-1, 1, root, root).float()
    return grid.repeat_interleave(side // root, dim=2).repeat_interleave(side // root, dim=3)
