"""``mediatheque sync`` and ``schedules``, as real processes with the real service."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mediatheque.client import Client, Sync
from tests.support.commands import Done, call, finish, refusal, run, start
from tests.support.door_two import fill, objects
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service


@pytest.fixture
def service(local_service: Service) -> Service:
    return local_service


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url) as opened:
        yield opened


class Mirror:
    """A folder of this test's own, the bucket that it goes to, and the command between them."""

    def __init__(self, service: Service, name: str) -> None:
        self.service = service
        self.folder = service.data_dir / "uploads" / name
        self.names = (name, name)

    async def sync(self, *options: str) -> Done:
        """Run the command to its end."""
        return await run(
            self.service.url, "sync", *self.names, *options, folder=self.service.data_dir
        )

    async def start(self, *options: str) -> asyncio.subprocess.Process:
        """Start the command."""
        return await start(
            self.service.url, "sync", *self.names, *options, folder=self.service.data_dir
        )

    def bucket(self) -> dict[str, bytes]:
        """Return the content of every object, asked for without the code under test."""
        top = self.service.data_dir / "objects" / "buckets" / self.names[1]
        return {
            path.relative_to(top).as_posix(): path.read_bytes()
            for path in top.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def mirror(service: Service, request: pytest.FixtureRequest) -> Mirror:
    return Mirror(service, request.node.name.replace("_", "-").removeprefix("test-")[:60])


async def eventually(what: Callable[[], Any]) -> Any:
    """Return the first true result, within seconds."""
    async with asyncio.timeout(30):
        while not (result := await asyncio.to_thread(what)):
            await asyncio.sleep(0.05)
    return result


async def test_a_folder_becomes_a_bucket_and_then_there_is_nothing_to_do(mirror: Mirror) -> None:
    files = {"a.txt": b"a", "deep/b c.txt": bytes(2500)}
    fill(mirror.folder, files)
    planned = await mirror.sync("--dry-run", "--json")
    untouched = mirror.bucket()
    first = await mirror.sync("--json")
    again = await mirror.sync()

    assert planned.code == 0, planned
    assert {each["key"] for each in planned.json()["operations"]} == files.keys()
    assert untouched == {}
    assert (first.code, first.err) == (0, "")
    assert first.json()["sync"]["status"] == "success"
    assert {each["state"] for each in first.json()["operations"]} == {"done"}
    assert mirror.bucket() == files
    assert (again.code, again.out, again.err) == (0, "nothing to do, 2 unchanged\n", "")


async def test_what_is_gone_is_deleted_once_that_is_allowed(mirror: Mirror) -> None:
    fill(mirror.folder, {"stays": b"1", "goes": b"22", "changes": b"333"})
    await mirror.sync()
    (mirror.folder / "goes").unlink()
    fill(mirror.folder, {"changes": b"changed"})
    shown = await mirror.sync("--dry-run")
    refused = await mirror.sync()
    before = mirror.bucket()
    done = await mirror.sync("--yes", "--backup-prefix", "kept")

    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines() == [
        "update\t1\t7",
        "delete\t1\t2",
        "unchanged\t1\t1",
        "update\tchanges",
        "delete\tgoes",
    ]
    assert refused.code == 9
    assert "delete 1 object (2 B) from the bucket" in refused.err
    assert "--yes" in refused.err
    assert before["goes"] == b"22"
    assert done.code == 0, done
    assert done.out.startswith("1 updated, 1 deleted, 1 unchanged, 7 B in ")
    assert mirror.bucket() == {
        "stays": b"1",
        "changes": b"changed",
        "kept/goes": b"22",
        "kept/changes": b"333",
    }


async def test_ctrl_c_cancels_and_a_second_sync_meanwhile_is_refused(
    mirror: Mirror, client: Client
) -> None:
    fill(mirror.folder, {f"{number:02}": b"x" for number in range(30)})
    process = await mirror.start("--wait", "1")

    def under_way() -> Sync | None:
        mine = (found for found in client.syncs.running() if found.dest == mirror.names[1])
        return next((found for found in mine if found.done.files), None)

    found = await eventually(under_way)
    second = await mirror.sync("--yes")
    process.send_signal(signal.SIGINT)
    stopped = await finish(process)

    assert "is being synchronised already" in refusal(second, 9)
    assert stopped.code == 130
    assert f"ync {found.id}" in stopped.err
    assert "the same command does the rest" in stopped.err
    await eventually(lambda: client.syncs.find(found.id).status == "cancelled")
    assert 0 < len(mirror.bucket()) < 30


async def test_a_watch_picks_up_a_new_file_until_ctrl_c(mirror: Mirror) -> None:
    fill(mirror.folder, {"first": b"1"})
    process = await mirror.start("--watch")
    assert process.stdout is not None
    async with asyncio.timeout(30):
        rounds = [await process.stdout.readline()]
        fill(mirror.folder, {"second": b"2"})
        rounds.append(await process.stdout.readline())
    process.send_signal(signal.SIGINT)
    stopped = await finish(process)

    assert [line.decode().split("\t")[1] for line in rounds] == [
        "1 uploaded, 0 unchanged\n",
        "1 uploaded, 1 unchanged\n",
    ]
    assert stopped.code == 130
    assert "Cancelled sync" in stopped.err
    assert mirror.bucket() == {"first": b"1", "second": b"2"}


async def test_another_store_is_written_to_with_keys_of_the_environment(
    service: Service, seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    fill(service.data_dir / "uploads" / "to-s3", {"a/b": b"content"})
    done = await run(
        service.url,
        "sync",
        "to-s3",
        "cli-keys",
        "--storage-url",
        seaweedfs.endpoint,
        "--keys-from-environment",
        folder=tmp_path,
        settings=seaweedfs.environment,
    )

    assert (done.code, done.err) == (0, "")
    assert objects(seaweedfs, "cli-keys") == {"a/b": b"content"}


async def test_a_schedule_is_made_listed_and_removed(
    mirror: Mirror, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(mirror.folder, {"a": b"1"})
    made = await mirror.sync("--schedule", "0 3 * * *", "--verify", "--json")
    wrong = await mirror.sync("--schedule", "never")
    folder = service.data_dir
    listed = await call(service.url, "schedules", "--json", capture=capsys)
    number = str(made.json()["id"])
    removed = await run(service.url, "schedules", "rm", number, folder=folder)
    again = await call(service.url, "schedules", "rm", number, capture=capsys)

    assert made.code == 0, made
    assert (made.json()["cron"], made.json()["verify"]) == ("0 3 * * *", True)
    assert made.json() in listed.lines()
    assert wrong.code == 2
    assert (removed.code, removed.out) == (0, "")
    assert number in refusal(again, 8)
    assert mirror.bucket() == {}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("../x",), 2, "source"),
        (("/etc",), 2, "source"),
        (("", "No Bucket"), 2, "dest"),
        (("", "b-1", "--storage-url", "http://192.0.2.1"), 9, "MEDIATHEQUE_SYNC_ENDPOINTS"),
        (("", "b-1", "--wait", "100"), 2, "wait"),
    ],
)
async def test_what_the_server_does_not_accept_is_told(
    service: Service,
    arguments: tuple[str, ...],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = await call(service.url, "sync", *arguments, capture=capsys)

    assert says in refusal(done, code)
