"""The pages of transfers: choose, watch, steer, and see to what failed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import browser
from tests.support.console import Console, console
from tests.support.door_two import fill
from tests.support.door_zero import (
    folder,
    random_files,
    show,
    signal,
    start,
    wait,
    wait_for_end,
)
from tests.support.service import Service

__all__ = ["browser"]

MORE_THAN_A_PAGE = 510
SLOW = 300_000
"""Bytes per second, of files that take some seconds at that."""

LARGE_FILES = {"camera-a.mov": b"a" * 9_000_000, "camera-b.mov": b"b" * 9_000_000}
"""Files of which it is told how far each of them is."""


@pytest.fixture
def window(browser: Browser, local_service: Service) -> Iterator[Console]:
    """The console of the shared service."""
    with console(browser, local_service) as opened:
        yield opened


def leading_away(root: Path, name: str) -> Path:
    """Make a folder with two files, and a link out of the root that nobody may follow."""
    made = fill(root / name, {"a.bin": b"a" * 1000, "b.bin": b"b" * 2000})
    (made / "c.bin").symlink_to("/etc/hostname")
    return made


def files(page: Page) -> Locator:
    """Return the table of a transfer's files."""
    return page.get_by_role("table", name="Files of the transfer")


def transfer_id(page: Page) -> str:
    """Return the transfer that a page shows."""
    return page.url.rpartition("/")[2].partition("?")[0]


def test_a_folder_is_chosen_and_transferred_and_what_failed_is_retried(
    window: Console, source_root: Path
) -> None:
    chosen = leading_away(source_root, "holiday-2026")
    page = window.open("transfers")
    page.get_by_role("link", name="New transfer").click()

    expect(page.get_by_role("button", name="Start the transfer")).to_be_disabled()
    page.get_by_label("Find in this folder").fill(chosen.name)
    page.get_by_role("checkbox", name=f"Transfer {chosen.name}").check()
    expect(page.get_by_text("Copied into the store: 2 files (2.9 KiB).")).to_be_visible()
    expect(page.get_by_text("1 file cannot be read.")).to_be_visible()
    expect(page.get_by_text("c.bin is a link that leaves its source root")).to_be_visible()
    window.check_accessibility()
    window.picture("transfers-preview")
    page.get_by_role("button", name=chosen.name, exact=True).click()
    expect(page.get_by_role("checkbox", name="Transfer a.bin")).to_be_checked()
    page.get_by_role("button", name="Start the transfer").click()

    expect(page.get_by_role("heading", level=1, name=chosen.name)).to_be_visible()
    expect(page.get_by_text("1 file failed")).to_be_visible()
    page.get_by_role("button", name="Show what failed").click()
    expect(files(page).get_by_text("is a link that leaves its source root")).to_be_visible()
    expect(files(page).get_by_text("a.bin")).to_have_count(0)

    (chosen / "c.bin").unlink()
    (chosen / "c.bin").write_bytes(b"c" * 3000)
    page.get_by_role("button", name="Retry").click()

    expect(page.get_by_text("1 file failed")).to_be_hidden()
    expect(page.get_by_text("3 of 3")).to_be_visible()
    page.get_by_text("Complete 3").click()
    expect(files(page).get_by_role("link", name="c.bin")).to_be_visible()
    done = show(window.service, transfer_id(page))
    assert (done["status"], done["files"]["complete"]) == ("complete", 3)


