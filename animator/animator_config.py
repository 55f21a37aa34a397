"""Sizes of the animator: all that rebuilds it from a checkpoint."""

from dataclasses import dataclass
from typing import ClassVar

from freeavatar.foundation.config import Config
from freeavatar.foundation.errors import ConfigError
from freeavatar.foundation.expression import BLENDSHAPES

from .descriptors import TOKEN

TOKEN_SIDE = 8
TOKENS = TOKEN_SIDE**2
"""Finer features of one face that the foundation gives, a square of places row by row."""
TOKEN_SIZE = TOKEN
"""Numbers in each of them."""
SHAPES = len(BLENDSHAPES)
CODE_SIZE = 16
"""Numbers in a rig's identity code, computed or learned."""
STATE_SIZE = 64
"""Width of the temporal context."""


@dataclass(frozen=True, kw_only=True)
class AnimatorConfig(Config):
    """The multi-avatar animator."""

    kind: ClassVar[str] = "animator/2"

    dim: int = 64
    """Width of queries and memory."""
    layers: int = 1
    """Decoder layers."""
    heads: int = 4
    """Attention heads of each layer; they divide ``dim``."""
    mlp_ratio: float = 2.0
    """Width of each layer's MLP in ``dim``."""
    rank: int = 4
    """Rank of the weight updates that an identity code generates."""
    injection: bool = True
    """Whether the identity code generates weights of the layers; False adds it to the queries
    instead, for comparison."""
    pictures: bool = True
    """Whether the controls' picture descriptors are looked at; False is for comparison."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit each other."""
        if self.dim % self.heads:
            raise ConfigError(f"{self.heads} heads do not divide queries {self.dim} wide")
        if self.layers < 1 or self.rank < 1:
            raise ConfigError("an animator has at least one layer, and updates of rank 1")
