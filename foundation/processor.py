"""What this machine's processor is quick at, as far as the system tells."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BYTE_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
"""Names of the instructions that add up products of bytes in one step, x86 and ARM."""


def has_byte_products(path: Path = CPUINFO) -> bool:
    """Whether eight-bit networks are quicker here than full ones, and as exact.

    Without these instructions onnxruntime multiplies bytes in 16 bits, which takes longer than
    float32 and may overflow.

    Args:
        path: where Linux tells of the processor; where there is no such file, yes is the answer.
    """
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return True
    told = [line.split(":")[1].split() for line in lines if line.startswith(("flags", "Features"))]
    return not told or bool(BYTE_PRODUCTS & set(told[0]))
