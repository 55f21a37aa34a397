"""In which precision a training computes."""

import torch


def half_precision(device: torch.device, *, wanted: bool = True) -> torch.autocast:
    """The context in which networks compute in bfloat16, where that is asked for and pays.

    On processors without AVX-512 torch emulates bfloat16 and takes ten times as long as in float32.
    """
    pays = device.type != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and pays)
