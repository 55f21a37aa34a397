"""Where a performance goes: which takes, targets and preview each rig writes, opened and closed."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from freeavatar.bridge.sink import BridgeError, Sink
from freeavatar.bridge.takes import format_of, grid_rate, open_take, require_mesh
from freeavatar.bridge.takes.timecode import timecode_after
from freeavatar.bridge.targets import open_target
from freeavatar.rigs.spec import Rig, RigFrame

log = logging.getLogger(__name__)

RATE_MEANT = 0.001
"""Rates within this part of each other are one rate, written in two ways."""


def take_path(pattern: Path, rig: Rig, *, several: bool) -> Path:
    """File of one rig's take.

    Args:
        pattern: as typed; ``{rig}`` in its name stands for the rig's name.
        rig: whose take it is.
        several: with several rigs and no ``{rig}``, the name is appended: take.csv becomes
            take_toon.csv.
    """
    if "{rig}" in pattern.name:
        return pattern.with_name(pattern.name.replace("{rig}", rig.name))
    return pattern.with_stem(f"{pattern.stem}_{rig.name}") if several else pattern


def plan_takes(patterns: Sequence[Path], rigs: Sequence[Rig]) -> list[tuple[Path, Rig]]:
    """Every take file to write, each with its rig.

    Rigs without a mesh are left out of GLB takes where another rig has one.

    Raises:
        BridgeError: two rigs have one name, two takes would be the same file, a folder is missing,
            a suffix is no take's, or no rig can be written in a format asked for.
    """
    names = [rig.name for rig in rigs]
    for name in names:
        if names.count(name) > 1:
            raise BridgeError(f"two rigs are called {name}: register one under another name")
    planned: list[tuple[Path, Rig]] = []
    for pattern in patterns:
        if not pattern.name:
            raise BridgeError(f"{str(pattern)!r} cannot be the name of a take")
        with_mesh = format_of(pattern).require is require_mesh
        suffix = pattern.suffix.lower()
        able = [r for r in rigs if r.mesh is not None or not with_mesh]
        if not able:
            raise BridgeError(
                f"{pattern}: a {suffix} take needs a rig with a mesh and {rigs[0].name} has none; "
                f"choose another --rig or write a .csv or .jsonl take"
            )
        for left_out in (r for r in rigs if r not in able):
            log.warning("%s: no %s for %s, which has no mesh", pattern, suffix, left_out.name)
        planned += [(take_path(pattern, rig, several=len(rigs) > 1), rig) for rig in able]
    paths = [path.resolve() for path, _ in planned]
    for path in paths:
        if paths.count(path) > 1:
            raise BridgeError(f"two takes would write {path.name}: put {{rig}} in the name")
        if not path.parent.is_dir():
            raise BridgeError(f"{path.parent}: no such folder for the take {path.name}")
    return planned


def refuse_overwriting(inputs: Sequence[str | Path], outputs: Sequence[Path]) -> None:
    """Keep what a person gave from being written over.

    Args:
        inputs: recordings, takes and rigs; what is no path (a camera, a rig's name) may be among
            them.
        outputs: files to write.

    Raises:
        BridgeError: an output is one of the inputs, however its path is spelt.
    """
    for output in outputs:
        for given in map(Path, inputs):
            if output.exists() and given.exists() and output.samefile(given):
                raise BridgeError(f"{output} is an input and would be lost: write to another file")


@dataclass
class Outlet:
    """One sink of one rig, kept going or given up on its own."""

    label: str
    rig: str
    sink: Sink
    is_take: bool
    path: Path | None = None
    error: str = ""
    """Why it was given up; empty while it works."""
    frames: int = 0
    began: float | None = None
    """Time of the first frame, seconds on the input's clock; None before it."""
    ended: float = 0.0
    """Time of the last frame."""

    def counts(self) -> dict[str, Any]:
        """For summaries: frames given to it; packets sent, errors and frames left out of a target's
        own count."""
        sender = getattr(self.sink, "sender", None)
        return {
            "to": self.label,
            "rig": self.rig,
            "frames": self.frames,
            **{k: getattr(sender, k, 0) for k in ("sent", "errors", "dropped")},
            "error": self.error,
        }


@dataclass
class Outlets:
    """All sinks of a run. A sink that fails is given up; the others go on."""

    all: list[Outlet] = field(default_factory=list)
    rate: float = 0.0
    """Nominal frames per second of the input, which FF of the timecode counts."""
    timecode: str = ""
    """Of the input's time 0, or ""."""
    sounds: list[Path] = field(default_factory=list)
    """Sound files written beside the takes."""

    @property
    def first_timecode(self) -> str:
        """Timecode of the first frame that came, as the input counts; "" without one."""
        began = [outlet.began for outlet in self.all if outlet.began is not None]
        return (
            timecode_after(self.timecode, self.rate, min(began)) if self.timecode and began else ""
        )

    @classmethod
    def open(
        cls,
        rigs: Sequence[Rig],
        takes: Sequence[tuple[Path, Rig]],
        targets: Sequence[str],
        *,
        rate: float,
        subject: str,
        timecode: str,
        take_rate: Fraction | None = None,
        keep_times: bool = False,
        blender: str | None = None,
        renderer: str | None = None,
    ) -> "Outlets":
        """Open every take and target, or none.

        Args:
            rigs: each goes to every target.
            takes: files and whose they are.
            targets: URLs.
            rate: nominal frames per second of the input.
            subject: whom the takes show.
            timecode: of the input's time 0; "" for now.
            take_rate: frames per second of all takes; None leaves it to each format.
            keep_times: without a ``take_rate``, all formats keep the frames' own times: they come
                from a take that has what the format wants.

            blender: program that writes FBX takes; None: the one on PATH.
            renderer: path of the SkinnedMeshRenderer in Unity's animations; None: the rig's own.

        Raises:
            BridgeError: one cannot be opened; those opened before are discarded.
        """
        outlets = cls(rate=rate, timecode=timecode)
        try:
            for path, rig in takes:
                grid = take_rate or (None if keep_times else grid_rate(path, rate))
                sink = open_take(
                    path,
                    rig,
                    rate=rate,
                    subject=subject,
                    timecode=timecode,
                    take_rate=grid,
                    blender=blender,
                    renderer=renderer,
                )
                outlets.all.append(Outlet(str(path), rig.name, sink, is_take=True, path=path))
            for url in targets:
                for rig in rigs:
                    sink = open_target(url, rig, rate=rate)
                    outlets.all.append(Outlet(url, rig.name, sink, is_take=False))
            if take_rate is None and not keep_times:
                _tell_changed_rate([path for path, _ in takes], rate)
        except BaseException:
            outlets.discard()
            raise
        return outlets

    def send(self, rig: str, frame: RigFrame) -> None:
        """Give one frame to every sink of a rig that still works."""
        for outlet in self.all:
            if outlet.rig != rig or outlet.error:
                continue
            try:
                outlet.sink.send(frame)
                outlet.frames += 1
                outlet.began = frame.time if outlet.began is None else outlet.began
                outlet.ended = frame.time
            except (BridgeError, OSError) as error:
                outlet.error = str(error)
                log.error("%s: given up, the rest goes on: %s", outlet.label, error)

    def close(self) -> None:
        """Finish every take and tell every receiver; failures are kept in `Outlet.error`."""
        for outlet in self.all:
            try:
                outlet.sink.close()
            except (BridgeError, OSError) as error:
                outlet.error = outlet.error or str(error)
                log.error("%s: %s", outlet.label, error)

    def discard(self) -> None:
        """Close targets and remove takes that hold nothing worth keeping."""
        for outlet in self.all:
            discard = getattr(outlet.sink, "discard", outlet.sink.close)
            discard()


def _tell_changed_rate(paths: Sequence[Path], rate: float) -> None:
    for path in paths:
        grid = grid_rate(path, rate)
        if grid is not None and abs(grid / rate - 1) > RATE_MEANT:
            log.warning(
                "%s is written at %.5g frames a second, not %.5g, which Unreal would misread; "
                "--take-rate sets another",
                path.name,
                grid,
                rate,
            )
            return
