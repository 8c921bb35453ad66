"""The pages of syncs: the plan before anything is done, the run, the history, the schedules."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.support.browser import browser
from tests.support.console import Console, console
from tests.support.door_two import (
    fill,
    get,
    nothing_left_running,
    parameters,
    sync,
    uploads,
    wait_for_end,
)
from tests.support.medias import fresh
from tests.support.proxy import Fault, Harm, proxied
from tests.support.seaweedfs import SeaweedFS
from tests.support.service import Service

__all__ = ["browser"]

MORE_THAN_IS_ALLOWED = 102
"""Deletions that a sync refuses unless it is forced."""


@pytest.fixture
def window(browser: Browser, local_service: Service) -> Iterator[Console]:
    """The console of the shared service, on which no sync is left running."""
    with nothing_left_running(local_service), console(browser, local_service) as opened:
        yield opened


def mirrored(service: Service, count: int, source: str) -> tuple[str, str]:
    """Return a folder of so many files, and the bucket that it was mirrored into."""
    fill(uploads(service) / source, {f"{n:04}.jpg": b"x" * 10 for n in range(count)})
    bucket = f"my-{source}"
    assert sync(service, {"source": source, "dest": bucket})["status"] == "success"
    return source, bucket


def plan(page: Page, source: str, bucket: str) -> None:
    """Fill in a new sync, and ask for its plan."""
    page.get_by_label("Find in this folder").fill(source)
    page.get_by_role("button", name=source, exact=True).click()
    expect(page.get_by_text(f"The folder that is open is mirrored: {source}.")).to_be_visible()
    page.get_by_role("textbox", name="Bucket").fill(bucket)
    page.get_by_role("button", name="See the plan").click()
    expect(page.get_by_role("heading", name="The plan")).to_be_visible(timeout=60_000)


def operations(page: Page) -> Locator:
    """Return the table of a sync's operations."""
    return page.get_by_role("table", name="Operations of the sync")


def number(page: Page) -> int:
    """Return the id of the sync that a page shows."""
    page.wait_for_url(re.compile(r"/sync/\d+"))
    return int(page.url.rpartition("/")[2])


def test_deletions_are_seen_before_a_sync_is_started(window: Console) -> None:
    source, bucket = mirrored(window.service, 3, "photos")
    folder = uploads(window.service) / source
    (folder / "0001.jpg").unlink()
    (folder / "new.jpg").write_bytes(b"new")
    page = window.open("sync")
    page.get_by_role("link", name="New sync").click()

    plan(page, source, bucket)

    rows = operations(page).get_by_role("row")
    expect(rows.nth(1)).to_contain_text("delete0001.jpg")
    expect(rows.nth(2)).to_contain_text("uploadnew.jpg")
    window.check_accessibility()
    window.picture("sync-plan")
    page.get_by_label("Find an object").fill("new")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Start the sync").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 object will be deleted")
    page.get_by_role("button", name="Start and delete").click()

    done = wait_for_end(window.service, number(page))
    assert (done["status"], done["plan"]["delete"]["files"]) == ("success", 1)
    main = page.get_by_role("main")
    expect(main.get_by_text("success")).to_be_visible()
    expect(main.get_by_text("2 of 2")).to_be_visible()
    expect(rows.nth(1)).to_contain_text("done")
    window.check_accessibility()
    window.picture("sync-ended")


def test_nothing_is_deleted_that_was_not_seen(window: Console) -> None:
    source, bucket = mirrored(window.service, 3, "letters")
    folder = uploads(window.service) / source
    (folder / "0001.jpg").unlink()
    page = window.open("sync?view=new")
    plan(page, source, bucket)
    (folder / "0002.jpg").unlink()

    page.get_by_role("button", name="Start the sync").click()
    page.get_by_role("button", name="Start and delete").click()

    done = wait_for_end(window.service, number(page))
    assert done["status"] == "error (not as planned)"
    expect(page.get_by_text("such as '0002.jpg'")).to_be_visible()


def test_what_the_service_refuses_to_delete_must_be_insisted_on(window: Console) -> None:
    source, bucket = mirrored(window.service, MORE_THAN_IS_ALLOWED + 1, "scans")
    for gone in range(MORE_THAN_IS_ALLOWED):
        (uploads(window.service) / source / f"{gone:04}.jpg").unlink()
    page = window.open("sync?view=new")
    plan(page, source, bucket)
    begin = page.get_by_role("button", name="Start the sync")
    expect(page.get_by_text(f"would delete {MORE_THAN_IS_ALLOWED} of the")).to_be_visible()
    expect(begin).to_be_disabled()
    window.picture("sync-refused")

    page.get_by_role("checkbox", name="I have looked at the plan").check()
    begin.click()
    page.get_by_role("button", name="Start and delete").click()

    done = wait_for_end(window.service, number(page))
    assert (done["status"], done["force"]) == ("success", True)


