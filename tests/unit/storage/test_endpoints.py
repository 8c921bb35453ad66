"""Which addresses of stores are understood, and which are allowed."""

import pytest

from mediatheque.domain.errors import ForbiddenError, InvalidError
from mediatheque.storage.endpoints import Endpoints, normalise

NOTHING_ALLOWED = Endpoints([], loopback=False)
ANY_LOOPBACK = Endpoints([], loopback=True)


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("http://s3.example.com", "http://s3.example.com"),
        ("https://s3.example.com/", "https://s3.example.com"),
        ("HTTPS://S3.Example.COM:9000", "https://s3.example.com:9000"),
        ("http://s3.example.com:80", "http://s3.example.com"),
        ("https://s3.example.com:443", "https://s3.example.com"),
        ("https://s3.example.com:80", "https://s3.example.com:80"),
        ("http://s3.example.com:08333", "http://s3.example.com:8333"),
        ("http://s3.example.com.", "http://s3.example.com"),
        ("http://minio_1:9000", "http://minio_1:9000"),
        ("http://xn--mnchen-3ya.example", "http://xn--mnchen-3ya.example"),
        ("http://localhost:8333", "http://127.0.0.1:8333"),
        ("http://LOCALHOST.", "http://127.0.0.1"),
        ("http://127.0.0.1.:9000", "http://127.0.0.1:9000"),
        ("http://192.0.2.7", "http://192.0.2.7"),
        ("http://[2001:DB8:0::1]:9000", "http://[2001:db8::1]:9000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("http://[::ffff:127.0.0.1]:9000", "http://127.0.0.1:9000"),
        ("http://[::ffff:7f00:1]", "http://127.0.0.1"),
    ],
)
def test_an_address_has_one_spelling(text: str, location: str) -> None:
    assert normalise(text, field="storage_url") == location
    assert normalise(location, field="storage_url") == location
    assert Endpoints([text], loopback=False).check(location) == location
    assert Endpoints([location], loopback=False).check(text) == location


@pytest.mark.parametrize(
    "text",
    [
        *("", "s3.example.com", "//s3.example.com", "http:s3.example.com", "http:///", "http://"),
        *("ftp://s3.example.com", "s3://bucket", "file:///etc", " http://s3.example.com"),
        *("http://s3.example.com\n", "http://s3.exa\nmple.com", "http://s3.example.com\0"),
        *("http://s3.example.com/bucket", "http://s3.example.com//", "http://s3.example.com?x"),
        *("http://s3.example.com#x", "http://s3.example.com/#", "http://s3.example.com\\@evil"),
        *("http://s3.example.com:0", "http://s3.example.com:65536", "http://s3.example.com:"),
        *("http://s3.example.com:-1", "http://s3.example.com:9 0", "http://s3.example.com:٨٠"),
        *("http://.example.com", "http://s3..example.com", "http://s3.example.com..", "http://."),
        *("http://-s3.example.com", "http://s3%2eexample.com", f"http://{'a' * 64}.com"),
        *(f"http://{'a.' * 127}com", "http://münchen.example", "http://127。0。0。1"),
        *("http://127.1", "http://0x7f000001", "http://0X7F.0.0.1", "http://2130706433"),
        *("http://0177.0.0.1", "http://127.0.0.256", "http://1.2.3.4.5", "http://a.1"),
        *("http://127.0.0.0x1", "http://[127.0.0.1]", "http://[::1", "http://::1", "http://[:::1]"),
        *("http://[fe80::1%25eth0]", "http://[::1]evil", "http://[::1].evil.example"),
    ],
)
def test_whatever_else_a_url_can_be_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="storage_url must be the address") as caught:
        ANY_LOOPBACK.check(text)

    assert caught.value.field == "storage_url"


@pytest.mark.parametrize(
    "text",
    [
        "http://canary@s3.example.com",
        "http://user:canary@s3.example.com",
        "http://127.0.0.1@canary.example",
        "http://127.0.0.1:canary@s3.example.com:80",
        "http://127.0.0.1/?canary",
        "canary",
    ],
)
def test_what_is_refused_is_never_repeated(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        ANY_LOOPBACK.check(text)

    assert "canary" not in f"{caught.value!r} {caught.value.detail}"


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:9000", "https://127.9.9.9", "http://[::1]:80", "http://localhost:1"]
)
def test_loopback_addresses_are_allowed_while_nothing_else_was_said(text: str) -> None:
    assert ANY_LOOPBACK.check(text) == normalise(text, field="storage_url")
    for endpoints in (NOTHING_ALLOWED, Endpoints(["http://192.0.2.7"], loopback=True)):
        with pytest.raises(ForbiddenError, match="MEDIATHEQUE_SYNC_ENDPOINTS"):
            endpoints.check(text)


@pytest.mark.parametrize(
    "text",
    [
        *("http://0.0.0.0", "http://[::]", "http://169.254.169.254", "http://10.0.0.1"),
        *("http://128.0.0.1", "http://127.0.0.1.example.com", "http://localhost.example.com"),
        *("http://evil.localhost", "http://[::127.0.0.1]", "http://[fe80::1]"),
    ],
)
def test_nothing_else_is_a_loopback_address(text: str) -> None:
    with pytest.raises(ForbiddenError):
        ANY_LOOPBACK.check(text)


@pytest.mark.parametrize(
    "text",
    [
        *("http://s3.example.com:9000", "https://s3.example.com", "http://a.s3.example.com"),
        *("http://s3.example.com.evil.example", "http://example.com", "http://192.0.2.7"),
    ],
)
def test_only_the_very_address_that_was_allowed_is_allowed(text: str) -> None:
    with pytest.raises(ForbiddenError, match="MEDIATHEQUE_SYNC_ENDPOINTS"):
        Endpoints(["http://s3.example.com"], loopback=True).check(text)


def test_a_wrong_address_among_the_allowed_ones_is_named_by_its_setting() -> None:
    with pytest.raises(InvalidError, match=r"^MEDIATHEQUE_SYNC_ENDPOINTS must be"):
        Endpoints(["http://s3.example.com/path"], loopback=True)
