"""Training on several processes: one ``torchrun`` starts, or none of this does anything.

Start with ``torchrun --nproc-per-node 2 -m freeavatar train …``: processes talk through NCCL where
there are GPUs, through Gloo on CPUs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, kw_only=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    """Number of this process; 0 validates, logs and saves."""
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this process validates, logs and saves."""
        return self.rank == 0

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model, averaging its gradients over all processes."""
        if self.count == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids)

    def from_first(self, value: float) -> float:
        """The value that the first process has, so that all decide alike."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, src=0)
        return float(shared.item())

    def from_first_tensor(self, value: Tensor) -> Tensor:
        """A tensor as the first process has it."""
        if self.count > 1:
            distributed.broadcast(value, src=0)
        return value

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def joined(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, leave them at the end.

    Args:
        device: ``auto`` takes a GPU where there is one; or a name torch knows.
    """
    rank, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    chosen = torch.device(_device(device))
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if count == 1:
        yield Processes(device=chosen)
        return
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(rank=rank, count=count, device=chosen)
    finally:
        distributed.destroy_process_group()


def _device(name: str) -> str:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if name == "cuda" else name


def bare(model: nn.Module) -> nn.Module:
    """The model itself, out of what `Processes.wrapped` put around it."""
    return model.module if isinstance(model, DistributedDataParallel) else model
