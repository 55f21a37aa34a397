"""What a network, or MediaPipe, says of the test pictures."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.crops import NETWORK_SIZE
from freeavatar.foundation.errors import ReaderError, TrainingError
from freeavatar.foundation.expression import FloatArray
from freeavatar.foundation.landmarks import LANDMARKS

Values = NDArray[np.float64]
Pictures = NDArray[np.uint8]

BATCH = 16
SURE = 0.5
"""Confidence from which the network says that there is a face."""
ENLARGED = 3
"""MediaPipe's detector wants more pixels than a stored crop has."""


class Output(Protocol):
    """What `freeavatar.foundation.expression_model.ModelOutput` has of it."""

    @property
    def blendshapes(self) -> FloatArray: ...
    @property
    def eyes(self) -> FloatArray: ...
    @property
    def head(self) -> FloatArray: ...
    @property
    def landmarks(self) -> FloatArray: ...
    @property
    def confidence(self) -> FloatArray: ...
    @property
    def embedding(self) -> FloatArray: ...
    @property
    def tokens(self) -> FloatArray: ...


class Model(Protocol):
    """An expression network."""

    def read(self, crops: Pictures) -> Output:
        """What crops (N, 128, 128, 3) express."""
        ...


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Of N pictures; rows without a face hold NaN."""

    found: NDArray[np.bool_]
    """(N,)"""
    blendshapes: Values
    """(N, 52)"""
    eyes: Values
    """(N, 2, 2) yaw, pitch, radians."""
    head: Values
    """(N, 3, 3)"""
    landmarks: Values
    """(N, 156, 2) pixels of the stored crop."""
    embedding: Values
    """(N, D) whose distance says how different two expressions are; the curves themselves where a
    reader has nothing better."""
    tokens: Values | None = None
    """(N, D') means of the finer features, from networks that have them."""
    false_faces: float = float("nan")
    """Share of the pictures without a face in which one is seen."""
    milliseconds: float = float("nan")
    """Of one picture, all together, as run here (in batches; not the speed of tracking)."""


def network_view(pictures: Pictures) -> Pictures:
    """The middle (N, 128, 128, 3) of stored crops (N, S, S, 3): what the network sees."""
    edge = (pictures.shape[1] - NETWORK_SIZE) // 2
    return pictures[:, edge : edge + NETWORK_SIZE, edge : edge + NETWORK_SIZE]


def averaged_too(models: dict[str, Model], ours: str) -> dict[str, Model]:
    """The same, and after the network that ships, where it is there, its averaged reading."""
    from freeavatar.foundation.flip_averaging import FlipAveragedModel

    from .verdict import AVERAGED

    if ours not in models:
        return models
    return {ours: models[ours], AVERAGED: FlipAveragedModel()} | models


def by_network(
    model: Model,
    pictures: Pictures,
    faceless: Pictures,
    *,
    tick: Callable[[int], Any] = lambda _: None,
) -> Predictions:
    """Let a network read stored crops.

    Every picture counts as found: the network always answers, and its answers are judged whether
    it is sure of them or not.

    Args:
        model: to be judged.
        pictures: (N, S, S, 3) RGB.
        faceless: (M, S, S, 3) pictures without a face.
        tick: called with the number of pictures done since the last call.
    """
    started = time.perf_counter()
    edge = (pictures.shape[1] - NETWORK_SIZE) / 2
    outputs: list[Output] = []
    for part in _batches(network_view(pictures)):
        outputs.append(model.read(part))
        tick(len(part))
    spent = time.perf_counter() - started
    empty = [model.read(part).confidence > SURE for part in _batches(network_view(faceless))]

    def column(name: str) -> Values:
        return np.concatenate([getattr(o, name) for o in outputs]).astype(np.float64)

    return Predictions(
        found=np.ones(len(pictures), bool),
        blendshapes=column("blendshapes"),
        eyes=column("eyes"),
        head=column("head"),
        landmarks=column("landmarks") * NETWORK_SIZE + edge,
        embedding=column("embedding"),
        tokens=np.concatenate([o.tokens.mean(axis=1) for o in outputs]).astype(np.float64),
        false_faces=float(np.concatenate(empty).mean()) if empty else float("nan"),
        milliseconds=1e3 * spent / max(len(pictures), 1),
    )


def by_mediapipe(
    bundle: Path,
    pictures: Pictures,
    faceless: Pictures,
    *,
    tick: Callable[[int], Any] = lambda _: None,
) -> Predictions:
    """Let MediaPipe read the whole stored crops, enlarged; arguments as `by_network`.

    Raises:
        ReaderError: MediaPipe is missing or does not accept the bundle.
    """
    from freeavatar.foundation.face_boxes import area
    from freeavatar.foundation.mediapipe_landmarker import FoundFace, Landmarker
    from freeavatar.foundation.mediapipe_pose import gaze

    landmarker = Landmarker(bundle)

    def find(picture: Pictures) -> FoundFace | None:
        large = cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
        return max(landmarker.find(np.asarray(large, np.uint8)), key=area, default=None)

    count = len(pictures)
    found = np.zeros(count, bool)
    blendshapes, eyes = np.full((count, 52), np.nan), np.full((count, 2, 2), np.nan)
    head = np.full((count, 3, 3), np.nan)
    landmarks = np.full((count, len(LANDMARKS), 2), np.nan)
    started = time.perf_counter()
    for i, picture in enumerate(pictures):
        face = find(picture)
        if face is not None:
            found[i] = True
            blendshapes[i], head[i] = face.blendshapes, face.head
            eyes[i] = gaze(face.blendshapes)[:, :2]
            landmarks[i] = face.landmarks[list(LANDMARKS)] / ENLARGED
        tick(1)
    spent = time.perf_counter() - started
    wrong = [find(picture) is not None for picture in faceless]
    landmarker.close()
    return Predictions(
        found=found,
        blendshapes=blendshapes,
        eyes=eyes,
        head=head,
        landmarks=landmarks,
        embedding=blendshapes,
        false_faces=float(np.mean(wrong)) if wrong else float("nan"),
        milliseconds=1e3 * spent / max(count, 1),
    )


def features_of(path: Path, pictures: Pictures) -> Values:
    """(N, D) mean tokens of stored crops by a network before tuning.

    Args:
        path: a masked autoencoder's checkpoint (``.safetensors``, needs torch), or a network
            (``.onnx``) with input ``crop`` (N, 128, 128, 3) uint8 and output ``tokens`` (N, K, D).
        pictures: (N, S, S, 3) RGB.

    Raises:
        ReaderError: the file is missing, broken or something else.
    """
    crops = network_view(pictures)
    if path.suffix == ".safetensors":
        return _of_checkpoint(path, crops)
    from freeavatar.foundation.onnx_session import Network, Signature

    signature = Signature(
        kind="expression/1", inputs={"crop": crops.shape[1:]}, outputs={"tokens": None}
    )
    network = Network(path, signature)
    parts = [network.run(crop=np.ascontiguousarray(part))["tokens"] for part in _batches(crops)]
    return np.concatenate([part.mean(axis=1) for part in parts]).astype(np.float64)


def _of_checkpoint(path: Path, crops: Pictures) -> Values:
    try:
        from .checkpoint_features import checkpoint_features
    except ImportError as error:
        raise ReaderError(
            f"{path} cannot be read ({error}); install torch: pip install 'freeavatar[train]'"
        ) from error
    try:
        return checkpoint_features(path, crops)
    except TrainingError as error:
        raise ReaderError(str(error)) from error


def _batches(pictures: Pictures) -> list[Pictures]:
    return [pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH)]
