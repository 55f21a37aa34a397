"""A long run: memory stays flat, no thread and no descriptor is left behind.

Twenty seconds by default; ``FREEAVATAR_SOAK_MINUTES=60`` makes it the hour that a stage asks for.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pythonosc.udp_client import SimpleUDPClient

from freeavatar.tools.inputs import ACTOR_CLIP

MINUTES = float(os.environ.get("FREEAVATAR_SOAK_MINUTES", "0.33"))
FLAT = 0.02
"""Part of its size by which memory may change over a long run."""
SHORT = 0.10
"""The same of a run so short that its caches still fill."""


def resident(process: int) -> float:
    """MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def counts(process: int) -> tuple[int, int]:
    """Threads and descriptors."""
    folder = Path(f"/proc/{process}")
    return len(list((folder / "task").iterdir())), len(list((folder / "fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_a_long_run_leaks_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        control = probe.getsockname()[1]
    client = SimpleUDPClient("127.0.0.1", control)
    absent = "127.0.0.1:9"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "freeavatar.tools", "live", str(ACTOR_CLIP), "--loop", "--json",
            "--rig", "mannequin", "--rig", "arkit", "--control", str(control),
            "--to", f"osc://{absent}", "--to", f"vmc://{absent}", "--to", f"osc+tcp://{absent}",
            "--to", f"ifacialmocap://{absent}", "--to", f"vrchat://{absent}?oscquery=0",
            "--takes", str(tmp_path / "{slate}_{take}_{rig}.jsonl"),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    memory: list[float] = []
    seen: list[tuple[int, int]] = []
    try:
        assert process.stdout is not None
        process.stdout.readline()
        end = time.monotonic() + 60 * MINUTES
        # Takes come and go, and so do malformed commands.
        for line in process.stdout:
            said = json.loads(line)
            if said["recording"]:
                client.send_message("/RecordStop", [])
            else:
                client.send_message("/RecordStart", ["s", 1])
            client._sock.sendto(os.urandom(200), ("127.0.0.1", control))
            memory.append(resident(process.pid))
            if not said["recording"]:
                seen.append(counts(process.pid))
            if time.monotonic() > end:
                break
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait(30)
    summary = json.loads(out.strip().splitlines()[-1])
    assert process.returncode == 0 and summary["errors"] == []
    assert summary["sent"] > 5 and len(memory) >= 5
    warm = len(memory) // 5
    first, last = (float(np.median(part)) for part in np.array_split(memory[warm:], 2))
    print(f"{MINUTES:g} min: {first:.1f} to {last:.1f} MiB, threads and descriptors {seen[-1]}")
    assert abs(last / first - 1) < (FLAT if MINUTES >= 10 else SHORT)
    # A take that is just being closed may still hold its files.
    early, late = (np.array(seen[i:j]).max(axis=0) for i, j in ((1, 6), (-5, None)))
    assert (late <= early + 2).all(), (early, late)
