"""FBX takes: the rig with its performance, for Unreal, Unity, Maya and MotionBuilder.

No library of Python writes FBX well, so an installed Blender does: the take becomes a GLB, which
Blender reads and writes again. While performing, the take is a journal like any other; without
Blender it is kept as a GLB.
"""

import math
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from freeavatar.bridge.sink import BridgeError
from freeavatar.rigs.spec import Rig, RigFrame, Take

from .glb import require_mesh, write_glb_take
from .partfile import recovered_path, set_leftover_aside
from .whole import WholeWriter, recover_whole, replacing

BLENDER = "blender"
"""Program that is run unless another is asked for."""
SCRIPT = Path(__file__).parents[1] / "engines" / "blender_fbx.py"
START_LIMIT = 180.0
"""Seconds Blender may take beside the baking."""
FRAME_LIMIT = 0.5
"""Further seconds a frame; far more than a head of 16,000 vertices takes."""

WHOLE = 1e-3
"""Part of a frame by which a time may miss a whole frame and still count as on it."""


class FbxWriter(WholeWriter):
    """Keeps frames in a journal and has Blender write the FBX when closed; a `Sink`."""

    def __init__(
        self, path: Path, rig: Rig, *, rate: float, subject: str = "", blender: str = BLENDER
    ) -> None:
        """Start the journal.

        Args:
            path: of the take, ``.fbx``.
            rig: whose frames will come; it needs a mesh.
            rate: frames per second; the FBX has a key for each of them.
            subject: whom the take shows; names the animation.
            blender: name or path of the Blender program.

        Raises:
            BridgeError: the rig has no mesh, there is no such Blender, or the journal cannot be
                written.
        """
        require_mesh(path, rig)
        find_blender(path, blender)
        write = partial(write_fbx_take, blender=blender)
        super().__init__(path, rig, write, rate=rate, subject=subject)


def find_blender(path: Path, blender: str) -> str:
    """The Blender program's full path.

    Args:
        path: of the take, for the message.
        blender: name or path of the program.

    Raises:
        BridgeError: there is none; the message says what to do.
    """
    program = shutil.which(Path(blender).expanduser())
    if program is None:
        raise BridgeError(
            f"{path}: FBX takes are written by Blender, and no program {blender!r} was found; "
            f"install Blender or give its path with --blender, or write a .glb take"
        )
    return program


def recover_fbx(path: Path, rig: Rig) -> Path | None:
    """Turn the journal an interrupted run left into a GLB, ``take.recovered.glb``.

    A GLB and no FBX: a new take must not wait for minutes of Blender.

    Returns:
        The recovered take, the journal of another rig set aside, or None where nothing was left.

    Raises:
        BridgeError: another run is writing the take, or the GLB cannot be written.
    """
    if rig.mesh is None:
        return set_leftover_aside(path, readable=False)
    return recover_whole(path, rig, write_glb_take, ".glb")


def write_fbx_take(path: Path, rig: Rig, take: Take, *, blender: str = BLENDER) -> None:
    """Write a take of a rig as FBX, whole or not at all; its animation begins at 0 s.

    Raises:
        BridgeError: there is no Blender, or it fails: the take is then kept as a GLB beside the
            FBX, which the message names.
    """
    with tempfile.TemporaryDirectory(prefix="freeavatar-fbx-") as folder:
        glb, fbx = Path(folder) / "take.glb", Path(folder) / "take.fbx"
        fps = max(1, round(take.rate))
        last, spaced = _for_blender(rig, take, fps)
        write_glb_take(glb, rig, spaced)
        numbers = [str(fps), repr(float(take.rate)), str(last)]
        try:
            program = find_blender(path, blender)
            limit = START_LIMIT + FRAME_LIMIT * last
            _convert(program, glb, fbx, [*numbers, take.subject or "take"], limit)
            with replacing(path) as unfinished:
                shutil.copyfile(fbx, unfinished)
        except BridgeError as error:
            kept = recovered_path(path.with_suffix(".glb"))
            write_glb_take(kept, rig, take)
            raise BridgeError(f"{error}; the take is kept as {kept.name}") from error


def _for_blender(rig: Rig, take: Take, fps: int) -> tuple[int, Take]:
    """The number of the last frame to bake, and the take as Blender is to read it.

    Its frames lie ``1 / fps`` apart, whatever the rate; it is held up to the last whole frame, and
    neutral one later: Blender leaves the model in the FBX at that pose.
    """
    frames = list(take.frames)
    numbers = [(frame.time - frames[0].time) * take.rate for frame in frames]
    last = math.ceil(numbers[-1] - WHOLE)
    frames += [frames[-1], RigFrame(index=0, time=0.0, values=rig.neutral)]
    numbers += [max(numbers[-1], last), last + 1]
    spaced = [replace(f, time=n / fps) for f, n in zip(frames, numbers, strict=True)]
    return last, replace(take, frames=spaced)


def _convert(program: str, glb: Path, fbx: Path, how: list[str], limit: float) -> None:
    """Run Blender on one take.

    Args:
        program: Blender.
        glb: to read.
        fbx: to write.
        how: further arguments of the script in Blender.
        limit: seconds it may take.

    Raises:
        BridgeError: it cannot be started, fails, or takes too long.
    """
    options = ["-b", "--factory-startup", "--disable-autoexec", "--python-exit-code", "1"]
    script = ["-P", str(SCRIPT), "--", str(glb), str(fbx), *how]
    try:
        done = subprocess.run(
            [program, *options, *script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit,
        )
    except subprocess.TimeoutExpired as error:
        raise BridgeError(f"Blender did not write the FBX within {limit:.0f} s") from error
    except OSError as error:
        raise BridgeError(f"cannot start Blender, {program}: {error.strerror}") from error
    if done.returncode or not fbx.is_file():
        raise BridgeError(f"Blender could not write the FBX: {_last_lines(done.stdout)}")


def _last_lines(output: str) -> str:
    """What Blender said last, on one line."""
    lines = [line.strip() for line in output.splitlines()]
    said = [line for line in lines if line and not re.match(r"Blender (\d|quit)", line)]
    return " | ".join(said[-3:])[-400:] or "it said nothing"
