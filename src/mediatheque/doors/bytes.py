"""A media's bytes as they are offered to clients, for every door that serves them."""

from mediatheque.domain.media import Media
from mediatheque.doors.http.downloads import Representation
from mediatheque.services import Services


def representation(services: Services, media: Media) -> Representation:
    """Return a media's bytes as they are offered to clients."""
    return Representation(
        size=media.size,
        content_type=media.mime_type,
        etag=media.etag,
        last_modified=media.created_at,
        filename=media.filename,
        inline=True,
        path=services.medias.local_path(media),
        read=lambda start, end: services.medias.read(media, start, end),
    )
