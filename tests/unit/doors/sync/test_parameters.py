"""What a request of door 2 gives: numbers, flags and keys as people write them, none repeated."""

from typing import Any

import pytest

from mediatheque.domain.errors import InvalidError
from mediatheque.doors.http.bodies import BodyReader
from mediatheque.doors.sync.parameters import (
    parse_after,
    parse_number,
    parse_preferred_wait,
    parse_sync,
    read_values,
)
from tests.support.asgi import Exchange, http_scope

CANARY = "k3yOfNobody"
MULTIPART = (
    b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % field
        for field in [(b"source", b"a b"), (b"dest", b"x"), (b"wait", b"0.5")]
    )
    + b"--b--\r\n"
)
KNOWN = {"source", "dest", "access_key", "secret_key", "wait", "id"}


async def read(query: str = "", body: bytes | None = None, content_type: str = "") -> Any:
    """Read the values of a request: a POST when there is a body."""
    from litestar import Request

    exchange = Exchange([body] if body else [])
    headers = {"Content-Type": content_type} if content_type else {}
    if body is not None:
        headers["Content-Length"] = str(len(body))
    scope = http_scope("POST", "/sync", headers, query_string=query.encode())
    request: Request[Any, Any, Any] = Request(scope, exchange.receive)  # type: ignore[arg-type]
    bodies = None if body is None else BodyReader(idle_timeout=5, limit=1 << 30)
    return await read_values(request, KNOWN, bodies)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"source": "a b", "dest": "x", "wait": "0.5"}', "application/json"),
        (b'{"source": "a b", "dest": "x", "wait": "0.5"}', "application/json; charset=utf-8"),
        (b'{"source": "a b", "dest": "x", "wait": "0.5"}', "application/x-www-form-urlencoded"),
        (b' {"source": "a b", "dest": "x", "wait": "0.5"}\n', ""),
        (b"source=a+b&dest=x&wait=0.5", "application/x-www-form-urlencoded"),
        (b"source=a%20b&dest=x&wait=0.5&secret_key=", "Application/X-WWW-Form-Urlencoded"),
        (MULTIPART, "multipart/form-data; boundary=b"),
    ],
)
async def test_a_body_says_what_a_query_says(body: bytes, content_type: str) -> None:
    given = {"source": "a b", "dest": "x", "wait": "0.5"}
    assert await read("source=a+b&dest=x&wait=0.5") == given
    assert await read(body=body, content_type=content_type) == given
    assert await read("id=7", body, content_type) == {**given, "id": "7"}


async def test_what_has_no_value_counts_as_not_given() -> None:
    assert await read("source=&dest=", b'{"wait": null, "id": ""}') == {}
    assert await read(body=b"") == {}
    assert await read(body=b"\n", content_type="text/plain") == {}


@pytest.mark.parametrize(
    ("query", "body", "content_type", "says"),
    [
        ("dest=a&dest=b", None, "", "dest is given twice"),
        ("dest=&dest=b", None, "", "dest is given twice"),
        ("dest=a", b'{"dest": "b"}', "", "dest is given twice"),
        ("dest=a", b"dest=b", "application/x-www-form-urlencoded", "dest is given twice"),
        ("dst=a", None, "", "There is no parameter 'dst'; known are access_key, dest, id"),
        ("", b'{"dst": 1}', "", "There is no parameter 'dst'"),
        ("dest=%ff", None, "", "not percent-encoded UTF-8"),
        ("", b"[]", "", "must be a JSON object"),
        ("", b"{", "application/json", "not valid JSON"),
        ("", b"dest=a", "text/plain", "must be a form or a JSON object"),
        ("", b"<dest/>", "application/xml", "must be a form or a JSON object"),
        ("", b"dest=a", "multipart/form-data", "no valid multipart boundary"),
        (
            "",
            b'--b\r\nContent-Disposition: form-data; name="dest"; filename="x"\r\n\r\na\r\n--b--',
            "multipart/form-data; boundary=b",
            "holds a file; files go into no field",
        ),
    ],
)
async def test_what_is_unknown_twice_or_malformed_is_refused(
    query: str, body: bytes | None, content_type: str, says: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        await read(query, body, content_type)
    assert says in refused.value.detail


@pytest.mark.parametrize(
    ("query", "body", "content_type"),
    [
        (f"secret_key=abc&{CANARY}", None, ""),
        (f"secret_key=abc&{CANARY}/x=1", None, ""),
        (f"secret_key={CANARY}&dst=a", None, ""),
        (f"{CANARY}%2F=1", None, ""),
        (f"secret_key={CANARY}&secret_key=b", None, ""),
        (f"secret_key={CANARY}%ff", None, ""),
        ("", f'{{"secret_key": "{CANARY}'.encode(), "application/json"),
        ("", f'{{"secret_key": {CANARY}}}'.encode(), "application/json"),
        ("", f'{{"secret_key": "{CANARY}"}}'.encode() + b"\xff", "application/json"),
        ("", f'["{CANARY}"]'.encode(), "application/json"),
        ("", f'"secret_key"="{CANARY}/"'.encode(), "application/x-www-form-urlencoded"),
        ("", f"secret_key={CANARY}".encode(), "text/plain"),
        (
            "",
            f'--b\r\nContent-Disposition: form-data; name="secret_key"\r\n\r\n{CANARY}'.encode(),
            "multipart/form-data; boundary=b",
        ),
    ],
)
async def test_no_error_repeats_a_key(query: str, body: bytes | None, content_type: str) -> None:
    with pytest.raises(InvalidError) as refused:
        await read(query, body, content_type)
    assert CANARY not in refused.value.detail
    assert CANARY not in (refused.value.field or "")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"access_key": CANARY}, "secret_key is missing"),
        ({"secret_key": CANARY}, "access_key is missing"),
        ({"access_key": 1, "secret_key": CANARY}, "access_key must be a text"),
        ({"access_key": CANARY, "secret_key": [CANARY]}, "secret_key must be a text"),
    ],
)
def test_one_key_alone_is_refused_without_being_shown(values: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidError, match=says) as refused:
        parse_sync(values)
    assert CANARY not in refused.value.detail


