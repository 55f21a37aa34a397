"""Encodes what a control does, by its motion and its look; the same for shapes of a known head."""

import torch
from torch import Tensor, nn

from .columns import FLAGS, MOTION_SIZE, PICTURE_SIZE
from .descriptors import VIEW_BLENDSHAPES, VIEW_EMBEDDING, VIEW_TOKEN

VIEWS = (VIEW_BLENDSHAPES, VIEW_EMBEDDING, VIEW_TOKEN)
FAINTEST = 1e-4
"""Length below which a motion or a change has no direction."""
LOUDNESS = 0.25
"""Brings logarithms of lengths between `FAINTEST` and 1 to about -2..0."""


class ControlEncoder(nn.Module):
    """Descriptor to vector: its directions and, apart from them, how far it goes.

    Args:
        dim: size of the vector.
        pictures: False looks at the motion alone.
    """

    def __init__(self, dim: int, *, pictures: bool = True) -> None:
        super().__init__()
        self.pictures = pictures
        self.motion = nn.Linear(MOTION_SIZE + 1, dim)
        self.picture = nn.Linear(PICTURE_SIZE + len(VIEWS), dim)
        self.flags = nn.Linear(len(FLAGS), dim)
        self.mixed = nn.Linear(dim, dim)
        self.outer = nn.Linear(dim, dim)

    def forward(self, motion: Tensor, picture: Tensor, flags: Tensor) -> Tensor:
        """Encode any number of descriptors.

        Args:
            motion: (..., 501) `Columns.motion`.
            picture: (..., 308) `Columns.picture`.
            flags: (..., 6) `columns.FLAGS`.

        Returns:
            (..., dim)
        """
        drawn = flags[..., FLAGS.index("drawn")][..., None]
        if not self.pictures:
            drawn = drawn * 0.0
            flags = torch.cat([flags[..., :1], drawn, flags[..., 2:]], dim=-1)
        parts = [_directed(picture[..., view]) for view in VIEWS]
        looks = self.picture(torch.cat(parts, dim=-1)) * drawn
        seen = self.motion(_directed(motion)) + looks + self.flags(flags)
        first = torch.nn.functional.gelu(seen)
        out: Tensor = self.outer(first + torch.nn.functional.gelu(self.mixed(first)))
        return out


def _directed(x: Tensor) -> Tensor:
    """(..., n) to (..., n + 1): unit length, then the logarithm of the length."""
    length = x.square().sum(dim=-1, keepdim=True).clamp(min=FAINTEST**2).sqrt()
    return torch.cat([x / length, LOUDNESS * length.log()], dim=-1)
