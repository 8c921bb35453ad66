"""Which S3 stores a client may name: addresses in one spelling each, compared with a list."""

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from mediatheque.domain.errors import ForbiddenError, InvalidError

_URL = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9_.-]+))"
    r"(?::(?P<port>[0-9]{1,5}))?/?",
    re.ASCII | re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
# What ends in such a label is an IPv4 address in some spelling (URL Standard, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_NAME = 253


class Endpoints:
    """The stores that syncs may write to.

    ``allowed`` are the operator's addresses. While there are none and ``loopback`` is true, any on
    a loopback address may be. Raises InvalidError when one of ``allowed`` is no address.
    """

    def __init__(self, allowed: Sequence[str], *, loopback: bool) -> None:
        field = "MEDIATHEQUE_SYNC_ENDPOINTS"
        self._allowed = frozenset(normalise(address, field=field) for address in allowed)
        self._loopback = loopback

    def check(self, storage_url: str) -> str:
        """Return the address as ``normalise`` writes it. Raises InvalidError, and ForbiddenError.

        Nothing is looked up: a name is allowed only when the operator wrote that name.
        """
        location = normalise(storage_url, field="storage_url")
        if location in self._allowed or self._is_open_loopback(location):
            return location
        raise ForbiddenError(
            f"Syncs may not write to {location}. The operator can allow it with "
            "MEDIATHEQUE_SYNC_ENDPOINTS."
        )

    def _is_open_loopback(self, location: str) -> bool:
        if self._allowed or not self._loopback:
            return False
        url = _URL.fullmatch(location)
        assert url is not None
        if url["ipv6"]:
            return IPv6Address(url["ipv6"]).is_loopback
        return bool(_NUMBER.fullmatch(url["host"].rpartition(".")[2])) and (
            IPv4Address(url["host"]).is_loopback
        )


def normalise(address: str, *, field: str) -> str:
    """Return ``scheme://host`` or ``scheme://host:port`` in the only spelling that is used.

    Lower case, without the scheme's own port or a final dot; ``localhost`` is 127.0.0.1, and an
    IPv4 address inside an IPv6 one is itself. Raises InvalidError, which never repeats the text
    (it may have a password in it), for whatever else a URL can have: user, path, query, fragment,
    names outside ASCII, and IPv4 addresses other than as four decimal numbers.
    """
    url = _URL.fullmatch(address)
    if url is None:
        raise _refused(field)
    scheme = url["scheme"].lower()
    host = _host(url, field)
    if url["port"] is None:
        return f"{scheme}://{host}"
    port = int(url["port"])
    if not 1 <= port <= 65_535:
        raise _refused(field)
    return f"{scheme}://{host}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")


def _host(url: re.Match[str], field: str) -> str:
    try:
        if url["ipv6"]:
            ipv6 = IPv6Address(url["ipv6"])
            return str(ipv6.ipv4_mapped or f"[{ipv6.compressed}]")
        host = url["host"].lower().removesuffix(".")
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(host))
    except AddressValueError as error:
        raise _refused(field) from error
    if len(host) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise _refused(field)
    return "127.0.0.1" if host == "localhost" else host


def _refused(field: str) -> InvalidError:
    return InvalidError(
        f"{field} must be the address of an S3 store, as in https://s3.example.com or "
        "http://127.0.0.1:9000: no user, no path, no query, and IPv4 addresses as four decimal "
        "numbers.",
        field=field,
    )
