"""The animator: one network that turns an expression into the controls of any rig.

Every control is a query, encoded from what it does; the memory it asks is the expression: the
foundation's finer features, the blendshapes (each encoded from what it does on a head that we know,
so that a shape and a control that do the same look the same), and what came before. Names and order
are not seen. The answer corrects the nameless solver's: an untrained network returns that.

Sources:
    Vaswani et al., Attention Is All You Need, NeurIPS 2017.
    Qiu et al., FreeAvatar: Robust 3D Facial Animation Transfer by Learning an Expression Foundation
    Model, SIGGRAPH Asia 2024 (dynamic identity injection).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .animator_batch import AnimatorBatch, RigBatch
from .animator_config import (
    CODE_SIZE,
    SHAPES,
    STATE_SIZE,
    TOKEN_SIDE,
    TOKEN_SIZE,
    TOKENS,
    AnimatorConfig,
)
from .columns import Columns
from .control_encoder import ControlEncoder
from .decoder_layer import HIDDEN, DecoderLayer, LayerWeights, Memory
from .identity_injection import IdentityEncoder
from .temporal_context import TemporalContext

BEYOND = 0.05
"""How far the weights' sigmoid reaches beyond 0 and 1, so that both are reached exactly."""
JOINED = 2
"""Tokens along each side of the square that is looked up as one."""
STEPS = 2
"""Powers of the solver's weight that a query is told."""


class Described(NamedTuple):
    """What is computed once a rig."""

    queries: Tensor
    """(R, 1, C, dim)"""
    layers: list[LayerWeights]


