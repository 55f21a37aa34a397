"""The perceptual loop: the drawn rig must express to the foundation what the actor does.

Nothing need be known of the picture: animator, renderer and foundation are differentiable, only the
first of them learns. A rig is drawn from the front in the studio's light; the foundation is told
where its face is.

Source:
    Qiu et al., FreeAvatar, SIGGRAPH Asia 2024.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from freeavatar.animator.animator_batch import AnimatorBatch, batch_rigs
from freeavatar.animator.columns import Columns
from freeavatar.renderer_net.net import TorchRenderer
from freeavatar.renderer_net.splatting import studio_light

from .expression_views import MIRRORED, ExpressionViews
from .sequences import BLIND

Embedding = Callable[[Tensor, int], Tensor]
"""Pictures (N, 3, S, S) sRGB 0..1 of a rig of that number to embeddings (N, 64) of unit length."""


class PerceptualLoop:
    """Costs of what drawn rigs express, on faces of which nothing is known.

    Args:
        renderer: of the rigs, in their order; is frozen.
        rigs: that are drawn, their columns.
        embedding: the frozen foundation's, differentiable.
        views: faces.
        count: faces at a time, all on one rig.
        seed: of the choice.
    """

    def __init__(
        self,
        renderer: TorchRenderer,
        rigs: Sequence[Columns],
        embedding: Embedding,
        views: ExpressionViews,
        *,
        count: int = 4,
        seed: int = 0,
    ) -> None:
        self.renderer = renderer.eval().requires_grad_(False)
        self._rigs, self._embedding, self._views = rigs, embedding, views
        self._batches = [batch_rigs([rig]) for rig in rigs]
        self._count = count
        self._make = np.random.default_rng([seed, 9])
        self._turns = self._in_turn()

    def cost(self, animator: nn.Module) -> Tensor:
        """Mean of one minus the cosine between what the next faces and the rig express."""
        number = next(self._turns)
        batch, wanted = self._faces(number)
        found = animator(batch).weights[:, -1]
        pictures = self.drawn(number, found)
        return (1.0 - (self._embedding(pictures, number) * wanted).sum(dim=-1)).mean()

    def drawn(self, number: int, found: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) of a rig with column weights (N, C)."""
        weights = unit_weights(self._rigs[number], found)
        count = len(weights)
        pictures, _ = self.renderer.render(
            number,
            weights,
            weights.new_zeros(count, 3),
            weights.new_zeros(count, 2, 3),
            studio_light(count).to(weights),
        )
        return pictures

    def _faces(self, number: int) -> tuple[AnimatorBatch, Tensor]:
        """Some faces for a rig and their embeddings; each face is seen twice, the last time counts.

        So what came before has a part in the answer.
        """
        pictures = self._make.integers(len(self._views), size=self._count)
        mirrored = self._make.random(self._count) < 0.5
        seen = [np.where(mirrored, MIRRORED, v) for v in self._make.permutation(MIRRORED)]
        shapes = np.stack([self._views.shapes[pictures, v] for v in seen], axis=1)
        tokens = np.stack([self._views.tokens_of(pictures, v) for v in seen], axis=1)
        tokens[self._make.random(self._count) < BLIND] = 0.0
        batch = AnimatorBatch(
            tokens=torch.from_numpy(tokens),
            shapes=torch.from_numpy(shapes),
            rig=torch.zeros(self._count, dtype=torch.int64),
            rigs=self._batches[number],
        )
        return batch, torch.from_numpy(self._views.embedding[pictures, seen[-1]])

    def _in_turn(self) -> Iterator[int]:
        while True:
            yield from range(len(self._rigs))


def unit_weights(columns: Columns, found: Tensor) -> Tensor:
    """Unit weights (N, K) of column weights (N, C); differentiable twin of `Columns.to_weights`."""
    count = int((columns.signs > 0).sum())
    turn = torch.zeros(len(columns.signs), count, dtype=found.dtype, device=found.device)
    rows = torch.arange(len(columns.signs))
    signs = torch.from_numpy(columns.signs).to(turn)
    turn[rows, torch.from_numpy(columns.controls.astype(np.int64))] = signs
    return found @ turn
