"""What the animator takes in of an expression: tokens side by side, context, corrected shapes.

All of it is computed once an actor, however many rigs follow.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .animator_config import SHAPES, STATE_SIZE, TOKEN_SIDE, TOKEN_SIZE, TOKENS
from .temporal_context import TemporalContext

JOINED = 2
"""Tokens along each side of the square that is looked up as one."""
SQUARES = TOKENS // JOINED**2
HIDDEN = 96
"""Width of what corrects the shapes."""
MOST_CHANGE = 0.5
"""By which a shape is corrected at most."""
LEAK = 0.1
"""Share of the gradient that passes a limit."""


class Reading(NamedTuple):
    """N sequences of T frames."""

    seen: Tensor
    """(N, T, 16, dim) squares of the face."""
    context: Tensor
    """(N, T, dim) what came before."""
    shapes: Tensor
    """(N, T, 52) blendshapes 0..1, corrected."""
    state: Tensor
    """(2, N, 64) temporal context after the last frame."""


class ExpressionReading(nn.Module):
    """Reads the foundation's finer features; untrained, it leaves the shapes as they are."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token = nn.Linear(JOINED**2 * TOKEN_SIZE, dim)
        self.place = nn.Parameter(0.02 * torch.randn(SQUARES, dim))
        self.absent = nn.Parameter(0.02 * torch.randn(SQUARES, dim))
        self.context = TemporalContext(dim)
        self.norm = nn.LayerNorm(dim)
        self.gather = nn.Linear(SQUARES * dim + dim + SHAPES, HIDDEN)
        self.change = nn.Linear(HIDDEN, SHAPES)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, tokens: Tensor, shapes: Tensor, state: Tensor | None = None) -> Reading:
        """Read ``N · T`` expressions.

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
        seen = present * self.token(_squares(tokens)) + (1.0 - present) * self.absent + self.place
        known = torch.cat([self.norm(seen).flatten(2), context, shapes], dim=-1)
        change = torch.tanh(self.change(torch.relu(self.gather(known))))
        moved = shapes + MOST_CHANGE * change
        return Reading(seen, context, within(moved, self.training), state)


def within(shares: Tensor, training: bool) -> Tensor:
    """Shares limited to 0..1.

    While training, some of the gradient passes the limits: what rests on a limit by mistake can
    still be told so.
    """
    limited = shares.clamp(0.0, 1.0)
    if not training:
        return limited
    beyond = LEAK * (shares - limited)
    return limited + beyond - beyond.detach()


def _squares(tokens: Tensor) -> Tensor:
    """(N, T, 64, 192) to (N, T, 16, 4 · 192), neighbours side by side."""
    side = TOKEN_SIDE // JOINED
    frames = tokens.reshape(*tokens.shape[:2], side, JOINED, side, JOINED * TOKEN_SIZE)
    return frames.transpose(3, 4).flatten(4).flatten(2, 3)
