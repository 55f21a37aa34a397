"""The freeavatar command: parses, calls one verb, reports failures in one line."""

import argparse
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from freeavatar.bridge.sink import BridgeError
from freeavatar.foundation.errors import ReaderError, SourceError, TrainingError
from freeavatar.rigs.errors import RenderError, RigError
from freeavatar.tools.dataset.errors import DataError

# In the order a newcomer meets them; each module has add_verb(verbs).
VERBS = (
    "freeavatar.tools.drive",
    "freeavatar.tools.live.command",
    "freeavatar.tools.rig",
    "freeavatar.tools.render",
    "freeavatar.tools.listen",
    "freeavatar.tools.service",
    "freeavatar.tools.embed",
    "freeavatar.tools.compare",
    "freeavatar.tools.build_data",
    "freeavatar.tools.train",
    "freeavatar.tools.evaluate",
    "freeavatar.tools.bench",
    "freeavatar.tools.live.load",
)

EXPECTED = (
    RigError,
    RenderError,
    SourceError,
    TrainingError,
    ReaderError,
    BridgeError,
    DataError,
    OSError,
)
"""Failures a person can act on: one line, no traceback."""

EPILOG = """\
examples:
  freeavatar drive clip.mp4 --rig mannequin --preview preview.mp4
  freeavatar drive clip.mp4 --rig toon --take toon.glb --to osc://127.0.0.1:9000
  freeavatar drive MySlate_1_iPhone.csv --rig mannequin --take anna.glb
  freeavatar rig register hero.vrm --name hero
  freeavatar rig check hero
  freeavatar listen osc://127.0.0.1:9000

Every verb explains itself: freeavatar VERB --help
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; verbs import their heavy parts only when they run."""
    parser = argparse.ArgumentParser(
        prog="freeavatar",
        description="Drive game characters' faces from an actor's video.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"freeavatar {metadata.version('freeavatar')}"
    )
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="say more; twice: show tracebacks"
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in VERBS:
        importlib.import_module(module).add_verb(verbs)
    _add_verbose(verbs)
    return parser


def _add_verbose(verbs: Any) -> None:
    """Let -v stand behind a verb too, where a person who wants more of a run adds it."""
    for verb in verbs.choices.values():
        inner = [a for a in verb._actions if isinstance(a, argparse._SubParsersAction)]
        for actions in inner:
            _add_verbose(actions)
        if not inner:
            # Without a default of its own it leaves a count that stands before the verb alone.
            verb.add_argument(
                "-v", "--verbose", action="count", default=argparse.SUPPRESS, help="say more"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: without the program's name; None takes the process's own.

    Returns:
        0 done, 1 refused or failed (one line on standard error), 130 interrupted.
        Usage errors leave with status 2 through argparse.
    """
    args = build_parser().parse_args(arguments)
    logging.basicConfig(
        level=[logging.WARNING, logging.INFO, logging.DEBUG][min(args.verbose, 2)],
        format="%(message)s",
    )
    # A supervisor's polite stop must close takes just as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(args.run(args))
    except BrokenPipeError:
        # The reader of our output (head, less) left; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EXPECTED as error:
        if args.verbose >= 2:
            raise
        print(f"freeavatar: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("freeavatar: interrupted", file=sys.stderr)
        return 130


def one_line(error: BaseException) -> str:
    """An exception's message without line breaks; its type where it has no message."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
