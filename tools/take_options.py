"""Options of every verb that writes takes: which files, at what rate, timecode and sound."""

import logging
from pathlib import Path
from typing import Any

from .arguments import frame_rate

log = logging.getLogger(__name__)


def add_take_options(group: Any, *, sound: bool = True) -> None:
    """Add rate and timecode of takes to a group of options.

    Args:
        group: of an argparse parser.
        sound: whether there is a recording whose sound goes beside the takes.
    """
    group.add_argument(
        "--take-rate",
        type=frame_rate,
        metavar="FPS",
        help="write takes on a constant grid: 24, 29.97, 60000/1001 (default: .csv at a rate that "
        "Unreal reads, others at the frames' own times)",
    )
    group.add_argument(
        "--timecode",
        metavar="HH:MM:SS:FF",
        help="timecode of the input's first frame, ;FF for drop-frame (default: the clip's own, "
        "else the time of day)",
    )
    group.add_argument(
        "--blender",
        metavar="PATH",
        help="program that writes .fbx takes (default: blender)",
    )
    group.add_argument(
        "--renderer",
        metavar="PATH",
        help="where a Unity .anim finds the SkinnedMeshRenderer below the Animator (default: the "
        "rig's mesh names)",
    )
    if sound:
        group.add_argument(
            "--no-audio", action="store_true", help="no .wav beside takes of a clip with sound"
        )


def start_timecode(chosen: str | None, stated: str, rate: float) -> str:
    """Timecode at which an input begins, or "" where nothing says.

    Args:
        chosen: by the person.
        stated: by the input; one that cannot be is left out with a warning.
        rate: frames per second of the input.

    Raises:
        BridgeError: what the person chose is no timecode of this rate.
    """
    from freeavatar.bridge.sink import BridgeError
    from freeavatar.bridge.takes.timecode import check_timecode

    if chosen is not None:
        check_timecode(chosen, rate)
        return chosen
    if stated:
        try:
            check_timecode(stated, rate)
        except BridgeError as error:
            log.warning("the input's own timecode is left out (--timecode sets one): %s", error)
            return ""
    return stated


def write_sounds(recording: Path | None, outlets: Any, *, rate: float) -> list[Path]:
    """Write the sound of a recording beside every take that was written, as ``<stem>.wav``.

    Time 0 of the sound is the take's first frame; it ends with the last. Sound that cannot be had
    costs a warning, never the take.

    Args:
        recording: on the clock of the frames; None where there is no sound.
        outlets: of the run, closed.
        rate: nominal frames per second of the recording; the last frame lasts so long.

    Returns:
        The files written.
    """
    from freeavatar.bridge.sink import BridgeError
    from freeavatar.bridge.sound import write_wav

    written: list[Path] = []
    for outlet in outlets.all:
        if recording is None or outlet.path is None or outlet.began is None or outlet.error:
            continue
        path = outlet.path.with_suffix(".wav")
        if path in written:
            continue
        try:
            write_wav(recording, path, start=outlet.began, end=outlet.ended + 1 / rate)
            written.append(path)
        except BridgeError as error:
            log.warning("no sound beside %s: %s", outlet.path.name, error)
    return written
