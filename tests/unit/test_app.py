"""What the application does beside the doors."""

import asyncio
import signal

import uvloop

from mediatheque.app import _when_stopping

STOPS = (signal.SIGINT, signal.SIGTERM)


def test_to_be_told_to_stop_between_two_runs_of_the_loop_is_heard_by_all() -> None:
    """The server runs it once to start the application, and again to serve."""
    told: list[str] = []
    heard: list[str] = []

    async def start() -> None:
        _when_stopping(lambda: told.append("application"))

    before = {number: signal.getsignal(number) for number in STOPS}
    loop = uvloop.new_event_loop()
    try:
        loop.add_signal_handler(signal.SIGTERM, heard.append, "server")
        loop.run_until_complete(start())
        signal.raise_signal(signal.SIGTERM)
        loop.run_until_complete(asyncio.sleep(0.1))
    finally:
        loop.close()
        for number, handler in before.items():
            signal.signal(number, handler)

    assert set(told) == {"application"}
    assert set(heard) == {"server"}
