import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mediatheque.client import (
    ConnectionLostError,
    InvalidError,
    NotFoundError,
    ServerUnreachableError,
    UnavailableError,
)
from mediatheque.client.connection import Connection
from tests.support.proxy import answer
from tests.support.scripted import BROKEN, json_answer, scripted
from tests.support.service import free_port

OK = json_answer("{}")
UNAVAILABLE = json_answer('{"error": "later"}', status="503 Service Unavailable")


@asynccontextmanager
async def connected(url: str, patience: float = 5) -> AsyncIterator[Connection]:
    connection = Connection(url, timeout=5, patience=patience)
    yield connection
    await connection.close()


@pytest.mark.parametrize("trouble", [BROKEN, UNAVAILABLE, answer("502 Bad Gateway")])
async def test_what_may_be_repeated_is_repeated_under_one_request_id(trouble: bytes) -> None:
    async with scripted(trouble, trouble, OK) as server, connected(server.url) as connection:
        await connection.request("GET", "/x", params=[("a", "b c")])

    assert server.lines() == ["GET /x?a=b+c"] * 3 or server.lines() == ["GET /x?a=b%20c"] * 3
    assert len({request.headers["x-request-id"] for request in server.asked}) == 1


@pytest.mark.parametrize(
    ("trouble", "kind"), [(BROKEN, ConnectionLostError), (UNAVAILABLE, UnavailableError)]
)
async def test_what_may_not_be_repeated_is_asked_once(
    trouble: bytes, kind: type[Exception]
) -> None:
    async with scripted(trouble, OK) as server, connected(server.url) as connection:
        with pytest.raises(kind):
            await connection.request("POST", "/x", repeatable=False)

    assert len(server.asked) == 1


async def test_the_last_error_is_told_when_the_patience_is_over() -> None:
    async with (
        scripted(BROKEN, UNAVAILABLE) as server,
        connected(server.url, patience=0.25) as connection,
    ):
        with pytest.raises(UnavailableError, match="later") as caught:
            await connection.request("GET", "/x")

    assert caught.value.status == 503


async def test_a_body_is_sent_anew_by_each_attempt() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first "
        yield b"second"

    async with scripted(UNAVAILABLE, OK) as server, connected(server.url) as connection:
        headers = {"Content-Length": "12"}
        await connection.request("PUT", "/x", content=pieces, headers=headers)

    assert [request.body for request in server.asked] == [b"first second"] * 2


async def test_a_deletion_whose_answer_was_lost_is_done() -> None:
    missing = json_answer('{"error": "gone"}', status="404 Not Found")
    async with scripted(BROKEN, missing, missing) as server, connected(server.url) as connection:
        await connection.request("DELETE", "/x")
        with pytest.raises(NotFoundError):
            await connection.request("DELETE", "/x")


async def test_without_a_server_the_answer_is_immediate() -> None:
    began = time.monotonic()
    url = f"http://127.0.0.1:{free_port()}"
    async with connected(url) as connection:
        with pytest.raises(ServerUnreachableError) as caught:
            await connection.request("GET", "/x")

    assert caught.value.detail == f"There is no server at {url} (Connection refused)."
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("met", [OK, BROKEN])
async def test_a_server_that_was_there_before_is_waited_for(met: bytes) -> None:
    async with scripted(met) as server:
        connection = Connection(server.url, timeout=5, patience=0.6)
        with contextlib.suppress(ConnectionLostError):
            await connection.request("POST", "/x", repeatable=False)
    began = time.monotonic()
    with pytest.raises(ServerUnreachableError):
        await connection.request("POST", "/x", repeatable=False)
    await connection.close()

    assert time.monotonic() - began > 0.2


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:5000",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://127.0.0.1:99999",
        "http://[::1",
    ],
)
async def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InvalidError):
        async with connected(address) as connection:
            await connection.request("GET", "/x")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_no_proxy_is_asked_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
    async with scripted(OK) as server, connected(server.url) as connection:
        await connection.request("GET", "/x")

    assert server.lines() == ["GET /x"]


async def test_a_redirect_is_followed_without_conditions() -> None:
    async with scripted(json_answer("bytes")) as store, scripted() as server:
        target = f"{store.url}/object?signature=s"
        server.answers.append(answer("307 Temporary Redirect", headers=f"Location: {target}\r\n"))
        sent = {"Range": "bytes=5-", "If-Range": '"etag"'}
        async with (
            connected(server.url) as connection,
            connection.stream("GET", "/x", headers=sent) as response,
        ):
            assert await response.aread() == b"bytes"

    assert store.lines() == ["GET /object?signature=s"]
    assert store.asked[0].headers["range"] == "bytes=5-"
    assert "if-range" not in store.asked[0].headers
