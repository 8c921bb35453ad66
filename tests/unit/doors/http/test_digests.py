"""Content-Digest: what it promises, and whether a body keeps it."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediatheque.domain.errors import DisconnectedError, InvalidError
from mediatheque.doors.http.digests import check_digests, parse_content_digest
from tests.support.watched import Watched, drop, taking

BODY = b'{"hello": "world"}\n'
# As RFC 9530 has them in its section 2 for this body.
SHA_256 = "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg="
SHA_512 = "YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg=="


def digest(name: str, body: bytes = BODY) -> bytes:
    return hashlib.new(name, body).digest()


@pytest.mark.parametrize(
    ("field", "names"),
    [
        (f"sha-256=:{SHA_256}:", {"sha-256"}),
        (f"sha-512=:{SHA_512}:", {"sha-512"}),
        (f"sha-256=:{SHA_256}:, sha-512=:{SHA_512}:", {"sha-256", "sha-512"}),
        (f"sha-256=:{SHA_256}:\t,\tunixsum=:AAE=:", {"sha-256"}),
        (f"crc32c=::,sha-256=:{SHA_256}:", {"sha-256"}),
        (f'sha-256=:{SHA_256}:;a;b=1;c="x,\\"y";d=?1;e=t/o:k;f=:AA==:', {"sha-256"}),
        (f"sha-256=:{SHA_256.rstrip('=')}:", {"sha-256"}),
        (f"sha-256=:AAAA:, sha-256=:{SHA_256}:", {"sha-256"}),
        (None, set()),
    ],
)
def test_the_digests_of_known_algorithms_are_promised(field: str | None, names: set[str]) -> None:
    expected = {"sha-256": digest("sha256"), "sha-512": digest("sha512")}
    assert parse_content_digest(field) == {name: expected[name] for name in names}


@pytest.mark.parametrize("name", ["sha-256", "sha-512", "sha", "md5"])
def test_older_algorithms_are_known_too(name: str) -> None:
    found = digest(name.replace("sha-", "sha").replace("sha", "sha1", name == "sha"))
    field = f"{name}=:{base64.b64encode(found).decode()}:"
    assert parse_content_digest(field) == {name: found}


@pytest.mark.parametrize("field", ["", "crc32c=:AAAAAA==:", "unixsum=:AAE=:, id-sha-256=:AA==:"])
def test_only_unknown_algorithms_are_refused_with_the_known_ones(field: str) -> None:
    with pytest.raises(InvalidError, match=r"sha-256, sha-512, sha, md5\.$") as caught:
        parse_content_digest(field)
    assert caught.value.field == "Content-Digest"


@pytest.mark.parametrize(
    "field",
    [
        SHA_256,
        f"sha-256={SHA_256}",
        f"sha-256=:{SHA_256}",
        f'sha-256="{SHA_256}"',
        f"SHA-256=:{SHA_256}:",
        f"sha-256 =:{SHA_256}:",
        f"sha-256=:{SHA_256}:,",
        f"sha-256=:{SHA_256}: sha-512=:{SHA_512}:",
        f"sha-256=:{SHA_256}:;A=1",
        f",sha-256=:{SHA_256}:",
        "sha-256",
        "sha-256=::",
        "sha-256=:AAAA:",
        "sha-256=:A:",
        f"sha-256=:={SHA_256}:",
        f"sha-256=:{SHA_256.replace('/', '_')}:",
        "\xe9",
    ],
)
def test_what_is_malformed_is_not_taken_for_no_promise(field: str) -> None:
    with pytest.raises(InvalidError, match="Content-Digest") as caught:
        parse_content_digest(field)
    assert caught.value.field == "Content-Digest"
    assert len(caught.value.detail) < 200


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(field: str) -> None:
    with suppress(InvalidError):
        assert parse_content_digest(field)


async def pieces(*several: bytes) -> AsyncIterator[bytes]:
    for piece in several:
        yield piece


async def passed(*several: bytes, digests: Mapping[str, bytes]) -> list[bytes]:
    return [piece async for piece in check_digests(pieces(*several), digests)]


async def test_a_body_that_keeps_the_promise_passes() -> None:
    digests = {"sha-256": digest("sha256"), "md5": digest("md5"), "sha": digest("sha1")}
    assert await passed(BODY[:5], BODY[5:], digests=digests) == [BODY[:5], BODY[5:]]
    assert await passed(digests={"sha-512": digest("sha512", b"")}) == []


async def test_no_piece_stays_in_memory_while_the_next_one_is_waited_for() -> None:
    watched = Watched()
    checked = check_digests(watched.pieces(BODY), {"sha-256": digest("sha256")})
    async with taking(drop(checked)):
        await watched.check_forgotten()


async def test_another_body_is_refused_at_its_end() -> None:
    digests = {"sha-256": digest("sha256"), "sha-512": digest("sha512", b"other")}
    with pytest.raises(InvalidError, match="SHA-512 of what arrived") as caught:
        await passed(BODY, digests=digests)
    assert caught.value.field == "Content-Digest"


async def test_a_body_that_ends_early_is_not_blamed_on_its_digest() -> None:
    async def cut_off() -> AsyncIterator[bytes]:
        yield BODY[:5]
        raise DisconnectedError("gone")

    checked = check_digests(cut_off(), {"sha-256": digest("sha256")})
    assert await anext(checked) == BODY[:5]
    with pytest.raises(DisconnectedError):
        await anext(checked)
