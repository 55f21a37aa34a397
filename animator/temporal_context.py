"""What came before: one token of memory from a recurrent network over the whole expression.

Its state is explicit, so that streams of several actors go through one network without disturbing
each other, and a training sequence goes through it as one.
"""

import torch
from torch import Tensor, nn

from .animator_config import SHAPES, STATE_SIZE, TOKEN_SIZE


class TemporalContext(nn.Module):
    """A causal LSTM over the mean token and the blendshapes."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.inner = nn.Linear(TOKEN_SIZE + SHAPES, STATE_SIZE)
        self.recurrent = nn.LSTM(STATE_SIZE, STATE_SIZE, batch_first=True)
        self.outer = nn.Linear(STATE_SIZE, dim)

    def forward(self, tokens: Tensor, shapes: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The context of every frame.

        Args:
            tokens: (N, T, 192) mean of each frame's tokens.
            shapes: (N, T, 52).
            state: (2, N, 64) hidden and cell state before the first frame.

        Returns:
            (N, T, dim), which no later frame has part in, and the state (2, N, 64) after the last.
        """
        seen = torch.tanh(self.inner(torch.cat([tokens, shapes], dim=-1)))
        out, (hidden, cell) = self.recurrent(seen, (state[:1], state[1:]))
        return self.outer(out), torch.cat([hidden, cell])
