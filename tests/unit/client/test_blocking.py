import asyncio
import inspect
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from mediatheque.client import Client, InvalidError, blocking
from mediatheque.client.jobs import Jobs
from mediatheque.client.medias import Medias
from mediatheque.client.portal import Blocking, Portal, waits, yields
from mediatheque.client.syncs import Syncs
from mediatheque.client.transfers import Transfers
from tests.support.scripted import scripted
from tests.unit.client.test_lists import job_page


def verbs(noun: type) -> dict[str, Callable[..., Any]]:
    found = inspect.getmembers(noun, inspect.isfunction)
    return {name: verb for name, verb in found if not name.startswith("_")}


@pytest.mark.parametrize(
    ("noun", "face"),
    [
        (Medias, blocking.BlockingMedias),
        (Jobs, blocking.BlockingJobs),
        (Transfers, blocking.BlockingTransfers),
        (Syncs, blocking.BlockingSyncs),
    ],
)
def test_every_verb_has_its_blocking_face(noun: type, face: type) -> None:
    assert verbs(face).keys() == verbs(noun).keys()
    for name, verb in verbs(face).items():
        assert inspect.signature(verb) == inspect.signature(verbs(noun)[name])
        assert verb.__doc__ == verbs(noun)[name].__doc__


async def test_the_blocking_client_works_where_a_loop_runs() -> None:
    async with scripted(job_page("a", "b")) as server:

        def list_jobs() -> list[str]:
            with Client(server.url) as client:
                return [job.id for job in client.jobs.list()]

        assert await asyncio.to_thread(list_jobs) == ["a", "b"]


def test_errors_pass_through_and_the_thread_ends() -> None:
    before = threading.active_count()
    with pytest.raises(InvalidError), Client() as client:
        next(client.medias.list(name="x", sort="key"))

    assert threading.active_count() == before


def test_an_address_that_is_none_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with pytest.raises(InvalidError):
        Client("nowhere")

    assert threading.active_count() == before


class Noun:
    def __init__(self) -> None:
        self.closed = threading.Event()

    async def count(self) -> AsyncIterator[int]:
        try:
            for number in range(10):
                yield number
        finally:
            self.closed.set()

    async def wait(self) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            self.closed.set()


class Face(Blocking[Noun]):
    count = yields(Noun.count)
    wait = waits(Noun.wait)


def test_leaving_an_iteration_ends_the_asynchronous_one() -> None:
    noun, portal = Noun(), Portal()
    numbers = Face(noun, portal).count()
    assert next(numbers) == 0
    assert not noun.closed.is_set()
    del numbers

    assert noun.closed.wait(5)
    portal.close(asyncio.sleep(0))


def test_an_interrupt_cancels_what_is_waited_for() -> None:
    noun, portal = Noun(), Portal()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        Face(noun, portal).wait()

    assert noun.closed.wait(5)
    portal.close(asyncio.sleep(0))


async def test_what_another_thread_waits_for_ends_when_the_client_is_closed() -> None:
    begun = threading.Event()

    async def forever(_noun: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    client = Client()
    face: Blocking[object] = Blocking(object(), client.medias.portal)
    waiting = asyncio.create_task(asyncio.to_thread(waits(forever), face))
    await asyncio.to_thread(begun.wait)
    await asyncio.to_thread(client.close)

    with pytest.raises(RuntimeError, match="closed meanwhile"):
        await asyncio.wait_for(waiting, 5)


def test_a_client_can_be_closed_twice_and_used_no_more() -> None:
    client = Client()
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.medias.find("a")


async def test_an_iterator_may_outlive_its_client() -> None:
    async with scripted(job_page("a", "b")) as server:

        def first() -> tuple[str, list[object]]:
            with Client(server.url) as client:
                jobs = client.jobs.list()
                found = next(jobs).id
            with pytest.raises(RuntimeError, match="closed"):
                next(jobs)
            return found, list(jobs)

        assert await asyncio.to_thread(first) == ("a", [])
