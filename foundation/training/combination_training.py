"""Trains the network that weighs MediaPipe's reading together with ours.

A perceptron first learns from many faces what MediaPipe's points and curves mean. How much of that
and how much of our own reading each channel takes is then measured on people whom neither has seen
in training: on those it has, our network would seem more exact than it is.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor, nn

from freeavatar.foundation.combination import FEATURES, SIGNATURE, combined_features
from freeavatar.foundation.crops import crop_around
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.foundation.landmarks import LANDMARKS, MIRRORED
from freeavatar.foundation.mediapipe_landmarker import Landmarker
from freeavatar.foundation.onnx_session import KIND
from freeavatar.foundation.samples import Sample, unpack

from .card import without_folders
from .geometry import SWAPPED
from .losses import blendshape_loss

ENLARGED = 3
"""Stored crops are enlarged so that MediaPipe's detector takes to them."""
NOISE = 0.02
"""Standard deviation of the noise on the features while training."""
WIDTH = 512
COUNT = len(BLENDSHAPES)
THEIRS = FEATURES - COUNT
"""Features that MediaPipe gives; ours follow."""
POINTS = 2 * len(LANDMARKS)


@dataclass(frozen=True, kw_only=True)
class CombinationData:
    """Features and true curves of N faces."""

    features: FloatArray
    """(N, FEATURES)."""
    blendshapes: FloatArray
    """(N, 52), NaN where unknown."""
    people: Sequence[str]
    """(N,) who is shown."""
    shown: int
    """Pictures looked at; MediaPipe found N of them."""

    def rows(self, chosen: NDArray[np.bool_]) -> "CombinationData":
        """Those of the faces that are chosen (N,)."""
        return CombinationData(
            features=self.features[chosen],
            blendshapes=self.blendshapes[chosen],
            people=[p for p, c in zip(self.people, chosen, strict=True) if c],
            shown=self.shown,
        )


def alternating(folders: Sequence[Sequence[Path]], count: int) -> Iterator[Sample]:
    """The first ``count`` faces, one of each folder's shards in turn.

    Raises:
        ValueError: see `read_faces`.
    """
    sources = [read_faces(shards) for shards in folders]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*sources))
    return itertools.islice((s for s in turns if s is not None), count)


def read_faces(shards: Sequence[Path]) -> Iterator[Sample]:
    """The faces with known curves of some shards.

    Raises:
        ValueError: a shard holds something else; the message names it.
    """
    import webdataset

    for shard in shards:
        for record in webdataset.WebDataset(str(shard), shardshuffle=False, empty_check=False):
            try:
                sample = unpack(record)
            except (KeyError, ValueError) as error:
                raise ValueError(f"{shard}, sample {record.get('__key__')}: {error}") from error
            if sample.face and np.isfinite(sample.blendshapes).any():
                yield sample


def gather(
    samples: Iterator[Sample], bundle: Path, model: ExpressionModel | None = None
) -> CombinationData:
    """Let both readers look at each face.

    Args:
        samples: faces with known curves.
        bundle: MediaPipe's ``face_landmarker.task``.
        model: our expression network; without it our curves are all 0.
    """
    theirs = Landmarker(bundle)
    rows: list[FloatArray] = []
    truth: list[FloatArray] = []
    people: list[str] = []
    shown = 0
    for sample in samples:
        shown += 1
        features = _features(sample.picture, theirs, model)
        if features is not None:
            rows.append(features)
            truth.append(sample.blendshapes)
            people.append(sample.identity)
    theirs.close()
    return CombinationData(
        features=np.array(rows, np.float32).reshape(-1, FEATURES),
        blendshapes=np.array(truth, np.float32).reshape(-1, len(BLENDSHAPES)),
        people=people,
        shown=shown,
    )


def _features(
    picture: NDArray[np.uint8], theirs: Landmarker, model: ExpressionModel | None
) -> FloatArray | None:
    large = cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    faces = theirs.find(np.asarray(large, np.uint8))
    if not faces:
        return None
    face = max(faces, key=lambda f: float(np.prod(f.box[2:] - f.box[:2])))
    ours = np.zeros(COUNT, np.float32)
    if model is not None:
        crop = crop_around(face.landmarks[list(LANDMARKS)] / np.float32(ENLARGED))
        ours = model.read(crop.cut(picture)[None]).blendshapes[0]
    return combined_features(face.landmarks, face.head, face.blendshapes, ours)


