"""``/`` and ``/console/…``: the console for browsers."""

import secrets
from pathlib import PurePosixPath
from typing import Annotated

from litestar import Response, Router, get
from litestar.params import HeaderParameter

from mediatheque.domain.errors import NotFoundError
from mediatheque.doors.console.built_files import BuiltFiles
from mediatheque.doors.console.policy import content_security_policy
from mediatheque.doors.dependencies import GivenSettings

_HASHED = "assets"
_HASHED_CACHE = "public, max-age=31536000, immutable"  # another content has another name
_NONCE = "NONCE"

_NOT_BUILT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Mediatheque</title>
<h1>The console is not built</h1>
<p>The service runs, and its HTTP interface is described at <a href="/docs">/docs</a>.</p>
<p>In a checkout <code>make console</code> builds the console; then start the service again. An
installed wheel has it.</p>
</html>
"""

_files = BuiltFiles()


@get("/", media_type="text/html", include_in_schema=False)
async def page(settings: GivenSettings) -> Response[str]:
    """Return the page that shows everything else."""
    content = _files.page()
    nonce = secrets.token_urlsafe(18)
    headers = {
        "Content-Security-Policy": content_security_policy(nonce, settings),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if content is None:
        return Response(_NOT_BUILT, status_code=503, headers=headers, media_type="text/html")
    return Response(content.replace(_NONCE, nonce, 1), headers=headers, media_type="text/html")


@get("/console/{name:path}", include_in_schema=False)
async def asset(
    name: str,
    accept_encoding: Annotated[str, HeaderParameter(name="Accept-Encoding")] = "",
) -> Response[bytes]:
    """Return a file that the page needs."""
    path = PurePosixPath(name.lstrip("/"))
    found = _files.find(str(path))
    if found is None:
        raise NotFoundError(
            "The console has no such file. If it was updated meanwhile, load the page again."
        )
    headers = {
        "Cache-Control": _HASHED_CACHE if path.parts[0] == _HASHED else "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    content, coding = found.smallest(accept_encoding)
    if coding is not None:
        headers["Content-Encoding"] = coding
    return Response(content, headers=headers, media_type=found.media_type)


router = Router("/", route_handlers=[page, asset])
