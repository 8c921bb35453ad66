"""One big upload through each door that takes bytes, beside nginx's DAV PUT."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench import library, nginx, server
from tests.bench.client import Connection, connection
from tests.bench.outcome import BenchError, Outcome
from tests.bench.plan import Plan
from tests.bench.probe import Usage
from tests.bench.rounds import Contender, compare
from tests.bench.source import Slice, random_source

_TARGET_RATIO = 1.3
_NAME = "upload.bin"

Send = Callable[[Connection, Slice, str], object]
_DOORS: dict[str, Send] = {
    "multipart POST": library.post_media,
    "signed PUT": library.put_signed,
}


def run(plan: Plan) -> list[Outcome]:
    """Measure durable uploads against PUT and fsync, then relaxed ones against plain PUT."""
    outcomes: list[Outcome] = []
    with random_source(plan.directory, plan.size) as source:
        content = source.cut(0, plan.size)
        for durability in ("full", "relaxed"):
            outcomes += _with_durability(plan, content, durability)
    return outcomes


def _with_durability(plan: Plan, content: Slice, durability: str) -> Iterator[Outcome]:
    fsync = durability == "full"
    settings = {} if fsync else {"MEDIATHEQUE_DURABILITY": durability}
    with ExitStack() as opened:
        directory = plan.directory / f"upload-{durability}"
        service = opened.enter_context(server.running(directory / "service", settings))
        peer = opened.enter_context(_peer(plan, directory / "nginx", content, fsync=fsync))
        for door, send in _DOORS.items():
            yield compare(
                f"Upload {content.size >> 20} MiB, {door}"
                + (", as shipped" if fsync else ", relaxed durability"),
                _ours(service, content, send),
                peer,
                peer_name="nginx PUT + fsync" if fsync else "nginx PUT",
                rounds=plan.rounds,
                target_ratio=_TARGET_RATIO,
            )
            with connection(service.address) as client:
                library.remove(client, _NAME)


def _ours(service: server.Service, content: Slice, send: Send) -> Contender:
    def upload() -> Usage:
        probe = service.probe()
        with connection(service.address) as client:
            _settle()
            library.remove(client, _NAME)
            with probe.watching():
                reported = send(client, content, _NAME)
            if reported not in {None, content.digest}:
                raise BenchError(f"the service reports the checksum {reported}")
            library.verify(client, content, _NAME)
        return probe.usage

    return upload


@contextmanager
def _peer(
    plan: Plan, directory: Path, content: Slice, *, fsync: bool
) -> Iterator[Contender | None]:
    if plan.nginx is None:
        yield None
        return
    with nginx.running(plan.nginx, directory) as peer:

        def put() -> Usage:
            _settle()
            peer.remove(_NAME)
            return peer.put(content, _NAME, fsync=fsync)

        yield put


def _settle() -> None:
    """Let nothing be left to write from before.

    The caller then deletes its last file right before it sends the next one, so that both
    contenders find pages in memory that were just freed: a virtual machine hands pages that stay
    free back to its host, and getting them again costs more than the upload.
    """
    os.sync()
