"""OPTIONS of pages that ask what the server can."""

from typing import Any

import pytest
from litestar.config.cors import CORSConfig

from mediatheque.doors.http.cors import PageOptions
from tests.support.asgi import Exchange, http_scope

PAGE = "https://app.example.org"
OTHER = "https://evil.example.net"
ONE = CORSConfig(allow_origins=[PAGE], expose_headers=["Upload-Limit"])
ALL = CORSConfig(allow_origins=["*"], expose_headers=["Upload-Limit"])


async def tell_origin(scope: Any, _receive: Any, send: Any) -> None:
    """Answer with the origin that the request has."""
    headers = [(b"seen", value) for name, value in scope["headers"] if name == b"origin"]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def asked(cors: CORSConfig | None, method: str = "OPTIONS", **headers: str) -> Exchange:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return await Exchange().run(PageOptions(tell_origin, cors), http_scope(method, "/x", said))


@pytest.mark.parametrize("cors", [None, ONE, ALL], ids=["none", "one", "all"])
async def test_a_preflight_and_other_methods_are_left_alone(cors: CORSConfig | None) -> None:
    preflight = await asked(cors, Origin=PAGE, Access_Control_Request_Method="POST")
    creation = await asked(cors, "POST", Origin=PAGE)
    for answer in (preflight, creation):
        assert answer.headers == {"seen": PAGE}


@pytest.mark.parametrize(
    ("cors", "origin", "allowed"),
    [
        (ONE, PAGE, PAGE),
        (ALL, PAGE, "*"),
        (ALL, OTHER, "*"),
        (ONE, OTHER, None),
        (None, PAGE, None),
    ],
)
async def test_a_question_gets_through_and_pages_that_are_allowed_read_the_answer(
    cors: CORSConfig | None, origin: str, allowed: str | None
) -> None:
    answer = await asked(cors, Origin=origin)
    assert "seen" not in answer.headers
    assert answer.headers.get("access-control-allow-origin") == allowed
    if allowed is not None:
        assert answer.headers["access-control-expose-headers"] == "Upload-Limit"
    assert answer.headers.get("vary") == ("Origin" if cors is ONE else None)


async def test_a_question_of_no_page_is_answered_as_it_is() -> None:
    assert (await asked(ONE)).headers == {}
