"""Trains the network that weighs MediaPipe's reading together with ours.

It learns on people whom the expression network has not seen in training: on those it has, it would
seem more exact than it is, and be trusted too much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from freeavatar.foundation.combination import FEATURES, SIGNATURE, combined_features
from freeavatar.foundation.crops import crop_around
from freeavatar.foundation.expression import BLENDSHAPES, FloatArray
from freeavatar.foundation.expression_model import ExpressionModel
from freeavatar.foundation.landmarks import LANDMARKS
from freeavatar.foundation.mediapipe_landmarker import Landmarker
from freeavatar.foundation.onnx_session import KIND
from freeavatar.foundation.samples import Sample, unpack

from .card import without_folders
from .losses import blendshape_loss

ENLARGED = 3
"""Stored crops are enlarged so that MediaPipe's detector takes to them."""
NOISE = 0.02
"""Standard deviation of the noise on the features while training."""
WIDTH = 384


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


def gather(samples: Iterator[Sample], bundle: Path, model: ExpressionModel) -> CombinationData:
    """Let both readers look at each face.

    Args:
        samples: faces with known curves.
        bundle: MediaPipe's ``face_landmarker.task``.
        model: our expression network.
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
    picture: NDArray[np.uint8], theirs: Landmarker, model: ExpressionModel
) -> FloatArray | None:
    large = cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    faces = theirs.find(np.asarray(large, np.uint8))
    if not faces:
        return None
    face = max(faces, key=lambda f: float(np.prod(f.box[2:] - f.box[:2])))
    crop = crop_around(face.landmarks[list(LANDMARKS)] / np.float32(ENLARGED))
    ours = model.read(crop.cut(picture)[None]).blendshapes[0]
    return combined_features(face.landmarks, face.head, face.blendshapes, ours)


class CombinationNet(nn.Module):
    """A perceptron of two hidden layers: (N, FEATURES) to (N, 52) in 0..1."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, WIDTH),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, WIDTH),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, len(BLENDSHAPES)),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, FEATURES) to (N, 52)."""
        out: Tensor = torch.sigmoid(self.layers((features - self.mean) / self.deviation))
        return out


def train(
    data: CombinationData, *, epochs: int = 40, batch: int = 256, seed: int = 0
) -> CombinationNet:
    """Fit the network.

    The loss is that of the expression network, see `blendshape_loss`.

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
    features = torch.from_numpy(data.features)
    truth = torch.from_numpy(data.blendshapes)
    net = CombinationNet(features.mean(0), features.std(0).clamp_min(0.02))
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.02)
    steps = epochs * (len(features) // batch)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=steps)
    for _ in range(epochs):
        order = torch.randperm(len(features))
        for start in range(0, len(order) - batch + 1, batch):
            rows = order[start : start + batch]
            x = features[rows] + NOISE * torch.randn(batch, FEATURES)
            loss = blendshape_loss(net(x), truth[rows], torch.ones(len(BLENDSHAPES)))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            plan.step()
    return net.eval()


@dataclass(frozen=True, kw_only=True)
class CombinationFigures:
    """Mean absolute error and mean correlation over the curves, on people left out."""

    combined: tuple[float, float]
    ours: tuple[float, float]
    theirs: tuple[float, float]
    faces: int


def judge(data: CombinationData, *, epochs: int = 40, seed: int = 0) -> CombinationFigures:
    """Train on four fifths of the people and measure on the others.

    Args:
        data: faces of at least ten people.
        epochs: passes of the training.
        seed: of the choice of people and of the training.
    """
    names = sorted(set(data.people))
    left_out = set(np.random.default_rng(seed).permutation(names)[: max(len(names) // 5, 1)])
    held = np.array([p in left_out for p in data.people])
    net = train(data.rows(~held), epochs=epochs, seed=seed)
    seen = data.rows(held)
    with torch.no_grad():
        combined = net(torch.from_numpy(seen.features)).numpy()
    count = len(BLENDSHAPES)
    return CombinationFigures(
        combined=_agreement(combined, seen.blendshapes),
        ours=_agreement(seen.features[:, -count:], seen.blendshapes),
        theirs=_agreement(seen.features[:, -2 * count : -count], seen.blendshapes),
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


def card(data: CombinationData, figures: CombinationFigures, command: str) -> str:
    """The model card."""
    people = len(set(data.people))
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
            f"- A perceptron of two hidden layers of {WIDTH}.",
            f"- Learnt from {len(data.features):,} rendered faces of {people} people whom the "
            f"expression network has not seen in training (MediaPipe found them in {data.shown:,} "
            "pictures).",
            f"- Command: `{without_folders(command)}`",
            "- Licence: MIT; data as in expression.md (its validation people).",
            "",
            f"Figures on {figures.faces:,} pictures of a fifth of the people, left out for this "
            "(rendered; on real video expect less):",
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
