"""Features of a masked autoencoder straight from its checkpoint; needs torch."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from freeavatar.foundation.config import MAEConfig
from freeavatar.foundation.mae import MAE
from freeavatar.foundation.training import checkpoints
from freeavatar.foundation.vit import normalised

BATCH = 32


@torch.inference_mode()
def checkpoint_features(path: Path, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, D) mean tokens of crops (N, 128, 128, 3) by the averaged weights of a checkpoint.

    Raises:
        TrainingError: there is no checkpoint, or it is not one of a masked autoencoder.
    """
    checkpoint = checkpoints.load(path)
    net = MAE(MAEConfig.from_dict(checkpoint.state.config))
    checkpoints.fill(net, checkpoint.part("average"))
    net.eval()
    parts = []
    for i in range(0, len(crops), BATCH):
        part = torch.from_numpy(np.ascontiguousarray(crops[i : i + BATCH]))
        parts.append(net.encoder(normalised(part)).mean(dim=1).double().numpy())
    return np.concatenate(parts)