class CombinationNet(nn.Module):
    """Weighted sum of what a perceptron reads from MediaPipe's features, and of our curves.

    (N, FEATURES) to (N, 52), 0 or more.
    """

    mean: Tensor
    deviation: Tensor
    shares: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.register_buffer("shares", torch.tensor([[1.0], [0.0]]).repeat(1, COUNT))
        self.layers = nn.Sequential(
            nn.Linear(THEIRS, WIDTH),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, WIDTH),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, COUNT),
        )

    def meant(self, theirs: Tensor) -> Tensor:
        """(N, THEIRS) to (N, 52) in 0..1: the perceptron alone."""
        out: Tensor = torch.sigmoid(self.layers((theirs - self.mean) / self.deviation))
        return out

    def forward(self, features: Tensor) -> Tensor:
        """The weighted sum."""
        theirs, ours = features[:, :THEIRS], features[:, THEIRS:]
        return self.shares[0] * self.meant(theirs) + self.shares[1] * ours


def train(
    data: CombinationData, *, epochs: int = 40, batch: int = 256, seed: int = 0
) -> CombinationNet:
    """Fit the perceptron; the sum is all its own.

    The loss is that of the expression network, see `blendshape_loss`. Half of each batch is
    mirrored.

    Args:
        data: faces, at least one batch.
        epochs: passes over them.
        batch: faces of a step.
        seed: of shuffles, noise and first weights.

    Raises:
        ValueError: fewer faces than one batch.
    """
    if len(data.features) < batch:
        raise ValueError(f"{len(data.features)} faces are too few; {batch} is the least")
    torch.manual_seed(seed)
    features = torch.from_numpy(data.features[:, :THEIRS])
    truth = torch.from_numpy(data.blendshapes)
    both = torch.cat([features, mirrored(features)])
    net = CombinationNet(both.mean(0), both.std(0).clamp_min(0.02))
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.02)
    steps = epochs * (len(features) // batch)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=steps)
    half = batch // 2
    for _ in range(epochs):
        order = torch.randperm(len(features))
        for start in range(0, len(order) - batch + 1, batch):
            rows = order[start : start + batch]
            x, wanted = features[rows], truth[rows]
            x = torch.cat([x[:half], mirrored(x[half:])])
            wanted = torch.cat([wanted[:half], wanted[half:, SWAPPED]])
            found = net.meant(x + NOISE * torch.randn_like(x))
            loss = blendshape_loss(found, wanted, torch.ones(COUNT))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            plan.step()
    return net.eval()


def mirrored(theirs: Tensor) -> Tensor:
    """MediaPipe's features (N, THEIRS) of the mirrored faces."""
    count = len(theirs)
    points = theirs[:, :POINTS].reshape(count, -1, 2)[:, list(MIRRORED)]
    points = points * torch.tensor([-1.0, 1.0])
    flip = torch.tensor([[-1.0], [1.0], [1.0]]) * torch.tensor([-1.0, 1.0])
    head = theirs[:, POINTS : POINTS + 6].reshape(count, 3, 2) * flip
    curves = theirs[:, POINTS + 6 :][:, SWAPPED]
    return torch.cat([points.flatten(1), head.flatten(1), curves], dim=1)


def weigh(net: CombinationNet, data: CombinationData) -> None:
    """Set each channel's shares: the least squares, none below 0, the same for both sides.

    Args:
        net: whose perceptron is trained.
        data: faces of people whom neither the perceptron nor our network was trained on.
    """
    with torch.no_grad():
        meant = net.meant(torch.from_numpy(data.features[:, :THEIRS])).numpy()
    ours = data.features[:, THEIRS:]
    for channel in range(COUNT):
        sides = sorted({channel, int(SWAPPED[channel])})
        truth = data.blendshapes[:, sides]
        known = np.isfinite(truth).all(axis=1)
        if channel == sides[0] and known.sum() > 2:
            pair = np.stack([_centred(p[known][:, sides]) for p in (meant, ours)], axis=1)
            shares = nnls(pair, _centred(truth[known]))[0]
            for side in sides:
                net.shares[:, side] = torch.from_numpy(shares)


def _centred(values: FloatArray) -> FloatArray:
    return np.asarray((values - values.mean(axis=0)).ravel(), np.float64)


@dataclass(frozen=True, kw_only=True)
class CombinationFigures:
    """Mean absolute error and mean correlation over the curves, on people left out."""

    combined: tuple[float, float]
    ours: tuple[float, float]
    theirs: tuple[float, float]
    faces: int


def judge(net: CombinationNet, held: CombinationData, *, seed: int = 0) -> CombinationFigures:
    """Weigh on half of the people kept back, measure on the others; then weigh on all of them.

    Args:
        net: whose perceptron is trained; it keeps the shares of all.
        held: as for `weigh`, faces of at least two people.
        seed: of the choice of people.
    """
    names = sorted(set(held.people))
    left_out = set(np.random.default_rng(seed).permutation(names)[: max(len(names) // 2, 1)])
    rows = np.array([p in left_out for p in held.people])
    weigh(net, held.rows(~rows))
    seen = held.rows(rows)
    with torch.no_grad():
        combined = net(torch.from_numpy(seen.features)).clamp(0, 1).numpy()
    weigh(net, held)
    return CombinationFigures(
        combined=_agreement(combined, seen.blendshapes),
        ours=_agreement(seen.features[:, THEIRS:], seen.blendshapes),
        theirs=_agreement(seen.features[:, THEIRS - COUNT : THEIRS], seen.blendshapes),
        faces=len(seen.features),
    )


def _agreement(found: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """Mean absolute error, and the mean over channels of the correlation; 0 for a dead channel."""
    correlations = []
    for i in range(truth.shape[1]):
        known = np.isfinite(truth[:, i])
        if known.sum() > 2 and truth[known, i].std() > 1e-6:
            x, y = found[known, i], truth[known, i]
            correlations.append(float(np.corrcoef(x, y)[0, 1]) if x.std() > 1e-6 else 0.0)
    return float(np.nanmean(np.abs(found - truth))), float(np.mean(correlations))


def export(net: CombinationNet, path: Path) -> None:
    """Write the network as ONNX."""
    import onnx

    torch.onnx.export(
        net.eval(),
        (torch.zeros(1, FEATURES),),
        str(path),
        input_names=list(SIGNATURE.inputs),
        output_names=list(SIGNATURE.outputs),
        dynamic_axes={"features": {0: "rows"}, "blendshapes": {0: "rows"}},
        dynamo=False,
    )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {KIND: SIGNATURE.kind})
    onnx.save(model, str(path))


def card(
    data: CombinationData, held: CombinationData, figures: CombinationFigures, command: str
) -> str:
    """The model card.

    Args:
        data: what the perceptron learnt from.
        held: what the shares were weighed on.
        figures: of `judge`.
        command: that trained it.
    """
    rows = (
        f"| {name} | {error:.4f} | {correlation:.3f} |"
        for name, (error, correlation) in (
            ("combined", figures.combined),
            ("our network alone", figures.ours),
            ("MediaPipe's blendshapes alone", figures.theirs),
        )
    )
    return "\n".join(
        [
            "# combination.onnx",
            "",
            "Weighs MediaPipe's face landmarks and blendshapes together with our own network's "
            "blendshapes: 52 ARKit blendshapes out. Used where MediaPipe's bundle is at hand.",
            "",
            f"- A perceptron of two hidden layers of {WIDTH} on MediaPipe's features, and two "
            "shares of each channel: of what it says, and of what our network says.",
            f"- The perceptron learnt from {len(data.features):,} rendered faces of "
            f"{len(set(data.people))} training people (MediaPipe found them in {data.shown:,} "
            f"pictures), the shares from {len(held.features):,} faces of {len(set(held.people))} "
            "validation people.",
            f"- Command: `{without_folders(command)}`",
            "- Licence: MIT; data as in expression.md.",
            "",
            f"Figures on {figures.faces:,} pictures of half of the validation people, left out for "
            "this (rendered; on real video expect less):",
            "",
            "| reader | mean absolute error | mean correlation |",
            "|---|---|---|",
            *rows,
            "",
            "Limits: those of expression.md; MediaPipe's own errors (a look down seen as shut "
            "eyes, weak brows) are lessened, not removed.",
            "",
        ]
    )
