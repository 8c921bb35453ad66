"""A machine that has no more threads to give."""

import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest

from mediatheque.domain.errors import UnavailableError
from mediatheque.storage.threads import Threads


@pytest.fixture
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None can be started any more, as where the number of processes is limited."""
    with monkeypatch.context() as patch:
        refuse_threads(patch)
        yield


def refuse_threads(patch: pytest.MonkeyPatch) -> None:
    """Have no thread started from now on."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    patch.setattr(threading.Thread, "start", refuse)


def no_thread(*_: object) -> NoReturn:
    """Stand for what runs something in a thread, where none can be had."""
    raise UnavailableError("No thread can be had for this.")


class OccupiedThreads(Threads):
    """It would start more threads, but has one, which has something to do until ``set_free``."""

    def __init__(self) -> None:
        super().__init__(4)
        self._until = threading.Event()
        self._occupied = self.submit(self._until.wait)

    def set_free(self) -> None:
        self._until.set()
        self._occupied.result()


@pytest.fixture
def occupied() -> Iterator[OccupiedThreads]:
    with OccupiedThreads() as pool:
        yield pool
        pool.set_free()
