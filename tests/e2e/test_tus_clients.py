"""Clients of tus that others wrote, as they are, through connections that break.

Each also uploads to @tus/server: what fails there as well is the client's doing.
"""

import asyncio
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiotus
import pytest
from tusclient.client import TusClient

from tests.support.cutting import CuttingProxy, cutting
from tests.support.proxy import Fault, Harm, answer, run_proxy
from tests.support.tus import (
    Outcome,
    TusServer,
    finish_client,
    run_client,
    start_client,
    tus_peer,
    tus_server,
)

__all__ = ["tus_peer", "tus_server"]

MIB = 1 << 20
SIZE = 6 * MIB + 1
CUT = 4 * MIB
# @tus/server with its file store cannot join uploads.
JOINING = pytest.mark.parametrize("tus_server", ["local", "s3"], indirect=True)
# Where the requests are what is of interest, one kind of store does.
ONE_STORE = pytest.mark.parametrize("tus_server", ["local", "peer"], indirect=True)
NAME = "Füchse, grün & «wild» 狐.mp4"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep clients that heed the environment on this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "film.mp4"
    made.write_bytes(os.urandom(SIZE))
    return made


@pytest.fixture
def proxy(tus_server: TusServer) -> Iterator[CuttingProxy]:
    with cutting(tus_server.port) as running:
        yield running


def options(proxy: CuttingProxy, **more: Any) -> dict[str, Any]:
    """Return options of tus-js-client that many tests use."""
    return {
        "endpoint": f"{proxy.url}/uploads/",
        "metadata": {"filename": NAME},
        "retryDelays": [100, 300, 1000],
        **more,
    }


def check_kept(server: TusServer, url: object, file: Path) -> None:
    """Check that an upload has a file's bytes and, with us, is a media under its name."""
    assert server.content(url) == file.read_bytes()
    if server.service is not None:
        upload_id = str(url).rpartition("/")[2]
        media = server.service.http.get(f"/medias/info/{upload_id}").json()["data"]["attributes"]
        assert (media["filename"], media["size"]) == (NAME, file.stat().st_size)


def check_went_on(proxy: CuttingProxy) -> None:
    """Check that after one cut a client that sends in chunks did not begin again."""
    assert proxy.cuts == 1
    assert proxy.up < CUT + SIZE


def check_resumed(outcome: Outcome) -> None:
    """Check that a client asked how much had arrived before a cut, and that something had."""
    assert outcome.error is None
    assert max(outcome.offsets) > 0


@pytest.mark.parametrize("chunk_size", [None, MIB], ids=["whole", "in-chunks"])
def test_tus_js_client_goes_on_after_a_cut(
    tus_server: TusServer, proxy: CuttingProxy, file: Path, chunk_size: int | None
) -> None:
    proxy.cut_after(CUT)
    chunks = {} if chunk_size is None else {"chunkSize": chunk_size}
    outcome = run_client("tus.mjs", file=str(file), options=options(proxy, **chunks))

    check_resumed(outcome)
    assert proxy.cuts == 1
    assert outcome.answers.count("POST 201") == 1
    check_kept(tus_server, outcome.url, file)


