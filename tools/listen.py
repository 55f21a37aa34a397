"""freeavatar listen: show what arrives at a port."""

import argparse
import fnmatch
import json
import math
import os
import shutil
import sys
import time
from typing import IO, TYPE_CHECKING, Any

from .arguments import number

if TYPE_CHECKING:
    from freeavatar.bridge.listen import Monitor, Reading

DRAW_EVERY = 0.25
SAY_EVERY = 1.0
NAME_WIDTH, BAR_WIDTH = 24, 10
CELL_WIDTH = NAME_WIDTH + BAR_WIDTH + 12

EPILOG = """\
examples:
  freeavatar listen osc://127.0.0.1:9000                 what drive --to sends on this machine
  freeavatar listen osc://0.0.0.0:9000                   also from other machines
  freeavatar listen osc+tcp://127.0.0.1:9000             the same over TCP, in either framing
  freeavatar listen livelink://0.0.0.0:11111             an iPhone or drive, as Unreal would hear it
  freeavatar listen vmc://:39539 --values jawOpen 'Blink*' --seconds 10
  freeavatar listen osc://:9000 --seconds 5 --json | jq .streams

Rate and jitter are of whole frames, however many packets they take. Ends with Ctrl-C and a summary.
"""


def add_verb(verbs: Any) -> None:
    """Add the verb's parser."""
    parser = verbs.add_parser(
        "listen",
        help="show what arrives at a port: rate, jitter, values",
        description="Show what arrives at a port: rate, jitter and values of OSC, VMC or Live Link "
        "Face packets, whoever sends them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "url",
        metavar="URL",
        help="a target's URL: osc://, osc+tcp://, vmc://, livelink:// ... with [host][:port]; "
        "without a host only this machine is heard",
    )
    parser.add_argument(
        "--seconds", type=number(0.01, 1e9), metavar="N", help="stop by itself after N s"
    )
    parser.add_argument(
        "--values", nargs="+", default=[], metavar="NAME", help="show only these; * is any text"
    )
    parser.add_argument("--raw", action="store_true", help="print every message as a line")
    parser.add_argument(
        "--json", action="store_true", help="summary as JSON on standard output at the end"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Listen until the time is up or Ctrl-C.

    Returns:
        0; 1 when ``--seconds`` passed and nothing arrived.
    """
    from freeavatar.bridge.listen import Monitor, open_port

    target, port = open_port(args.url)
    monitor = Monitor(target.scheme)
    screen = Screen(sys.stderr if args.json else sys.stdout, args.values, raw=args.raw)
    print(f"listening on {target.host} port {target.port}; Ctrl-C ends", file=sys.stderr)
    began = time.monotonic()
    with port:
        interrupted = _listen(port, monitor, screen, began, args.seconds or math.inf)
    seconds = time.monotonic() - began
    if args.json:
        summary = {"url": args.url, "seconds": seconds, **monitor.summary()}
        print(json.dumps(_plain(summary), indent=1))
    else:
        screen.end(monitor, seconds)
    if not monitor.packets and not interrupted:
        print(
            f"freeavatar: nothing arrived on port {target.port}; is the sender's address this "
            f"machine's, and does the firewall let it through?",
            file=sys.stderr,
        )
        return 1
    return 0


def _listen(port: Any, monitor: "Monitor", screen: "Screen", began: float, seconds: float) -> bool:
    """Feed the monitor and show it; True when Ctrl-C ended it."""
    from freeavatar.bridge.listen import receive

    try:
        while (now := time.monotonic()) - began < seconds:
            until = min(screen.next_time(now), began + seconds)
            arrived = receive(port, until - now)
            now = time.monotonic()
            if arrived:
                reading = monitor.feed(*arrived, now)
                screen.message(reading)
            screen.show(monitor, now, now - began)
    except KeyboardInterrupt:
        return True
    return False


class Screen:
    """A live table on a terminal, a line a second elsewhere."""

    def __init__(self, out: IO[str], wanted: list[str], *, raw: bool) -> None:
        """Show on ``out`` the values that match ``wanted`` (all where empty)."""
        self._out = out
        self._wanted = wanted
        self._raw = raw
        self._table = out.isatty() and not raw
        self._every = DRAW_EVERY if self._table else SAY_EVERY
        self._next = 0.0

    def next_time(self, now: float) -> float:
        """When `show` next has something to do."""
        if not self._next:
            self._next = now + self._every
        return self._next

    def message(self, reading: "Reading | None") -> None:
        """Print what one datagram said, with --raw."""
        if not self._raw:
            return
        for name, value in (reading.values if reading else {}).items():
            if self._shown(name):
                print(f"{_clean(name)} {_value(value)}", file=self._out)

    def show(self, monitor: "Monitor", now: float, seconds: float) -> None:
        """Draw the table or say a line, if it is time."""
        if now < self._next:
            return
        self._next = now + self._every
        if self._table:
            self._draw(monitor, now, seconds)
        elif not self._raw:
            chosen = [n for n in monitor.values if self._wanted and self._shown(n)]
            values = "".join(f"  {_clean(n)}={_value(monitor.values[n])}" for n in chosen)
            print(_status(monitor, now, seconds) + values, file=self._out, flush=True)

    def end(self, monitor: "Monitor", seconds: float) -> None:
        """The summary."""
        now = time.monotonic()
        if self._table:
            self._draw(monitor, now, seconds)
        else:
            print(_status(monitor, now, seconds), file=self._out)
        for name, stream in monitor.streams.items():
            jitter = "  ".join(f"{k} {v:.1f}" for k, v in stream.jitter().items())
            line = f"{_clean(name)}: {stream.frames} frames at {stream.rate:.2f} fps"
            print(f"{line}; between frames, ms: {jitter or 'one frame only'}", file=self._out)
        for reason, count in monitor.reasons.most_common():
            print(f"malformed, {count} times: {_clean(reason)}", file=self._out)

    def _draw(self, monitor: "Monitor", now: float, seconds: float) -> None:
        width, height = shutil.get_terminal_size()
        across = max(1, width // CELL_WIDTH)
        names = [n for n in monitor.values if self._shown(n)]
        room = max(1, height - 7 - min(len(monitor.streams), 8)) * across
        start = os.path.commonprefix(names).rpartition("/")  # noqa: RUF071 (of characters)
        common = "".join(start[:2]) if len(names) > 1 else ""
        cells = [_cell(n.removeprefix(common), monitor.values[n]) for n in names[:room]]
        lines = [_clean(common)] if common else []
        lines += ["".join(cells[i : i + across]) for i in range(0, len(cells), across)]
        if len(names) > room:
            lines.append(f"and {len(names) - room} more; choose with --values")
        text = "\n".join([_status(monitor, now, seconds)[: width - 1], *lines])
        print(f"\x1b[H\x1b[J{text}", file=self._out, flush=True)

    def _shown(self, name: str) -> bool:
        if not self._wanted:
            return True
        last = name.rsplit("/", 1)[-1]
        return any(fnmatch.fnmatch(name, w) or fnmatch.fnmatch(last, w) for w in self._wanted)


def _status(monitor: "Monitor", now: float, seconds: float) -> str:
    rates = [str(s.recent(now)) for s in monitor.streams.values()]
    first = next(iter(monitor.streams.values()), None)
    jitter = first.jitter() if first else {}
    return (
        f"{seconds:6.1f} s  {' + '.join(rates) or '0'} fps  "
        f"p50 {jitter.get('p50', 0):.1f} p95 {jitter.get('p95', 0):.1f} "
        f"p99 {jitter.get('p99', 0):.1f} ms  {monitor.packets} packets  "
        f"{monitor.bytes / 1000:.0f} kB  {monitor.malformed} malformed"
    )


def _cell(name: str, value: Any) -> str:
    shown = _clean(name)
    shown = shown if len(shown) <= NAME_WIDTH else f"…{shown[1 - NAME_WIDTH :]}"
    if not isinstance(value, float) or not 0 <= value <= 1:
        return f"{shown:<{NAME_WIDTH}} {_value(value)[: BAR_WIDTH + 9]:<{BAR_WIDTH + 10}} "
    bar = "█" * round(value * BAR_WIDTH)
    return f"{shown:<{NAME_WIDTH}} {value:7.4f} {bar:<{BAR_WIDTH}}  "


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return " ".join(map(_value, value))
    return f"{value:.4f}" if isinstance(value, float) else _clean(str(value))


def _clean(text: str) -> str:
    """Text of a stranger's packet without control characters, which could drive the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _plain(value: Any) -> Any:
    """Received values as JSON has them: other types as text, floats that are none as null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
