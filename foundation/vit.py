"""The encoder: a convolutional stem to 8 × 8 tokens, then transformer blocks.

The stem halves the picture four times (128 px to 8); its batch normalisation folds into the
convolutions at run time. With masks, hidden pixels are zeroed and the features are zeroed again
after every convolution that reads neighbours, so that nothing hidden reaches a visible token.

Sources:
    Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021.
    Xiao et al., Early Convolutions Help Transformers See Better, NeurIPS 2021.
    Gao et al., MCMAE: Masked Convolution Meets Masked Autoencoders, NeurIPS 2022.
"""

from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from .config import EncoderConfig
from .masking import visible_indices, visible_pixels


def normalised(crops: Tensor) -> Tensor:
    """Pixels as the networks take them.

    Args:
        crops: (N, S, S, 3) uint8 RGB.

    Returns:
        (N, 3, S, S) float32, -1..1; in memory the channels stay last.
    """
    return crops.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def transformer_blocks(dim: int, heads: int, *, mlp_ratio: float, depth: int) -> nn.ModuleList:
    """Transformer blocks of timm, ``dim`` wide.

    Their attention is written out where there is no GPU: for as few tokens as these, torch's fused
    one takes eight times as long on a CPU in bfloat16.
    """
    blocks = nn.ModuleList(
        Block(dim, heads, mlp_ratio=mlp_ratio, qkv_bias=True) for _ in range(depth)
    )
    for block in blocks:
        attention: Any = block.attn
        attention.fused_attn = torch.cuda.is_available()
    return blocks


class ConvolutionBlock(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inner: int, outer: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outer)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(N, inner, h, w) to (N, outer, h / stride, w / stride), zero where not visible."""
        x = torch.relu(self.norm(self.convolution(x)))
        return x if visible is None else x * visible.to(x.dtype)


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = ConvolutionBlock(width, width)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(N, width, h, w) to the same shape, zero where not visible."""
        x = torch.relu(x + self.norm(self.second(self.first(x, visible))))
        return x if visible is None else x * visible.to(x.dtype)


NORMALISED = {ConvolutionBlock: "convolution", ResidualBlock: "second"}
"""Which convolution of each kind of block its normalisation follows."""


class Stem(nn.Module):
    """Halves the picture at each stage."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        widths = (3, *config.stem_widths)
        self.stages = nn.ModuleList()
        for i, residuals in enumerate(config.stem_residuals):
            down = ConvolutionBlock(widths[i], widths[i + 1], kernel=3 if i else 5, stride=2)
            more = [ResidualBlock(widths[i + 1]) for _ in range(residuals)]
            self.stages.append(nn.ModuleList([down, *more]))
        self._frozen = 0

    def freeze(self, stages: int) -> None:
        """Keep the first stages as they are, statistics and all, whatever is trained.

        Their weights need no gradient then, which saves most of what they cost.
        """
        self._frozen = stages
        self.stages[:stages].requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Stem":
        """As any module, but for the frozen stages, which keep their statistics."""
        super().train(mode)
        self.stages[: self._frozen].eval()
        return self

    def forward(self, x: Tensor, masks: Tensor | None = None) -> list[Tensor]:
        """(N, 3, S, S) to the features of each stage: (N, width, S / 2, S / 2) of the first to
        (N, dim, S / patch, S / patch) of the last.

        Args:
            x: pixels, -1..1.
            masks: (N, T) bool, True where hidden.
        """
        maps = []
        if masks is not None:
            x = x * visible_pixels(masks, x.shape[-1]).to(x.dtype)
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            visible = None if masks is None else visible_pixels(masks, x.shape[-1] // 2)
            for block in stage:
                x = block(x, visible)
            maps.append(x)
        return maps


class Encoder(nn.Module):
    """Picture to tokens."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Stem(config)
        self.positions = nn.Parameter(torch.zeros(1, config.tokens, config.dim))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = transformer_blocks(
            config.dim, config.heads, mlp_ratio=config.mlp_ratio, depth=config.depth
        )
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, pixels: Tensor, masks: Tensor | None = None) -> Tensor:
        """Encode pictures.

        Args:
            pixels: (N, 3, S, S) float32, -1..1, see `normalised`.
            masks: (N, T) bool, True where hidden, the same number in each row; None shows all.

        Returns:
            (N, K, dim): the K visible tokens, row by row of the picture.
        """
        return self.attended(self.stem(pixels, masks)[-1], masks)

    def looked(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The tokens, as `forward`, and the features of each stage of the stem."""
        maps = self.stem(pixels)
        return self.attended(maps[-1]), maps

    def started(self, features: Tensor) -> Tensor:
        """Tokens (N, T, dim) of what the stem gives, each of them telling its place."""
        return features.flatten(2).transpose(1, 2) + self.positions

    def attended(self, features: Tensor, masks: Tensor | None = None) -> Tensor:
        """The tokens (N, K, dim) of what the stem gives (N, dim, S / patch, S / patch)."""
        x = self.started(features)
        if masks is not None:
            x = x.gather(1, visible_indices(masks)[..., None].expand(-1, -1, x.shape[-1]))
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out
