"""freeavatar live: an actor before a camera, on stage."""

import argparse
import contextlib
import json
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeavatar.tools.animator_options import add_animator_options
from freeavatar.tools.arguments import READER_NAMES, number, whole_number
from freeavatar.tools.take_options import add_take_options

if TYPE_CHECKING:
    from freeavatar.rigs.spec import Rig

    from .performance import Performance

log = logging.getLogger(__name__)

EPILOG = """\
examples:
  freeavatar live 0 --rig hero --to osc://127.0.0.1:9000            webcam into an engine
  freeavatar live 0 --to livelink://192.168.1.20:11111?subject=Anna    Unreal, MetaHumans
  freeavatar live 0 --rig hero --to vmc://127.0.0.1 --record hero.glb  and a take of it
  freeavatar live 0 --actor 0=anna --actor 1=bob --to osc://127.0.0.1:9000   two actors, two rigs
  freeavatar live clip.mp4 --loop --to osc://127.0.0.1:9000         a recording, as if it were live
  freeavatar live 0 --to osc://127.0.0.1 --control 9010             told what to do by OSC

targets: osc://HOST:9000  osc+tcp://HOST:9000  vmc://HOST:39539  livelink://HOST:11111?subject=NAME
         vrchat://HOST:9000  ifacialmocap://HOST:49983  facecap://HOST:8080
keys: space mark · n neutral · p pause · r record · + - gain · q quit · ? help
"""


