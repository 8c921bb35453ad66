"""The pages of jobs: what they show is so, and what they are told happens."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import browser
from tests.support.console import Console, console
from tests.support.door_zero import random_files, signal, start, wait, wait_for_end
from tests.support.job_rows import QUEUE, sql
from tests.support.medias import fresh, upload
from tests.support.service import Service

__all__ = ["browser"]

T = TypeVar("T")
MANY = 130
"""More jobs than the page reads at once."""


def aside(call: Callable[[], T]) -> T:
    """Return what ``call`` returns, which runs a loop of its own: the browser's is under way."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()


def job_of(service: Service, job_id: str) -> Any:
    """Return what the door says of a job."""
    return service.http.get(f"/jobs/{job_id}").json()["data"]["attributes"]


def many_paused(service: Service) -> str:
    """Return a class of which there are ``MANY`` jobs, all paused."""
    job_class = f"export-{fresh()[:6]}"
    aside(
        lambda: sql(
            service,
            "INSERT INTO jobs (id, job_class, queue, arguments, priority, status, created_by,"
            " created_role) SELECT gen_random_uuid(), $1, $2, '{}', number, 'paused', 'local',"
            " 'operator' FROM generate_series(1, $3) AS number",
            job_class,
            QUEUE,
            MANY,
        )
    )
    return job_class


def holiday(source_root: Path) -> Path:
    """Return a folder of its own with many small files, so that its transfer has a progress."""
    made = source_root / f"holiday-{fresh()[:6]}"
    made.mkdir()
    for name, content in random_files(60, 20_000).items():
        (made / name).write_bytes(content)
    return made


def row_of(page: Page, text: str) -> Any:
    """Return the row of the list with this in it."""
    return page.get_by_role("table", name="Jobs").get_by_role("row").filter(has_text=text)


@pytest.fixture
def window(browser: Browser, local_service: Service) -> Iterator[Console]:
    """A window of its own."""
    with console(browser, local_service) as opened:
        yield opened


def test_a_transfer_appears_gets_on_and_is_cancelled(
    window: Console, local_service: Service, source_root: Path
) -> None:
    page = window.open("jobs?status=pending,running,paused,cancelled&job_class=transfer")
    source = holiday(source_root)
    transfer = start(local_service, source, bandwidth=60_000)
    row = row_of(page, source.name)
    bar = row.get_by_role("progressbar").locator("visible=true")

    expect(row).to_contain_text("running")
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]"))
    row.get_by_role("button", name="What to do with").click()
    window.picture("jobs-row")
    page.get_by_role("menuitem", name="Cancel").click()

    expect(row).to_contain_text("cancelled")
    assert job_of(local_service, transfer["id"])["status"] == "cancelled"


def test_a_filter_finds_what_the_door_finds_and_stays_in_the_address(
    window: Console, local_service: Service
) -> None:
    job_class = many_paused(local_service)
    page = window.open("jobs")
    page.get_by_role("combobox", name="Class").fill(job_class)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Priority from").fill("51")
    page.get_by_label("Priority to").fill("53")
    page.get_by_role("combobox", name="Sort by").click()
    page.get_by_role("option", name="Priority").click()

    expect(page.get_by_text("3 jobs")).to_be_visible()
    page.reload()
    rows = page.get_by_role("table", name="Jobs").locator("tbody tr")
    expect(rows).to_have_count(3)
    found = local_service.http.get(
        "/jobs",
        params={
            "filter[job_class]": job_class,
            "filter[priority__gte]": "51",
            "filter[priority__lte]": "53",
            "sort": "-priority",
        },
    ).json()["data"]
    assert [job["attributes"]["priority"] for job in found] == [53, 52, 51]
    for row, job in zip(rows.all(), found, strict=True):
        expect(row).to_contain_text(job["id"])

    page.get_by_text("errored", exact=True).click()
    expect(page.get_by_role("heading", name="No job is like that")).to_be_visible()
    window.check_accessibility()
    window.picture("jobs-filtered-empty")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("table", name="Jobs")).to_be_visible()


def test_jobs_are_found_by_their_ids_and_by_exact_values(
    window: Console, local_service: Service, source_root: Path
) -> None:
    job_class = many_paused(local_service)
    first, second = local_service.http.get(
        "/jobs", params={"filter[job_class]": job_class, "sort": "priority", "page[size]": "2"}
    ).json()["data"]
    page = window.open("jobs")
    page.get_by_role("button", name="More filters").click()

    for one in (first, second):
        page.get_by_role("combobox", name="Id is one of").fill(one["id"])
        page.keyboard.press("Enter")
    expect(page.get_by_text("2 jobs")).to_be_visible()
    rows = page.get_by_role("table", name="Jobs").locator("tbody tr")
    other = start(local_service, holiday(source_root))
    wait_for_end(local_service, other["id"])
    page.wait_for_timeout(1_000)  # others are asked for at once, when they belong here
    expect(rows).to_have_count(2)
    page.get_by_label("Priority is").fill("2")
    expect(page.get_by_text("1 job", exact=True)).to_be_visible()
    page.get_by_label("Created is").fill(second["attributes"]["created_at"])
    expect(page).to_have_url(re.compile("created_at="))
    window.check_accessibility()
    window.picture("jobs-filters")
    page.reload()

    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(second["id"])


