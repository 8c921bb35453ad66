"""What a child cannot do once a file has taken it over; and what it still can."""

import asyncio
import errno
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from mediatheque.processing.sandbox import Protection, available
from tests.support.children import TASK, Children, opened, started
from tests.support.restricted import without_privileges, without_syscall

pytestmark = pytest.mark.asyncio(loop_scope="module")

LANDLOCK_CREATE_RULESET = 444
WORKER = "the worker"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A file of the data directory."""
    path = tmp_path / "data" / "originals" / "secret.mp4"
    path.parent.mkdir(parents=True)
    path.write_text("a film of somebody else")
    return str(path)


@pytest.mark.parametrize(
    ("attempt", "arguments"),
    [
        ("connect", {"family": "AF_INET"}),
        ("connect", {"family": "AF_INET6"}),
        ("connect", {"family": "AF_UNIX"}),
        ("connect", {"family": "AF_NETLINK"}),
        ("pair", {}),
        ("fork", {}),
        ("execute", {}),
        ("spawn", {}),
        ("signal_process", {"pid": WORKER}),
        ("signal_process", {"pid": 1}),
        ("signal_process", {"pid": -1}),
        ("signal_group", {}),
        ("own_signals", {"pid": WORKER}),
        ("limit_process", {"pid": WORKER}),
        ("slow_down", {"pid": WORKER}),
        ("look_into", {"pid": WORKER}),
        ("outlive_parent", {}),
        ("hide_memory", {}),
        ("message_others", {"queue": 0}),
        ("leave_device", {}),
        ("make_pipe", {}),
    ],
    ids=str,
)
async def test_it_reaches_no_other_process(
    children: Children, attempt: str, arguments: dict[str, Any]
) -> None:
    known = {name: os.getpid() if value == WORKER else value for name, value in arguments.items()}

    assert await children.do(attempt, **known) == "EPERM"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/mem",
        "/proc/{worker}/environ",
        "/proc/{worker}/cmdline",
        "/proc/1/environ",
        "/dev/zero",
        __file__,
    ],
)
async def test_it_reads_no_file_of_the_machine(children: Children, path: str) -> None:
    assert await children.do("read", path=path.format(worker=os.getpid())) == "EACCES"


@pytest.mark.parametrize("path", ["/", "/proc", "..", "/tmp"])
async def test_it_lists_no_folder(children: Children, path: str) -> None:
    assert await children.do("list_folder", path=path) == "EACCES"


async def test_it_reads_no_other_media(children: Children, secret: str) -> None:
    other_source, other_folder = children.new("work")
    (other_folder / "processed.webm").write_text("of another job")

    assert await children.do("read", path=secret) == "EACCES"
    assert await children.do("read", path=str(other_source)) == "EACCES"
    assert await children.do("read", path=str(other_folder / "processed.webm")) == "EACCES"


@pytest.mark.parametrize(
    "attempt", ["write", "empty", "cut", "delete", "move", "permit", "touch", "link_firmly"]
)
async def test_it_changes_no_file_elsewhere(children: Children, secret: str, attempt: str) -> None:
    before = _seen(secret)

    assert await children.do(attempt, path=secret) in {"EACCES", "EPERM", "EXDEV"}

    assert _seen(secret) == before


@pytest.mark.parametrize(
    "attempt", ["write", "empty", "cut", "delete", "move", "permit", "set_attributes"]
)
async def test_it_does_not_change_its_source(children: Children, attempt: str) -> None:
    source, folder = children.new(attempt)
    source.write_text(source.read_text().replace("{}", f'{{"path": "{source}"}}'))
    before = source.read_bytes()

    processed = await children.pool.process(TASK, source, folder)

    assert processed.meta["result"] in {"EACCES", "EPERM"}
    assert source.read_bytes() == before


@pytest.mark.parametrize("path", ["/etc/passwd", "anywhere"])
async def test_it_makes_no_links_nor_folders(children: Children, path: str) -> None:
    assert await children.do("link_softly", path=path) == "EPERM"
    assert await children.do("make_folder", path="new") == "EACCES"


async def test_it_makes_no_files_elsewhere(children: Children, tmp_path: Path) -> None:
    assert await children.do("write", path=str(tmp_path / "new")) == "EACCES"
    assert await children.do("write", path="../new") == "EACCES"
    assert list(tmp_path.iterdir()) == []


async def test_it_has_none_of_the_secrets_of_the_worker(children: Children) -> None:
    found = await children.do("environment")

    assert "MEDIATHEQUE_SECRET_KEY" in os.environ
    assert [name for name in found if name.startswith(("MEDIATHEQUE", "AWS"))] == []
    assert not any(os.environ["AWS_SECRET_ACCESS_KEY"] in value for value in found.values())


async def test_it_holds_nothing_but_the_pipe_for_its_answers(tmp_path: Path) -> None:
    with socket.socket() as connection, (tmp_path / "file").open("w") as file:
        for ours in (connection.fileno(), file.fileno()):
            os.set_inheritable(ours, True)
        async with opened(tmp_path) as children:
            found = await children.do("descriptors")

    kinds = {int(number): stat.S_IFMT(int(mode, 8)) for number, mode in found.items()}
    assert kinds == dict.fromkeys((0, 1, 2), stat.S_IFCHR) | {3: stat.S_IFIFO}


async def test_nothing_of_the_service_is_loaded_in_it(children: Children) -> None:
    found = {name for name in await children.do("modules") if name.startswith("mediatheque.")}

    rooms = {name.split(".")[1] for name in found}
    assert rooms == {"domain", "processing"}
    assert not {"asyncio", "asyncpg", "boto3", "litestar"} & set(await children.do("modules"))


async def test_it_can_do_what_decoding_needs(children: Children) -> None:
    assert await children.do("work") == "wave True"


async def test_it_has_no_privileges_even_of_root(children: Children) -> None:
    assert await children.do("capabilities") == [0] * 6


async def test_it_is_the_first_to_go_when_the_machine_has_no_memory(children: Children) -> None:
    source, folder = children.new("sleep")
    task = asyncio.create_task(children.pool.process(TASK, source, folder))
    child, _ = await started(folder)

    assert Path(f"/proc/{child}/oom_score_adj").read_text() == "900\n"

    task.cancel()
    await asyncio.wait([task])


async def test_the_protection_is_told(children: Children) -> None:
    protection = await children.pool.protection()

    assert protection.seccomp
    assert (protection.warning is None) == (protection.landlock > 0)


async def test_without_privileges_everything_is_the_same(tmp_path: Path, secret: str) -> None:
    async def attempts() -> tuple[Protection, list[Any]]:
        async with opened(tmp_path) as children:
            return await children.pool.protection(), [
                await children.do("work"),
                await children.do("connect", family="AF_INET"),
                await children.do("write", path=secret),
                await children.do("read", path=secret),
            ]

    protection, results = await asyncio.to_thread(
        without_privileges, lambda: asyncio.run(attempts())
    )

    assert protection.warning is None
    assert results == ["wave True", "EPERM", "EACCES", "EACCES"]


async def test_without_landlock_the_rest_still_holds(tmp_path: Path, secret: str) -> None:
    """An older kernel: files of the same user are open to the child, and this is told."""

    async def attempts() -> tuple[Protection, dict[str, Any]]:
        async with opened(tmp_path) as children:
            return await children.pool.protection(), {
                "work": await children.do("work"),
                "connect": await children.do("connect", family="AF_INET"),
                "fork": await children.do("fork"),
                "signal": await children.do("signal_process", pid=os.getpid()),
                "soft link": await children.do("link_softly", path=secret),
                "firm link": await children.do("link_firmly", path=secret),
                "permit": await children.do("permit", path=secret),
                "cut": await children.do("cut", path=secret),
                "empty": await children.do("empty", path=secret),
                "read": await children.do("read", path=secret),
            }

    protection, results = await asyncio.to_thread(
        without_syscall,
        LANDLOCK_CREATE_RULESET,
        errno.ENOSYS,
        lambda: asyncio.run(attempts()),
    )

    assert protection == Protection(landlock=0, seccomp=True)
    assert protection.warning is not None
    assert results.pop("work") == "wave True"
    assert results.pop("read") == len("a film of somebody else")
    assert set(results.values()) == {"EPERM"}


async def test_on_other_systems_children_work_without_a_sandbox(tmp_path: Path) -> None:
    async with opened(tmp_path, steps="tests.support.unprotected") as children:
        protection = await children.pool.protection()

        assert protection == Protection(landlock=0, seccomp=False)
        assert protection.warning is not None
        assert await children.do("work") == "wave True"


def _seen(path: str) -> tuple[object, ...]:
    found = Path(path).stat()
    return Path(path).read_bytes(), found.st_ino, found.st_nlink, found.st_mode, found.st_mtime_ns


async def test_what_a_system_has_is_known_without_starting_a_child(tmp_path: Path) -> None:
    async with opened(tmp_path) as children:
        assert await children.pool.protection() == available()
