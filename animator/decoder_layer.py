"""One layer of the animator: controls ask the expression, then one another."""

import math
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from .animator_config import AnimatorConfig
from .identity_injection import InjectedLinear, Layer

HIDDEN = -1e9
"""Added to the score of a column that is padding."""


class Memory(NamedTuple):
    """What one layer looks up of S expressions, M things of each."""

    keys: Tensor
    """(S, heads, dim / heads, M), scaled."""
    values: Tensor
    """(S, heads, M, dim / heads)"""


class LayerWeights(NamedTuple):
    """A layer's injected weights for each of N rigs."""

    ask: Layer
    compare: Layer
    widen: Layer


class DecoderLayer(nn.Module):
    """Cross-attention to the expression, self-attention among controls, MLP; each injected."""

    def __init__(self, config: AnimatorConfig) -> None:
        super().__init__()
        dim, wide = config.dim, round(config.mlp_ratio * config.dim)
        self.dim, self.heads = dim, config.heads
        self.size = dim // config.heads
        kind = {"rank": config.rank, "injection": config.injection}
        self.ask = InjectedLinear(dim, dim, **kind)  # type: ignore[arg-type]
        self.lookup = nn.Linear(dim, 2 * dim)
        self.answer = nn.Linear(dim, dim)
        self.compare = InjectedLinear(dim, 3 * dim, **kind)  # type: ignore[arg-type]
        self.agree = nn.Linear(dim, dim)
        self.widen = InjectedLinear(dim, wide, **kind)  # type: ignore[arg-type]
        self.narrow = nn.Linear(wide, dim)

    def weights(self, code: Tensor) -> LayerWeights:
        """The layer's versions for rigs of these identity codes (R, 16)."""
        return LayerWeights(self.ask(code), self.compare(code), self.widen(code))

    def remember(self, memory: Tensor) -> Memory:
        """What the layer will look up.

        Args:
            memory: (S, M, dim), of S expressions.
        """
        keys, values = self.lookup(memory).chunk(2, dim=-1)
        scale = 1.0 / math.sqrt(self.size)
        return Memory(self._split(keys * scale).transpose(2, 3), self._split(values))

    def forward(self, x: Tensor, weights: LayerWeights, memory: Memory, hidden: Tensor) -> Tensor:
        """Pass through the layer.

        Args:
            x: (N, T, C, dim) of N rigs, T frames, C columns.
            weights: of the N rigs.
            memory: of ``N · T`` expressions, or of one that all rigs and frames share.
            hidden: (N, 1, 1, 1, C) `HIDDEN` for padding, 0 elsewhere.
        """
        rows = injected(self._standardised(x), weights.ask)
        rows = rows.reshape(memory.keys.shape[0], -1, self.dim)
        found = functional.softmax(self._split(rows) @ memory.keys, dim=-1) @ memory.values
        x = x + self.answer(self._joined(found)).reshape(x.shape)
        x = x + self.agree(self._among(injected(self._standardised(x), weights.compare), hidden))
        wide = functional.relu(injected(self._standardised(x), weights.widen))
        out: Tensor = x + self.narrow(wide)
        return out

    def _among(self, compared: Tensor, hidden: Tensor) -> Tensor:
        """(N, T, C, 3 dim) to (N, T, C, dim): every control learns what the others are up to."""
        asked, keys, values = (self._split(part) for part in compared.chunk(3, dim=-1))
        scores = (asked / math.sqrt(self.size)) @ keys.transpose(-2, -1) + hidden
        return self._joined(functional.softmax(scores, dim=-1) @ values)

    def _standardised(self, x: Tensor) -> Tensor:
        """Layer normalisation without weights: the injected layer behind it has them."""
        return functional.layer_norm(x, (self.dim,))

    def _split(self, x: Tensor) -> Tensor:
        """(..., C, dim) to (..., heads, C, dim / heads)"""
        return x.reshape(*x.shape[:-1], self.heads, self.size).transpose(-3, -2)

    def _joined(self, x: Tensor) -> Tensor:
        """(..., heads, C, dim / heads) to (..., C, dim)"""
        return x.transpose(-3, -2).flatten(-2)


def injected(x: Tensor, layer: Layer) -> Tensor:
    """(N, T, C, inner) to (N, T, C, outer), each of the N through its own rig's layer."""
    weight, bias = layer
    return x @ weight + bias
