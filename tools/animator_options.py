"""The options that choose between the animator and the solver."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freeavatar.animator.performer import PerformerOptions


def add_animator_options(group: Any) -> None:
    """Add ``--animator`` and ``--solver``, of which one at most is taken."""
    either = group.add_mutually_exclusive_group()
    either.add_argument(
        "--animator",
        action="store_true",
        default=None,
        help="drive all rigs with the animator network, by what their controls do; default: those "
        "whose names do not say it all, and those that were tuned",
    )
    either.add_argument(
        "--solver",
        dest="animator",
        action="store_false",
        default=None,
        help="drive all rigs with the least-squares solver, by names and by what their controls do",
    )


def with_animator(options: "PerformerOptions", args: argparse.Namespace) -> "PerformerOptions":
    """Options with what the command line says of the animator; nothing said changes nothing."""
    return options if args.animator is None else replace(options, animator=args.animator)