class AnimatorNet(nn.Module):
    """The multi-avatar animator.

    Args:
        config: its sizes.
        reference: 52 columns, one for each ARKit shape on a head that we know; kept in checkpoints.

    Raises:
        ValueError: the reference has another number of columns.
    """

    def __init__(self, config: AnimatorConfig, reference: Columns | None = None) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.controls = ControlEncoder(dim, pictures=config.pictures)
        self.identity = IdentityEncoder(dim)
        self.plain_identity = None if config.injection else nn.Linear(CODE_SIZE, dim)
        self.token = nn.Linear(JOINED**2 * TOKEN_SIZE, dim)
        self.place = nn.Parameter(0.02 * torch.randn(TOKENS // JOINED**2, dim))
        self.absent = nn.Parameter(0.02 * torch.randn(TOKENS // JOINED**2, dim))
        self.shape_value = nn.Linear(dim, dim)
        self.context = TemporalContext(dim)
        self.memory_norm = nn.LayerNorm(dim)
        self.solved = nn.Linear(STEPS, dim)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.last_norm = nn.LayerNorm(dim)
        self.change = nn.Linear(dim, 1)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)
        self.reference_motion: Tensor
        self.reference_picture: Tensor
        self.reference_flags: Tensor
        for name, rows in _reference_rows(reference).items():
            self.register_buffer(name, rows)

    def forward(self, batch: AnimatorBatch) -> Tensor:
        """Column weights (N, T, C), 0..``upper``, 0 in padding.

        While training, gradients pass the limits as if they were not there: a column that rests on
        its limit by mistake can still be told so.
        """
        return self.perform(batch)[0]

    def perform(self, batch: AnimatorBatch) -> tuple[Tensor, Tensor]:
        """Column weights as of `forward`, and the temporal context (2, N, 64) after the last."""
        described = self.describe(batch.rigs)
        layers = [_rows(layer, batch.rig) for layer in described.layers]
        memory, state = self.remember(batch.tokens, batch.shapes, batch.state)
        weights = self.decide(
            Described(described.queries[batch.rig], layers),
            memory,
            batch.solver,
            batch.rigs.upper[batch.rig],
            batch.rigs.valid[batch.rig],
        )
        return weights, state

    def describe(self, rigs: RigBatch) -> Described:
        """Encode the controls of R rigs and generate their layers."""
        encoded = self.controls(rigs.motion, rigs.picture, rigs.flags)
        code = self.identity(encoded, rigs.valid.to(encoded.dtype)) + rigs.code
        if self.plain_identity is not None:
            encoded = encoded + self.plain_identity(code)[:, None]
        return Described(encoded.unsqueeze(1), [layer.weights(code) for layer in self._layers()])

    def remember(
        self, tokens: Tensor, shapes: Tensor, state: Tensor | None = None
    ) -> tuple[list[Memory], Tensor]:
        """What every layer looks up of ``N · T`` expressions, and the temporal context after them.

        Args:
            tokens: (N, T, 64, 192) of any float type; all zero where a frame has none.
            shapes: (N, T, 52).
            state: (2, N, 64) or None.
        """
        tokens = tokens.to(shapes.dtype)
        if state is None:
            state = shapes.new_zeros(2, len(shapes), STATE_SIZE)
        context, state = self.context(tokens.mean(dim=2), shapes, state)
        present = (tokens.abs().amax(dim=(2, 3), keepdim=True) > 0).to(shapes.dtype)
        seen = self.token(_squares(tokens)) + self.place
        seen = present * seen + (1.0 - present) * self.absent
        known = self.controls(self.reference_motion, self.reference_picture, self.reference_flags)
        shown = known + shapes.unsqueeze(-1) * self.shape_value(known)
        memory = torch.cat([seen, shown, context.unsqueeze(2)], dim=2).flatten(0, 1)
        memory = self.memory_norm(memory)
        return [layer.remember(memory) for layer in self._layers()], state

    def decide(
        self,
        described: Described,
        memory: Sequence[Memory],
        solver: Tensor,
        upper: Tensor,
        valid: Tensor,
    ) -> Tensor:
        """Column weights (N, T, C).

        Args:
            described: of the N rigs.
            memory: of ``N · T`` expressions, or of one for all.
            solver: (N, T, C).
            upper: (N, C).
            valid: (N, C) bool.
        """
        share = solver / upper.clamp(min=1e-6).unsqueeze(1)
        powers = torch.stack([share, share * share], dim=-1)
        x = described.queries + self.solved(powers)
        real = valid.to(x.dtype)
        hidden = (HIDDEN * (1.0 - real)).unsqueeze(1).unsqueeze(1).unsqueeze(1)
        for layer, weights, looked_up in zip(self._layers(), described.layers, memory, strict=True):
            x = layer(x, weights, looked_up, hidden)
        changed = corrected(share, self.change(self.last_norm(x)).squeeze(-1))
        within = changed.clamp(0.0, 1.0)
        if self.training:
            within = changed + (within - changed).detach()
        return within * (upper * real).unsqueeze(1)

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]


def corrected(share: Tensor, change: Tensor) -> Tensor:
    """Move shares 0..1 in a space where both ends are `BEYOND` reach; no change is exactly none.

    Args:
        share: of the upper limit.
        change: of the stretched logit.

    Returns:
        The new share, -0.05..1.05.
    """
    logit = torch.log((share + BEYOND) / (1.0 + BEYOND - share))
    return torch.sigmoid(logit + change) * (1.0 + 2.0 * BEYOND) - BEYOND


def _squares(tokens: Tensor) -> Tensor:
    """(N, T, 64, 192) to (N, T, 16, 4 · 192), neighbours side by side."""
    side = TOKEN_SIDE // JOINED
    frames = tokens.reshape(*tokens.shape[:2], side, JOINED, side, JOINED * TOKEN_SIZE)
    return frames.transpose(3, 4).flatten(4).flatten(2, 3)


def _rows(layer: LayerWeights, rig: Tensor) -> LayerWeights:
    return LayerWeights(*((weight[rig], bias[rig]) for weight, bias in layer))


def _reference_rows(reference: Columns | None) -> dict[str, Tensor]:
    if reference is None:
        from .reference_columns import reference_columns

        reference = reference_columns()
    if len(reference.upper) != SHAPES:
        raise ValueError(f"a reference has {SHAPES} columns, not {len(reference.upper)}")
    return {
        f"reference_{name}": torch.from_numpy(getattr(reference, name)).clone()
        for name in ("motion", "picture", "flags")
    }
