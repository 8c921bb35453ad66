"""A recording's bytes: its medias once it has some, before that what has arrived so far."""

from collections.abc import Sequence

from mediatheque.domain.errors import NotFoundError
from mediatheque.domain.media import Media
from mediatheque.domain.processing import PLAYABLE
from mediatheque.domain.recordings import Recording, RecordingState
from mediatheque.doors.bytes import representation
from mediatheque.doors.http.downloads import Download, Representation
from mediatheque.services import Services

ORIGINAL = "original"
"""A name that every recording's original has, beside its file name."""


def playable(medias: Sequence[Media]) -> Media | None:
    """Return the media that is played: the remuxed one, else the original, if there is any."""
    by_key = {media.key: media for media in medias}
    return next((by_key[key] for key in (*PLAYABLE, "") if key in by_key), None)


def playable_names(recording: Recording, medias: Sequence[Media]) -> list[str]:
    """Return the names of the playable files; none while the recording is not complete."""
    found = playable(medias)
    if recording.state is not RecordingState.COMPLETE or found is None:
        return []
    return [found.key or found.filename]


async def play(
    services: Services,
    recording: Recording,
    medias: Sequence[Media],
    name: str | None = None,
    *,
    headers: dict[str, str] | None = None,
) -> Download:
    """Answer with what a recording has under a name, or (None) with what is played.

    While it has not ended, every other name means what has arrived so far. Raises NotFoundError
    when that is nothing, and afterwards for a name that no file of it has.
    """
    chosen = playable(medias) if name is None else _find(medias, name)
    if chosen is None and recording.state is RecordingState.PROCESSING:
        chosen = _find(medias, ORIGINAL)
    if chosen is not None:
        return Download(representation(services, chosen), headers=headers)
    if medias:
        raise NotFoundError("The video has no file of this name.")
    if not recording.size:
        raise NotFoundError("Nothing of this video has arrived yet.")
    arrived = await _arrived(services, recording)
    return Download(arrived, cache_control="no-store", headers=headers)


def _find(medias: Sequence[Media], name: str) -> Media | None:
    for media in medias:
        names = {media.key} if media.key else {media.filename, ORIGINAL}
        if name in names:
            return media
    return None


async def _arrived(services: Services, recording: Recording) -> Representation:
    """Return the bytes that were acknowledged so far: of one size they are always the same."""
    content_type, filename = await services.recordings.name(recording)
    return Representation(
        size=recording.size,
        content_type=content_type,
        etag=f'"{recording.media_id.hex}-{recording.size}"',
        last_modified=None,
        filename=filename,
        inline=True,
        path=None,
        read=lambda start, end: services.recordings.read(recording, start, end),
    )