def test_a_running_sync_is_paused_resumed_cancelled_and_retried(window: Console) -> None:
    mirrored(window.service, 1, "tapes")
    fill(uploads(window.service) / "tapes", {f"side-{n}.wav": b"x" * 900 for n in range(20)})
    wanted = {"source": "tapes", "dest": "my-tapes", "wait": "5"}
    started = sync(window.service, wanted, wait=0)
    page = window.open("sync")
    page.get_by_role("link", name="tapes → my-tapes").first.click()

    expect(page.get_by_text("Uploading what is new")).to_be_visible()
    expect(operations(page).get_by_text("done").first).to_be_visible()
    window.check_accessibility()
    window.picture("sync-running")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("main").get_by_text("paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Uploading what is new")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the sync").click()
    expect(page.get_by_role("main").get_by_text("cancelled")).to_be_visible()
    assert get(window.service, started["id"])["status"] == "cancelled"

    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert get(window.service, started["id"])["status"] == "running"


def test_a_large_file_shows_how_far_it_is(window: Console, seaweedfs: SeaweedFS) -> None:
    name, size = "reel.mov", 20 << 20
    fill(uploads(window.service) / "reels", {name: bytes(size)})
    with proxied(seaweedfs.endpoint) as proxy:
        proxy.faults.append(Fault(r"^PUT .*partNumber=2", Harm.HOLD))
        wanted = parameters(seaweedfs, "reels", fresh()) | {"storage_url": proxy.endpoint}
        started = sync(window.service, wanted, wait=0)
        page = window.open(f"sync/{started['id']}")

        expect(page.get_by_role("heading", name="Under way")).to_be_visible()
        expect(page.get_by_role("progressbar", name=f"Progress of {name}")).to_be_visible()
        expect(page.get_by_text("12.0 MiB of 20.0 MiB")).to_be_visible()
        window.check_accessibility()
        window.picture("sync-large-file")
        proxy.released.set()
        expect(page.get_by_role("main").get_by_text("success")).to_be_visible()
        expect(page.get_by_role("heading", name="Under way")).to_be_hidden()


def test_what_ends_while_it_is_asked_for_the_first_time_is_seen_to_end(window: Console) -> None:
    # So many that it has not ended before it is asked for.
    source, bucket = mirrored(window.service, 3000, "scores")
    page = window.open("sync?view=new")
    told: list[str] = []

    def answer(route: Route) -> None:
        response = route.fetch()
        told.append(response.json()["status"])
        if len(told) == 1:
            page.wait_for_timeout(2500)  # meanwhile it ends, of which the page hears
        route.fulfill(response=response)

    page.route("**/get", answer)
    plan(page, source, bucket)

    assert told[0] == "running"
    assert len(told) > 1


def test_a_sync_is_planned_again_as_it_was(window: Console) -> None:
    source, bucket = mirrored(window.service, 2, "contracts")
    page = window.open("sync")
    row = page.get_by_role("row").filter(has_text=bucket).first  # the newest
    expect(row.get_by_text("success")).to_be_visible()
    window.check_accessibility()
    window.picture("sync")
    row.get_by_role("link").click()
    page.get_by_role("link", name="Plan it again").click()

    expect(page.get_by_role("textbox", name="Bucket")).to_have_value(bucket)
    expect(page.get_by_text(f"The folder that is open is mirrored: {source}.")).to_be_visible()
    page.get_by_role("button", name="See the plan").click()
    expect(page.get_by_text("there is nothing to do")).to_be_visible()
    page.get_by_role("textbox", name="Bucket").fill("No Bucket")
    page.get_by_role("button", name="See the plan as it is now").click()
    expect(page.get_by_role("alert")).to_contain_text("dest must be a bucket's name")
    window.expect_fault("400")


def test_a_schedule_is_made_and_removed(window: Console) -> None:
    bucket = fresh()
    page = window.open("sync?view=schedules")
    page.get_by_role("link", name="New schedule").click()
    page.get_by_role("textbox", name="Bucket").fill(bucket)
    page.get_by_role("combobox", name="How often").click()
    page.get_by_role("option", name="Every week").click()
    page.get_by_label("At (UTC)").fill("04:30")
    expect(page.get_by_text("On Mondays at 04:30, in UTC.")).to_be_visible()
    window.check_accessibility()
    window.picture("sync-new-schedule")
    page.get_by_role("button", name="Make the schedule").click()

    row = page.get_by_role("row").filter(has_text=bucket)
    expect(row).to_contain_text("On Mondays at 04:30")
    expect(row).to_contain_text("30 4 * * 1")
    window.check_accessibility()
    window.picture("sync-schedules")
    made = [one for one in schedules(window.service) if one["dest"] == bucket]
    assert [one["cron"] for one in made] == ["30 4 * * 1"]

    row.get_by_role("button").click()
    page.get_by_role("button", name="Remove the schedule", exact=True).click()
    expect(row).to_have_count(0)
    assert bucket not in [one["dest"] for one in schedules(window.service)]


def schedules(service: Service) -> list[dict[str, str]]:
    """Return the schedules there are."""
    found: list[dict[str, str]] = service.http.get("/sync/schedules").json()
    return found


def test_without_a_sync_or_schedule_it_is_said_what_they_are_for(window: Console) -> None:
    page = window.page
    page.route("**/sync/history?*", lambda route: route.fulfill(json={"syncs": [], "next": None}))
    page.route("**/sync/schedules", lambda route: route.fulfill(json=[]))
    window.open("sync")
    expect(page.get_by_text("Nothing was mirrored yet")).to_be_visible()
    window.check_accessibility()
    window.picture("sync-empty")
    page.get_by_role("tab", name="Schedules").click()
    page.get_by_role("link", name="Make a schedule").click()
    expect(page.get_by_role("heading", level=1, name="New schedule")).to_be_visible()
