"""Threads of one network lie on two cores, where there are two, and only there."""

import os
import threading

import pytest

from freeavatar.tools.live import cores
from freeavatar.tools.live.cores import CALLER, HELPER, most_threads, on_core

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or os.cpu_count() == 1,
    reason="this system does not say which cores a thread uses (optional)",
)


@needs_affinity
def test_a_thread_that_is_started_meanwhile_stays_on_the_core() -> None:
    before = os.sched_getaffinity(0)
    two = sorted(before)[:2]
    os.sched_setaffinity(0, two)
    seen: list[set[int]] = []
    try:
        with on_core(HELPER):
            worker = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
            worker.start()
            worker.join()
        assert seen == [{two[1]}]
        assert os.sched_getaffinity(0) == set(two)
        with on_core(CALLER):
            assert os.sched_getaffinity(0) == {two[0]}
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize("there", [[], [3], [0, 1, 2, 3]])
def test_with_more_cores_or_fewer_nothing_is_pinned(
    there: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no thread may be pinned")

    monkeypatch.setattr(cores, "_cores", lambda: there)
    monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
    with on_core(HELPER):
        pass


def test_a_network_uses_no_more_threads_than_there_are_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cores, "_cores", lambda: [5])
    assert most_threads(2) == 1
    monkeypatch.setattr(cores, "_cores", lambda: [0, 1, 2, 3])
    assert most_threads(2) == 2
