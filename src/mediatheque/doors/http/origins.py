"""Keeping other web pages out of a service that trusts everybody who reaches it.

A page in the operator's browser can send requests to loopback addresses. CORS keeps it from
reading answers, not from changing things; and a host name that it points at 127.0.0.1 (DNS
rebinding) makes it the same origin. So the Host must be ours, and so must the Origin of anything
that changes something. Where a GET does, a link or an image is enough: of those, browsers tell by
the headers of Fetch Metadata.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from mediatheque.domain.errors import ForbiddenError

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_OWN_SITES = {None, "none", "same-origin"}


class OriginGuard:
    """``origins`` may call the service beside itself (``*``: all); ``public_url`` is its own."""

    def __init__(self, origins: tuple[str, ...], public_url: str | None) -> None:
        self._origins = origins
        self._hosts = _LOOPBACK | {urlsplit(public_url or "").hostname or "localhost"}

    def check(self, method: str, host: str, origin: str | None) -> None:
        """Raise ForbiddenError for a request that came from a page that has no business here.

        ``host`` and ``origin`` are the request's headers of these names.
        """
        if _hostname(host) not in self._hosts:
            raise ForbiddenError(
                f"This service is not known as {host[:100]!r}. Use its own address, or set "
                "MEDIATHEQUE_PUBLIC_URL."
            )
        if origin is not None and method not in _SAFE_METHODS:
            self._check_origin(host, origin)

    def check_acting_get(
        self,
        host: str,
        origin: str | None,
        site: str | None,
        *,
        purpose: str | None = None,
        agent: str = "",
    ) -> None:
        """Raise ForbiddenError for a GET that would change something, and that nobody meant.

        ``site``, ``purpose`` and ``agent`` are its headers Sec-Fetch-Site, Sec-Purpose and
        User-Agent. A browser sends the first two, and says ``none`` for an address that was typed;
        other programs send neither. Without an Origin, a link or an image of another page is told
        by its ``site`` only, which browsers do not send over plain HTTP to another machine.
        """
        if "prefetch" in (purpose or ""):
            raise ForbiddenError("This changes something: it is not done before it is asked for.")
        if origin is not None:
            self._check_origin(host, origin)
        elif "*" in self._origins:
            return
        elif site is None and agent.startswith("Mozilla/") and _hostname(host) not in _LOOPBACK:
            raise ForbiddenError(
                "Over plain HTTP a browser does not tell which page means this. Use HTTPS, or POST."
            )
        elif site not in _OWN_SITES:
            raise ForbiddenError(
                "Other pages may not change anything here. Type the address, or use POST; the "
                "operator can allow their origins with MEDIATHEQUE_CORS_ORIGINS."
            )

    def _check_origin(self, host: str, origin: str) -> None:
        allowed = {*self._origins, f"http://{host}", f"https://{host}"}
        if origin not in allowed and "*" not in self._origins:
            raise ForbiddenError(
                f"Pages of {origin[:100]!r} may not change anything here. The operator can allow "
                "them with MEDIATHEQUE_CORS_ORIGINS."
            )


@lru_cache(64)
def _hostname(host: str) -> str | None:
    """Return the name in a Host header, without the port; None when it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
