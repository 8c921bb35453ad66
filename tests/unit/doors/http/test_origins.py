"""Which pages may speak to a service that trusts everybody who reaches it."""

import pytest

from mediatheque.domain.errors import ForbiddenError
from mediatheque.doors.http.origins import OriginGuard

ALONE = OriginGuard((), None)
PROXIED = OriginGuard(("https://app.example",), "https://media.example.org/")
OPEN = OriginGuard(("*",), None)


@pytest.mark.parametrize(
    ("guard", "method", "host", "origin"),
    [
        (ALONE, "POST", "127.0.0.1:5000", None),
        (ALONE, "POST", "localhost", None),
        (ALONE, "POST", "LOCALHOST:5000", None),
        (ALONE, "DELETE", "[::1]:5000", None),
        (ALONE, "POST", "127.0.0.1:5000", "http://127.0.0.1:5000"),
        (ALONE, "GET", "127.0.0.1:5000", "https://evil.example"),
        (ALONE, "HEAD", "127.0.0.1:5000", "null"),
        (ALONE, "OPTIONS", "127.0.0.1:5000", "https://evil.example"),
        (PROXIED, "PUT", "media.example.org", "https://media.example.org"),
        (PROXIED, "PUT", "media.example.org", "https://app.example"),
        (PROXIED, "PUT", "127.0.0.1:5000", None),
        (OPEN, "PUT", "127.0.0.1:5000", "https://anyone.example"),
        (OPEN, "PUT", "127.0.0.1:5000", "null"),
    ],
)
def test_tools_the_service_itself_and_allowed_pages_may_speak(
    guard: OriginGuard, method: str, host: str, origin: str | None
) -> None:
    guard.check(method, host, origin)


@pytest.mark.parametrize(
    ("guard", "method", "host", "origin", "setting"),
    [
        (ALONE, "GET", "evil.example", None, "MEDIATHEQUE_PUBLIC_URL"),
        (ALONE, "GET", "", None, "MEDIATHEQUE_PUBLIC_URL"),
        (ALONE, "GET", "[", None, "MEDIATHEQUE_PUBLIC_URL"),
        (ALONE, "GET", "127.0.0.1.evil.example", None, "MEDIATHEQUE_PUBLIC_URL"),
        (OPEN, "GET", "evil.example", None, "MEDIATHEQUE_PUBLIC_URL"),
        (PROXIED, "GET", "other.example.org", None, "MEDIATHEQUE_PUBLIC_URL"),
        (ALONE, "POST", "127.0.0.1:5000", "https://evil.example", "MEDIATHEQUE_CORS_ORIGINS"),
        (ALONE, "POST", "127.0.0.1:5000", "http://127.0.0.1:8080", "MEDIATHEQUE_CORS_ORIGINS"),
        (ALONE, "DELETE", "127.0.0.1:5000", "null", "MEDIATHEQUE_CORS_ORIGINS"),
        (ALONE, "PUT", "127.0.0.1:5000", "", "MEDIATHEQUE_CORS_ORIGINS"),
        (ALONE, "PUT", "127.0.0.1:5000", "http://[", "MEDIATHEQUE_CORS_ORIGINS"),
        (PROXIED, "PUT", "media.example.org", "https://evil.example", "MEDIATHEQUE_CORS_ORIGINS"),
        (PROXIED, "PUT", "media.example.org", "http://app.example", "MEDIATHEQUE_CORS_ORIGINS"),
    ],
)
def test_other_pages_and_other_names_are_refused_saying_what_allows_them(
    guard: OriginGuard, method: str, host: str, origin: str | None, setting: str
) -> None:
    with pytest.raises(ForbiddenError) as refused:
        guard.check(method, host, origin)

    assert setting in refused.value.detail


def test_an_answer_repeats_little_of_what_was_sent() -> None:
    with pytest.raises(ForbiddenError) as refused:
        ALONE.check("GET", "x" * 10_000, None)

    assert len(refused.value.detail) < 300


@pytest.mark.parametrize(
    ("guard", "origin", "site"),
    [
        (ALONE, None, None),  # a program
        (ALONE, None, "none"),  # an address that was typed
        (ALONE, None, "same-origin"),
        (ALONE, "http://127.0.0.1:5000", "same-origin"),
        (PROXIED, "https://app.example", "cross-site"),
        (OPEN, "https://anyone.example", "cross-site"),
        (OPEN, None, "cross-site"),
    ],
)
def test_a_get_that_changes_something_is_for_who_means_it(
    guard: OriginGuard, origin: str | None, site: str | None
) -> None:
    guard.check_acting_get("127.0.0.1:5000", origin, site)


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def test_over_plain_http_to_another_machine_a_browser_cannot_be_trusted_to_mean_a_get() -> None:
    with pytest.raises(ForbiddenError, match="HTTPS, or POST"):
        PROXIED.check_acting_get("media.example.org", None, None, agent=BROWSER)

    PROXIED.check_acting_get("media.example.org", None, "none", agent=BROWSER)
    PROXIED.check_acting_get("media.example.org", None, None, agent="curl/8.5.0")
    PROXIED.check_acting_get("127.0.0.1:5000", None, None, agent=BROWSER)


@pytest.mark.parametrize(
    ("guard", "origin", "site", "purpose"),
    [
        (ALONE, None, "cross-site", None),
        (ALONE, None, "same-site", None),
        (ALONE, None, "something-new", None),
        (ALONE, "https://evil.example", "cross-site", None),
        (ALONE, "https://evil.example", None, None),  # a browser without Fetch Metadata
        (ALONE, "null", "cross-site", None),
        (ALONE, "http://127.0.0.1:8080", "same-site", None),
        (PROXIED, None, "cross-site", None),
        (PROXIED, "https://evil.example", "cross-site", None),
        (ALONE, None, "none", "prefetch"),
        (ALONE, None, "none", "prefetch;prerender"),
        (OPEN, None, "none", "prefetch"),
    ],
)
def test_a_get_that_changes_something_is_not_for_links_images_and_guesses(
    guard: OriginGuard, origin: str | None, site: str | None, purpose: str | None
) -> None:
    with pytest.raises(ForbiddenError):
        guard.check_acting_get("127.0.0.1:5000", origin, site, purpose=purpose)
