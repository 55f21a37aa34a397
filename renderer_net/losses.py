"""How far a drawn picture is from the reference picture, for training and for telling.

What a face expresses is judged by networks of the foundation, which this package does not know:
what they see of the pictures is passed in.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

WINDOW, DEVIATION = 11, 1.5
"""Pixels across, and the standard deviation, of the window of the structural similarity."""


def picture_loss(ours: Tensor, theirs: Tensor, mask: Tensor, *, inside: float = 3.0) -> Tensor:
    """Mean absolute difference of pictures (N, 3, S, S); the rig counts ``inside`` times."""
    weight = 1.0 + (inside - 1.0) * mask
    return ((ours - theirs).abs() * weight).mean() / weight.mean()


def perceptual_loss(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean difference of feature maps (N, C, h, w), each level in its own spread.

    Source:
        Johnson, Alahi, Fei-Fei, Perceptual Losses for Real-Time Style Transfer, ECCV 2016.
    """
    levels = [
        (a - b.detach()).abs().mean() / b.detach().std().clamp(min=1e-3)
        for a, b in zip(found, wanted, strict=True)
    ]
    return torch.stack(levels).mean()


def expression_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """One minus the cosine between embeddings (N, D), mean."""
    return (1.0 - functional.cosine_similarity(found, wanted.detach(), dim=1)).mean()


def judged_loss(real: Tensor, drawn: Tensor) -> Tensor:
    """Hinge loss of the discriminator's judgements.

    Source:
        Lim, Ye, Geometric GAN, 2017.
    """
    return functional.relu(1.0 - real).mean() + functional.relu(1.0 + drawn).mean()


def deceiving_loss(drawn: Tensor) -> Tensor:
    """Hinge loss of what is to deceive the discriminator."""
    return -drawn.mean()


def signal_to_noise(ours: Tensor, theirs: Tensor) -> Tensor:
    """(N,) peak signal-to-noise ratio in dB of pictures 0..1."""
    error = (ours - theirs).square().flatten(1).mean(dim=1).clamp(min=1e-10)
    return -10.0 * torch.log10(error)


def structural_similarity(ours: Tensor, theirs: Tensor) -> Tensor:
    """(N,) structural similarity of pictures (N, C, S, S) 0..1; 1 where they are the same.

    Source:
        Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, IEEE
        Transactions on Image Processing 13, 2004.
    """
    place = torch.arange(WINDOW, dtype=ours.dtype, device=ours.device) - WINDOW // 2
    line = torch.exp(-place.square() / (2 * DEVIATION**2))
    line = line / line.sum()
    channels = ours.shape[1]
    window = (line[:, None] * line).expand(channels, 1, WINDOW, WINDOW)

    def blurred(x: Tensor) -> Tensor:
        return functional.conv2d(x, window, groups=channels)

    a, b = blurred(ours), blurred(theirs)
    aa, bb = blurred(ours * ours) - a * a, blurred(theirs * theirs) - b * b
    ab = blurred(ours * theirs) - a * b
    first, second = 0.01**2, 0.03**2
    alike = (2 * a * b + first) * (2 * ab + second)
    apart = (a * a + b * b + first) * (aa + bb + second)
    return (alike / apart).flatten(1).mean(dim=1)
