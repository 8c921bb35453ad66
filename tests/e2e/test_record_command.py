"""``mediatheque record`` and ``recordings``, as real processes with the real service."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from mediatheque.client import AsyncClient
from tests.support.commands import Done, call, command_environment, finish, refusal, run
from tests.support.films import chunks, make_recording
from tests.support.service import COMMAND, Service


@pytest.fixture
def service(local_service: Service) -> Service:
    return local_service


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for seconds at most."""
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.02)


class Piped:
    """A command that records what is written into its standard input."""

    def __init__(self, process: asyncio.subprocess.Process, client: AsyncClient) -> None:
        assert process.stdin is not None
        assert process.stderr is not None
        self.process = process
        self.stdin = process.stdin
        self.stderr = process.stderr
        self.client = client
        self.recording = ""

    async def write(self, piece: bytes) -> None:
        """Write a piece, and wait until the service has it."""
        before = (await self.client.recordings.find(self.recording)).size
        self.stdin.write(piece)

        async def there() -> bool:
            return (await self.client.recordings.find(self.recording)).size == before + len(piece)

        await eventually(there)

    async def says(self) -> str:
        """Return the next line on standard error."""
        return (await asyncio.wait_for(self.stderr.readline(), 30)).decode()

    async def interrupt(self) -> str:
        """Press Ctrl-C, and return what it says to that."""
        self.process.send_signal(signal.SIGINT)
        return await self.says()

    async def end(self) -> Done:
        """Close its input, and wait until it ends."""
        self.stdin.close()
        return await finish(self.process)


@pytest.fixture
async def piped(service: Service, client: AsyncClient, tmp_path: Path) -> AsyncIterator[Piped]:
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "record",
        "-",
        cwd=tmp_path,
        env=command_environment(service.url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    started = Piped(process, client)
    said = await started.says()
    assert said.startswith("Recording ")
    started.recording = said.split()[1].rstrip(".")
    yield started
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_a_file_is_recorded_and_where_to_play_it_is_told(
    service: Service, client: AsyncClient, tmp_path: Path
) -> None:
    film = tmp_path / "film"
    film.write_bytes(make_recording())
    done = await run(service.url, "record", "film", folder=tmp_path)

    assert done.code == 0, done
    facts = dict(line.split("\t") for line in done.out.splitlines())
    assert list(facts) == ["id", "status", "size", "duration", "play"]
    assert facts["status"] == "complete"
    assert facts["size"] == str(film.stat().st_size)
    assert facts["duration"] == "0:02"
    played = await client.medias.find(facts["id"], key="processed.webm")
    answer = await asyncio.to_thread(httpx.get, facts["play"], trust_env=False)
    assert len(answer.content) == played.size


async def test_a_pipe_is_sent_as_it_comes(piped: Piped, client: AsyncClient) -> None:
    pieces = chunks(make_recording(), 3)
    for piece in pieces:
        await piped.write(piece)
    assert (await client.recordings.find(piped.recording)).chunks == 3
    done = await piped.end()

    assert done.code == 0, done
    assert f"id\t{piped.recording}\nstatus\tcomplete\n" in done.out


async def test_ctrl_c_ends_the_recording_after_the_last_words(
    piped: Piped, client: AsyncClient
) -> None:
    first, last = chunks(make_recording(), 2)
    await piped.write(first)
    said = await piped.interrupt()
    await piped.write(last)
    done = await piped.end()

    assert said.startswith("Ending the recording.")
    assert done.code == 0, done
    ended = await client.recordings.find(piped.recording)
    assert (ended.status, ended.size) == ("complete", len(first) + len(last))


async def test_a_second_ctrl_c_leaves_it_unfinished_to_be_completed_later(
    service: Service, piped: Piped, client: AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await piped.write(make_recording())
    await piped.interrupt()
    hint = await piped.interrupt()
    done = await piped.end()
    left = await client.recordings.find(piped.recording)
    command = ("recordings", "complete", piped.recording, "--json")
    completed = await call(service.url, *command, capture=capsys)

    assert done.code == 130
    assert hint.strip().endswith(f"mediatheque recordings complete {piped.recording}")
    assert (left.status, left.size) == ("recording", len(make_recording()))
    assert completed.json()["id"] == piped.recording
    assert (await client.recordings.wait(piped.recording)).status == "complete"


async def test_what_is_no_film_is_kept_and_told(service: Service, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no film")
    done = await run(service.url, "record", "notes.txt", "--json", folder=tmp_path)

    told = done.json()
    assert (done.code, told["status"], told["size"]) == (10, "failed", len("no film"))
    assert told["error"] in done.err


async def test_recordings_are_listed(
    service: Service, client: AsyncClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "film").write_bytes(make_recording())
    done = await run(service.url, "record", "film", "--no-wait", folder=tmp_path)
    await client.recordings.wait(done.out.strip())
    listed = await call(service.url, "recordings", "--limit", "1", capture=capsys)

    assert done.code == 0, done
    assert listed.out.split("\t")[:2] == [done.out.strip(), "complete"]


async def test_nothing_cannot_be_recorded(service: Service, tmp_path: Path) -> None:
    missing = await run(service.url, "record", "missing", folder=tmp_path)
    empty = await run(service.url, "record", "-", folder=tmp_path)

    assert refusal(missing, 10) == "missing: No such file or directory"
    assert empty.code == 2
    assert "There was nothing to record" in empty.err


async def test_an_unknown_recording_cannot_be_completed(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    done = await call(service.url, "recordings", "complete", "nosuch", capture=capsys)

    assert "not found" in refusal(done, 8)
