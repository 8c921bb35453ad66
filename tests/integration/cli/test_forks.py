"""Forked processes and the signals that come while they are forked."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mediatheque.cli import forks


class Stopped(Exception):  # noqa: N818 - it is what the handler does, not a fault
    """What the handler of a stop raises."""


@pytest.fixture
def stoppable() -> Iterator[None]:
    def stop(_number: int, _frame: Any) -> None:
        raise Stopped

    before = signal.signal(signal.SIGTERM, stop)
    yield
    signal.signal(signal.SIGTERM, before)


class Starting:
    """A process in whose start somebody tells the one that starts it to stop."""

    started = False

    def start(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        self.started = True


@pytest.mark.usefixtures("stoppable")
def test_a_stop_during_a_fork_is_heard_when_the_process_is_started() -> None:
    process: Any = Starting()

    with pytest.raises(Stopped):
        forks.start(process)

    assert process.started


def test_a_process_that_is_told_to_stop_before_it_can_hear_stops_when_it_can() -> None:
    process = forks.CONTEXT.Process(target=_late)
    forks.start(process)

    process.terminate()

    process.join(10)
    assert process.exitcode == -signal.SIGTERM


def _late() -> None:
    time.sleep(0.3)
    forks.heed_stops()
    time.sleep(10)
