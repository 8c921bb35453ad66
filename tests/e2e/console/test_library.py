"""The library's page: what is in it is found, also among very many, and as soon as it comes in."""

import colorsys
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import browser
from tests.support.console import Console, console
from tests.support.films import make_recording
from tests.support.job_rows import sql
from tests.support.medias import fresh, upload
from tests.support.service import Service, running

__all__ = ["browser"]

MANY = 10_000
MOST_IN_THE_PAGE = 100
"""More cards than are seen and are about to be."""

# Not of a kind that has a thumbnail: there are no bytes.
ROWS = """
INSERT INTO medias (
    id, resource, key, filename, size, mime_type, created_by, created_role, public, object_key,
    created_at, updated_at
)
SELECT
    gen_random_uuid(), 'take-' || n, '', 'Take ' || n || '.mov', 1000000 + n, 'video/quicktime',
    'local', 'operator', false, 'originals/' || n || '/take.mov', time, time
FROM (
    SELECT n, timestamptz '2026-01-01' + n * interval '1 minute' AS time
    FROM generate_series(1, $1::int) AS n
) AS takes
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that has nothing at first, and then what the tests before have left."""
    with running(tmp_path_factory.mktemp("library") / "data") as started:
        yield started


@pytest.fixture
def window(browser: Browser, library: Service) -> Iterator[Console]:
    with console(browser, library) as opened:
        yield opened