def test_tus_js_client_goes_on_after_cuts_that_follow_each_other(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    proxy.cut_after(2 * MIB, MIB, MIB)
    outcome = run_client("tus.mjs", file=str(file), options=options(proxy))

    check_resumed(outcome)
    assert outcome.offsets == sorted(outcome.offsets)
    assert proxy.cuts == 3
    check_kept(tus_server, outcome.url, file)


@ONE_STORE
def test_tus_js_client_sends_first_bytes_with_the_creation(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    outcome = run_client(
        "tus.mjs",
        file=str(file),
        options=options(proxy, uploadDataDuringCreation=True, chunkSize=4 * MIB),
    )

    assert outcome.answers == ["POST 201", "PATCH 204"]
    check_kept(tus_server, outcome.url, file)


def test_tus_js_client_sends_everything_with_the_creation(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    outcome = run_client(
        "tus.mjs", file=str(file), options=options(proxy, uploadDataDuringCreation=True)
    )

    assert outcome.answers == ["POST 201"]
    check_kept(tus_server, outcome.url, file)


def test_tus_js_client_tells_the_length_of_a_stream_at_its_end(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    proxy.cut_after(CUT)
    outcome = run_client(
        "tus.mjs",
        file=str(file),
        input="stream",
        options=options(proxy, uploadLengthDeferred=True, chunkSize=MIB),
    )

    check_resumed(outcome)
    check_went_on(proxy)
    check_kept(tus_server, outcome.url, file)


@JOINING
def test_tus_js_client_uploads_parts_at_once(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    proxy.cut_after(CUT)
    outcome = run_client("tus.mjs", file=str(file), options=options(proxy, parallelUploads=3))

    assert outcome.error is None
    assert proxy.cuts == 1
    check_kept(tus_server, outcome.url, file)


def break_and_start_again(proxy: CuttingProxy, file: Path, **more: Any) -> tuple[Outcome, Outcome]:
    """Upload with tus-js-client until the connection stays away, then again in a new process."""
    storage = str(file.with_suffix(".urls"))
    given = options(proxy, retryDelays=[], **more)
    proxy.cut_after(CUT, refuse=True)
    broken = run_client("tus.mjs", file=str(file), storage=storage, options=given)
    assert broken.error is not None
    proxy.pass_again()
    outcome = run_client("tus.mjs", file=str(file), storage=storage, resume=True, options=given)
    check_resumed(outcome)
    assert proxy.cuts == 1
    return broken, outcome


def test_tus_js_client_goes_on_when_it_is_started_again(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    broken, outcome = break_and_start_again(proxy, file)

    assert outcome.url == broken.url
    check_kept(tus_server, outcome.url, file)


@JOINING
def test_tus_js_client_goes_on_with_parts_when_it_is_started_again(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    _, outcome = break_and_start_again(proxy, file, parallelUploads=3)

    assert outcome.answers.count("POST 201") == 1, "the parts were there, the whole was not"
    check_kept(tus_server, outcome.url, file)


def stop(proxy: CuttingProxy, file: Path, *, terminate: bool = False) -> Outcome:
    """Upload with tus-js-client until the middle of the third request with bytes."""
    return run_client(
        "tus.mjs",
        file=str(file),
        storage=str(file.with_suffix(".urls")),
        options=options(proxy, chunkSize=MIB),
        stopAt=2 * MIB + 1,
        terminate=terminate,
    )


def start_again(proxy: CuttingProxy, file: Path) -> Outcome:
    """Go on with what was stopped."""
    storage = str(file.with_suffix(".urls"))
    return run_client(
        "tus.mjs", file=str(file), storage=storage, resume=True, options=options(proxy)
    )


def test_tus_js_client_goes_on_where_it_was_stopped(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    stopped = stop(proxy, file)
    outcome = start_again(proxy, file)

    check_resumed(outcome)
    assert outcome.url == stopped.url
    assert outcome.offsets[0] >= 2 * MIB
    check_kept(tus_server, outcome.url, file)


def test_tus_js_client_removes_what_it_gives_up(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    stopped = stop(proxy, file, terminate=True)

    assert stopped.answers[-1] == "DELETE 204"
    assert tus_server.ask("HEAD", stopped.url).status_code in {404, 410}


@ONE_STORE
def test_tus_js_client_starts_anew_when_what_it_knows_is_gone(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    stopped = stop(proxy, file)
    assert tus_server.ask("DELETE", stopped.url).status_code == 204
    outcome = start_again(proxy, file)

    assert outcome.url != stopped.url
    assert outcome.answers[1:] == ["POST 201", "PATCH 204"]
    check_kept(tus_server, outcome.url, file)


def test_two_of_tus_js_client_at_one_upload_both_end_well(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    created = run_client("tus.mjs", file=str(file), stopAt=1, options=options(proxy))
    task = {"file": str(file), "options": options(proxy, uploadUrl=created.url, chunkSize=MIB)}
    both = [start_client("tus.mjs", **task) for _ in range(2)]
    first, second = map(finish_client, both)

    assert (first.error, second.error) == (None, None)
    check_kept(tus_server, created.url, file)


@ONE_STORE
@pytest.mark.parametrize(
    "fault",
    [
        Fault("^POST", Harm.LOSE_ANSWER),
        Fault("^PATCH", Harm.LOSE_ANSWER),
        Fault("^PATCH", Harm.ANSWER, answer=answer("409 Conflict")),
        Fault("^PATCH", Harm.ANSWER, answer=answer("423 Locked")),
        Fault("^PATCH", Harm.ANSWER, answer=answer("503 Service Unavailable")),
    ],
    ids=["creation-unheard", "bytes-unheard", "409", "423", "503"],
)
async def test_tus_js_client_tries_again(tus_server: TusServer, file: Path, fault: Fault) -> None:
    async with run_proxy(f"http://127.0.0.1:{tus_server.port}") as harming:
        harming.faults.append(replace(fault))
        given = {
            "endpoint": f"{harming.endpoint}/uploads/",
            "metadata": {"filename": NAME},
            "retryDelays": [100],
        }
        outcome = await asyncio.to_thread(
            run_client, "tus.mjs", file=str(file), input="buffer", options=given
        )

    assert outcome.error is None
    assert harming.faults[0].times == 0
    check_kept(tus_server, outcome.url, file)


def test_uppy_goes_on_after_a_cut(tus_server: TusServer, proxy: CuttingProxy, file: Path) -> None:
    proxy.cut_after(CUT)
    task = {"endpoint": f"{proxy.url}/uploads/"}
    outcome = run_client("uppy.mjs", file=str(file), name=NAME, options=task)

    check_resumed(outcome)
    assert proxy.cuts == 1
    check_kept(tus_server, outcome.url, file)


def test_uppy_removes_what_is_removed_from_it(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    outcome = run_client(
        "uppy.mjs",
        file=str(file),
        name=NAME,
        removeAt=2 * MIB + 1,
        options={"endpoint": f"{proxy.url}/uploads/", "chunkSize": MIB},
    )

    assert "DELETE 204" in outcome.answers
    assert tus_server.ask("HEAD", outcome.url).status_code in {404, 410}


@pytest.mark.parametrize(
    ("tus_server", "checksum"),
    [("local", False), ("peer", False), ("local", True), ("s3", True), ("peer", True)],
    indirect=["tus_server"],
)
def test_tuspy_goes_on_after_a_cut(
    tus_server: TusServer, proxy: CuttingProxy, file: Path, checksum: bool
) -> None:
    proxy.cut_after(CUT)
    with file.open("rb") as stream:
        uploader = TusClient(f"{proxy.url}/uploads/").uploader(
            file_stream=stream,
            chunk_size=MIB,
            metadata={"filename": NAME},
            retries=3,
            retry_delay=0,
            upload_checksum=checksum,
        )
        uploader.upload()

    check_went_on(proxy)
    check_kept(tus_server, uploader.url, file)


async def test_aiotus_goes_on_after_a_cut(
    tus_server: TusServer, proxy: CuttingProxy, file: Path
) -> None:
    proxy.cut_after(CUT)
    metadata = {"filename": NAME.encode(), "secret": None}
    with file.open("rb") as stream:
        url = await aiotus.upload(f"{proxy.url}/uploads/", stream, metadata, chunksize=MIB)

    assert url is not None
    check_went_on(proxy)
    check_kept(tus_server, url, file)
    assert await aiotus.metadata(url) == metadata


@JOINING
async def test_aiotus_joins_files(
    tus_server: TusServer, proxy: CuttingProxy, file: Path, tmp_path: Path
) -> None:
    proxy.cut_after(CUT)
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(2 * file.read_bytes())
    with file.open("rb") as first, file.open("rb") as second:
        url = await aiotus.upload_multiple(
            f"{proxy.url}/uploads/", [first, second], {"filename": NAME.encode()}, chunksize=MIB
        )

    assert url is not None
    assert proxy.cuts == 1
    check_kept(tus_server, url, whole)


@pytest.mark.parametrize(
    ("tus_server", "client"),
    [
        *itertools.product(["local", "peer"], ["tus-js-client", "uppy", "tuspy", "aiotus"]),
        ("s3", "tuspy"),
    ],
    indirect=["tus_server"],
)
async def test_every_client_uploads_an_empty_file(
    tus_server: TusServer, proxy: CuttingProxy, file: Path, client: str
) -> None:
    file.write_bytes(b"")
    endpoint = f"{proxy.url}/uploads/"
    url: object
    if client == "tus-js-client":
        url = run_client("tus.mjs", file=str(file), options=options(proxy)).url
    elif client == "uppy":
        url = run_client("uppy.mjs", file=str(file), name=NAME, options={"endpoint": endpoint}).url
    elif client == "tuspy":
        with file.open("rb") as stream:
            uploader = TusClient(endpoint).uploader(file_stream=stream, metadata={"filename": NAME})
            uploader.upload()
        url = uploader.url
    else:
        with file.open("rb") as stream:
            url = await aiotus.upload(endpoint, stream, {"filename": NAME.encode()})

    check_kept(tus_server, url, file)
