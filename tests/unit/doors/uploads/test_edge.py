"""What tus wants of every request and answer."""

from typing import Any

import pytest

from mediatheque.doors.uploads.edge import TusEdge
from tests.support.asgi import Exchange, http_scope

BODY = b'{"error":"x"}'


async def echo(scope: Any, _receive: Any, send: Any) -> None:
    """Answer with the method of the request, and a body."""
    headers = [
        (b"method", scope["method"].encode()),
        (b"content-type", b"application/json"),
        (b"Content-Length", str(len(BODY)).encode()),
    ]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": BODY, "more_body": False})


async def answered(method: str, path: str, override: str | None = None) -> Exchange:
    """Return what comes through the edge."""
    headers = {} if override is None else {"X-HTTP-Method-Override": override}
    return await Exchange().run(TusEdge(echo), http_scope(method, path, headers))


@pytest.mark.parametrize("path", ["/uploads", "/uploads/", "/uploads/x", "/uploads/x/y"])
async def test_every_answer_has_the_version(path: str) -> None:
    answer = await answered("GET", path)
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert (answer.status, answer.answer_body) == (404, BODY)


@pytest.mark.parametrize("path", ["/", "/uploadsx", "/api/uploads", "/medias/uploads"])
async def test_other_addresses_are_left_alone(path: str) -> None:
    answer = await answered("POST", path, "DELETE")
    assert "tus-resumable" not in answer.headers
    assert answer.headers["method"] == "POST"


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "delete"])
async def test_a_post_becomes_the_method_that_it_names(method: str) -> None:
    answer = await answered("POST", "/uploads/x", method)
    assert answer.headers["method"] == method.upper()
    assert answer.answer_body == BODY


@pytest.mark.parametrize(
    ("method", "override"), [("GET", "DELETE"), ("PATCH", "DELETE"), ("POST", "GET"), ("POST", "")]
)
async def test_nothing_else_becomes_another_method(method: str, override: str) -> None:
    assert (await answered(method, "/uploads/x", override)).headers["method"] == method


async def test_a_post_that_became_a_head_is_answered_without_a_body() -> None:
    answer = await answered("POST", "/uploads/x", "HEAD")
    assert (answer.headers["method"], answer.headers["content-length"]) == ("HEAD", "0")
    assert "content-type" not in answer.headers
    assert answer.answer_body == b""
    assert answer.finished
