"""The expression network as it is exported: the same numbers by fewer operators.

Attention written out is some twenty small operators in each block; onnxruntime has one for all of
it, which takes half the time.

Source:
    onnxruntime contrib operators, com.microsoft.MultiHeadAttention.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.vit import normalised

DOMAIN = "com.microsoft"
ATTENTION = "MultiHeadAttention"


class RuntimeForm(nn.Module):
    """A network whose attention is exported as one operator; the exporter takes plain tuples.

    Args:
        net: in evaluation mode.
    """

    def __init__(self, net: ExpressionNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """As the network, see `ExpressionNet.forward`."""
        encoder = self.net.encoder
        maps = encoder.stem(normalised(crops))
        x = encoder.started(maps[-1])
        blocks: Iterable[Any] = encoder.blocks
        for block in blocks:
            x = x + _attended(block.attn, block.norm1(x))
            x = x + block.mlp(block.norm2(x))
        return tuple(self.net.heads(encoder.norm(x), maps))


def _attended(attention: Any, x: Tensor) -> Tensor:
    """What a timm attention layer says of tokens (N, T, dim)."""
    width = attention.proj.in_features
    parts = torch.split(functional.linear(x, attention.qkv.weight), width, dim=-1)
    mixed = _Attention.apply(*parts, attention.qkv.bias, attention.num_heads)
    out: Tensor = attention.proj(mixed)
    return out


class _Attention(torch.autograd.Function):
    """Queries, keys and values (N, T, dim) and their bias (3 dim) to what they attend to."""

    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, heads: int
    ) -> Tensor:
        q, k, v = (
            (part + shift).reshape(*part.shape[:2], heads, -1).transpose(1, 2)
            for part, shift in zip((queries, keys, values), bias.chunk(3), strict=True)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return mixed.transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(graph: Any, queries: Any, keys: Any, values: Any, bias: Any, heads: int) -> Any:
        name = f"{DOMAIN}::{ATTENTION}"
        out = graph.op(name, queries, keys, values, bias, num_heads_i=heads)
        return out.setType(queries.type())
