"""Finds out which blendshape of the known head a control does, by motion and by look.

Every control of a rig is compared with every blendshape; blendshapes compete for a control. What is
matched follows the blendshapes as a rig does whose names are known; how far that is believed, and
how far the solver, is learned. Computed once a rig; names are not seen.

Source:
    Sun et al., LoFTR: Detector-Free Local Feature Matching with Transformers, CVPR 2021 (softmax
    over a matrix of scores).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .columns import FLAGS
from .control_encoder import FAINTEST, VIEWS
from .descriptors import VIEW_BLENDSHAPES, VIEW_EMBEDDING

SHARPNESS = 8.0
"""By which cosines are multiplied before they compete."""
FARTHEST = 2.0
"""Limit of the logarithm of how many times farther a control goes than a blendshape."""
HIDDEN = 32
EVIDENCE = 9 + len(VIEWS)
"""Numbers that are known of a control and a blendshape together."""
NOBODY = -1e4
"""Score of padding."""
FIRST_BELIEF = -1.0
"""Logit of how far matches are believed before anything was learned."""


class Looks(NamedTuple):
    """What controls do."""

    motion: Tensor
    """(..., 501) `Columns.motion`."""
    picture: Tensor
    """(..., 308) `Columns.picture`."""
    flags: Tensor
    """(..., 6) `columns.FLAGS`."""
    encoded: Tensor
    """(..., dim) by `ControlEncoder`."""


class ShapeMatching(nn.Module):
    """How each control follows each blendshape, and how far the solver is believed for it.

    Args:
        dim: size of encoded controls.
        pictures: False looks at the motion alone.
    """

    def __init__(self, dim: int, *, pictures: bool = True) -> None:
        super().__init__()
        self.pictures = pictures
        self.control_key, self.shape_key = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.compare = nn.Linear(EVIDENCE, HIDDEN)
        self.judge = nn.Linear(HIDDEN, 2)
        self.believe = nn.Linear(HIDDEN + 1 + dim, 1)
        for silent in (self.judge, self.believe):
            nn.init.zeros_(silent.weight)
            nn.init.zeros_(silent.bias)
        nn.init.constant_(self.believe.bias, FIRST_BELIEF)

    def forward(self, controls: Looks, shapes: Looks, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Match R rigs of C columns.

        Args:
            controls: (R, C, ...) of the rigs.
            shapes: (52, ...) of the known head.
            valid: (R, C) 1 for columns, 0 for padding.

        Returns:
            ``follow`` (R, 52, C), share of the largest weight for each blendshape at 1, and
            ``trust`` (R, C), 1 for a solver that is believed.
        """
        evidence = torch.stack(self._evidence(controls, shapes, valid), dim=-1)
        compared = torch.relu(self.compare(evidence))
        judged = self.judge(compared)
        likely = torch.softmax(SHARPNESS * evidence[..., 0] + judged[..., 0], dim=2)
        scale = judged[..., 1].clamp(-FARTHEST, FARTHEST).exp()
        matched = (likely.unsqueeze(2) @ compared).squeeze(2)
        known = torch.cat([matched, likely.amax(dim=2, keepdim=True), controls.encoded], dim=-1)
        belief = torch.sigmoid(self.believe(known))
        return (belief * likely * scale).transpose(1, 2), 1.0 - belief.squeeze(-1)

    def _evidence(self, controls: Looks, shapes: Looks, valid: Tensor) -> list[Tensor]:
        """Each (R, C, 52)."""
        anchored, drawn = (
            (controls.flags[..., at] * shapes.flags[..., at].amax())[..., None]
            for at in (FLAGS.index("anchored"), FLAGS.index("drawn"))
        )
        drawn = drawn * float(self.pictures)
        moved, gone = _cosine(controls.motion, shapes.motion)
        looks = [_cosine(controls.picture[..., v], shapes.picture[..., v])[0] for v in VIEWS]
        like = looks[VIEWS.index(VIEW_EMBEDDING)]
        keys = self.control_key(controls.encoded) @ self.shape_key(shapes.encoded).t()
        absent = NOBODY * (1.0 - valid)[..., None]
        every = torch.ones_like(moved)
        return [
            moved,
            torch.softmax(SHARPNESS * moved, dim=2),
            torch.softmax(SHARPNESS * moved + absent, dim=1),
            gone.clamp(-FARTHEST, FARTHEST),
            controls.picture[..., VIEW_BLENDSHAPES] * drawn,
            *(look * drawn for look in looks),
            torch.softmax(SHARPNESS * like + absent, dim=1) * drawn,
            keys / math.sqrt(keys.shape[-1]),
            anchored * every,
            drawn * every,
        ]


def _cosine(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines (..., C, S) of (..., C, n) and (S, n), and logarithms of the ratio of lengths."""
    lengths = [x.square().sum(dim=-1).clamp(min=FAINTEST**2).sqrt().log() for x in (a, b)]
    both = normalize(a, dim=-1, eps=FAINTEST) @ normalize(b, dim=-1, eps=FAINTEST).t()
    return both, lengths[0][..., None] - lengths[1]
