"""Runs the animator: an expression in, the values of any rig's controls out; no torch.

What a rig needs is computed once, when its animator is made. Several rigs that show one actor go
through the network together (`AnimatorGroup`), which costs less than one after the other. All state
is in the object: animators of several actors do not disturb each other.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freeavatar.foundation.errors import ReaderError
from freeavatar.foundation.onnx_session import Network, Signature
from freeavatar.rigs.errors import RigError
from freeavatar.rigs.spec import FloatArray, Rig

from .animator_config import CODE_SIZE, SHAPES, STATE_SIZE, TOKEN_SIZE, TOKENS
from .animator_files import FRAME_FILE, FRAME_SIGNATURE, PAIR, RIG_FILE, RIG_SIGNATURE, WEIGHTS
from .calibration import HIGHEST_REST
from .columns import Columns, columns_of
from .identity import RigIdentity, load_identity
from .network_inputs import rig_arrays

Values = NDArray[np.float64]


class AnimatorGroup:
    """Animates rigs that all show the same expression; keeps the temporal context of its stream.

    Args:
        rigs: to be driven, at least one.
        identities: of the rigs; None looks them up.
        folder: of the network; None for the one that ships.

    Raises:
        RigError: nothing but its names says what a rig's controls do, or it has none.
        ReaderError: the network is missing, damaged or another one.
    """

    def __init__(
        self,
        rigs: Sequence[Rig],
        identities: Sequence[RigIdentity] | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        if identities is None:
            identities = [load_identity(rig) for rig in rigs]
        self.rigs = tuple(rigs)
        self._parts = [_Part(rig, who) for rig, who in zip(rigs, identities, strict=True)]
        arrays = rig_arrays([part.columns for part in self._parts])
        folder = folder or WEIGHTS
        once = _opened(folder / RIG_FILE, RIG_SIGNATURE, {})
        arrays |= _described(once, arrays, [who.code for who in identities])
        for row, (part, who) in enumerate(zip(self._parts, identities, strict=True)):
            part.learned(who, arrays["follow"][row], arrays["trust"][row])
        self._given = {
            name: array for name, array in arrays.items() if name in FRAME_SIGNATURE.inputs
        }
        count, most = arrays["upper"].shape
        sizes = {"rigs": count, "columns": most}
        self._network = _opened(folder / FRAME_FILE, FRAME_SIGNATURE, sizes)
        if self._network.about.get(PAIR) != once.about.get(PAIR):
            raise ReaderError(f"{folder}: {RIG_FILE} and {FRAME_FILE} are of two trainings")
        self.state: FloatArray = np.zeros((2, 1, STATE_SIZE), np.float32)
        """Temporal context of the stream; never written in place, so it may be kept and put back.
        """
        self._rest = np.zeros((count, most), np.float32)
        rest, _ = self._weights(np.zeros((1, SHAPES), np.float32), None)
        self._rest = np.minimum(rest, np.float32(HIGHEST_REST))

    def solve(self, blendshapes: NDArray[Any], tokens: NDArray[Any] | None = None) -> list[Values]:
        """The next frame's control values (K,) of each rig, within their ranges.

        Args:
            blendshapes: (52,) after calibration.
            tokens: (64, 192) of the foundation; None where there are none (recorded curves).

        Raises:
            ValueError: the tokens have another shape.
        """
        shapes = np.clip(np.asarray(blendshapes, np.float32), 0.0, 1.0)
        weights, self.state = self._weights(shapes.reshape(1, SHAPES), tokens)
        return [part.values(row) for part, row in zip(self._parts, weights, strict=True)]

    def _weights(
        self, shapes: FloatArray, tokens: NDArray[Any] | None
    ) -> tuple[FloatArray, FloatArray]:
        """Column weights (R, C) and the state after. What the network says of a neutral face is
        taken away, so that a neutral face stays neutral."""
        told = self._network.run(
            tokens=_rows_of(tokens), shapes=shapes, state=self.state, **self._given
        )
        moved = np.maximum(told["weights"] - self._rest, 0.0)
        return np.minimum(moved / (1.0 - self._rest), self._given["upper"]), told["state_after"]

    def reset(self) -> None:
        """Forget what came before."""
        self.state = np.zeros_like(self.state)


class Animator:
    """Animates one rig; see `AnimatorGroup`.

    Args:
        rig: to be driven.
        identity: None looks it up.
        folder: of the network; None for the one that ships.

    Raises:
        RigError: nothing but its names says what the rig's controls do, or it has none.
        ReaderError: the network is missing, damaged or another one.
    """

    def __init__(
        self, rig: Rig, identity: RigIdentity | None = None, *, folder: Path | None = None
    ) -> None:
        self._group = AnimatorGroup([rig], None if identity is None else [identity], folder=folder)
        self.rig = rig

    def solve(self, blendshapes: NDArray[Any], tokens: NDArray[Any] | None = None) -> Values:
        """The next frame's control values (K,), as of `AnimatorGroup.solve`."""
        return self._group.solve(blendshapes, tokens)[0]

    def reset(self) -> None:
        """Forget what came before."""
        self._group.reset()


