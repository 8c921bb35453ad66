"""``mediatheque transfer`` and ``mediatheque jobs``, as real processes with the real service."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mediatheque.client import Client, Transfer, TransferFile
from tests.support.commands import call, finish, refusal, run, start
from tests.support.service import Service, running

MB = 1_000_000


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def service(roots: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {"MEDIATHEQUE_SOURCE_ROOTS": str(roots)}
    with running(tmp_path_factory.mktemp("transfers") / "data", settings) as started:
        yield started


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url) as opened:
        yield opened


@pytest.fixture
def folder(roots: Path) -> Path:
    """A folder of this test's own, below the service's roots."""
    return Path(tempfile.mkdtemp(suffix=" é", dir=roots))


def eventually(what: Callable[[], Any]) -> Any:
    """Return the first true result, within seconds."""
    deadline = time.monotonic() + 30
    while not (result := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return result


def slow_transfer(client: Client, folder: Path) -> Transfer:
    """Start a transfer that takes minutes, and return it once it runs."""
    (folder / "slow").write_bytes(os.urandom(20 * MB))
    started = client.transfers.create([folder], bandwidth=100_000)
    eventually(lambda: client.jobs.find(started.id).status == "running")
    return started


def stored(client: Client, file: TransferFile) -> bytes:
    """Return the bytes of the media that a file became."""
    assert file.media_id is not None
    return b"".join(client.medias.read(client.medias.find(file.media_id)))


async def test_everything_below_a_folder_becomes_a_file(
    service: Service, client: Client, folder: Path
) -> None:
    (folder / "deep").mkdir()
    contents = {"a.txt": b"text", "deep/b.png": b"\x89PNG\r\n\x1a\n", "deep/empty": b""}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    done = await run(service.url, "transfer", ".", "--json", folder=folder)

    assert (done.code, done.err) == (0, "")
    told = done.json()
    assert told["failed"] == []
    assert told["transfer"]["status"] == "complete"
    assert told["transfer"]["files"]["complete"] == 3
    files = list(client.transfers.files(told["transfer"]["id"]))
    stored = {
        file.uri: b"".join(client.medias.read(client.medias.find(file.media_id or "")))
        for file in files
    }
    assert {uri.rsplit("%C3%A9/", 1)[1]: content for uri, content in stored.items()} == contents


async def test_a_dry_run_tells_what_there_is_and_starts_nothing(
    service: Service, client: Client, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a").write_bytes(b"a" * 2000)
    (folder / "b").symlink_to("/etc/hosts")
    before = [one.id for one in client.transfers.list()]

    told = await call(service.url, "transfer", str(folder), "--dry-run", capture=capsys)

    assert (told.code, told.out) == (0, "1 file, 2.0 kB, 1 cannot be read\n")
    assert "b is a link that leaves its source root" in told.err
    told = await call(service.url, "transfer", str(folder), "--dry-run", "--json", capture=capsys)
    shown = told.json()
    assert (shown["files"], shown["bytes"], shown["failing"], shown["whole"]) == (1, 2000, 1, True)
    assert [one.id for one in client.transfers.list()] == before


async def test_what_was_done_is_told_in_a_line(service: Service, folder: Path) -> None:
    (folder / "a").write_bytes(bytes(2500))
    done = await run(service.url, "transfer", str(folder / "a"), folder=folder)

    assert done.code == 0, done
    assert done.out.startswith("1 of 1 files, 2.5 kB in 0:0")


async def test_a_source_that_the_server_refuses_is_named(service: Service, folder: Path) -> None:
    said = refusal(await run(service.url, "transfer", "/etc", "missing", folder=folder), 2)

    assert "file:///etc" in said
    assert "missing" in said


async def test_files_that_fail_are_named_and_can_be_tried_again(
    service: Service, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "good").write_bytes(b"x")
    (folder / "leaves").symlink_to("/etc/hostname")
    done = await run(service.url, "transfer", str(folder), "--json", folder=folder)

    told = done.json()
    assert done.code == 10, done
    assert [Path(file["uri"]).name for file in told["failed"]] == ["leaves"]
    assert f"mediatheque jobs retry {told['transfer']['id']}" in done.err
    # However the id is written.
    refused = await call(
        service.url, "jobs", "watch", told["transfer"]["id"].upper(), capture=capsys
    )
    assert refused.code == 10, refused
    history = (await run(service.url, "jobs", "show", told["transfer"]["id"], folder=folder)).out
    assert "leaves its source root" in history
    (folder / "leaves").unlink()
    (folder / "leaves").write_bytes(b"now a file")
    again = await run(service.url, "jobs", "retry", told["transfer"]["id"], folder=folder)
    watched = await call(service.url, "jobs", "watch", told["transfer"]["id"], capture=capsys)

    assert again.code == 0, again
    assert watched.code == 0, watched


async def test_ctrl_c_pauses_and_the_same_command_goes_on(
    service: Service, client: Client, folder: Path
) -> None:
    content = os.urandom(8 * MB)
    (folder / "large").write_bytes(content)
    command = ("transfer", "large", "--bandwidth")
    process = await start(service.url, *command, "1MB/s", folder=folder)
    sources = {f"file://{folder}/large".replace(" ", "%20").replace("é", "%C3%A9")}

    def under_way() -> Transfer | None:
        mine = (t for t in client.transfers.list(status=["running"]) if set(t.sources) == sources)
        return next(mine, None)

    found = await asyncio.to_thread(eventually, under_way)
    process.send_signal(signal.SIGINT)
    stopped = await finish(process)

    assert stopped.code == 130
    assert f"Paused transfer {found.id}. The same command goes on with it" in stopped.err
    eventually(lambda: client.transfers.find(found.id).status == "paused")
    done = await run(service.url, *command, "0", "--json", folder=folder)
    assert done.code == 0, done
    assert f"Going on with transfer {found.id}." in done.err
    ended = done.json()["transfer"]
    assert (ended["id"], ended["status"], ended["bandwidth"]) == (found.id, "complete", None)
    (file,) = client.transfers.files(found.id)
    assert stored(client, file) == content


async def test_a_detached_transfer_can_be_watched_to_its_end(
    service: Service, folder: Path
) -> None:
    (folder / "a").write_bytes(bytes(8 * MB))
    started = await run(
        service.url, "transfer", "a", "--detach", "--bandwidth", "2MB", folder=folder
    )
    assert started.code == 0, started
    job_id = started.out.strip()
    watched = await run(service.url, "jobs", "watch", job_id, "--json", folder=folder)

    assert watched.code == 0, watched
    events = watched.lines()
    assert {event["job"] for event in events} == {job_id}
    assert (events[0]["kind"], events[-1]["kind"]) == ("state", "completed")
    assert events[-1]["status"] == "completed"


async def test_a_transfer_that_somebody_cancels_ends_the_command(
    service: Service, client: Client, folder: Path
) -> None:
    started = slow_transfer(client, folder)
    process = await start(service.url, "transfer", str(folder), folder=folder)
    await asyncio.sleep(1)
    cancelled = await run(service.url, "jobs", "cancel", started.id, "--json", folder=folder)
    done = await finish(process)

    assert cancelled.json()["id"] == started.id
    assert done.code == 9
    assert f"Transfer {started.id} is cancelled." in done.err


@pytest.mark.parametrize("amount", ["fast", "-1", "10PB"])
async def test_a_bandwidth_that_is_none_is_refused(
    service: Service, amount: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = await call(service.url, "transfer", ".", f"--bandwidth={amount}", capture=capsys)

    assert "no amount of bytes such as 10MB" in refusal(done, 2)


async def test_jobs_are_listed_shown_and_signalled(
    service: Service, client: Client, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = slow_transfer(client, folder)
    listed = await run(
        service.url, "jobs", "--status", "running", "--class", "transfer", "--json", folder=folder
    )
    shown = await call(service.url, "jobs", "show", started.id, "--json", capture=capsys)
    plain = await call(service.url, "jobs", "--limit", "1", capture=capsys)
    facts = await call(service.url, "jobs", "show", started.id, capture=capsys)
    paused = await run(service.url, "jobs", "pause", started.id, folder=folder)

    assert [job["id"] for job in listed.lines()] == [started.id]
    assert (shown.json()["job_class"], shown.json()["status"]) == ("transfer", "running")
    assert plain.out.split("\t")[:3] == [started.id, "transfer", "running"]
    assert f"id\t{started.id}\n" in facts.out
    assert paused.code == 0, paused
    eventually(lambda: client.jobs.find(started.id).status == "paused")
    unknown = await call(service.url, "jobs", "cancel", "--status", "nosuch", capture=capsys)
    assert (unknown.code, unknown.out) == (2, "")
    several = await call(
        service.url, "jobs", "cancel", "--status", "paused", "--json", capture=capsys
    )
    assert several.json() == {"signalled": 1, "refused": 0}
    refused = await call(service.url, "jobs", "resume", started.id, capture=capsys)
    watched = await call(service.url, "jobs", "watch", started.id, capture=capsys)

    assert "cancelled" in refusal(refused, 9)
    assert watched.code == 10
    assert watched.err == "mediatheque: 1 of 1 jobs were not completed.\n"


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (("show", "nosuch"), 8, "nosuch"),
        (("watch", "nosuch"), 8, "nosuch"),
        (("cancel", "nosuch"), 8, "nosuch"),
        (("show", ""), 8, "no job"),
        (("cancel",), 2, "Name either"),
        (("cancel", "x", "--status", "paused"), 2, "Name either"),
        (("--sort", "nosuch"), 2, "nosuch"),
    ],
)
async def test_what_cannot_be_done_with_jobs_is_told(
    service: Service,
    command: tuple[str, ...],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert says in refusal(await call(service.url, "jobs", *command, capture=capsys), code)


async def test_watching_everything_lasts_until_it_is_interrupted(
    service: Service, client: Client, folder: Path
) -> None:
    process = await start(service.url, "jobs", "watch", folder=folder)
    await asyncio.sleep(4)  # to start takes a busy machine longer than a second
    (folder / "a").write_bytes(b"x")
    job = await asyncio.to_thread(lambda: client.jobs.wait(client.transfers.create([folder]).id))
    await asyncio.sleep(0.5)
    process.send_signal(signal.SIGINT)
    done = await finish(process)

    assert job.status == "completed"
    assert done.code == 130
    kinds = [line.split("\t")[2] for line in done.out.splitlines() if job.id in line]
    assert (kinds[0], kinds[-1]) == ("enqueued", "completed")