def test_all_that_match_are_signalled_also_those_that_were_not_read(
    window: Console, local_service: Service
) -> None:
    job_class = many_paused(local_service)
    page = window.open(f"jobs?job_class={job_class}&sort=priority")
    done = page.get_by_role("table", name="Jobs").locator("tbody tr").first
    expect(done).to_be_visible()
    one = local_service.http.get(
        "/jobs", params={"filter[job_class]": job_class, "filter[priority]": "1"}
    ).json()["data"][0]["id"]
    aside(
        lambda: sql(local_service, "UPDATE jobs SET status = 'completed' WHERE id = $1::uuid", one)
    )

    page.get_by_role("checkbox", name="Select all jobs in the list").check()
    page.get_by_role("button", name=f"Select all {MANY} that match").click()
    bar = page.get_by_role("region", name="Selected jobs")
    expect(bar).to_contain_text(f"{MANY} jobs selected")
    window.check_accessibility()
    window.picture("jobs-selected")
    bar.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name=f"Cancel {MANY} jobs").click()

    expect(page.get_by_text(f"{MANY - 1} jobs signalled, 1 refused")).to_be_visible()
    cancelled = {"filter[job_class]": job_class, "filter[status]": "cancelled", "count": "true"}
    found = local_service.http.get("/jobs", params={**cancelled, "page[size]": "1"})
    assert found.json()["meta"]["count"] == MANY - 1
    expect(row_of(page, one)).to_contain_text("completed")
    expect(bar).to_be_hidden()


def test_the_selected_are_signalled_and_the_rest_left_alone(
    window: Console, local_service: Service
) -> None:
    job_class = many_paused(local_service)
    page = window.open(f"jobs?job_class={job_class}&sort=priority")
    boxes = page.get_by_role("table", name="Jobs").get_by_role("checkbox", name="Select ")
    boxes.nth(1).check()
    boxes.nth(2).check()
    page.get_by_role("region", name="Selected jobs").get_by_role("button", name="Resume").click()

    expect(page.get_by_text("2 jobs signalled, 0 refused")).to_be_visible()
    pending = {"filter[job_class]": job_class, "filter[status]": "pending", "sort": "priority"}
    found = local_service.http.get("/jobs", params=pending).json()["data"]
    assert [job["attributes"]["priority"] for job in found] == [1, 2]
    # The end of what was read makes the page read on.
    page.mouse.wheel(0, 100_000)
    expect(page.get_by_role("table", name="Jobs")).to_have_attribute("aria-rowcount", str(MANY + 1))
    page.mouse.wheel(0, 100_000)
    expect(page.locator(f"[aria-rowindex='{MANY + 1}']")).to_be_in_viewport()


def test_a_job_that_failed_shows_why_when_and_what_about(
    window: Console, local_service: Service
) -> None:
    name = fresh(".mp4")
    media = upload(local_service, name, b"\0\0\0\x18ftypisom" + bytes(2000), filename=name)
    answer = local_service.http.post(f"/medias/process/{name}", json={"steps": ["thumbnail"]})
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["data"]["id"]
    page = window.open(f"jobs/{job_id}")

    expect(page.get_by_role("region", name="Error")).to_contain_text(name)
    error = job_of(local_service, job_id)["error"]
    expect(page.get_by_role("region", name="Error")).to_contain_text(error)
    expect(page.get_by_role("region", name="What happened").get_by_text("Started")).to_be_visible()
    attempts = page.get_by_role("table", name="Attempts").locator("tbody tr")
    expect(attempts).to_have_count(1)
    expect(attempts).to_contain_text(error)
    expect(page.get_by_label("Arguments", exact=True)).to_contain_text(media["id"])
    window.check_accessibility()
    window.picture("job-errored")

    page.get_by_role("button", name="Retry").click()
    expect(attempts).to_have_count(2)
    expect(attempts.last).to_contain_text(error)
    expect(page.get_by_role("link", name=name)).to_have_attribute(
        "href", f"/#/library/{media['id']}"
    )
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the job").click()
    expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    assert local_service.http.get(f"/jobs/{job_id}").status_code == 404


def test_a_job_is_paused_and_resumed_on_its_page_while_it_is_watched(
    window: Console, local_service: Service, source_root: Path
) -> None:
    source = holiday(source_root)
    transfer = start(local_service, source, bandwidth=60_000)
    wait(local_service, transfer["id"], lambda found: found["status"] == "running")
    page = window.open(f"jobs/{transfer['id']}")
    events = page.get_by_role("region", name="What happened")
    bar = page.get_by_role("progressbar", name="Progress of")
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]"))
    window.check_accessibility()
    window.picture("job-running")

    page.get_by_role("button", name="Pause").click()
    expect(events.get_by_text("Paused")).to_be_visible()
    assert job_of(local_service, transfer["id"])["status"] == "paused"
    page.get_by_role("button", name="Resume").click()
    expect(events.get_by_text("Resumed")).to_be_visible()
    expect(page.get_by_role("link", name="Show the transfer")).to_have_attribute(
        "href", f"/#/transfers/{transfer['id']}"
    )
    assert signal(local_service, transfer["id"], "cancel").status_code == 200
    expect(events.get_by_text("Cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_what_is_not_there_is_said_on_every_page(window: Console) -> None:
    page = window.open(f"jobs/{fresh()}")

    expect(page.get_by_role("alert")).to_contain_text("no job")
    window.picture("job-missing")
    window.expect_fault("404")
