"""Tells drawn pictures from reference pictures, patch by patch.

Source:
    Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn.utils import parametrizations


class Discriminator(nn.Module):
    """A picture and its mask to one judgement for each patch of about 30 pixels.

    Args:
        width: channels of the first layer.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inner = 4
        for outer in (width, 2 * width, 4 * width):
            convolution = parametrizations.spectral_norm(nn.Conv2d(inner, outer, 4, 2, 1))
            layers += [convolution, nn.LeakyReLU(0.2)]
            inner = outer
        layers.append(parametrizations.spectral_norm(nn.Conv2d(inner, 1, 3, 1, 1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 4, S, S) colour 0..1 and mask to (N, 1, S / 8, S / 8), high where it seems real."""
        return cast(Tensor, self.layers(2.0 * pictures - 1.0))