def test_a_request_shows_no_key() -> None:
    request = parse_sync({"access_key": CANARY, "secret_key": CANARY})
    assert request.keys is not None
    assert (request.keys.access_key, request.keys.secret_key) == (CANARY, CANARY)
    assert CANARY not in repr(request)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("0", 0), ("60", 60), ("0.5", 0.5), ("007", 7), (0.25, 0.25), (3, 3)],
)
def test_wait_is_a_number_of_seconds(given: object, seconds: float) -> None:
    assert parse_sync({"wait": given}).options.wait == seconds


@pytest.mark.parametrize(
    "given",
    [
        "nan",
        "inf",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1e1",
        "0x1",
        "٣",
        "1_0",
        ".5",
        "1.",
        "\n1",
        True,
        [],
        {},
    ],
)
def test_anything_else_is_no_wait(given: object) -> None:
    with pytest.raises(InvalidError, match="wait must be a number of seconds from 0 to 60"):
        parse_sync({"wait": given})


@pytest.mark.parametrize("name", ["dry_run", "verify", "force", "watch"])
def test_flags_are_on_off_or_refused(name: str) -> None:
    for given in ("1", "true", 1, True):
        assert getattr(parse_sync({name: given}).options, name) is True
    for given in ("0", "false", 0, False):
        assert getattr(parse_sync({name: given}).options, name) is False
    refused: list[object] = ["yes", "2", "", 2, 0.5, [], {}, "01"]
    for wrong in refused:
        with pytest.raises(InvalidError, match=f"{name} must be 0, 1, true or false"):
            parse_sync({name: wrong})


@pytest.mark.parametrize(
    ("given", "number"),
    [("7", 7), ("007", 7), ("-7", -7), (7, 7), ("0", 0), ("9" * 30, 10**30 - 1), (10**50, 10**50)],
)
def test_an_id_is_a_whole_number_of_any_size(given: object, number: int) -> None:
    assert parse_number({"id": given}) == number


def test_an_id_of_very_many_digits_is_a_number_too() -> None:
    assert parse_number({"id": "9" * 5000}) > 2**64


@pytest.mark.parametrize(
    "given", ["7.0", " 7", "7 ", "+7", "٧", "7\n", "x", "1_0", "--7", "-", 7.0, True, [7], {}]
)
def test_anything_else_is_no_id(given: object) -> None:
    with pytest.raises(InvalidError, match="id must be a whole number"):
        parse_number({"id": given})


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ([], None),
        (["wait=10"], 10),
        (["wait=0"], 0),
        (["WAIT = 10"], 10),
        (['respond-async, wait="10"; foo=bar'], 10),
        (["respond-async", "wait=10"], 10),
        (["wait=10", "wait=20"], 10),
        (["wait=300"], 300),
        (["wait=301"], 300),
        (["wait=" + "9" * 5000], 300),
        (["wait"], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=٣"], None),
        (["awaiting=10"], None),
    ],
)
def test_a_preferred_wait_is_understood_or_ignored(fields: list[str], seconds: int | None) -> None:
    assert parse_preferred_wait(fields) == seconds


def test_a_place_in_the_operations_is_one_that_was_given_out() -> None:
    assert parse_after({}) is None
    assert parse_after({"after": "1-999"}) == (1, 999)
    for wrong in ("1", "1-", "-1", "1-x", "٣-1", "1-" + "9" * 19, 1):
        with pytest.raises(InvalidError, match="after must be"):
            parse_after({"after": wrong})
