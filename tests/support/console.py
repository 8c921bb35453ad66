"""The console in a real browser, which may do nothing that a user should not see."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.support.node import CLIENTS
from tests.support.service import Service

PICTURES = Path(__file__).parents[2] / "build" / "console"
"""Where pictures of every page are put, for people to look at."""

_AXE = CLIENTS / "node_modules" / "axe-core" / "axe.min.js"
_LOOKS = {
    "light": (1280, 800, "light"),
    "dark": (1280, 800, "dark"),
    "phone": (390, 844, "light"),
}
_SERIOUS = {"serious", "critical"}
_USUAL = {
    "library",
    "media-film",
    "upload",
    "record",
    "transfers",
    "transfers-running",
    "sync",
    "sync-plan",
    "jobs-row",
    "jobs-selected",
    "job-errored",
    "system",
    "system-troubled",
}

expect.set_options(timeout=15_000)


class Console:
    """One window with the console of ``service``."""

    def __init__(self, context: BrowserContext, service: Service) -> None:
        self.page: Page = context.new_page()
        self.service = service
        self.faults: list[str] = []
        self._host = urlsplit(service.url).netloc
        self.page.on(
            "console",
            lambda said: self._fault(said.text) if said.type in {"error", "warning"} else None,
        )
        self.page.on("pageerror", lambda error: self._fault(f"uncaught: {error}"))
        self.page.on("request", self._check_request)

    def open(self, route: str) -> Page:
        """Show a page by its route, ``library`` or ``jobs?status=running`` for example."""
        self.page.goto(f"{self.service.url}/#/{route}")
        expect(self.page.get_by_role("main").get_by_role("heading", level=1)).to_be_visible()
        return self.page

    def expect_fault(self, part: str) -> None:
        """Forget faults with ``part`` in them: the test has provoked them. There must be one."""
        assert any(part in fault for fault in self.faults), f"no {part!r} in {self.faults}"
        self.allow_fault(part)

    def allow_fault(self, part: str) -> None:
        """Forget faults with ``part`` in them, if there are any: it depends on the moment."""
        self.faults = [fault for fault in self.faults if part not in fault]

    def check_accessibility(self) -> None:
        """Let axe-core look at the page as it is."""
        # By the debugger, because the page's own policy lets no such script in.
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE.read_text())
        # No rule needs the style sheets, which it would otherwise load and read once more.
        found = self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations'], preload: false})"
        )
        serious = [
            (one["id"], one["help"], [node["html"][:200] for node in one["nodes"]])
            for one in found["violations"]
            if one["impact"] in _SERIOUS
        ]
        assert serious == [], serious

    def picture(self, name: str) -> None:
        """Put pictures of the page as it is into ``PICTURES``: light, dark and on a phone.

        Of other states than the usual ones only where the environment has ``EVERY_PICTURE``.
        """
        if name not in _USUAL and "EVERY_PICTURE" not in os.environ:
            return
        PICTURES.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size
        for look, (width, height, scheme) in _LOOKS.items():
            self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.wait_for_timeout(120)  # for what moves to come to rest
            self.page.screenshot(path=PICTURES / f"{name}-{look}.png")
        if size is not None:
            self.page.set_viewport_size(size)
        self.page.emulate_media(color_scheme="light")

    def _fault(self, text: str) -> None:
        self.faults.append(text)

    def _check_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"} and address.netloc != self._host:
            self._fault(f"a request left for {request.url}")


@contextmanager
def console(browser: Browser, service: Service) -> Iterator[Console]:
    """Open a window for the length of a block, after which nothing must have gone wrong in it."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800},
        permissions=["camera", "microphone"],
        reduced_motion="reduce",  # what moves all the time keeps a processor busy
    )
    try:
        opened = Console(context, service)
        yield opened
        assert opened.faults == [], opened.faults
    finally:
        context.close()
