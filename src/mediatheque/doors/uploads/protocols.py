"""Which of the two protocols a request at ``/uploads`` speaks."""

from enum import Enum, auto

from mediatheque.doors.http.requests import AnyRequest
from mediatheque.doors.uploads.errors import ProtocolError
from mediatheque.doors.uploads.tus_headers import VERSION

_OF_HTTP = ("upload-draft-interop-version", "upload-complete")
_SAY_SO = (
    f"Say which protocol this is: Tus-Resumable: {VERSION} for tus, or Upload-Complete for "
    "resumable uploads of HTTP."
)


class Protocol(Enum):
    """tus 1.0.0, or HTTP's own resumable uploads."""

    TUS = auto()
    HTTP = auto()


def says_http(request: AnyRequest) -> bool:
    """Tell whether a request says that it is one of HTTP's own, and not of tus."""
    headers = request.headers
    return "tus-resumable" not in headers and any(name in headers for name in _OF_HTTP)


def spoken(request: AnyRequest) -> Protocol:
    """Return the protocol of a request; one that has to say so and does not is refused.

    HEAD and DELETE need no header of HTTP's own. Raises ProtocolError: 412, as tus has it.
    """
    headers = request.headers
    if "tus-resumable" in headers:
        if headers.getall("tus-resumable") != [VERSION]:
            raise ProtocolError(
                412, f"This server speaks tus {VERSION} only.", headers={"Tus-Version": VERSION}
            )
        return Protocol.TUS
    if request.method in {"POST", "PATCH"} and not says_http(request):
        raise ProtocolError(412, _SAY_SO, headers={"Tus-Version": VERSION})
    return Protocol.HTTP