class _Part:
    """One rig of a group: its columns, and its controls' ranges."""

    def __init__(self, rig: Rig, identity: RigIdentity) -> None:
        known = identity.descriptors
        if not rig.controls or not (known.anchored or known.drawn):
            raise RigError(
                f"rig {rig.name}: neither a face nor a drawing says what its controls do: register "
                "it where OpenGL works, give --anchors, or drive it with --solver"
            )
        if len(known.lowest) != len(rig.controls):
            raise RigError(
                f"rig {rig.name} has {len(rig.controls)} controls, its identity was made for "
                f"{len(known.lowest)}: register it again"
            )
        self.columns: Columns = columns_of(known)
        self._neutral = rig.neutral.astype(np.float64)
        self._span = np.array([c.maximum for c in rig.controls], np.float64) - self._neutral

    def learned(self, identity: RigIdentity, follow: FloatArray, trust: FloatArray) -> None:
        """Add what tuning learned to (52, C or more) and (C or more,), in place."""
        count = len(self.columns.upper)
        for sides, there in ((identity.follow, follow), (identity.trust, trust)):
            if sides is not None:
                there[..., :count] += self.columns.of_sides(sides)

    def values(self, row: FloatArray) -> Values:
        """Control values (K,) of column weights (C or more,)."""
        weights = self.columns.to_weights(row[: len(self.columns.upper)])
        return np.asarray(self._neutral + self._span * weights)


def _described(
    network: Network, arrays: Mapping[str, FloatArray], codes: Sequence[FloatArray | None]
) -> dict[str, FloatArray]:
    """What the first file says of rigs: their queries and their versions of the layers."""
    learned = [np.zeros(CODE_SIZE) if code is None else code for code in codes]
    given = {name: arrays[name] for name in RIG_SIGNATURE.inputs if name != "code"}
    told = network.run(code=np.stack(learned).astype(np.float32), **given)
    # In the order of their axes in memory, a frame need not copy them.
    return {name: np.ascontiguousarray(array) for name, array in told.items()}


def _rows_of(tokens: NDArray[Any] | None) -> FloatArray:
    """(1, 64, 192), all zero where there are none."""
    if tokens is None:
        return np.zeros((1, TOKENS, TOKEN_SIZE), np.float32)
    if tokens.shape != (TOKENS, TOKEN_SIZE):
        raise ValueError(f"tokens are {(TOKENS, TOKEN_SIZE)}, not {tokens.shape}")
    return np.asarray(tokens, np.float32)[None]


def _opened(path: Path, signature: Signature, sizes: Mapping[str, int]) -> Network:
    if not path.is_file():
        raise ReaderError(
            f"the animator {path} is missing: train one with freeavatar train animator, or drive "
            "with --solver"
        )
    return Network(path, signature, sizes=sizes)
