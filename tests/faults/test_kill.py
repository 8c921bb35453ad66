"""Everything is killed at once, at the worst moments: what was acknowledged is kept, whole."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.faults.clients import (
    FORM_HEADERS,
    RawUpload,
    Ticket,
    announce,
    confirm,
    content_of,
    form_of,
    listed_files,
    listed_medias,
    pieces_of,
    put,
    upload,
)
from tests.faults.remains import (
    AT_ONCE,
    is_clean,
    let_age,
    objects_in,
    run_janitor,
    stored,
    upload_rows,
    wait_until,
)
from tests.faults.victim import Victim, running
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import s3_settings

CLIENTS = 6
UPLOAD_BYTES = 1_500_000
ROUNDS = 3


class Traffic:
    """Clients that upload until the service dies, and what it told them until then."""

    def __init__(self, service: Victim) -> None:
        self._service = service
        self._changed = threading.Condition()
        self.round = 0
        self.contents: dict[str, bytes] = {}  # of medias by resource, of files by id
        self.sent: set[str] = set()  # medias sent to the last byte, files asked to be confirmed
        self.acknowledged: set[str] = set()
        self.put: dict[str, Ticket] = {}

    def run_until_killed(self, acknowledgements: int, pause: float) -> None:
        """Upload from many clients; kill everything ``pause`` seconds after so many were told."""
        with ThreadPoolExecutor(CLIENTS) as threads:
            clients = [
                threads.submit(
                    self._until_killed,
                    self._upload_medias if number % 2 else self._upload_files,
                    number,
                )
                for number in range(CLIENTS)
            ]
            with self._changed:
                told = self._changed.wait_for(
                    lambda: len(self.acknowledged) >= acknowledgements, timeout=60
                )
            assert told
            time.sleep(pause)
            self._service.kill()
        for client in clients:
            client.result()

    def _until_killed(self, work: Callable[[httpx.Client, str], bool], client: int) -> None:
        with httpx.Client(base_url=self._service.url, timeout=60, trust_env=False) as http:
            number = 0
            with contextlib.suppress(httpx.TransportError):
                while work(http, f"{self.round}-{client}-{number}"):
                    number += 1

    def _upload_medias(self, http: httpx.Client, name: str) -> bool:
        content = self.contents[name] = content_of(name, UPLOAD_BYTES)

        def body() -> Iterator[bytes]:
            yield from pieces_of(form_of(content))
            self.sent.add(name)

        answer = http.post(f"/medias/files/{name}", content=body(), headers=FORM_HEADERS)
        return self._acknowledge(name, answer)

    def _upload_files(self, http: httpx.Client, name: str) -> bool:
        content = content_of(name, UPLOAD_BYTES)
        try:
            ticket = announce(http, name, len(content))
        except httpx.HTTPStatusError as error:
            return is_kept(error.response)
        self.contents[ticket.id] = content
        if not is_kept(put(http, ticket, content)):
            return False
        self.put[ticket.id] = ticket
        self.sent.add(ticket.id)
        return self._acknowledge(ticket.id, confirm(http, ticket))

    def _acknowledge(self, name: str, answer: httpx.Response) -> bool:
        if not is_kept(answer):
            return False
        with self._changed:
            self.acknowledged.add(name)
            self._changed.notify()
        return True


def is_kept(answer: httpx.Response) -> bool:
    """Tell whether an answer acknowledges; the database may die an instant before the others."""
    assert answer.status_code in {200, 503}, answer.text
    return answer.status_code == 200


def check_kept(service: Victim, traffic: Traffic) -> None:
    """Assert that what was acknowledged is listed, and what is listed is whole."""
    # Files are listed by door 3 too, under their id.
    listed = listed_medias(service.http)
    assert traffic.acknowledged <= listed
    # A client may have missed the answer to what it sent completely, never to anything else.
    assert listed <= traffic.sent
    for name in listed:
        assert service.http.get(f"/medias/files/{name}").content == traffic.contents[name]


def test_what_was_acknowledged_survives_kills_at_random_moments(tmp_path: Path) -> None:
    """Three rounds on one data directory; then the leftovers go, and nothing else."""
    moments = random.Random(2026)
    traffic = Traffic(service := Victim(tmp_path / "data"))
    try:
        for number in range(ROUNDS):
            service.start()
            traffic.round = number
            traffic.run_until_killed(len(traffic.acknowledged) + 5, moments.uniform(0.0, 0.3))
        service.start()
        check_kept(service, traffic)
        assert upload_rows(service) > 0, "no kill came in the middle of anything"
        kept = {name for name in stored(service) if not name.startswith((".incoming", "staging"))}

        assert run_janitor(service) == (0, 0, 0), "leftovers may still be in use while young"
        for ticket in traffic.put.values():  # their clients come back and ask again
            assert confirm(service.http, ticket).status_code == 200
            traffic.acknowledged.add(ticket.id)
        check_kept(service, traffic)

        let_age(service)
        removed = run_janitor(service, **AT_ONCE)
        assert sum(removed) > 0
        assert is_clean(service)
        assert run_janitor(service, **AT_ONCE) == (0, 0, 0)
        check_kept(service, traffic)
        assert stored(service) & kept
    finally:
        service.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_confirmation_cut_off_by_a_kill_can_be_repeated(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    with running(tmp_path / "data") as service:
        contents = {f"{seed}-{number}": content_of(number, 50_000) for number in range(40)}
        tickets = {name: announce(service.http, name, 50_000) for name in contents}
        for name, ticket in tickets.items():
            assert put(service.http, ticket, contents[name]).status_code == 200
        answered: list[str] = []
        enough = threading.Semaphore(0)

        def ask(name: str) -> None:
            with contextlib.suppress(httpx.TransportError):
                if is_kept(confirm(service.http, tickets[name])):
                    answered.append(tickets[name].id)
                    enough.release()

        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(ask, name) for name in tickets]
            for _ in range(moments.randint(3, 20)):
                assert enough.acquire(timeout=60)
            service.kill()
        for one in asked:
            one.result()
        assert len(answered) < len(tickets), "everything was confirmed before the kill"

        service.start()
        assert set(answered) <= set(listed_files(service.http))
        for name, ticket in tickets.items():
            assert confirm(service.http, ticket).status_code == 200, name
        links = listed_files(service.http)
        for name, ticket in tickets.items():
            assert service.http.get(links[ticket.id]).content == contents[name]
        assert is_clean(service)


def test_janitor_leaves_what_is_under_way_alone(tmp_path: Path) -> None:
    """Old enough to be removed, but a client is still busy with it."""
    content = content_of("slow", 6_000_000)
    with running(tmp_path / "data", {"MEDIATHEQUE_ORPHAN_AGE": "1"}) as service:
        slow = RawUpload(service, "slow", content)
        slow.send(4_000_000)
        waiting = announce(service.http, "waiting", 1000)
        assert put(service.http, waiting, content[:1000]).status_code == 200
        wait_until(lambda: any(name.startswith(".incoming") for name in stored(service)))
        (service.data_dir / "objects" / "originals" / "notes.txt").parent.mkdir(exist_ok=True)
        (service.data_dir / "objects" / "originals" / "notes.txt").write_text("not ours")
        time.sleep(1.2)

        assert run_janitor(service) == (0, 0, 0)

        slow.send()
        assert slow.status() == 200
        assert confirm(service.http, waiting).status_code == 200
        assert service.http.get("/medias/files/slow").content == content
        slow.leave()


def test_killed_uploads_to_s3_leave_nothing_after_the_janitor(
    tmp_path: Path, seaweedfs: SeaweedFS
) -> None:
    prefix = "faults-kill"
    store = seaweedfs.client()

    def unfinished() -> int:
        found = store.list_multipart_uploads(Bucket=seaweedfs.bucket, Prefix=prefix)
        return len(found.get("Uploads", []))

    with running(tmp_path / "data", s3_settings(seaweedfs, prefix)) as service:
        kept = content_of("kept", 200_000)
        assert upload(service.http, "kept", kept).status_code == 200
        ticket = announce(service.http, "sent", len(kept))
        with httpx.Client(trust_env=False) as direct:
            assert put(direct, ticket, kept).status_code == 200
            abandoned = announce(service.http, "abandoned", len(kept))
            assert put(direct, abandoned, kept).status_code == 200
        large = RawUpload(service, "large", content_of("large", 50_000_000))
        large.send(40_000_000)
        wait_until(lambda: unfinished() > 0)
        service.kill()
        large.leave()

        service.start()
        assert listed_medias(service.http) == {"kept"}
        assert confirm(service.http, ticket).status_code == 200
        assert run_janitor(service) == (0, 0, 0)
        let_age(service)
        assert run_janitor(service, **AT_ONCE) == (2, 0, 1)
        assert unfinished() == 0
        assert len(objects_in(seaweedfs, prefix)) == 2
        assert upload_rows(service) == 0
        assert run_janitor(service, **AT_ONCE) == (0, 0, 0)
        assert service.http.get("/medias/files/kept").content == kept
        assert service.http.get(listed_files(service.http)[ticket.id]).content == kept
