"""Signed URLs of our own allow one method on one path until one moment."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest

from mediatheque.domain.errors import ForbiddenError
from mediatheque.domain.ids import new_id
from mediatheque.storage.signing import Signer, content_path

SIGNER = Signer(b"a secret of at least thirty-two bytes")
PATH = content_path(new_id())


def parts(url: str) -> tuple[str, str, str]:
    split = urlsplit(url)
    query = parse_qs(split.query)
    return split.path, query["expires"][0], query["signature"][0]


def test_a_signed_url_holds_for_its_method_and_path() -> None:
    url = SIGNER.signed_url("http://127.0.0.1:5000", "PUT", PATH, expires_in=60)

    path, expires, signature = parts(url)

    assert url.startswith(f"http://127.0.0.1:5000{PATH}?")
    assert path == PATH
    assert 58 <= int(expires) - time.time() <= 60
    SIGNER.verify("PUT", path, expires=expires, signature=signature)


def test_another_process_with_the_same_secret_accepts_it_and_with_another_does_not() -> None:
    path, expires, signature = parts(SIGNER.signed_url("", "GET", PATH, expires_in=60))

    same = Signer(b"a secret of at least thirty-two bytes")
    same.verify("GET", path, expires=expires, signature=signature)
    with pytest.raises(ForbiddenError):
        Signer(b"another").verify("GET", path, expires=expires, signature=signature)


def test_nothing_that_was_signed_can_be_changed() -> None:
    expires = int(time.time()) + 60
    signature = SIGNER.sign("PUT", PATH, expires)
    for method, path, until, signed in (
        ("GET", PATH, str(expires), signature),
        ("put", PATH, str(expires), signature),
        ("PUT", content_path(new_id()), str(expires), signature),
        ("PUT", PATH, str(expires + 1), signature),
        ("PUT", PATH, str(expires), ""),
        ("PUT", PATH, str(expires), signature[:-1]),
        ("PUT", PATH, str(expires), signature + "="),
        ("PUT", PATH, str(expires), signature.swapcase()),
        ("PUT", PATH, str(expires), "é"),
    ):
        with pytest.raises(ForbiddenError) as refused:
            SIGNER.verify(method, path, expires=until, signature=signed)
        assert refused.value.field == "signature"


def test_a_url_expires() -> None:
    expires = int(time.time()) - 1

    with pytest.raises(ForbiddenError, match="expired") as refused:
        SIGNER.verify(
            "PUT", PATH, expires=str(expires), signature=SIGNER.sign("PUT", PATH, expires)
        )

    assert refused.value.field == "expires"


@pytest.mark.parametrize("expires", ["", "-1", "1e9", "x", "٣", "9" * 13])
def test_what_is_no_time_is_not_signed(expires: str) -> None:
    with pytest.raises(ForbiddenError, match="not signed"):
        SIGNER.verify("PUT", PATH, expires=expires, signature="x")
