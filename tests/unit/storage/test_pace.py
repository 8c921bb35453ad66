"""How fast bytes may leave."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mediatheque.storage.pace import Pace, SendingStoppedError

KIB = 1 << 10
MIB = 1 << 20


def test_without_a_limit_nothing_waits() -> None:
    pace, stop = Pace(), threading.Event()

    started = time.monotonic()
    for _ in range(100):
        pace.wait(MIB, stop)

    assert time.monotonic() - started < 0.5


def test_all_threads_together_keep_the_limit() -> None:
    pace, stop = Pace(10 * MIB), threading.Event()

    started = time.monotonic()
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(lambda _: pace.wait(MIB // 2, stop), range(12)))

    # The first is let through on credit, and the last is paid by nobody.
    assert 0.4 < time.monotonic() - started < 2


@pytest.mark.parametrize("limit", [None, 100 * MIB])
def test_a_new_limit_holds_for_those_who_wait(limit: float | None) -> None:
    pace, stop = Pace(1 * KIB), threading.Event()
    pace.wait(MIB, stop)  # to be paid in 17 minutes
    changing = threading.Timer(0.1, lambda: setattr(pace, "limit", limit))
    changing.start()

    started = time.monotonic()
    pace.wait(MIB, stop)

    assert 0.05 < time.monotonic() - started < 1
    changing.join()


def test_a_silence_is_not_made_up_for() -> None:
    pace, stop = Pace(MIB), threading.Event()
    time.sleep(0.5)

    started = time.monotonic()
    for _ in range(5):
        pace.wait(MIB // 10, stop)

    assert time.monotonic() - started > 0.2


def test_whoever_waits_stops_soon() -> None:
    pace, stop = Pace(1), threading.Event()
    pace.wait(MIB, stop)
    stopping = threading.Timer(0.1, stop.set)
    stopping.start()

    started = time.monotonic()
    with pytest.raises(SendingStoppedError):
        pace.wait(1, stop)

    assert time.monotonic() - started < 1
    stopping.join()


def test_nobody_starts_after_a_stop() -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(SendingStoppedError):
        Pace().wait(1, stop)


@pytest.mark.parametrize(
    ("limit", "step"), [(None, MIB), (1, 4 * KIB), (8 * 64 * KIB, 64 * KIB), (1 << 40, MIB)]
)
def test_slow_bytes_flow_in_small_steps(limit: float | None, step: int) -> None:
    assert Pace(limit).step(MIB) == step
