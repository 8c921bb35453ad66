"""``mediatheque info``: what is known of one file."""

from mediatheque.cli.output import moment, print_facts, print_json
from mediatheque.cli.server import DEFAULTS, Options, converse
from mediatheque.client import Media


def info(name: str, /, *, options: Options = DEFAULTS) -> None:
    """Print what is known of a file.

    Parameters
    ----------
    name
        Its id, its resource, or RESOURCE/KEY.
    """
    media = converse(options, lambda client: client.medias.find(name))
    if options.json:
        print_json(media)
    else:
        print_facts(_facts(media))


def _facts(media: Media) -> dict[str, object]:
    facts: dict[str, object] = {
        "name": media.filename,
        "id": media.id,
        "resource": media.resource,
        "key": media.key,
        "type": media.mime_type,
        "size": str(media.size),
        "uploaded": moment(media.created_at),
        "by": media.created_by,
        "project": media.project_id,
        "tags": ", ".join(media.tags),
        "blake3": media.checksum.blake3,
        "crc64nvme": media.checksum.crc64nvme,
        "meta": media.meta,
    }
    return {name: value for name, value in facts.items() if value not in (None, "", {})}
