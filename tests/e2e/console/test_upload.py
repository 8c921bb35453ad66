"""The upload page: every byte arrives, whatever happens on the way."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Dialog, Locator, Page, Request, Route, expect

from tests.support.browser import browser
from tests.support.console import Console, console
from tests.support.service import Service

__all__ = ["browser"]

MIB = 1 << 20
SIZE = 12 * MIB + 1
"""More than one request carries, so that there is something to go on with."""
MANY = 10_000
RATE = 4 * MIB
"""Bytes per second of a line that leaves time to see something."""
SLOW = MIB
"""Of one that leaves time for several clicks, on a machine that is busy."""
UNRESPONSIVE_MILLISECONDS = 2_000
"""A page that does nothing else for so long is frozen, also on a machine that is busy."""

# What follows replaces dialogs of the browser that nobody is there to answer.
WITHOUT_PICKERS = "delete window.showOpenFilePicker; delete window.showDirectoryPicker;"
WITH_HANDLE = """
let allowed = false;
window.showOpenFilePicker = async () => {
    allowed = true;
    const folder = await navigator.storage.getDirectory();
    return [await folder.getFileHandle("kept.bin")];
};
FileSystemHandle.prototype.queryPermission = async () => (allowed ? "granted" : "prompt");
FileSystemHandle.prototype.requestPermission = async () => {
    allowed = true;
    return "granted";
};
"""
MAKE_KEPT_FILE = """async (size) => {
    const folder = await navigator.storage.getDirectory();
    const stream = await (await folder.getFileHandle("kept.bin", {create: true})).createWritable();
    await stream.write(new Uint8Array(size).map((_, at) => at * 31 + (at >> 8)));
    await stream.close();
}"""
CHOOSE_MANY = """async (count) => {
    const chosen = new DataTransfer();
    for (let at = 0; at < count; at++) chosen.items.add(new File([`${at}`], `many-${at}.txt`));
    const input = document.querySelector("input[type=file]");
    input.files = chosen.files;
    await new Promise((resolve) => setTimeout(resolve)); // what this took is not the page's doing
    window.longest = 0;
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) window.longest = Math.max(longest, task.duration);
    }).observe({type: "longtask"});
    input.dispatchEvent(new Event("change", {bubbles: true}));
}"""


@pytest.fixture
def window(browser: Browser, local_service: Service) -> Iterator[Console]:
    """A window of its own, in which files are chosen in a form's field."""
    with console(browser, local_service) as opened:
        opened.page.add_init_script(WITHOUT_PICKERS)
        yield opened


@pytest.fixture
def debugger(window: Console) -> CDPSession:
    """What can be done to a window by its developer tools alone."""
    return window.page.context.new_cdp_session(window.page)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    made = tmp_path / "Füchse №1.mp4"
    made.write_bytes(os.urandom(SIZE))
    return made


def choose(page: Page, *files: Path, button: str = "Choose files") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files(files)


def row(page: Page, name: str) -> Locator:
    """Return what the page shows of the file with this name."""
    return page.get_by_role("list", name="Uploads").get_by_role("listitem").filter(has_text=name)


def expect_progress(page: Page, name: str) -> None:
    bar = row(page, name).get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]"))


def media_id(page: Page, name: str) -> str:
    """Wait for an upload to finish; return where its link leads to."""
    link = row(page, name).get_by_role("link", name=name)
    expect(link).to_be_visible()
    return str(link.get_attribute("href")).rpartition("/")[2]


def content(service: Service, media: str) -> bytes:
    return service.http.get(f"/medias/files/{media}").content


def about(service: Service, media: str) -> Any:
    return service.http.get(f"/medias/info/{media}").json()["data"]["attributes"]


def set_line(debugger: CDPSession, rate: int, *, offline: bool = False) -> None:
    """Let so many bytes leave the window each second from now on (-1: no limit), or none."""
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": rate}
    debugger.send("Network.emulateNetworkConditions", {"offline": offline, **conditions})


def reload(page: Page) -> list[str]:
    """Load the page again; return what kinds of questions the browser asked, which get a yes."""
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.once("dialog", answer)
    page.reload()
    return asked


def offsets(page: Page) -> list[int]:
    """Return a list that grows with the offsets at which the page goes on with uploads."""
    found: list[int] = []

    def see(request: Request) -> None:
        if request.method == "PATCH":
            found.append(int(request.headers["upload-offset"]))

    page.on("request", see)
    return found