def test_a_transfer_is_limited_paused_resumed_and_cancelled(
    window: Console, source_root: Path
) -> None:
    chosen = folder(source_root, random_files(8, 400_000))
    page = window.open("transfers?view=new")
    page.get_by_label("Find in this folder").fill(chosen.name)
    page.get_by_role("button", name=chosen.name, exact=True).click()
    page.get_by_role("checkbox", name="Transfer 00000.bin").check()
    page.get_by_role("checkbox", name="Transfer 00001.bin").check()
    page.get_by_label("At most, in MiB per second").fill("0.1")
    expect(page.get_by_text("2 files (781 KiB)")).to_be_visible()
    page.get_by_role("button", name="Start the transfer").click()

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert show(window.service, transfer_id(page))["status"] == "paused"
    for figure in ("Average rate", "Ended", "Took"):
        expect(page.get_by_text(figure, exact=True)).to_have_count(0)
    expect(page.get_by_text("Time left", exact=True)).to_be_visible()
    page.get_by_role("button", name="At most").click()
    page.get_by_label("At most, in MiB per second").fill("0.2")
    page.get_by_role("button", name="Set the limit").click()
    expect(page.get_by_role("button", name="At most 205 KiB/s")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()

    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the transfer").click()

    expect(page.get_by_role("button", name="Take it up again")).to_be_visible()
    ended = show(window.service, transfer_id(page))
    assert (ended["status"], ended["bandwidth"]) == ("cancelled", 209_715)


def test_a_file_is_found_on_whichever_page_the_door_has_it(
    window: Console, source_root: Path
) -> None:
    names = {f"{number:04}.txt": b"x" for number in range(MORE_THAN_A_PAGE)}
    started = start(window.service, folder(source_root, names))
    wait_for_end(window.service, started["id"])
    page = window.open(f"transfers/{started['id']}")
    expect(files(page).get_by_text("0000.txt")).to_be_visible()

    page.get_by_label("Find a file").fill(f"{MORE_THAN_A_PAGE - 1:04}")

    expect(files(page).get_by_role("link")).to_have_count(1)
    expect(page.get_by_text(f"1 file among {MORE_THAN_A_PAGE} looked at")).to_be_visible()
    page.get_by_text("Failed 0").click()
    expect(page.get_by_text("There is no file here.")).to_be_visible()


def test_the_list_follows_what_happens(window: Console, source_root: Path) -> None:
    page = window.open("transfers")
    chosen = folder(source_root, random_files(2, 500_000))
    started = start(window.service, chosen, bandwidth=SLOW)
    row = page.get_by_role("row").filter(has_text=chosen.name)

    expect(row.get_by_text("running")).to_be_visible()
    signal(window.service, started["id"], "cancel")
    expect(row.get_by_text("cancelled")).to_be_visible()

    page.get_by_text("Complete", exact=True).click()
    expect(row).to_have_count(0)
    page.get_by_text("Cancelled", exact=True).click()
    expect(row.get_by_text("cancelled")).to_be_visible()


def test_every_page_is_accessible(window: Console, source_root: Path) -> None:
    failing = start(window.service, leading_away(source_root, "interviews"))
    wait_for_end(window.service, failing["id"])
    slow = start(
        window.service, fill(source_root / "camera-cards", LARGE_FILES), bandwidth=2 * SLOW
    )
    page = window.open(f"transfers/{slow['id']}")
    expect(page.get_by_role("heading", name="Under way")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Progress of camera-a.mov").first).to_be_visible()
    expect(page.get_by_text("Highest")).to_be_visible()
    window.check_accessibility()
    window.picture("transfers-running")

    window.open("transfers")
    expect(page.get_by_role("row").filter(has_text="failed").first).to_be_visible()
    window.check_accessibility()
    window.picture("transfers")
    signal(window.service, slow["id"], "cancel")
    wait(window.service, slow["id"], lambda found: found["status"] == "cancelled")

    window.open(f"transfers/{failing['id']}")
    expect(files(page).get_by_text("is a link that leaves its source root")).to_be_visible()
    window.check_accessibility()
    window.picture("transfers-failed")

    window.open("transfers?view=new")
    page.get_by_role("table", name="Folders and files").get_by_role("checkbox").first.check()
    window.check_accessibility()
    window.picture("transfers-new")


def test_what_is_not_there_is_said(window: Console) -> None:
    page = window.open("transfers/none")
    expect(page.get_by_role("alert")).to_contain_text("There is no transfer")
    window.expect_fault("404")
    page.route("**/transfers?*", lambda route: route.fulfill(json={"transfers": [], "next": None}))
    window.open("transfers")
    expect(page.get_by_text("Nothing was transferred yet")).to_be_visible()
    window.check_accessibility()
    window.picture("transfers-empty")
    page.get_by_role("link", name="Choose a folder").click()
    expect(page.get_by_role("heading", level=1, name="New transfer")).to_be_visible()
