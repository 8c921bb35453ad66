import httpx
import pytest

from mediatheque.client import (
    Checksum,
    ClientError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotUnderstoodError,
    RefusedSource,
    ServerFailedError,
    StorageFullError,
    UnavailableError,
)
from mediatheque.client.answers import decode, error_of


def response(status: int, body: str, **headers: str) -> httpx.Response:
    request = httpx.Request("GET", "http://host:5000/path?signature=hidden")
    return httpx.Response(status, text=body, headers=headers, request=request)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (304, NotUnderstoodError),
        (400, InvalidError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (408, UnavailableError),
        (409, ConflictError),
        (413, InvalidError),
        (422, InvalidError),
        (429, UnavailableError),
        (500, ServerFailedError),
        (502, UnavailableError),
        (503, UnavailableError),
        (504, UnavailableError),
        (507, StorageFullError),
    ],
)
async def test_a_status_is_an_error_of_its_kind(status: int, kind: type[ClientError]) -> None:
    error = await error_of(response(status, '{"error": "why"}', **{"X-Request-Id": "r1"}))

    assert type(error) is kind
    assert (error.detail, error.status, error.request_id) == ("why", status, "r1")


@pytest.mark.parametrize(
    ("body", "detail", "field"),
    [
        ('{"error": "why"}', "why", None),
        ('{"success": false, "error": "why"}', "why", None),
        ('{"errors": [{"status": "422", "detail": "why"}]}', "why", None),
        (
            '{"errors": [{"detail": "why", "source": {"pointer": "/page/size"}}, {}]}',
            "why",
            "page/size",
        ),
        ("<html>", "http://host:5000/path answered 400 Bad Request.", None),
        ('{"errors": []}', "http://host:5000/path answered 400 Bad Request.", None),
        ('["error"]', "http://host:5000/path answered 400 Bad Request.", None),
        ('{"error": 5}', "http://host:5000/path answered 400 Bad Request.", None),
    ],
)
async def test_the_sentence_of_every_door_is_found(
    body: str, detail: str, field: str | None
) -> None:
    error = await error_of(response(400, body))

    assert (error.detail, error.field, str(error)) == (detail, field, detail)


async def test_a_404_without_a_sentence_is_not_from_mediatheque() -> None:
    assert type(await error_of(response(404, "<h1>Not Found</h1>"))) is NotUnderstoodError


async def test_refused_sources_are_named() -> None:
    body = '{"error": "why", "media_files": [{"uri": "file:///x", "error": "missing"}]}'
    error = await error_of(response(400, body))

    assert error.refused == (RefusedSource("file:///x", "missing"),)


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5.0), ("", None), ("Fri, 31 Dec 1999 23:59:59 GMT", None)]
)
async def test_the_server_may_ask_to_wait(text: str, seconds: float | None) -> None:
    error = await error_of(response(503, "", **{"Retry-After": text}))

    assert error.retry_after == seconds


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"blake3": 5}', b"\xff".decode("latin-1")])
def test_an_answer_that_is_none_of_ours_says_so(body: str) -> None:
    with pytest.raises(NotUnderstoodError, match="http://host:5000/path does not answer"):
        decode(response(200, body), Checksum)


def test_what_a_newer_server_says_more_is_no_error() -> None:
    assert decode(response(200, '{"blake3": "b", "new": 1}'), Checksum) == Checksum(blake3="b")
