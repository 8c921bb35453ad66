"""The commands of users that are about files, as real processes with the real service."""

import asyncio
import json
import signal
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mediatheque.client import AsyncClient
from tests.support.commands import call, refusal, run, run_on_terminal, start
from tests.support.films import make_recording
from tests.support.proxy import Fault, Harm, run_proxy
from tests.support.service import Service, free_port

MIB = 1 << 20


@pytest.fixture
def mark() -> str:
    """A tag of this test's own."""
    return uuid.uuid4().hex


def make(folder: Path, name: str, content: bytes) -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


async def uploaded(service: Service, folder: Path, file: Path, *tags: str) -> Any:
    """Upload a file with the command and return its media."""
    options = [part for tag in tags for part in ("--tag", tag)]
    done = await run(service.url, "upload", str(file), *options, "--json", folder=folder)
    assert done.code == 0, done
    return done.json()["media"]


async def there(service: Service, file: Path, *tags: str) -> Any:
    """Upload a file, quicker than by a process of its own, and return its media."""
    async with AsyncClient(service.url) as client:
        media = await client.medias.upload(file, tags=tags)
    return json.loads(msgspec.json.encode(media))


async def test_a_file_goes_in_and_comes_out(service: Service, tmp_path: Path, mark: str) -> None:
    content = b"%PDF-1.7\n" + bytes(MIB)
    source = make(tmp_path, f"{mark} é.pdf", content)
    media = await uploaded(service, tmp_path, source, mark, "b")
    assert set(media["tags"]) == {mark, "b"}
    (tmp_path / "out").mkdir()
    got = await run(service.url, "get", media["id"], "-o", "out", "--json", folder=tmp_path)

    assert got.json() == {"file": f"out/{source.name}", "media": media}
    assert (tmp_path / "out" / source.name).read_bytes() == content


