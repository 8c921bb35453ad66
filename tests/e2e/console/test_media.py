"""The page of one media: it can be seen and heard, tagged, processed and deleted."""

import io
import math
import re
import struct
import time
import wave
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import browser
from tests.support.console import Console, console
from tests.support.films import make_recording
from tests.support.medias import ended_job, fresh, upload
from tests.support.service import Service

__all__ = ["browser"]

GRACE = 8_000
"""Milliseconds for which a deletion can be undone."""


@pytest.fixture
def window(browser: Browser, local_service: Service) -> Iterator[Console]:
    with console(browser, local_service) as opened:
        yield opened


def add(service: Service, filename: str, content: bytes) -> dict[str, Any]:
    """Upload a file under a resource of its own, and return its media."""
    return upload(service, fresh(), content, filename=filename)


def process(service: Service, media: dict[str, Any], *steps: str) -> None:
    """Let the steps be done with a media, and wait until they are."""
    resource = media["attributes"]["resource"]
    asked = service.http.post(f"/medias/process/{resource}", json={"steps": steps})
    job = asked.json()["data"]["id"]
    assert ended_job(service, job)["status"] == "completed"


def picture(width: int, height: int) -> bytes:
    """Return a PNG whose right half can be looked through."""
    image = Image.new("RGBA", (width, height), (180, 60, 20, 255))
    image.paste((0, 0, 0, 0), (width // 2, 0, width, height))
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def sound(seconds: float) -> bytes:
    """Return a WAV of a tone that grows louder."""
    rate = 8000
    count = int(seconds * rate)
    loudness = (i / count * 30_000 * math.sin(math.tau * 220 * i / rate) for i in range(count))
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", int(sample)) for sample in loudness))
    return written.getvalue()


def play(player: Locator) -> float:
    """Play until time has passed, and return how long all of it is, in seconds."""
    player.evaluate("player => player.play()")
    player.page.wait_for_function("player => player.currentTime > 0.3", arg=player.element_handle())
    player.evaluate("player => player.pause()")
    duration: float = player.evaluate("player => player.duration")
    return duration


def is_there(service: Service, media: dict[str, Any]) -> bool:
    """Tell whether the service still has a media."""
    return service.http.get(f"/library/{media['id']}").status_code == 200


def tags_of(service: Service, media: dict[str, Any]) -> Any:
    return service.http.get(f"/library/{media['id']}").json()["tags"]


@pytest.mark.parametrize("native", [True, False], ids=["native", "scripted"])
def test_a_film_plays_in_segments_and_as_a_file(
    local_service: Service, window: Console, native: bool
) -> None:
    film = add(local_service, "rabbit.mp4", make_recording("h264", 2.0, live=False))
    process(local_service, film, "thumbnail", "waveform", "hls")
    if not native:
        window.page.add_init_script(
            "HTMLMediaElement.prototype.canPlayType = () => ''"  # as where HLS is not built in
        )
    page = window.open(f"library/{film['id']}")
    player = page.get_by_label("rabbit.mp4")
    assert math.isclose(play(player), 2.0, abs_tol=0.2)
    assert player.evaluate("player => player.currentSrc").startswith(
        local_service.url if native else "blob:"
    )

    page.get_by_text("Original", exact=True).click()
    expect(player).to_have_attribute("src", re.compile("/medias/files/[^/]+$"))
    assert math.isclose(play(player), 2.0, abs_tol=0.2)
    if native:
        expect(page.get_by_role("region", name="Made of it")).to_contain_text("master.m3u8")
        window.check_accessibility()
        window.picture("media-film")


def test_a_picture_is_shown_whole_and_enlarged(local_service: Service, window: Console) -> None:
    media = add(local_service, "half.png", picture(640, 400))
    page = window.open(f"library/{media['id']}")
    shown = page.get_by_role("img", name="half.png")
    expect(shown).to_be_visible()
    assert shown.evaluate("image => image.naturalWidth") == 640
    expect(page.get_by_role("region", name="Picture")).to_contain_text("640 px")

    page.get_by_role("button", name="100 %").click()
    page.get_by_role("button", name="Larger").click()
    expect(page.get_by_text("150 %")).to_be_visible()
    expect(shown).to_have_js_property("width", 960)
    window.check_accessibility()
    window.picture("media-picture")
    page.get_by_role("button", name="Show it whole").click()
    assert shown.evaluate("image => image.width") <= 640


def test_a_waveform_is_asked_for_and_moves_the_player(
    local_service: Service, window: Console
) -> None:
    media = add(local_service, "louder.wav", sound(10.0))
    process(local_service, media, "probe")
    page = window.open(f"library/{media['id']}")
    page.get_by_role("button", name="Waveform").click()
    waveform = page.get_by_role("slider", name="Waveform")
    expect(waveform).to_be_visible()
    expect(page.get_by_role("region", name="Jobs").get_by_text("completed")).to_have_count(3)

    player = page.get_by_label("louder.wav")
    page.wait_for_function("player => player.readyState > 0", arg=player.element_handle())
    box = waveform.bounding_box()
    assert box is not None
    waveform.click(position={"x": box["width"] / 2, "y": 10})
    expect(waveform).to_have_attribute("aria-valuetext", "0:05 of 0:10")
    assert math.isclose(player.evaluate("player => player.currentTime"), 5, abs_tol=0.3)
    waveform.press("ArrowRight")
    expect(waveform).to_have_attribute("aria-valuenow", "10")
    waveform.press("Home")
    assert play(player) == 10.0
    window.check_accessibility()
    window.picture("media-sound")


def test_tags_are_saved_at_once_and_refused_ones_are_taken_back(
    local_service: Service, window: Console
) -> None:
    media = add(local_service, "tagged.txt", b"tagged")
    page = window.open(f"library/{media['id']}")
    field = page.get_by_role("combobox", name="Tags")
    field.fill("beach")
    field.press("Enter")
    field.fill("summer, sea")
    field.press("Enter")
    expect(page.get_by_label("Saving")).to_have_count(0)
    assert sorted(tags_of(local_service, media)) == ["beach", "sea", "summer"]
    field.press("Backspace")
    expect(page.get_by_text("sea", exact=True)).to_have_count(0)

    field.fill("x" * 101)
    field.press("Enter")
    expect(page.get_by_text("A tag has at most 100 characters.")).to_be_visible()
    expect(field).to_have_value("x" * 101)
    window.expect_fault("400")
    page.reload()
    for tag in ("beach", "summer"):
        expect(page.get_by_text(tag, exact=True)).to_be_visible()
    assert sorted(tags_of(local_service, media)) == ["beach", "summer"]


def delete(page: Page) -> Locator:
    """Delete the media that is shown, and return what announces it."""
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1, name="Library")).to_be_visible()
    return page.get_by_role("status").filter(has_text="will be deleted")


