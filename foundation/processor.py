"""What this machine's processor is quick at, as far as the system tells."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BYTE_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
"""Names of the instructions that add up products of bytes in one step, x86 and ARM."""
BFLOAT16_TILES = frozenset({"amx_bf16"})
"""Names of the instructions that multiply tiles of bfloat16."""


def has_byte_products(path: Path = CPUINFO) -> bool:
    """Whether eight-bit networks are quicker here than full ones, and as exact.

    Without these instructions onnxruntime multiplies bytes in 16 bits, which takes longer than
    float32 and may overflow.

    Args:
        path: where Linux tells of the processor; where there is no such file, yes is the answer.
    """
    told = _told(path)
    return told is None or bool(BYTE_PRODUCTS & told)


def has_bfloat16_tiles(path: Path = CPUINFO) -> bool:
    """Whether training in bfloat16 is quicker here than in float32.

    Args:
        path: where Linux tells of the processor; where there is no such file, no is the answer.
    """
    return bool(BFLOAT16_TILES & (_told(path) or frozenset()))


def _told(path: Path) -> frozenset[str] | None:
    """Names of the instructions; None where the system does not tell."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return None
    found = [line.split(":")[1].split() for line in lines if line.startswith(("flags", "Features"))]
    return frozenset(found[0]) if found else None
