"""What a page of the console may do: its Content-Security-Policy (W3C CSP Level 3)."""

from urllib.parse import urlsplit

from mediatheque.config import Settings


def content_security_policy(nonce: str, settings: Settings) -> str:
    """Return the policy of one answer, whose styles carry ``nonce``.

    Scripts come from this service alone. Bytes of medias come from the store as well where
    downloads are redirected to it.
    """
    store = _store_source(settings)
    directives = {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", f"'nonce-{nonce}'"],
        "img-src": ["'self'", "data:", *store],
        "media-src": ["'self'", "blob:", *store],
        "connect-src": ["'self'", *store],
        "font-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in directives.items())


def _store_source(settings: Settings) -> list[str]:
    if not settings.redirect_downloads:
        return []
    if settings.s3_endpoint is None:
        return ["https:"]  # the cloud's own addresses differ by bucket and region
    address = urlsplit(settings.s3_endpoint)
    return [f"{address.scheme}://{address.netloc.rpartition('@')[2]}"]
