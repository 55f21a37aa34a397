"""freeavatar service: keep a live performance running without anyone at the keyboard."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

import platformdirs

from freeavatar.bridge.sink import BridgeError

DEFAULT_NAME = "freeavatar"
MARK = "# Written by freeavatar service"
"""First words of a unit of ours; another file is never replaced or removed."""

EPILOG = """\
examples:
  freeavatar service -- 0 --rig hero --to osc://127.0.0.1:9000              look at the unit
  freeavatar service --install -- 0 --rig hero --to osc://127.0.0.1:9000    write it
  freeavatar service --install --name stage-left -- 1 --rig toon --to vmc://10.0.0.7
  freeavatar service --remove --name stage-left

What stands behind -- is what you would type behind `freeavatar live`. The unit starts it again
whatever ends it, in the folder you are in now, and keeps gains, neutral and take numbers in a
session file. Nothing is started or stopped here: the lines to run next are printed.
"""


def add_verb(verbs: Any) -> None:
    """Add ``service`` to the command line."""
    p = verbs.add_parser(
        "service",
        help="run live as a systemd user service that starts again by itself",
        description="Print, install or remove a systemd user unit that keeps `freeavatar live` "
        "running.",
        usage="freeavatar service [--install | --remove] [--name NAME] [--session FILE] -- ARGS...",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = p.add_mutually_exclusive_group()
    what.add_argument(
        "--install", action="store_true", help="write it to the user's systemd folder"
    )
    what.add_argument("--remove", action="store_true", help="delete the unit NAME")
    p.add_argument(
        "--name", type=unit_name, default=DEFAULT_NAME, help="of the unit (default %(default)s)"
    )
    p.add_argument(
        "--session",
        type=Path,
        metavar="FILE",
        help="where live keeps what it resumes (default: NAME.json in the user's state folder)",
    )
    p.add_argument("live", nargs="*", metavar="ARGS", help="arguments of freeavatar live")
    p.set_defaults(run=run)


def unit_name(text: str) -> str:
    """Type of the unit's name, without ``.service``."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", text) or text.endswith(".service"):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot name a unit; take up to 64 letters, digits, . _ and -, without "
            f".service"
        )
    return text


def run(args: argparse.Namespace) -> int:
    """Print, install or remove the unit; 0 when done.

    Raises:
        BridgeError: arguments are missing or cannot stand in a unit, or the file is another's.
    """
    path = units_folder() / f"{args.name}.service"
    if args.remove:
        return _remove(path)
    if not args.live:
        raise BridgeError("service: write the arguments of live behind --, as in: -- 0 --rig hero")
    _check_live(args.live)
    session = args.session or platformdirs.user_state_path("freeavatar") / f"{args.name}.json"
    text = unit_text(program(), args.live, folder=Path.cwd(), session=session.absolute())
    if not args.install:
        print(text, end="")
        print("# to install it, add --install", file=sys.stderr)
        return 0
    _refuse_foreign(path)
    session.absolute().parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.replace(path)
    print(f"# written: {path}; next:")
    print("systemctl --user daemon-reload")
    print(f"systemctl --user enable --now {path.name}")
    print(f"journalctl --user -f -u {path.name}    # what it says")
    print(f"systemctl --user stop {path.name}    # finishes its takes and ends it")
    print("loginctl enable-linger    # if it is to run without you logged in")
    return 0


def _check_live(words: list[str]) -> None:
    """Leave with live's own usage error: a service that cannot start would try without end."""
    from .cli import build_parser

    build_parser().parse_args(["live", *words])


def units_folder() -> Path:
    """Where systemd looks for the user's own units."""
    # A relative path there is invalid by the XDG specification and to be ignored.
    named = os.environ.get("XDG_CONFIG_HOME", "")
    config = Path(named) if Path(named).is_absolute() else Path.home() / ".config"
    return config / "systemd" / "user"


def program() -> list[str]:
    """The words that start freeavatar, by an absolute path."""
    interpreter = Path(sys.executable).absolute()
    script = interpreter.with_name("freeavatar")
    if os.access(script, os.X_OK):
        return [str(script)]
    return [str(interpreter), "-m", "freeavatar.tools"]


def unit_text(start: list[str], live: list[str], *, folder: Path, session: Path) -> str:
    """The unit.

    Args:
        start: the words that start freeavatar, the first an absolute path.
        live: arguments of ``freeavatar live``; a ``--session`` among them is left as it is.
        folder: absolute path that live runs in.
        session: absolute path of the file it resumes from.

    Raises:
        BridgeError: a word or the folder cannot be written in a unit.
    """
    has_session = any(word.split("=")[0] == "--session" for word in live)
    words = [*start[1:], "live", *live, *([] if has_session else ["--session", str(session)])]
    command = " ".join([escaped(start[0], program=True), *map(escaped, words)])
    return f"""\
{MARK}; it replaces this file when run again.
[Unit]
Description=FreeAvatar live performance
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
WorkingDirectory={_escaped_folder(folder)}
Environment=PYTHONUNBUFFERED=1
Restart=always
RestartSec=2
# Wrong arguments stay wrong; an interrupted run has kept its takes.
RestartPreventExitStatus=2
SuccessExitStatus=130
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=20

[Install]
WantedBy=default.target
"""


def escaped(word: str, *, program: bool = False) -> str:
    """A word as systemd reads it back from a command line.

    Args:
        word: any text.
        program: whether it is the program's path, in which systemd replaces no variables.

    Raises:
        BridgeError: it is not UTF-8, or a path that systemd runs no program from.
    """
    _check_utf8(word)
    if program and (any(c in word for c in "\"'\\") or not word.isprintable()):
        raise BridgeError(f"service: systemd runs no program at {word!r}; install it elsewhere")
    doubled = word.replace("%", "%%")
    if not program:
        doubled = doubled.replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./\[\]-]+", doubled):
        return doubled
    return '"' + "".join(map(_escaped_character, doubled)) + '"'


def _escaped_character(c: str) -> str:
    if c in '"\\':
        return f"\\{c}"
    return c if c.isprintable() else "".join(f"\\x{byte:02x}" for byte in c.encode())


def _escaped_folder(folder: Path) -> str:
    """A path as WorkingDirectory= reads it: no quoting there, blanks at its end would be lost."""
    text = str(folder)
    _check_utf8(text)
    if not text.isprintable() or text != text.strip() or text.endswith("\\"):
        raise BridgeError(f"service: {text!r} cannot stand in a unit; go to another folder")
    return text.replace("%", "%%")


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BridgeError(f"service: {text!a} is not UTF-8 and cannot stand in a unit") from error


def _refuse_foreign(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not _is_ours(path)):
        raise BridgeError(f"{path} was not written by freeavatar service; take another --name")


def _is_ours(path: Path) -> bool:
    return path.is_file() and path.read_bytes().startswith(MARK.encode())


def _remove(path: Path) -> int:
    if not path.exists() and not path.is_symlink():
        raise BridgeError(f"{path} is not there; --name says which unit to remove")
    _refuse_foreign(path)
    path.unlink()
    # What `systemctl enable` made; disable cannot find it without the unit.
    (path.parent / "default.target.wants" / path.name).unlink(missing_ok=True)
    print(f"# removed: {path}; its session file is kept; next:")
    print(f"systemctl --user stop {path.name}")
    print("systemctl --user daemon-reload")
    return 0
