"""Lets torch and OpenGL live in one process."""

import importlib.util


def import_torch() -> None:
    """Import torch, where it is installed, with all that it brings; to be called before anything is
    drawn by whatever uses both.

    Triton and the software OpenGL each bring an LLVM; the process dies where Triton comes second.
    """
    if importlib.util.find_spec("torch") is not None:
        import torch._dynamo  # noqa: F401
