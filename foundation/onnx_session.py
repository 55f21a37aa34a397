"""Opens the networks that ship with the package and checks that they are what they should be."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .errors import ReaderError
from .expression import FloatArray

WEIGHTS = Path(__file__).parent / "weights"
"""The networks that ship."""
KIND = "kind"
"""Key of an ONNX file's metadata under which it says what it is, such as ``expression/1``."""

Shape = tuple[int, ...]
"""Of one row: without the first axis, which counts rows."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a network must be so that the code that calls it understands it."""

    kind: str
    """Name and version. A file that states another kind is refused; one that states none is judged
    by the rest."""
    inputs: Mapping[str, Shape | None]
    """Names and shapes; None where any shape will do."""
    outputs: Mapping[str, Shape | None]


class Network:
    """An ONNX network on the CPU.

    Args:
        path: the ``.onnx`` file.
        signature: what it has to be.
        threads: most cores that one call uses, at least 1.
        sizes: of axes that the file leaves open, by their names; calls are quicker where all are
            known, and take nothing else from then on.

    Raises:
        ReaderError: the file is missing, broken or another network's, or onnxruntime is missing.
    """

    def __init__(
        self,
        path: Path,
        signature: Signature,
        *,
        threads: int = 1,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        if threads < 1:
            raise ReaderError(f"a network cannot run on {threads} threads; ask for 1 or more")
        if not path.is_file():
            raise ReaderError(
                f"the network {path} is missing; install freeavatar again, "
                "or read faces with --reader mediapipe"
            )
        self._session = _opened(path, threads, sizes or {})
        self._outputs = list(signature.outputs)
        self.about: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        """What the file says of itself."""
        _check(self._session, path, signature)

    def run(self, **inputs: NDArray[Any]) -> dict[str, FloatArray]:
        """The outputs, by name, of inputs by name."""
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))


def _opened(path: Path, threads: int, sizes: Mapping[str, int]) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ReaderError(
            f"onnxruntime cannot be imported ({error}); install it with: pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Between two layers a thread had better spin than sleep; between two pictures, a thread that
    # spins takes a core away from the rest of the program.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 4
    for name, size in sizes.items():
        options.add_free_dimension_override_by_name(name, size)
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own errors share no base class
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ReaderError(
            f"the network {path} is damaged ({reason}); install freeavatar again"
        ) from error


def _check(session: Any, path: Path, signature: Signature) -> None:
    stated = session.get_modelmeta().custom_metadata_map.get(KIND, signature.kind)
    if stated != signature.kind:
        raise ReaderError(
            f"{path} is a network of kind {stated}, this version of freeavatar needs "
            f"{signature.kind}; install freeavatar again"
        )
    for what, found, wanted in (
        ("input", session.get_inputs(), signature.inputs),
        ("output", session.get_outputs(), signature.outputs),
    ):
        shapes = {node.name: node.shape for node in found}
        for name, shape in wanted.items():
            if name not in shapes or not _fits(shapes[name], shape):
                raise ReaderError(
                    f"{path} is not a network of kind {signature.kind}: its {what} {name} "
                    f"should be {shape}, it is {shapes.get(name, 'missing')}"
                )


def _fits(found: list[Any], wanted: Shape | None) -> bool:
    """Sizes that the file leaves open fit anything."""
    if wanted is None:
        return True
    if len(found) != len(wanted) + 1:
        return False
    return all(
        not isinstance(a, int) or a == b for a, b in zip(found[1:], wanted, strict=True)
    ) and not (isinstance(found[0], int) and found[0] > 0)
