"""What tus says of an upload, and with which status it refuses."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from litestar import Request

from mediatheque.domain.access import LOCAL_OPERATOR
from mediatheque.domain.errors import (
    ConflictError,
    InvalidError,
    MediathequeError,
    StoppedError,
    TooLargeError,
    UnavailableError,
)
from mediatheque.domain.ids import new_id
from mediatheque.domain.resumable_uploads import (
    Concatenation,
    Destination,
    DigestError,
    LengthConflictError,
    OffsetConflictError,
    ResumableState,
    ResumableUpload,
    UploadCompleteError,
    UploadExpiredError,
)
from mediatheque.doors.uploads.errors import ProtocolError
from mediatheque.doors.uploads.tus_answers import answer_error, concat, progress
from mediatheque.services.held_intake import HoldLostError
from mediatheque.services.intake import IntakeBusyError
from tests.support.asgi import http_scope

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
RECEIVING = ResumableUpload(
    id=new_id(),
    state=ResumableState.RECEIVING,
    concatenation=Concatenation.WHOLE,
    size=3,
    length=5,
    ending=True,
    parts=(),
    final_id=None,
    destination=Destination(filename="a"),
    metadata=None,
    concat=None,
    digests={},
    media_id=None,
    created_by=LOCAL_OPERATOR.name,
    created_role=LOCAL_OPERATOR.role,
    created_at=NOW,
    touched_at=NOW,
    expires_at=NOW,
)
COMPLETE = replace(RECEIVING, state=ResumableState.COMPLETE, size=5)
PARTS = new_id(), new_id()
FINAL = replace(RECEIVING, concatenation=Concatenation.FINAL, parts=PARTS)
EXPIRES = {"Upload-Expires": "Sun, 01 Mar 2026 12:30:00 GMT"}
SCOPE: Any = http_scope("PATCH", "/uploads/x")
REQUEST: Request[Any, Any, Any] = Request(SCOPE)


@pytest.mark.parametrize(
    ("upload", "told"),
    [
        (RECEIVING, {"Upload-Offset": "3", **EXPIRES}),
        (COMPLETE, {"Upload-Offset": "5"}),
        (
            replace(COMPLETE, concatenation=Concatenation.PARTIAL),
            {"Upload-Offset": "5", **EXPIRES},
        ),
        (replace(RECEIVING, concatenation=Concatenation.FINAL), EXPIRES),
        (replace(COMPLETE, concatenation=Concatenation.FINAL), {"Upload-Offset": "5"}),
    ],
    ids=["receiving", "complete", "partial", "final to be finished", "final"],
)
def test_progress_is_an_offset_and_how_long_more_is_waited_for(
    upload: ResumableUpload, told: dict[str, str]
) -> None:
    assert progress(upload) == told


@pytest.mark.parametrize(
    ("upload", "told"),
    [
        (RECEIVING, None),
        (replace(RECEIVING, concat="partial"), "partial"),
        (replace(RECEIVING, concatenation=Concatenation.PARTIAL), "partial"),
        (replace(FINAL, concat="final;http://host/uploads/x"), "final;http://host/uploads/x"),
        (FINAL, f"final;/uploads/{PARTS[0]} /uploads/{PARTS[1]}"),
    ],
    ids=["whole", "partial", "older partial", "final", "older final"],
)
def test_what_was_said_of_a_concatenation_is_said_again(
    upload: ResumableUpload, told: str | None
) -> None:
    assert concat(upload).get("Upload-Concat") == told


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (OffsetConflictError(size=3, given=4), 409, {}),
        (UploadCompleteError("x"), 409, {}),
        (StoppedError("x"), 409, {}),
        (HoldLostError("x"), 409, {}),
        (ConflictError("x"), 409, {}),
        (LengthConflictError("x"), 400, {}),
        (InvalidError("x"), 400, {}),
        (DigestError("x"), 460, {}),
        (UploadExpiredError("x"), 410, {}),
        (TooLargeError("x"), 413, {"Connection": "close"}),
        (IntakeBusyError("x"), 423, {"Retry-After": "5"}),
        (UnavailableError("x"), 503, {"Retry-After": "5"}),
        (ProtocolError(415, "x", headers={"A": "b"}), 415, {"A": "b"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_errors_have_the_status_that_clients_of_tus_act_upon(
    error: MediathequeError | ProtocolError, status: int, headers: dict[str, str]
) -> None:
    answer = answer_error(REQUEST, error)
    assert (answer.status_code, answer.headers) == (status, headers)
    assert answer.content == {"error": error.detail}