def add_verb(verbs: Any) -> None:
    """Add ``live`` to the command line."""
    p = verbs.add_parser(
        "live",
        help="perform a camera live into engines, recording on demand",
        description="Perform a camera, or a recording in real time, on rigs, and send the frames.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("input", metavar="CAMERA|FILE", help="webcam number, video or picture folder")
    who = p.add_argument_group("who plays what")
    who.add_argument(
        "--rig",
        action="append",
        metavar="NAME",
        help="rig of the one actor, may be given several times (default: arkit, the 52 curves)",
    )
    who.add_argument(
        "--actor",
        action="append",
        type=_actor,
        metavar="N=RIG",
        help="rig of the N-th face from the left, counted from 0; one for each actor and rig",
    )
    _add_output(p.add_argument_group("output"))
    _add_reading(p.add_argument_group("reading the face"))
    p.set_defaults(run=run)


def _add_output(out: Any) -> None:
    out.add_argument("--to", action="append", default=[], metavar="URL", help="send here")
    out.add_argument(
        "--record",
        action="append",
        default=[],
        metavar="FILE",
        help="record a take from the start; {rig}, {slate} and {take} in the name stand for the "
        "rig, what the take is of, and its number; nothing is written over",
    )
    out.add_argument(
        "--takes",
        action="append",
        default=[],
        metavar="FILE",
        help="names of the takes that are recorded on demand (default {slate}_{take}_{rig}.csv)",
    )
    out.add_argument("--subject", default="", help="name of the actor in takes")
    add_take_options(out, sound=False)
    out.add_argument(
        "--control",
        metavar="[HOST:]PORT",
        help="be told what to do by OSC on this port (this machine only, unless HOST is given)",
    )
    out.add_argument(
        "--listen", metavar="HOST", help="address for --control that other machines reach"
    )
    out.add_argument(
        "--session", type=Path, metavar="FILE", help="keep gains, neutral and take numbers there"
    )
    out.add_argument(
        "--json", action="store_true", help="one object a second; the last one sums up the run"
    )


def _add_reading(read: Any) -> None:
    read.add_argument("--reader", choices=READER_NAMES, default="auto")
    read.add_argument("--mediapipe-bundle", type=Path, metavar="FILE", help="face_landmarker.task")
    read.add_argument("--loop", action="store_true", help="play a recording again and again")
    read.add_argument(
        "--seconds", type=number(0.1, 1e7), metavar="N", help="stop after so many seconds"
    )
    read.add_argument(
        "--smooth", type=number(0.0, 1.0), default=0.5, metavar="0..1", help="default %(default)s"
    )
    read.add_argument("--gain", type=Path, metavar="FILE", help="gain of each control, TOML/JSON")
    add_animator_options(read)


def _actor(text: str) -> tuple[int, str]:
    index, equals, rig = text.partition("=")
    try:
        number_of = whole_number(0, 99)(index)
    except argparse.ArgumentTypeError:
        number_of = -1
    if not equals or not rig or number_of < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not N=RIG, such as 0=anna")
    return number_of, rig


def cast(args: argparse.Namespace) -> "list[tuple[int | None, list[Rig]]]":
    """Who plays what: the face of each actor, counted from 1 at the left, and their rigs.

    Raises:
        BridgeError: both --rig and --actor, or one rig for two actors.
        RigError: a rig cannot be loaded.
    """
    from freeavatar.bridge.sink import BridgeError
    from freeavatar.rigs import registry
    from freeavatar.tools.face_points import anchor_finder

    if args.actor and args.rig:
        raise BridgeError("--rig is for one actor: give each their rigs with --actor N=RIG")
    chosen: dict[int | None, list[str]] = {}
    for index, name in args.actor or []:
        chosen.setdefault(index + 1, []).append(name)
    if not chosen:
        chosen[None] = list(args.rig or ["arkit"])
    find_anchors = anchor_finder(args.mediapipe_bundle)
    parts = [
        (face, [registry.load(name, find_anchors=find_anchors) for name in dict.fromkeys(names)])
        for face, names in sorted(chosen.items(), key=lambda item: item[0] or 0)
    ]
    names = [rig.name for _, rigs in parts for rig in rigs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BridgeError(
            f"two actors cannot share the rig {twice[0]}: register it under another name"
        )
    return parts


def run(args: argparse.Namespace) -> int:
    """Run the verb; 0 when it ended as it was asked to, 1 when something failed."""
    from .performance import Performance

    parts = cast(args)
    if args.gain is not None:
        from freeavatar.animator.gains import check_gains, read_gains

        check_gains([r for _, rigs in parts for r in rigs], read_gains(args.gain), args.gain)
    performance = Performance(args, parts)
    print(performance.description, file=sys.stderr)
    over = threading.Event()
    with _signals(over), _controls(args, performance):
        try:
            performance.start()
            performance.watch(over, args.seconds)
        finally:
            performance.status.end()
            failures = performance.end()
    return _report(args, performance, failures)


@contextlib.contextmanager
def _signals(over: threading.Event) -> Iterator[None]:
    """Ctrl-C and a supervisor's polite stop end the run in good order; a second one at once."""

    def asked(kind: int, _: Any) -> None:
        if over.is_set():
            raise KeyboardInterrupt
        over.set()

    before = {kind: signal.signal(kind, asked) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@contextlib.contextmanager
def _controls(args: argparse.Namespace, performance: "Performance") -> Iterator[None]:
    """Keyboard and OSC, as far as they are there."""
    from freeavatar.bridge.control.keyboard import Keyboard
    from freeavatar.bridge.control.osc_port import ControlPort

    with contextlib.ExitStack() as stack:
        if args.control is not None:
            port = ControlPort(
                _listened(args.control, args.listen),
                performance.session,
                recorded=performance.recorder.newest,
            )
            stack.callback(port.close)
            print(f"control by OSC on port {port.port}", file=sys.stderr)
        keyboard = Keyboard(
            performance.session,
            recording=lambda: performance.recorder.recording,
            gain=lambda: performance.session.gain,
        )
        stack.callback(keyboard.close)
        yield


def _listened(control: str, host: str | None) -> str:
    return control if host is None or ":" in control else f"{host}:{control}"


def _report(args: argparse.Namespace, performance: "Performance", failures: Sequence[str]) -> int:
    summary = performance.status.summary(list(failures))
    if args.json:
        print(json.dumps(summary), flush=True)
    else:
        latency = summary["latency_ms"]
        print(
            f"{summary['sent']} frames in {summary['seconds']:.1f} s, "
            f"{summary['sent_fps']:.1f} a second, a face in {summary['found']}, "
            f"latency p50 {latency.get('p50', 0):.1f}, p99 {latency.get('p99', 0):.1f} ms, "
            f"{summary['dropped']} left out",
            file=sys.stderr,
        )
        for path in summary["written"]:
            print(path)
    for failure in failures:
        print(f"freeavatar: {failure}", file=sys.stderr)
    return 1 if failures else 0
