import time

import pytest

from mediatheque.client.errors import UnavailableError
from mediatheque.client.retries import Retries


async def test_pauses_grow_until_the_patience_is_over() -> None:
    retries = Retries(patience=0.65)
    error = UnavailableError("later")
    lengths = []
    for _ in range(2):
        began = time.monotonic()
        await retries.pause_after(error)
        lengths.append(time.monotonic() - began)
    with pytest.raises(UnavailableError):
        await retries.pause_after(error)

    assert 0.1 <= lengths[0] < 1
    assert 0.2 <= lengths[1] < 1


async def test_a_pause_is_as_long_as_the_server_asks() -> None:
    began = time.monotonic()
    await Retries(patience=5).pause_after(UnavailableError("later", retry_after=0.5))

    assert 0.5 <= time.monotonic() - began < 2


async def test_without_the_patience_that_the_server_asks_for_there_is_no_pause() -> None:
    began = time.monotonic()
    with pytest.raises(UnavailableError):
        await Retries(patience=5).pause_after(UnavailableError("later", retry_after=6))

    assert time.monotonic() - began < 1


async def test_a_server_that_is_at_work_on_it_takes_no_patience() -> None:
    retries = Retries(patience=0.25)
    began = time.monotonic()
    for _ in range(5):
        await retries.pause_after(UnavailableError("at work on it", status=423))
    await retries.pause_after(UnavailableError("at work on it", status=423, retry_after=0.5))

    assert retries.failed_before
    assert 1 <= time.monotonic() - began < 3
    with pytest.raises(UnavailableError):
        await retries.pause_after(UnavailableError("later", status=503))


async def test_progress_begins_the_patience_anew() -> None:
    retries = Retries(patience=0.3)
    error = UnavailableError("later")
    for _ in range(3):
        await retries.pause_after(error)
        assert retries.failed_before
        retries.progressed()

    assert not retries.failed_before
