"""Processes that the supervisor forks, which share the memory of what it has imported."""

import multiprocessing
import signal
import threading
from multiprocessing.context import ForkProcess
from typing import Any

CONTEXT = multiprocessing.get_context("fork")

_STOPS = (signal.SIGTERM, signal.SIGINT)


def start(process: ForkProcess) -> None:
    """Start a process of ``CONTEXT``; its target calls ``heed_stops`` first.

    What tells us to stop meanwhile is heard when that is done: a handler that raises would raise
    inside of the fork, where exceptions get lost. Raises OSError when there can be no more
    processes.
    """
    told: list[int] = []
    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        # Blocking alone does not do: another thread may get the signal, and its handler runs here.
        for number in _STOPS:
            handlers[number] = signal.signal(number, lambda stop, _: told.append(stop))
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for stop in told:
        signal.raise_signal(stop)


def heed_stops() -> None:
    """End when told to, by default; who told so since this process was forked is heard now."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
