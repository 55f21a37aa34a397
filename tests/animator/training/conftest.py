"""Small rigs of random motion and faces of random features, so that trainings take seconds."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from freeavatar.animator.anchor_table import ANCHORS
from freeavatar.animator.animator_batch import batch_rigs
from freeavatar.animator.columns import Columns, columns_of
from freeavatar.animator.descriptors import VIEW_SIZE, Descriptors
from freeavatar.animator.training.expression_views import MIRRORED, PART, VIEWS, ExpressionViews
from freeavatar.animator.training.performances import Performance, perform
from freeavatar.animator.training.sequences import random_sequences
from freeavatar.animator.training.training_rig import TrainingRig
from freeavatar.animator.unrolled_solver import EyeLimit, Problem, unrolled
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray

torch.set_num_threads(1)

SWAPPED = np.array(
    [
        BLENDSHAPES.index(
            name[:-4] + "Right"
            if name.endswith("Left")
            else name[:-5] + "Left"
            if name.endswith("Right")
            else name
        )
        for name in BLENDSHAPES
    ]
)
FACES = 40
MakeRig = Callable[..., TrainingRig]


def described(count: int, seed: int = 0) -> Columns:
    """Columns of a rig that was drawn; every third control goes both ways."""
    make = np.random.default_rng(seed)
    return columns_of(
        Descriptors(
            motion=0.3 * make.standard_normal((count, len(ANCHORS), 3)).astype(np.float32),
            found=np.ones(len(ANCHORS), bool),
            picture=make.standard_normal((count, VIEW_SIZE)).astype(np.float32),
            drawn=True,
            lowest=np.where(np.arange(count) % 3 == 2, -0.7, 0.0).astype(np.float32),
        )
    )


@pytest.fixture(scope="session")
def views() -> ExpressionViews:
    """Forty faces of five people; the tokens tell what is shown better than the shapes do."""
    make = np.random.default_rng(1)
    truth = (make.random((FACES, VIEWS, 52)) * (make.random((FACES, 1, 52)) < 0.2)).astype(
        np.float32
    )
    truth[:, 1] = truth[:, 0]
    truth[:, MIRRORED] = truth[:, 0][:, SWAPPED]
    truth[:8] = 0.0
    tokens = 0.1 * make.standard_normal((FACES, VIEWS, 64, 192))
    tokens[..., :52] += truth[:, :, None]
    embedding = make.standard_normal((FACES, VIEWS, 64))
    return ExpressionViews(
        tokens=[tokens[i : i + PART].astype(np.float16) for i in range(0, FACES, PART)],
        places=np.stack([np.zeros(FACES, np.int64), np.arange(FACES)], axis=1),
        shapes=np.clip(0.7 * truth + 0.1, 0, 1).astype(np.float32),
        truth=truth,
        embedding=(embedding / np.linalg.norm(embedding, axis=-1, keepdims=True)).astype(
            np.float32
        ),
        people=np.repeat(np.arange(5), FACES // 5),
    )


@pytest.fixture(scope="session")
def make_rig() -> MakeRig:
    """``make_rig(count, seed)``: its right answer is one shape for each column, the baseline's is
    the unrolled solver's."""

    def build(count: int = 6, seed: int = 0) -> TrainingRig:
        columns = described(count, seed)
        shown = np.random.default_rng(seed).permutation(52)[: len(columns.upper)]

        def ideal(shapes: FloatArray) -> FloatArray:
            return np.minimum(shapes[shown], columns.upper).astype(np.float32)

        rigs, limit = batch_rigs([columns]), EyeLimit()
        problem = Problem(rigs.step, rigs.linear, rigs.offset, rigs.regain)

        def solved(shapes: FloatArray) -> FloatArray:
            shares = unrolled(problem, limit(torch.from_numpy(shapes).float())[None, None])
            return np.asarray(shares[0, 0].clamp(max=1.0).numpy() * columns.upper)

        return TrainingRig(
            columns=columns,
            solved=solved,
            ideal=ideal,
            mirrored=None,
        )

    return build


@pytest.fixture(scope="session")
def performances(views: ExpressionViews, make_rig: MakeRig) -> list[Performance]:
    """Three rigs, the last one larger."""
    return [
        perform(make_rig(count, seed), random_sequences(views, 6, np.random.default_rng(seed)))
        for seed, count in enumerate((5, 6, 11))
    ]
