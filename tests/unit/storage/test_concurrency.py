"""How many requests to one store are under way at once."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mediatheque.storage.concurrency import Concurrency


class TroubleError(Exception):
    """What the store says when it has too much to do."""


def concurrency(**bounds: int) -> Concurrency:
    return Concurrency(lambda error: isinstance(error, TroubleError), **bounds)


def run_round(slots: Concurrency) -> None:
    """Let requests succeed while every slot is taken."""
    with contextlib.ExitStack() as held:
        for _ in range(slots.limit - 1):
            held.enter_context(slots.slot())
        for _ in range(slots.limit):
            with slots.slot():
                pass


def fail(slots: Concurrency, error: Exception) -> None:
    with pytest.raises(type(error)), slots.slot():
        raise error


def test_a_round_that_went_well_adds_at_most_a_slot() -> None:
    slots = concurrency(start=4)

    for _ in range(6):
        before = slots.limit
        run_round(slots)
        assert slots.limit - before <= 1

    assert slots.limit > 5


def test_slots_that_nobody_needs_are_not_added() -> None:
    slots = concurrency(start=4)

    for _ in range(100):
        with slots.slot():
            pass

    assert slots.limit == 4


def test_there_is_a_highest_and_a_lowest_number_of_slots() -> None:
    slots = concurrency(start=4, least=2, most=6)

    for _ in range(50):
        run_round(slots)
    highest = slots.limit
    for _ in range(50):
        fail(slots, TroubleError())

    assert (highest, slots.limit) == (6, 2)


def test_trouble_halves_the_slots_and_other_errors_do_not() -> None:
    slots = concurrency(start=16)

    fail(slots, ValueError())
    unchanged = slots.limit
    fail(slots, TroubleError())

    assert (unchanged, slots.limit) == (16, 8)


def test_requests_under_way_at_the_same_time_tell_of_the_same_trouble() -> None:
    slots = concurrency(start=16)
    all_hold = threading.Barrier(8)

    def fail_together(_: int) -> None:
        with contextlib.suppress(TroubleError), slots.slot():
            all_hold.wait()
            raise TroubleError

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fail_together, range(8)))

    assert slots.limit == 8


def test_never_more_requests_are_under_way_than_there_are_slots() -> None:
    slots = concurrency(start=3, most=3)
    lock = threading.Lock()
    under_way = most = 0

    def request(_: int) -> None:
        nonlocal under_way, most
        with slots.slot():
            with lock:
                under_way += 1
                most = max(most, under_way)
            threading.Event().wait(0.002)
            with lock:
                under_way -= 1

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(request, range(100)))

    assert most == 3
