"""In which precision a training computes."""

import time
from functools import cache

import torch
from torch import Tensor, nn

GAIN = 0.9
"""Part of float32's time that bfloat16 may take at most to be used."""
TRIES = 3


def half_precision(device: torch.device, *, wanted: bool = True) -> torch.autocast:
    """The context in which networks compute in bfloat16, where that is asked for and pays.

    On a processor that is measured, see `bfloat16_pays`.
    """
    enabled = wanted and (device.type != "cpu" or bfloat16_pays())
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


@cache
def bfloat16_pays() -> bool:
    """Whether this processor trains in bfloat16 faster than in float32.

    Measured once, which takes some tenths of a second.

    The names of its instructions do not tell: with AVX-512's products of bfloat16 the expression
    network trained at two thirds of float32's speed on one processor and at 2.2 times that on
    another, without them at a tenth.
    """
    with torch.random.fork_rng(devices=[]):
        net = nn.Sequential(
            nn.Conv2d(32, 48, 3, padding=1, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
            nn.Conv2d(48, 48, 3, padding=1, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
            nn.Flatten(2), nn.Linear(256, 512), nn.GELU(), nn.Linear(512, 256),
        ).to(memory_format=torch.channels_last)  # fmt: skip
        maps = torch.randn(32, 32, 16, 16).contiguous(memory_format=torch.channels_last)
    whole, half = (min(_seconds(net, maps, h) for _ in range(TRIES)) for h in (False, True))
    return half < GAIN * whole


def _seconds(net: nn.Module, maps: Tensor, half: bool) -> float:
    """Of one step there and back."""
    start = time.perf_counter()
    with torch.enable_grad():
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found: Tensor = net(maps)
        torch.autograd.backward(found.float().square().mean())
    return time.perf_counter() - start
