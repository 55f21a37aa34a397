"""Masked autoencoder: learns faces from pictures alone, before any label.

The encoder sees a quarter of the patches; a light decoder paints the others. Its targets are
pixels normalised within their patch, the loss is their squared error where hidden.

Source:
    He et al., Masked Autoencoders Are Scalable Vision Learners, CVPR 2022.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .config import MAEConfig
from .masking import random_masks, visible_indices
from .vit import Encoder, normalised, transformer_blocks


def to_patches(pixels: Tensor, patch: int) -> Tensor:
    """(N, 3, S, S) to (N, T, patch² · 3), patches row by row, colours last."""
    count, colours, size, _ = pixels.shape
    side = size // patch
    x = pixels.reshape(count, colours, side, patch, side, patch)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(count, side * side, patch * patch * colours)


def from_patches(patches: Tensor, patch: int) -> Tensor:
    """Undo `to_patches`."""
    count, tokens, width = patches.shape
    side, colours = round(tokens**0.5), width // patch**2
    x = patches.reshape(count, side, side, patch, patch, colours)
    return x.permute(0, 5, 1, 3, 2, 4).reshape(count, colours, side * patch, side * patch)


def patch_scale(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (N, T, 1) by which a patch's pixels are normalised."""
    mean = patches.mean(dim=-1, keepdim=True)
    return mean, (patches.var(dim=-1, keepdim=True) + 1e-4).sqrt()


@dataclass(frozen=True, kw_only=True)
class MAEOutput:
    """What the autoencoder made of a batch."""

    painted: Tensor
    """(N, T, patch² · 3) float32, normalised pixels of every patch."""
    masks: Tensor
    """(N, T) bool, True where hidden."""
    target: Tensor
    """(N, T, patch² · 3) what should have been painted."""

    def loss(self) -> Tensor:
        """Mean squared error over the hidden patches."""
        error = (self.painted - self.target).square().mean(dim=-1)
        return (error * self.masks).sum() / self.masks.sum()


class MAE(nn.Module):
    """Encoder of the visible, decoder of the hidden."""

    def __init__(self, config: MAEConfig) -> None:
        super().__init__()
        self.config = config
        encoder, width = config.encoder, config.decoder_dim
        self.encoder = Encoder(encoder)
        self.narrow = nn.Linear(encoder.dim, width)
        self.hidden_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, encoder.tokens, width))
        nn.init.trunc_normal_(self.hidden_token, std=0.02)
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = transformer_blocks(
            width, config.decoder_heads, mlp_ratio=4.0, depth=config.decoder_depth
        )
        self.norm = nn.LayerNorm(width)
        self.paint = nn.Linear(width, encoder.patch**2 * 3)

    def forward(self, crops: Tensor, masks: Tensor | None = None) -> MAEOutput:
        """Hide, encode, paint.

        Args:
            crops: (N, S, S, 3) uint8 RGB.
            masks: (N, T) bool, True where hidden; drawn at random if None.
        """
        config = self.config.encoder
        if masks is None:
            masks = random_masks(
                len(crops), config.tokens, self.config.mask_ratio, device=crops.device
            )
        pixels = normalised(crops)
        seen = self.narrow(self.encoder(pixels, masks))
        x = self.hidden_token.to(seen.dtype).expand(len(crops), config.tokens, -1)
        places = visible_indices(masks)[..., None].expand(-1, -1, x.shape[-1])
        x = x.scatter(1, places, seen) + self.positions
        for block in self.blocks:
            x = block(x)
        patches = to_patches(pixels, config.patch)
        mean, deviation = patch_scale(patches)
        return MAEOutput(
            painted=self.paint(self.norm(x)).float(),
            masks=masks,
            target=(patches - mean) / deviation,
        )


def reconstruction(crops: Tensor, output: MAEOutput, patch: int) -> tuple[Tensor, Tensor]:
    """Pictures to look at: what was seen, and that with the hidden patches painted.

    The painted patches get the mean and contrast of the true ones, which they were asked
    to do without.

    Args:
        crops: (N, S, S, 3) uint8 RGB.
        output: of the same pictures.

    Returns:
        Two (N, S, S, 3) uint8 pictures.
    """
    patches = to_patches(normalised(crops), patch)
    mean, deviation = patch_scale(patches)
    hidden = output.masks[..., None]
    seen = torch.where(hidden, torch.zeros_like(patches), patches)
    painted = torch.where(hidden, output.painted * deviation + mean, patches)
    both = [
        ((from_patches(x, patch) + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
        for x in (seen, painted)
    ]
    return both[0].permute(0, 2, 3, 1), both[1].permute(0, 2, 3, 1)