async def test_files_are_listed(
    local_service: Service, tmp_path: Path, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [
        await there(local_service, make(tmp_path, f"{mark}-{name}", content), mark)
        for name, content in (("a.pdf", b"%PDF-1.7"), ("b.txt", b"text"), ("c", b""))
    ]
    by_tag = await run(local_service.url, "ls", "--tag", mark, "--json", folder=tmp_path)
    by_name = await call(
        local_service.url,
        "ls",
        "--name",
        mark.upper(),
        "--sort",
        "-filename",
        "--limit",
        "2",
        "--json",
        capture=capsys,
    )
    exactly = await call(
        local_service.url,
        "ls",
        "--tag",
        mark,
        "--type",
        "application/pdf",
        "--json",
        capture=capsys,
    )
    family = await call(
        local_service.url, "ls", "--tag", mark, "--type", "text", "--json", capture=capsys
    )
    plain = await run(local_service.url, "ls", "--tag", mark, "--sort", "size", folder=tmp_path)

    assert by_tag.lines() == made[::-1]
    assert by_name.lines() == made[:0:-1]
    assert exactly.lines() == [made[0]]
    assert family.lines() == [made[1]]
    rows = [line.split("\t") for line in plain.out.splitlines()]
    assert [(row[0], row[1], row[3], row[4], row[5]) for row in rows] == [
        (m["id"], str(m["size"]), m["mime_type"], m["filename"], mark)
        for m in sorted(made, key=lambda m: m["size"])
    ]


async def test_the_newest_file_is_the_first_of_all(
    local_service: Service, tmp_path: Path, mark: str
) -> None:
    media = await there(local_service, make(tmp_path, mark, b"x"))
    done = await run(local_service.url, "ls", "--limit", "1", "--json", folder=tmp_path)

    assert done.lines() == [media]


async def test_what_is_known_of_a_file_is_printed(
    local_service: Service, tmp_path: Path, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    media = await there(local_service, make(tmp_path, mark, b"x"))
    as_json = await run(local_service.url, "info", media["id"], "--json", folder=tmp_path)
    plain = await call(local_service.url, "info", media["id"], capture=capsys)

    assert as_json.json() == media
    facts = dict(line.split("\t") for line in plain.out.splitlines())
    assert (facts["name"], facts["id"], facts["size"]) == (mark, media["id"], "1")


async def test_tags_are_changed(
    local_service: Service, tmp_path: Path, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    media = await there(local_service, make(tmp_path, mark, b"x"), "a")
    added = await run(local_service.url, "tag", "add", media["id"], "b", "c", folder=tmp_path)
    removed = await call(
        local_service.url, "tag", "remove", media["id"], "a", "c", "--json", capture=capsys
    )
    refused = await call(local_service.url, "tag", "remove", media["id"], "b", "no", capture=capsys)

    assert sorted(added.out.splitlines()) == ["a", "b", "c"]
    assert removed.json()["tags"] == ["b"]
    assert "tag not found" in refusal(refused, 2)


async def test_files_are_deleted_whatever_happens_to_others(
    local_service: Service, tmp_path: Path, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    media = await there(local_service, make(tmp_path, mark, b"x"))
    done = await run(local_service.url, "rm", "nosuch", media["id"], "--json", folder=tmp_path)
    again = await call(local_service.url, "rm", media["id"], capture=capsys)

    assert done.code == 10
    assert done.json() == {"deleted": media["id"], "resource": media["resource"]}
    assert done.err == "mediatheque: There is no resource 'nosuch'.\n"
    assert f"There is no resource '{media['id']}'" in refusal(again, 8)


async def test_what_cannot_be_uploaded_does_not_stop_the_others(
    local_service: Service, tmp_path: Path, mark: str
) -> None:
    make(tmp_path, mark, b"x")
    (tmp_path / "folder").mkdir()
    names = ["missing", "folder", mark]
    done = await run(local_service.url, "upload", *names, "--json", folder=tmp_path)
    plain = await run(local_service.url, "upload", *names, folder=tmp_path)
    alone = await run(local_service.url, "upload", "missing", folder=tmp_path)

    assert done.code == plain.code == alone.code == 10
    said = {line["file"]: line.get("error", "uploaded") for line in done.lines()}
    assert said == {
        "missing": "missing: No such file or directory",
        "folder": "folder: Is a directory",
        mark: "uploaded",
    }
    assert plain.out.split("\t")[3] == f"{mark}\n"
    assert plain.err.count("\n") == 2


async def test_a_file_that_exists_is_replaced_only_by_force(
    local_service: Service, tmp_path: Path, mark: str
) -> None:
    media = await there(local_service, make(tmp_path, mark, b"new"))
    target = make(tmp_path, "target", b"old")
    command = ("get", media["id"], "-o", "target")
    assert "target exists" in refusal(await run(local_service.url, *command, folder=tmp_path), 9)
    assert target.read_bytes() == b"old"
    forced = await run(local_service.url, *command, "--force", folder=tmp_path)

    assert (forced.code, forced.out) == (0, "target\n")
    assert target.read_bytes() == b"new"


async def test_standard_output_takes_the_bytes(
    local_service: Service, tmp_path: Path, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    media = await there(local_service, make(tmp_path, mark, b"the bytes\n"))
    done = await run(local_service.url, "get", media["id"], "-o", "-", folder=tmp_path)
    both = await call(local_service.url, "get", media["id"], "-o", "-", "--json", capture=capsys)

    assert done.out == "the bytes\n"
    assert "either" in refusal(both, 2)


async def test_an_interrupted_get_goes_on_where_it_stopped(
    local_service: Service, tmp_path: Path, mark: str
) -> None:
    source = make(tmp_path, mark, bytes(range(256)) * (24 * MIB // 256))
    media = await there(local_service, source)
    partial = tmp_path / f"{media['id']}.part"
    command = ("get", media["id"], "-o", "target")
    async with run_proxy(local_service.url) as proxy:
        # After each break the next attempt begins later: the signal finds it under way.
        proxy.faults.append(Fault("GET /medias/files/", Harm.CUT_ANSWER, 9))
        process = await start(proxy.endpoint, *command, folder=tmp_path)
        while not partial.exists() or partial.stat().st_size < MIB:
            assert process.returncode is None
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        assert process.returncode == 130, err
        kept = partial.stat().st_size
        assert MIB <= kept < media["size"]
        assert f"are kept in {partial.name}" in err.decode()
        assert b"Traceback" not in err
        proxy.faults.clear()
        proxy.requests.clear()
        done = await run(proxy.endpoint, *command, folder=tmp_path)

    assert done.code == 0, done
    assert proxy.count("GET /medias/files/") == 2, "one for the entity tag, one for the rest"
    assert (tmp_path / "target").read_bytes() == source.read_bytes()
    assert not partial.exists()


@pytest.mark.parametrize(
    "command",
    [
        ("ls",),
        ("info", "x"),
        ("get", "x"),
        ("rm", "x", "y"),
        ("tag", "add", "x", "y"),
        ("upload", "here"),
        ("jobs",),
        ("jobs", "show", "x"),
        ("jobs", "watch"),
        ("jobs", "cancel", "x"),
        ("transfer", "."),
    ],
)
async def test_without_a_server_every_command_says_what_to_do(
    tmp_path: Path,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(tmp_path, "here", b"x")
    monkeypatch.chdir(tmp_path)
    url = f"http://127.0.0.1:{free_port()}"
    done = await call(url, *command, "--json", capture=capsys)

    assert refusal(done, 7) == (
        f"There is no server at {url} (Connection refused). Start one with `mediatheque serve`, "
        "or name another with --server."
    )


async def test_the_option_wins_over_the_environment(local_service: Service, tmp_path: Path) -> None:
    elsewhere = f"http://127.0.0.1:{free_port()}"
    arguments = ("ls", "--limit", "0", "--server", local_service.url)
    done = await run(elsewhere, *arguments, folder=tmp_path)
    wrong = await run(elsewhere, "ls", "--server", "nowhere", folder=tmp_path)

    assert done.code == 0, done
    assert "'nowhere' cannot be used" in refusal(wrong, 2)


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (("info", "nosuch"), 8, "There is no resource 'nosuch'."),
        (("get", "nosuch"), 8, "There is no resource 'nosuch'."),
        (("ls", "--sort", "nosuch"), 2, "cannot be sorted by 'nosuch'"),
        (("ls", "--name", "x", "--sort", "key"), 2, "only by filename, size or created_at"),
    ],
)
async def test_what_the_server_refuses_is_told_in_its_words(
    local_service: Service,
    command: tuple[str, ...],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert says in refusal(await call(local_service.url, *command, capture=capsys), code)


async def test_people_see_a_table_and_bars(
    local_service: Service, tmp_path: Path, mark: str
) -> None:
    make(tmp_path, mark, bytes(2 * MIB))
    uploaded = await run_on_terminal(local_service.url, "upload", mark, folder=tmp_path)
    listed = await run_on_terminal(local_service.url, "ls", "--name", mark, folder=tmp_path)

    assert "/2.1 MB" in uploaded
    heading, row = listed.splitlines()
    assert heading.split() == ["id", "size", "uploaded", "type", "name", "tags"]
    assert "  2.1 MB  " in row
    assert "\t" not in listed


async def test_a_reader_that_has_seen_enough_is_no_error(
    local_service: Service, tmp_path: Path, mark: str
) -> None:
    await there(local_service, make(tmp_path, mark, b"x"))
    process = await start(local_service.url, "ls", "--json", folder=tmp_path)
    assert process.stdout is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]
    assert process.stderr is not None
    err = await process.stderr.read()

    assert await process.wait() == 0
    assert err == b""


async def test_a_name_that_is_not_utf_8_is_no_obstacle(
    local_service: Service, tmp_path: Path, mark: str
) -> None:
    file = make(tmp_path, f"{mark}\udcff", b"x")
    media = await uploaded(local_service, tmp_path, file)
    assert media["filename"] == f"{mark}\N{REPLACEMENT CHARACTER}"
    asked = await run(local_service.url, "info", "\udcff", folder=tmp_path)
    assert "is not UTF-8" in refusal(asked, 2)


async def test_a_folder_that_is_not_there_is_no_file(
    local_service: Service, tmp_path: Path, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    media = await there(local_service, make(tmp_path, mark, b"x"))
    got = await call(local_service.url, "get", media["id"], "-o", "films/", capture=capsys)

    assert "films/ is not a folder" in refusal(got, 2)
    assert not (tmp_path / "films").exists()


async def test_a_limit_below_zero_is_refused(
    local_service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    done = await call(local_service.url, "ls", "--name", "x", "--limit", "-1", capture=capsys)
    assert done.code == 2, done
    assert done.out == ""


async def test_a_media_is_processed(
    local_service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = make(tmp_path, "film.webm", make_recording("vp8", 1.0))
    media = await there(local_service, film)

    made = await run(local_service.url, "process", media["id"], "thumbnail", folder=tmp_path)
    failed = await call(local_service.url, "process", media["id"], "hls", "--json", capture=capsys)

    assert (made.code, made.out.split()[1]) == (0, "completed")
    listed = await call(local_service.url, "info", f"{media['id']}/thumbnail.jpg", capture=capsys)
    assert listed.code == 0
    assert failed.code == 10
    assert failed.json()["status"] == "errored"
    assert failed.json()["error"] in failed.err


async def test_what_cannot_be_processed_is_refused(
    local_service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = make(tmp_path, "a.txt", b"text")
    media = await there(local_service, text)
    done = await call(local_service.url, "process", media["id"], "hls", capture=capsys)
    assert done.code == 2
    assert "neither film, sound nor picture" in done.err
