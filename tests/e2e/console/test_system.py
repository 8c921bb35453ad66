"""The page of the system: it tells what the doors tell, and what is wrong."""

import json
import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.browser import browser
from tests.support.console import Console, console
from tests.support.medias import fresh, upload
from tests.support.service import Service

__all__ = ["browser"]


@pytest.fixture
def window(browser: Browser, local_service: Service) -> Iterator[Console]:
    """A window of its own."""
    with console(browser, local_service) as opened:
        yield opened


def table(page: Page, name: str) -> dict[str, list[str]]:
    """Return the rows of a table, each by its first cell."""
    rows = page.get_by_role("table", name=name).locator("tbody tr").all()
    cells = [row.get_by_role("cell").all_inner_texts() for row in rows]
    return {first: others for first, *others in cells}


def test_it_tells_what_the_doors_tell(window: Console, local_service: Service) -> None:
    name = fresh(".txt")
    upload(local_service, name, b"text", filename=name)
    page = window.open("system")
    system = local_service.http.get("/system").json()

    expect(page.get_by_text(f"Mediatheque {system['version']} on Python")).to_be_visible()
    for part in ("Database", "Store", "Job workers", "Disk"):
        well = page.get_by_role("region", name=part, exact=True).first.get_by_label("well")
        expect(well).to_be_visible()
    assert set(table(page, "Workers")) == {worker["name"] for worker in system["workers"]}

    page.get_by_text("Table", exact=True).click()
    stored = page.get_by_role("table", name="By kind")
    expect(stored).to_be_visible()
    kinds = local_service.http.get("/system/stored").json()["by_kind"]
    shown = table(page, "By kind")
    assert {kind: count for kind, (count, _) in shown.items()} == {
        one["kind"].capitalize(): f"{one['count']:,}" for one in kinds
    }
    window.check_accessibility()
    window.picture("system-tables")


def test_settings_are_searched_and_narrowed_to_what_was_changed(
    window: Console, local_service: Service
) -> None:
    settings = local_service.http.get("/system").json()["settings"]
    page = window.open("system")
    shown = page.get_by_role("region", name="Settings in effect").get_by_role("term")

    expect(shown).to_have_count(len(settings))
    page.get_by_role("switch", name="Changed from default").check()
    expect(shown).to_have_count(sum(not one["is_default"] for one in settings))
    page.get_by_label("Search the settings").fill("source roots folders")
    expect(shown).to_have_count(
        sum(
            not one["is_default"]
            and all(
                word in f"{one['variable']} {one['value']} {one['about']} {one['name']}".lower()
                for word in ("source", "roots", "folders")
            )
            for one in settings
        )
    )
    page.get_by_label("Search the settings").fill("nothing is called like that")
    expect(page.get_by_text("No setting is like that.")).to_be_visible()


def test_what_passes_is_seen_passing(window: Console, local_service: Service) -> None:
    page = window.open("system")
    part = page.get_by_role("region", name="Throughput")

    for _ in range(5):
        upload(local_service, fresh(), os.urandom(3_000_000))
        page.wait_for_timeout(700)
    expect(part).to_contain_text("MiB/s")
    expect(part.locator(".recharts-area").first).to_be_attached()
    window.check_accessibility()
    page.evaluate("window.scrollTo(0, 0)")
    window.picture("system")


def test_what_is_wrong_is_said_with_what_to_do(window: Console, local_service: Service) -> None:
    """What the service answers, with two of its parts as they say it when they fail."""

    def troubled(route: Route) -> None:
        system = local_service.http.get("/system").json()
        system["ready"]["status"] = "unavailable"
        system["ready"]["checks"]["jobs"] = (
            "No job worker runs: jobs wait. Start `mediatheque worker`."
        )
        system["ready"]["warnings"] = ["worker a:1: The sandbox is incomplete."]
        system["disk"]["free_bytes"] = system["disk"]["total_bytes"] // 50
        system["workers"] = []
        route.fulfill(content_type="application/json", body=json.dumps(system))

    window.page.route("**/system", troubled)
    page = window.open("system")

    workers = page.get_by_role("region", name="Job workers").first
    expect(workers.get_by_label("not well")).to_be_visible()
    expect(workers).to_contain_text("Start `mediatheque worker`.")
    expect(page.get_by_role("region", name="Disk")).to_contain_text("Free some")
    expect(page.get_by_text("The sandbox is incomplete.")).to_be_visible()
    window.check_accessibility()
    window.picture("system-troubled")
