"""The network that reads a face's expression: encoder and heads in one pass."""

from torch import Tensor, nn

from .config import ExpressionConfig
from .heads import ExpressionOutput, Heads
from .vit import Encoder, normalised


class ExpressionNet(nn.Module):
    """Crop to everything that is known of its face."""

    def __init__(self, config: ExpressionConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder)
        self.heads = Heads(config.heads, config.encoder)

    def forward(self, crops: Tensor) -> ExpressionOutput:
        """Read crops (N, S, S, 3), uint8 RGB, cut by `freeavatar.foundation.crops`."""
        out: ExpressionOutput = self.heads(*self.encoder.looked(normalised(crops)))
        return out
