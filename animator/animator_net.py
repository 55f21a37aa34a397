"""The animator: one network that turns an expression into the controls of any rig.

First come the nameless solver's answer, unrolled, and the blendshapes of the known head which a
control was matched with: it follows them. Then every control is a query; the memory it asks is the
expression: the foundation's finer features, the blendshapes (each encoded from what it does on the
known head, so that a shape and a control that do the same look the same), and what came before.
Names and order are not seen. An untrained network answers as the unrolled solver does.

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
from .animator_config import CODE_SIZE, SHAPES, AnimatorConfig
from .columns import Columns
from .control_encoder import ControlEncoder
from .decoder_layer import HIDDEN, DecoderLayer, LayerWeights, Memory
from .expression_reading import ExpressionReading, Reading, within
from .identity_injection import IdentityEncoder
from .shape_matching import Looks, ShapeMatching
from .unrolled_solver import EyeLimit, Problem, unrolled

BEYOND = 0.05
"""How far the weights' sigmoid reaches beyond 0 and 1, so that both are reached exactly."""
POWERS = 2
"""Powers of the linear answer that a query is told."""


class Described(NamedTuple):
    """What is computed once a rig."""

    queries: Tensor
    """(R, 1, C, dim)"""
    follow: Tensor
    """(R, 52, C) how each control follows each blendshape, beside the solver."""
    trust: Tensor
    """(R, C) how far the solver is believed; 1 untrained."""
    layers: list[LayerWeights]


class Answer(NamedTuple):
    """What the animator says of N sequences of T frames."""

    weights: Tensor
    """(N, T, C) column weights, 0..`RigBatch.upper`; 0 in padding."""
    shapes: Tensor
    """(N, T, 52) the blendshapes as it reads them."""
    state: Tensor
    """(2, N, 64) temporal context after the last frame."""


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
        self.reading = ExpressionReading(dim)
        self.eyes = EyeLimit()
        self.matching = ShapeMatching(dim, pictures=config.pictures)
        self.shape_value = nn.Linear(dim, dim)
        self.memory_norm = nn.LayerNorm(dim)
        self.solved = nn.Linear(POWERS, dim)
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

    def forward(self, batch: AnimatorBatch) -> Answer:
        """Column weights, and more.

        While training, gradients pass the limits as if they were not there.
        """
        return self.perform(batch, self.describe(batch.rigs))

    def perform(self, batch: AnimatorBatch, described: Described) -> Answer:
        """What a batch shows, on rigs that were described."""
        reading = self.reading(batch.tokens, batch.shapes, batch.state)
        rigs, rig = batch.rigs, batch.rig
        weights = self.decide(
            Described(
                described.queries[rig],
                described.follow[rig],
                described.trust[rig],
                [_rows(layer, rig) for layer in described.layers],
            ),
            Problem(rigs.step[rig], rigs.linear[rig], rigs.offset[rig], rigs.regain[rig]),
            reading,
            self.remember(reading),
            rigs.upper[rig],
            rigs.valid[rig],
        )
        return Answer(weights, reading.shapes, reading.state)

    def describe(self, rigs: RigBatch) -> Described:
        """Encode the controls of R rigs and generate their layers."""
        encoded = self.controls(rigs.motion, rigs.picture, rigs.flags)
        follow, trust = self.matching(
            Looks(rigs.motion, rigs.picture, rigs.flags, encoded),
            Looks(
                self.reference_motion, self.reference_picture, self.reference_flags, self._known()
            ),
            rigs.valid.to(encoded.dtype),
        )
        code = self.identity(encoded, rigs.valid.to(encoded.dtype)) + rigs.code
        if self.plain_identity is not None:
            encoded = encoded + self.plain_identity(code)[:, None]
        layers = [layer.weights(code) for layer in self._layers()]
        return Described(encoded.unsqueeze(1), follow, trust, layers)

    def remember(self, reading: Reading) -> list[Memory]:
        """What every layer looks up of ``N · T`` expressions."""
        known = self._known()
        shown = known + reading.shapes.unsqueeze(-1) * self.shape_value(known)
        memory = torch.cat([reading.seen, shown, reading.context.unsqueeze(2)], dim=2)
        memory = self.memory_norm(memory.flatten(0, 1))
        return [layer.remember(memory) for layer in self._layers()]

    def decide(
        self,
        described: Described,
        problem: Problem,
        reading: Reading,
        memory: Sequence[Memory],
        upper: Tensor,
        valid: Tensor,
    ) -> Tensor:
        """Column weights (N, T, C).

        Args:
            described: of the N rigs.
            problem: of the N rigs.
            reading: of N sequences, or of one for all.
            memory: of ``N · T`` expressions, or of one for all.
            upper: (N, C).
            valid: (N, C) bool.
        """
        share = self._linear(described, problem, reading.shapes)
        powers = torch.stack([share, share * share], dim=-1)
        x = described.queries + self.solved(powers)
        real = valid.to(x.dtype)
        hidden = (HIDDEN * (1.0 - real)).unsqueeze(1).unsqueeze(1).unsqueeze(1)
        for layer, weights, looked_up in zip(self._layers(), described.layers, memory, strict=True):
            x = layer(x, weights, looked_up, hidden)
        changed = corrected(share, self.change(self.last_norm(x)).squeeze(-1))
        return within(changed, self.training) * (upper * real).unsqueeze(1)

    def _linear(self, described: Described, problem: Problem, shapes: Tensor) -> Tensor:
        """Shares (N, T, C) of the largest weights, before the layers."""
        trusted = problem._replace(regain=problem.regain * described.trust)
        solved = unrolled(trusted, self.eyes(shapes))
        return within(solved + shapes @ described.follow, self.training)

    def _known(self) -> Tensor:
        """(52, dim) the blendshapes of the known head, encoded."""
        known: Tensor = self.controls(
            self.reference_motion, self.reference_picture, self.reference_flags
        )
        return known

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
