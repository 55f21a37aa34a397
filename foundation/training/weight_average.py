"""The mean of two expression networks of which one went on from the other.

What was learnt last stays, and less of what was known before is lost. Normalisations are folded
into their convolutions first, as in an exported file: means of statistics would not be statistics
of means.

Source:
    Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022.
"""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from freeavatar.foundation.expression_net import ExpressionNet
from freeavatar.foundation.vit import NORMALISED

from .export import folded_network
from .warm_start import start_from


@torch.no_grad()
def average_with(path: Path, net: ExpressionNet, crops: Tensor) -> dict[str, Any]:
    """Set a network to the mean of its weights and of those it went on from.

    Args:
        path: of the other weights, as for `start_from`.
        net: to change, in evaluation mode; its normalisations change nothing afterwards.
        crops: (N, S, S, 3) uint8 RGB faces, see `start_from`.

    Returns:
        As `start_from`.

    Raises:
        TrainingError: the other weights cannot be read, or their encoder is of another size.
    """
    other = copy.deepcopy(net)
    about = start_from(path, other, crops)
    before, own = (folded_network(each).state_dict() for each in (other, net))
    mean = {k: (v + before[k]) / 2 if v.is_floating_point() else v for k, v in own.items()}
    net.load_state_dict(mean, strict=False)
    for name, module in net.named_modules():
        part = NORMALISED.get(type(module))
        if part is not None:
            norm = module.norm
            assert isinstance(norm, nn.BatchNorm2d)
            _add_only(norm, mean[f"{name}.{part}.bias"])
    return about


def _add_only(norm: nn.BatchNorm2d, bias: Tensor) -> None:
    """Make a normalisation that adds a bias (C,) and does nothing else."""
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0 - norm.eps)
    norm.weight.fill_(1.0)
    norm.bias.copy_(bias)