def test_files_arrive_with_their_bytes_and_tags(
    window: Console, local_service: Service, film: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.txt"
    empty.touch()
    page = window.open("upload")
    window.check_accessibility()
    window.picture("upload-empty")
    page.get_by_role("combobox", name="Tags").fill("from-the-console,second tag,")
    choose(page, film, empty)
    uploaded = {file: media_id(page, file.name) for file in (film, empty)}

    for file, media in uploaded.items():
        attributes = about(local_service, media)
        assert content(local_service, media) == file.read_bytes()
        assert attributes["filename"] == file.name
        assert attributes["tags"] == ["from-the-console", "second tag"]
    expect(page.get_by_role("banner").get_by_role("link", name="All uploads")).to_be_visible()
    page.get_by_role("button", name="Clear finished").click()
    expect(page.get_by_text("Drop files and folders here")).to_be_visible()


def test_a_dropped_folder_arrives_with_the_places_of_its_files(
    window: Console, debugger: CDPSession, local_service: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "holidays"
    (folder / "2026").mkdir(parents=True)
    for name in ("one.txt", "2026/two.txt", "2026/three.txt"):
        (folder / name).write_text(f"{folder} {name}")
    page = window.open("upload")
    dragged = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": 640, "y": 500, "data": dragged}
        debugger.send("Input.dispatchDragEvent", event)
        if kind == "dragOver":
            expect(page.get_by_text("Drop to upload")).to_be_visible()
    media = media_id(page, "two.txt")

    expect(page.get_by_text("3 files uploaded").first).to_be_visible()
    assert content(local_service, media) == (folder / "2026" / "two.txt").read_bytes()
    told = about(local_service, media)["meta"]["upload"]
    assert told["relativePath"] == "holidays/2026/two.txt"


def test_an_upload_is_paused_and_survives_the_loss_of_the_network(
    window: Console, debugger: CDPSession, local_service: Service, film: Path
) -> None:
    page = window.open("upload")
    begun_at = offsets(page)
    set_line(debugger, SLOW)
    choose(page, film)
    expect_progress(page, film.name)
    page.get_by_role("button", name=f"Pause {film.name}").click()
    expect(row(page, film.name)).to_contain_text("Paused")
    bar = row(page, film.name).get_by_role("progressbar")
    paused_at = bar.get_attribute("aria-valuenow") or ""
    page.get_by_role("button", name=f"Resume {film.name}").click()
    # Else nothing of the next request may have arrived, and the one after it begins there again.
    expect(bar).not_to_have_attribute("aria-valuenow", paused_at)
    expect_progress(page, film.name)
    set_line(debugger, SLOW, offline=True)
    expect(row(page, film.name)).to_contain_text("goes on by itself")
    expect(page.get_by_text("Waiting for the connection")).to_be_visible()
    window.check_accessibility()
    window.picture("upload-interrupted")
    set_line(debugger, -1)
    media = media_id(page, film.name)

    assert content(local_service, media) == film.read_bytes()
    assert begun_at[0] == 0
    assert sorted(set(begun_at)) == begun_at
    window.allow_fault("ERR_INTERNET_DISCONNECTED")  # between two requests none fails


@pytest.mark.parametrize("keeps_handles", [True, False])
def test_an_upload_goes_on_after_a_reload(
    window: Console, debugger: CDPSession, local_service: Service, film: Path, keeps_handles: bool
) -> None:
    page = window.page
    if keeps_handles:
        page.add_init_script(WITH_HANDLE)
    window.open("upload")
    set_line(debugger, RATE)
    if keeps_handles:
        page.evaluate(MAKE_KEPT_FILE, SIZE)
        page.get_by_role("button", name="Choose files").click()
    else:
        choose(page, film)
    name = "kept.bin" if keeps_handles else film.name
    expect_progress(page, name)
    page.wait_for_timeout(1_200)  # what has arrived is acknowledged once a second
    expect_progress(page, name)
    asked = reload(page)
    begun_at = offsets(page)
    set_line(debugger, -1)
    expect(page.get_by_text("1 upload was interrupted")).to_be_visible()
    if keeps_handles:
        page.get_by_role("button", name="Go on").click()
    else:
        window.check_accessibility()
        window.picture("upload-reloaded")
        choose(page, film)
    media = media_id(page, name)

    assert asked == ["beforeunload"]
    assert begun_at[0] > 0
    stored = content(local_service, media)
    if keeps_handles:
        assert stored == bytes((at * 31 + (at >> 8)) & 0xFF for at in range(SIZE))
    else:
        assert stored == film.read_bytes()


def test_what_is_refused_says_why_and_what_is_removed_is_given_up(
    window: Console, debugger: CDPSession, local_service: Service, film: Path, tmp_path: Path
) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=507, json={"error": "There is no room for it."})

    small, other = tmp_path / "notes.txt", tmp_path / "interview.txt"
    small.write_text("small")
    other.write_text("other")
    page = window.open("upload")
    page.route("**/uploads/", refuse)
    choose(page, small)
    expect(row(page, small.name)).to_contain_text("There is no room for it.")
    page.unroute("**/uploads/")
    set_line(debugger, RATE)
    choose(page, other, film)
    media_id(page, other.name)
    expect_progress(page, film.name)
    window.check_accessibility()
    window.picture("upload")
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        page.get_by_role("button", name=f"Remove {film.name}").click()
    expect(row(page, film.name)).to_have_count(0)
    page.get_by_role("button", name=f"Retry {small.name}").click()

    assert content(local_service, media_id(page, small.name)) == b"small"
    assert deleted.value.status == 204
    tus = {"Tus-Resumable": "1.0.0"}
    assert local_service.http.head(deleted.value.url, headers=tus).status_code in {404, 410}
    window.expect_fault("507")


def test_ten_thousand_files_do_not_freeze_the_page(window: Console) -> None:
    page = window.open("upload")
    page.route("**/uploads/", lambda _: None)  # no answer ever comes
    page.evaluate(CHOOSE_MANY, MANY)
    expect(page.get_by_text("Uploading: 0 of 10,000 files finished")).to_be_visible()
    page.mouse.wheel(0, 1_000_000)
    expect(row(page, f"many-{MANY - 1}.txt")).to_be_visible()
    page.get_by_role("button", name="Pause all").click()
    expect(page.get_by_text(f"{MANY} paused").last).to_be_visible()

    assert page.get_by_role("listitem").count() < 60
    assert page.evaluate("longest") < UNRESPONSIVE_MILLISECONDS
