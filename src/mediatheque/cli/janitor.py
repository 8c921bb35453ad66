"""``mediatheque janitor``: one round of cleaning, now."""

import asyncio
import os
import sys

from mediatheque.cli.data_dir import embedded_database, make_data_dir
from mediatheque.cli.exits import Exit
from mediatheque.cli.prepare import prepare_parts
from mediatheque.config import Settings, read_settings
from mediatheque.domain.errors import MediathequeError
from mediatheque.runtime import open_runtime
from mediatheque.services.janitor import Swept
from mediatheque.telemetry.logs import configure_logs


def janitor() -> None:
    """Remove expired uploads, objects that nothing refers to, and unfinished writes.

    The service does so by itself, as MEDIATHEQUE_JANITOR_SCHEDULE says; running it beside the
    service is harmless.
    """
    settings = read_settings(os.environ)
    configure_logs(settings.log_format, settings.log_level)
    make_data_dir(settings.data_dir)
    with embedded_database(settings):
        prepare_parts(settings)
        try:
            swept = asyncio.run(_sweep(settings))
        except MediathequeError as error:
            sys.exit(Exit.STORE.because(error.detail))
    print(
        f"removed {swept.uploads} expired uploads, {swept.objects} objects without a media, "
        f"{swept.unfinished} unfinished writes"
    )


async def _sweep(settings: Settings) -> Swept:
    runtime = open_runtime(settings)
    try:
        return await runtime.services.janitor.sweep()
    finally:
        await runtime.close()