def picture(hue: float) -> bytes:
    """Return a PNG that fades from one colour into another."""
    image = Image.linear_gradient("L").resize((320, 180))
    ends = [
        tuple(round(255 * part) for part in colorsys.hsv_to_rgb(at, 0.6, 0.9))
        for at in (hue, hue + 0.15)
    ]
    channels = [
        image.point([a + (b - a) * i // 255 for i in range(256)])
        for a, b in zip(*ends, strict=True)
    ]
    written = io.BytesIO()
    Image.merge("RGB", channels).save(written, "PNG")
    return written.getvalue()


def add(service: Service, filename: str, content: bytes, *tags: str) -> None:
    """Upload a file under a resource of its own, and tag it."""
    media = upload(service, fresh(), content, filename=filename)
    tagged = service.http.post(f"/api/file/{media['id']}/tags", json=tags)
    assert tagged.status_code == 200


def card(page: Page, filename: str) -> Locator:
    return page.get_by_role("main").get_by_role("link", name=filename)


def names(page: Page) -> list[str]:
    """Return the names of the rows of the table, from top to bottom."""
    return page.get_by_role("table").locator("tbody a").all_inner_texts()


def test_an_empty_library_fills_while_it_is_looked_at(window: Console, library: Service) -> None:
    page = window.open("library")
    expect(page.get_by_role("heading", name="The library is empty")).to_be_visible()
    upload_files = page.get_by_role("link", name="Upload files")
    expect(upload_files).to_have_attribute("href", "/#/upload")
    window.check_accessibility()
    window.picture("library-empty")

    film = make_recording("vp8", 4.0, live=False, size=(320, 180))
    resource = upload(library, fresh(), film, filename="clip.webm")["attributes"]["resource"]
    expect(card(page, "clip.webm")).to_be_visible()
    expect(page.get_by_text("1 media", exact=True)).to_be_visible()

    library.http.post(
        f"/medias/process/{resource}", json={"steps": ["thumbnail", "sprite"]}
    ).raise_for_status()
    thumbnail = card(page, "clip.webm").locator("img")
    expect(thumbnail).to_be_visible()
    thumbnail.hover(position={"x": 120, "y": 40})
    expect(card(page, "clip.webm").locator("[style*='sprite.webp']")).to_be_visible()


def test_what_is_looked_for_is_found_and_stays_in_the_address(
    window: Console, library: Service
) -> None:
    for number in range(7):
        add(library, f"garden {number}.png", picture(number / 7), "garden", f"bed {number % 2}")
    film = make_recording("vp8", 2.0, live=False)
    add(library, "garden tour.webm", film, "garden", "bed 1")
    add(library, "notes.txt", b"Water the beds.", "garden")
    page = window.open("library")
    page.get_by_label("Show as").get_by_text("Table").locator("xpath=..").click()

    page.get_by_label("Search by name").fill("GARDEN")
    expect(page.get_by_text("8 medias found")).to_be_visible()
    tags = page.get_by_role("combobox", name="Tags")
    for tag in ("garden", "bed 1"):
        tags.fill(tag)
        tags.press("Enter")
    expect(page.get_by_text("4 medias found")).to_be_visible()
    page.get_by_text("Image", exact=True).click()
    expect(page.get_by_text("3 medias found")).to_be_visible()
    page.get_by_role("button", name="Name").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute(
        "aria-sort", "ascending"
    )
    page.get_by_role("button", name="Name").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute(
        "aria-sort", "descending"
    )
    page.reload()
    expect(page.get_by_text("3 medias found")).to_be_visible()
    assert names(page) == ["garden 5.png", "garden 3.png", "garden 1.png"]

    page.get_by_role("button", name="Any date").click()
    page.get_by_role("button", name="Last 7 days").click()
    page.keyboard.press("Escape")
    expect(page.get_by_text("3 medias found")).to_be_visible()
    page.get_by_role("button", name="Any size").click()
    page.get_by_label("At least").fill("1")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    expect(page).to_have_url(re.compile("q=GARDEN.*kind=image.*since=.*min_size=1048576"))
    page.keyboard.press("Escape")
    expect(page.get_by_label("At least")).to_be_hidden()  # half faded, it has too little contrast
    window.check_accessibility()
    window.picture("library-nothing-found")
    page.get_by_role("main").get_by_role("button", name="Clear filters").last.click()
    expect(page.get_by_text("10 medias", exact=True)).to_be_visible()
    window.check_accessibility()
    window.picture("library-table")

    page.get_by_label("Show as").get_by_text("Grid").locator("xpath=..").click()
    expect(card(page, "garden 6.png").locator("img")).to_be_visible()
    window.check_accessibility()
    window.picture("library")


def test_a_search_that_is_refused_says_why(window: Console) -> None:
    page = window.open("library?q=a%20b%20c%20d%20e%20f%20g%20h%20i%20j%20k")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("at most 10 are looked for")
    expect(alert.get_by_role("button", name="Try again")).to_be_visible()
    window.expect_fault("400")
    window.picture("library-error")
    page.get_by_label("Search by name").fill("clip")
    expect(card(page, "clip.webm")).to_be_visible()


def test_everything_is_reached_by_the_keyboard(window: Console) -> None:
    page = window.open("library?q=garden&kind=image&sort=name")
    expect(card(page, "garden 6.png")).to_be_visible()
    page.get_by_role("button", name="Any size").focus()
    page.keyboard.press("Tab")
    expect(card(page, "garden 0.png")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("checkbox", name="Choose garden 0.png")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("region", name="Chosen")).to_contain_text("1 media")
    page.keyboard.press("Tab")
    expect(card(page, "garden 1.png")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/library/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("garden 1.png")


def test_several_are_tagged_and_deleted_together(window: Console, library: Service) -> None:
    page = window.open("library?q=garden&sort=name")
    page.get_by_role("checkbox", name="Choose garden 0.png").check()
    page.get_by_role("checkbox", name="Choose garden 2.png").click(modifiers=["Shift"])
    chosen = page.get_by_role("region", name="Chosen")
    expect(chosen).to_contain_text("3 medias")
    window.check_accessibility()
    window.picture("library-chosen")
    chosen.get_by_role("button", name="Tag").click()
    page.get_by_role("combobox", name="Tags to add").fill("spring")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(chosen).to_be_hidden()
    found = library.http.get("/library", params={"tag": "spring", "sort": "name"}).json()["items"]
    assert [item["filename"] for item in found] == [f"garden {n}.png" for n in range(3)]

    page.get_by_role("checkbox", name="Choose garden 0.png").check()
    chosen.get_by_role("button", name="Delete").click()
    expect(card(page, "garden 0.png")).to_be_hidden()
    expect(page.get_by_text("7 medias found")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(card(page, "garden 0.png")).to_be_visible()


def test_ten_thousand_medias_are_scrolled_through(window: Console, library: Service) -> None:
    with ThreadPoolExecutor(1) as aside:  # the browser's loop is under way in this thread
        aside.submit(sql, library, ROWS, MANY).result()
    page = window.open("library?q=take")
    expect(page.get_by_text(f"{MANY:,} medias found")).to_be_visible()
    cards = page.get_by_role("main").locator("li")
    most = 0
    while not card(page, "Take 1.mov").is_visible():
        page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_timeout(20)
        most = max(most, cards.count())
    assert 0 < most < MOST_IN_THE_PAGE

    page.evaluate("window.scrollBy(0, -50_000)")
    expect(card(page, "Take 1.mov")).to_be_hidden()
    name = cards.nth(cards.count() // 2).locator("[title]").first.inner_text()
    with ThreadPoolExecutor(1) as aside:
        aside.submit(sql, library, "DELETE FROM medias WHERE filename = $1", name).result()
    expect(card(page, name)).to_have_count(0)

    before = page.evaluate("window.scrollY")
    upload(library, fresh(), b"Action!", filename="take new.txt")
    news = page.get_by_role("button", name="1 new media: show")
    expect(news).to_be_visible()
    assert page.evaluate("window.scrollY") == before
    news.click()
    expect(card(page, "take new.txt")).to_be_visible()
    assert page.evaluate("window.scrollY") == 0