def test_a_deletion_can_be_undone_until_its_time_has_passed_or_the_page_is_left(
    local_service: Service, window: Console
) -> None:
    name = fresh(".txt")
    media = add(local_service, name, b"to be or not to be")
    route = f"library/{media['id']}"
    window.page.clock.install()
    page = window.open(route)
    announced = delete(page)
    expect(announced).to_contain_text(name)
    expect(page.get_by_role("link", name=name)).to_have_count(0)
    window.picture("media-deletion")
    announced.get_by_role("button", name="Undo").click()
    expect(announced).to_have_count(0)
    expect(page.get_by_role("link", name=name)).to_be_visible()
    page.clock.run_for(2 * GRACE)
    assert is_there(local_service, media)

    window.open(route)
    announced = delete(page)
    page.clock.run_for(GRACE - 1000)
    expect(announced).to_be_visible()
    assert is_there(local_service, media)
    page.clock.run_for(1100)
    expect(page.get_by_text(f"“{name}” deleted.")).to_be_visible()
    assert not is_there(local_service, media)
    window.open(route)
    expect(page.get_by_text("There is no such media")).to_be_visible()
    window.check_accessibility()
    window.picture("media-gone")

    left = add(local_service, fresh(".txt"), b"left behind")
    window.open(f"library/{left['id']}")
    delete(page)
    assert is_there(local_service, left)
    page.goto("about:blank")
    deadline = time.monotonic() + 10
    while is_there(local_service, left) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_there(local_service, left)


def test_what_could_not_be_deleted_comes_back(local_service: Service, window: Console) -> None:
    name = fresh(".txt")
    media = add(local_service, name, b"still here")
    window.page.clock.install()
    page = window.open(f"library/{media['id']}")
    page.route("**/api/file/*", lambda route: route.abort())
    delete(page)
    page.clock.run_for(GRACE + 100)
    expect(page.get_by_role("alert").filter(has_text=f"“{name}” not deleted")).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_be_visible()
    window.expect_fault("ERR_FAILED")
    window.picture("media-not-deleted")

    page.unroute("**/api/file/*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name=name)).to_have_count(0)
    page.mouse.move(0, 0)  # what is pointed at waits: it may have risen to there
    page.clock.run_for(GRACE + 100)
    expect(page.get_by_text(f"“{name}” deleted.")).to_be_visible()
    assert not is_there(local_service, media)


def test_what_is_wrong_with_a_recording_is_said(local_service: Service, window: Console) -> None:
    whole = make_recording("vp8", 2.0)
    film = add(local_service, "torn.webm", whole[: len(whole) * 2 // 3 - 7])
    process(local_service, film, "probe")
    page = window.open(f"library/{film['id']}")
    said = page.get_by_role("status").filter(has_text="Something is wrong with this file")
    [warning] = local_service.http.get(f"/library/{film['id']}").json()["meta"]["warnings"]
    expect(said).to_contain_text(warning)
    expect(page.get_by_role("region", name="Picture")).to_contain_text("VP8")
    expect(page.get_by_role("button", name="HLS")).to_have_count(0)
    window.check_accessibility()
    window.picture("media-torn")
