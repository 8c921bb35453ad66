"""Web pages, served from an origin of their own."""

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder as `python3 -m http.server` does, without its log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder for the length of a block; the block gets the origin."""
    handler = partial(_Files, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def documented_page(how_to: Path, server: str) -> str:
    """Return the page of a how-to, which people copy, for a server elsewhere."""
    found = re.search(r"^```html\n(.+?)^```", how_to.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    html, replaced = re.subn("http://127.0.0.1:5000", server, found[1])
    assert replaced == 1
    return html
