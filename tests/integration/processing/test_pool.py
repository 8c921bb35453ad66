"""The pool: answers, limits, deaths and ends of children."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import structlog
from structlog.testing import CapturingLogger

from mediatheque.domain.errors import UnavailableError
from mediatheque.domain.processing import RECORDING_STEPS, Step
from mediatheque.processing import pool
from mediatheque.processing.pool import ProcessingPool
from mediatheque.processing.rlimits import Limits
from mediatheque.processing.tasks import Processed, RejectedError
from mediatheque.processing.verdicts import NONSENSE
from tests.support.children import MEMORY, REPOSITORY, TASK, Children, opened, started
from tests.support.films import make_recording

pytestmark = pytest.mark.asyncio(loop_scope="module")

MB = 1_000_000


def tight(size: int, memory: int) -> Limits:
    return Limits(cpu=1, wall=60, memory=memory, file_size=4 * MB, output=8 * MB)


def hasty(size: int, memory: int) -> Limits:
    return msgspec.structs.replace(tight(size, memory), wall=1)


async def refusal(children: Children, do: str, **arguments: Any) -> str:
    with pytest.raises(RejectedError) as caught:
        await children.process(do, **arguments)
    return caught.value.detail


async def test_the_answer_of_a_child_comes_back(children: Children) -> None:
    source, folder = children.new(
        "make_files", files={"thumbnail.jpg": "1", "sprite.vtt": "2"}, meta={"kind": "video"}
    )

    processed = await children.pool.process(TASK, source, folder)

    assert processed == Processed(meta={"kind": "video"}, files=("thumbnail.jpg", "sprite.vtt"))
    assert (folder / "thumbnail.jpg").read_text() == "1"


async def test_progress_is_told_sparingly(children: Children) -> None:
    told: list[float] = []
    done = [0.0, 0.1, 0.1001, 0.05, *(0.5 + n / 100_000 for n in range(500)), 7]

    await children.pool.process(TASK, *children.new("report", done=done), on_progress=told.append)

    assert told[:2] == [0.1, 0.5]
    assert len(told) < 10
    assert told[-1] == 1.0


async def test_a_refusal_is_passed_on_as_one_line(children: Children) -> None:
    assert await refusal(children, "reject", reason="Not a\nfilm.") == "Not a film."


async def test_an_error_that_nobody_foresaw_is_told_and_logged(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = CapturingLogger()
    as_it_is = structlog.wrap_logger(written, processors=[], wrapper_class=structlog.BoundLogger)
    monkeypatch.setattr(pool, "log", as_it_is)

    assert "(LookupError: no such thing)" in await refusal(children, "fail")

    [line] = written.calls
    assert line.method_name == "warning"
    assert "Traceback" in line.kwargs["traceback"]


async def test_a_full_disk_is_no_fault_of_the_file(children: Children) -> None:
    with pytest.raises(UnavailableError, match="No space left"):
        await children.process("fill_disk")


async def test_a_source_that_may_not_be_read_is_no_fault_of_the_file(
    children: Children, tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()

    with pytest.raises(UnavailableError, match="Is a directory"):
        await children.pool.process(TASK, tmp_path / "..", folder)


async def test_the_source_must_not_lie_where_the_child_writes(
    children: Children, tmp_path: Path
) -> None:
    (tmp_path / "in.bin").write_bytes(b"")

    with pytest.raises(ValueError, match="lies in"):
        await children.pool.process(TASK, tmp_path / "in.bin", tmp_path)


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ("read_null", "Segmentation fault"),
        ("abort", "Aborted"),
        ("leave", "makes no sense"),
        ("hog", "512 MiB of memory"),
    ],
)
async def test_a_child_that_dies_is_the_fault_of_its_file_alone(
    children: Children, do: str, said: str
) -> None:
    sleeping = asyncio.create_task(children.process("nap"))

    assert said in await refusal(children, do)

    assert (await sleeping).meta["result"]


async def test_memory_that_is_not_used_counts_as_well(children: Children) -> None:
    assert await children.do("hog_mapped") == "ENOMEM"


async def test_too_much_is_ended(tmp_path: Path) -> None:
    async with opened(tmp_path, at_once=3, limits=tight) as children:
        said = await asyncio.gather(
            refusal(children, "compute"),
            refusal(children, "write_large", size=5 * MB),
            refusal(children, "write_many", count=3, size=3 * MB),
        )

    assert "more than the 1 seconds of computing" in said[0]
    assert "4000000 bytes" in said[1]
    assert "8000000 bytes" in said[2]


async def test_a_child_that_waits_for_ever_is_ended(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=hasty) as children:
        assert "longer than the 1 seconds" in await refusal(children, "sleep")


async def test_what_a_child_without_a_sandbox_leaves_behind_is_not_waited_for(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, limits=hasty, steps="tests.support.unprotected") as children:
        async with asyncio.timeout(4):
            assert "longer than" in await refusal(children, "leave_another", seconds=5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "x", "times": 2 << 20},
        {"text": "no answer\n"},
        {"text": '{"type":"Progress","done":0.5}\n', "times": 40_000},
        {"text": '{"type":"Protected","protection":{"landlock":9,"seccomp":true}}\n'},
    ],
    ids=lambda arguments: arguments["text"][:30],
)
async def test_nonsense_is_ended_at_once(children: Children, arguments: dict[str, Any]) -> None:
    source, folder = children.new("say", **arguments)

    with pytest.raises(RejectedError) as caught:
        await children.pool.process(TASK, source, folder)

    assert caught.value.detail == NONSENSE


@pytest.mark.parametrize(
    "files",
    [
        ["thumbnail.jpg"],
        ["../1.bin"],
        ["/etc/passwd"],
        ["unheard.of"],
        [""],
        ["link/thumbnail.jpg"],
    ],
    ids=str,
)
async def test_files_must_be_there_and_have_known_names(
    children: Children, files: list[str]
) -> None:
    assert await refusal(children, "name_files", files=files) == NONSENSE


async def test_no_file_is_named_twice(children: Children) -> None:
    source, folder = children.new("name_files", files=["thumbnail.jpg"] * 2)
    (folder / "thumbnail.jpg").touch()

    with pytest.raises(RejectedError):
        await children.pool.process(TASK, source, folder)


@pytest.mark.parametrize("kind", ["link", "second name", "pipe", "folder"])
async def test_files_must_be_regular_and_nobody_elses(
    children: Children, tmp_path: Path, kind: str
) -> None:
    """Links cannot be made in a sandbox; where that misses something, they are not believed."""
    source, folder = children.new("name_files", files=["thumbnail.jpg"])
    other = tmp_path / "other"
    other.write_text("of somebody else")
    match kind:
        case "link":
            (folder / "thumbnail.jpg").symlink_to(other)
        case "second name":
            (folder / "thumbnail.jpg").hardlink_to(other)
        case "pipe":
            os.mkfifo(folder / "thumbnail.jpg")
        case "folder":
            (folder / "thumbnail.jpg").mkdir()

    with pytest.raises(RejectedError) as caught:
        await children.pool.process(TASK, source, folder)

    assert caught.value.detail == NONSENSE


@pytest.mark.parametrize(
    "meta",
    [
        {"mime_type": "text/html"},
        {"mime_type": "video/webm\r\nSet-Cookie: a=b"},
        {"mime_type": ["video/webm"]},
        {"deep": [[[[[[[[[[]]]]]]]]]]},
        {"make": "a\0b"},
        {"upload": {"camera": "a lie"}},
    ],
    ids=str,
)
async def test_meta_that_would_do_harm_elsewhere_is_refused(
    children: Children, meta: dict[str, Any]
) -> None:
    assert await refusal(children, "make_files", files={}, meta=meta) == NONSENSE


async def test_reasons_of_failures_are_made_harmless(children: Children) -> None:
    processed = await children.process("give_up", step="remux", reason="No\x1b room.")

    assert processed.failures == {Step.REMUX: "No room."}


async def test_real_films_are_processed_by_a_server_with_one_thread(tmp_path: Path) -> None:
    source, folder = tmp_path / "in.bin", tmp_path / "made"
    source.write_bytes(make_recording("vp8", 1.0))
    folder.mkdir()
    pool = ProcessingPool(at_once=1, memory=MEMORY)
    task = msgspec.structs.replace(TASK, steps=RECORDING_STEPS)
    before = set(psutil.Process().children())
    try:
        processed = await pool.process(task, source, folder)
        (server,) = set(psutil.Process().children()) - before

        assert server.num_threads() == 1
    finally:
        await pool.close()

    assert processed.failures == {}
    assert set(processed.files) == {found.name for found in folder.iterdir()}
    assert "processed.webm" in processed.files


async def test_no_more_children_run_than_may_at_once(children: Children) -> None:
    naps = await asyncio.gather(*(children.do("nap") for _ in range(5)))

    def at(moment: float) -> int:
        return sum(began <= moment < ended for began, ended in naps)

    assert max(at(began) for began, _ in naps) == 2


async def test_a_cancelled_child_is_gone(children: Children) -> None:
    source, folder = children.new("sleep")
    task = asyncio.create_task(children.pool.process(TASK, source, folder))
    child, _ = await started(folder)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not psutil.pid_exists(child)


async def test_what_is_cancelled_while_it_waits_never_starts(children: Children) -> None:
    places = [children.new("sleep") for _ in range(3)]
    tasks = []
    for source, folder in places:
        tasks.append(asyncio.create_task(children.pool.process(TASK, source, folder)))
        if len(tasks) < 3:
            await started(folder)

    for task in reversed(tasks):
        task.cancel()
    await asyncio.wait(tasks)

    assert list(places[2][1].iterdir()) == []


async def test_the_fork_server_has_one_thread_and_starts_again_when_it_died(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as children:
        source, folder = children.new("sleep")
        task = asyncio.create_task(children.pool.process(TASK, source, folder))
        child, server = await started(folder)
        assert psutil.Process(server).num_threads() == 1

        os.kill(server, signal.SIGKILL)
        with pytest.raises(UnavailableError):
            await task

        await _gone(child)
        assert (await children.do("process_ids"))["parent"] != server


async def test_who_waits_hears_when_the_pool_is_closed(tmp_path: Path) -> None:
    async with opened(tmp_path) as children:
        source, folder = children.new("sleep")
        task = asyncio.create_task(children.pool.process(TASK, source, folder))
        child, _ = await started(folder)
        await children.pool.close()

        with pytest.raises(UnavailableError):
            await task
        with pytest.raises(UnavailableError, match="stops"):
            await children.process("nap")
        await _gone(child)


async def test_steps_that_cannot_be_loaded_are_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = ProcessingPool(at_once=1, memory=MEMORY, steps="mediatheque.processing.nothing")
    (tmp_path / "in.bin").touch()
    (tmp_path / "made").mkdir()

    with pytest.raises(UnavailableError, match="does not start"):
        await pool.process(TASK, tmp_path / "in.bin", tmp_path / "made")

    await pool.close()
    assert "ModuleNotFoundError" in capfd.readouterr().err


async def test_nothing_outlives_a_worker_that_is_killed(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.support.children", tmp_path],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    try:
        child, server = await started(tmp_path / "1")
    finally:
        worker.kill()
        worker.wait()

    await _gone(child, server)


async def _gone(*pids: int) -> None:
    async with asyncio.timeout(5):
        while any(_runs(pid) for pid in pids):
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
