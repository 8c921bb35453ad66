"""What is around every page, and how the page and its files are sent."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Response, expect

from tests.support.browser import browser
from tests.support.console import Console, console
from tests.support.service import Service

__all__ = ["browser"]

FIRST_LOAD_BYTES = 300_000
PAGES = ["Library", "Upload", "Record", "Transfers", "Sync", "Jobs", "System"]


@pytest.fixture
def window(browser: Browser, local_service: Service) -> Iterator[Console]:
    """A window of its own."""
    with console(browser, local_service) as opened:
        yield opened


def test_every_page_is_reached_by_the_keyboard_alone(window: Console) -> None:
    page = window.open("library")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()

    navigation = page.get_by_role("navigation", name="Pages")
    links = navigation.get_by_role("link")
    expect(links).to_have_text(PAGES)
    links.first.focus()
    for name in PAGES[1:]:
        page.keyboard.press("Tab")
        link = navigation.get_by_role("link", name=name)
        expect(link).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("main").get_by_role("heading", level=1)).to_have_text(name)
        expect(page).to_have_title(f"{name} · Mediatheque")
        expect(link).to_have_attribute("aria-current", "page")


def test_the_colours_are_chosen_and_remembered(window: Console) -> None:
    page = window.open("jobs")
    root = page.locator("html")
    expect(root).to_have_attribute("data-mantine-color-scheme", "light")
    page.emulate_media(color_scheme="dark")
    expect(root).to_have_attribute("data-mantine-color-scheme", "dark")
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("menuitem", name="Light").click()
    expect(root).to_have_attribute("data-mantine-color-scheme", "light")

    page.reload()
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()
    expect(root).to_have_attribute("data-mantine-color-scheme", "light")


def test_on_a_phone_the_pages_are_behind_a_menu(window: Console) -> None:
    window.page.set_viewport_size({"width": 390, "height": 844})
    page = window.open("library")
    link = page.get_by_role("link", name="System", exact=True)
    expect(link).to_be_hidden()

    page.get_by_role("button", name="Menu").click()
    expect(link).to_be_in_viewport()
    window.check_accessibility()
    link.click()
    expect(page.get_by_role("heading", name="System", level=1)).to_be_visible()
    expect(link).to_be_hidden()
    expect(page.get_by_role("button", name="Menu")).to_have_attribute("aria-expanded", "false")


def test_an_address_that_leads_nowhere_says_so(window: Console) -> None:
    window.page.goto(f"{window.service.url}/#/nowhere")

    expect(window.page.get_by_role("heading", name="There is no such page")).to_be_visible()
    window.check_accessibility()
    window.picture("no-such-page")
    window.page.get_by_role("link", name="Go to the library").click()
    expect(window.page.get_by_role("heading", name="Library", level=1)).to_be_visible()


def test_that_the_service_cannot_be_reached_is_said_until_it_can(window: Console) -> None:
    window.page.route("**/events*", lambda route: route.abort())
    page = window.open("jobs")
    bar = page.get_by_text("The service cannot be reached")
    expect(bar).to_be_visible()
    window.check_accessibility()
    window.picture("unreachable")

    page.unroute("**/events*")
    expect(bar).to_be_hidden()
    window.expect_fault("ERR_FAILED")


def gzipped(service: Service, url: str) -> int:
    """Return the bytes that are sent to a client that knows no better compression."""
    answer = service.http.get(url, headers={"Accept": "text/html, */*", "Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    return int(answer.headers["content-length"])


def test_the_page_is_small_strict_and_kept_by_browsers(window: Console) -> None:
    answers: list[Response] = []

    def keep(answer: Response) -> None:
        answers.append(answer)

    window.page.on("response", keep)
    page = window.open("library")
    page.wait_for_load_state("networkidle")

    first, *others = answers
    policy = dict(
        directive.split(" ", 1)
        for directive in first.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert re.fullmatch(r"'self' 'nonce-[\w-]{20,}'", policy["style-src"])
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert first.headers["cache-control"] == "no-store"

    files = [one for one in others if "/console/assets/" in one.url]
    assert files
    for one in files:
        assert one.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert one.headers["x-content-type-options"] == "nosniff"
    large = [one for one in files if len(one.body()) > 2_000]
    assert {one.headers.get("content-encoding") for one in large} <= {"br", "gzip"}
    missing = window.service.http.get("/console/assets/nothing.js")
    assert missing.status_code == 404
    assert "load the page again" in missing.json()["error"]
    sent = sum(gzipped(window.service, one.url) for one in [first, *files])
    assert 50_000 < sent < FIRST_LOAD_BYTES
