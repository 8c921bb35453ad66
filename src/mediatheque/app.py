"""The web application: mounts every door on one Litestar application."""

import asyncio
import contextlib
import functools
import gc
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import litestar_offline_docs
from litestar import Litestar, get
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.response import File

from mediatheque import __version__
from mediatheque.catalog import changes, intakes
from mediatheque.catalog.job_events import CHANNEL
from mediatheque.catalog.notices import Notices
from mediatheque.config import Settings, read_settings
from mediatheque.domain.errors import NotFoundError
from mediatheque.doors import health
from mediatheque.doors.console import errors as console_errors
from mediatheque.doors.console import routes as console
from mediatheque.doors.dependencies import GivenBodies, GivenServices
from mediatheque.doors.events import errors as events_errors
from mediatheque.doors.events import routes as events
from mediatheque.doors.files import errors as files_errors
from mediatheque.doors.files import routes as files
from mediatheque.doors.http.bodies import LOCAL_TURNS, REMOTE_TURNS, BodyReader
from mediatheque.doors.http.conditions import field_value
from mediatheque.doors.http.cors import PageOptions
from mediatheque.doors.http.observe import Observe
from mediatheque.doors.http.origins import OriginGuard
from mediatheque.doors.http.problems import Door, error_handler, find_door
from mediatheque.doors.http.requests import AnyRequest
from mediatheque.doors.jobs import errors as jobs_errors
from mediatheque.doors.jobs import routes as jobs
from mediatheque.doors.library import errors as library_errors
from mediatheque.doors.library import routes as library
from mediatheque.doors.medias import errors as medias_errors
from mediatheque.doors.medias import routes as medias
from mediatheque.doors.recordings import errors as recordings_errors
from mediatheque.doors.recordings import routes as recordings
from mediatheque.doors.recordings.headers import CHUNK_INDEX
from mediatheque.doors.sync import errors as sync_errors
from mediatheque.doors.sync import routes as sync
from mediatheque.doors.system import errors as system_errors
from mediatheque.doors.system import routes as system
from mediatheque.doors.transfers import errors as transfers_errors
from mediatheque.doors.transfers import routes as transfers
from mediatheque.doors.uploads import errors as uploads_errors
from mediatheque.doors.uploads import resumption_headers, tus_headers
from mediatheque.doors.uploads import routes as uploads
from mediatheque.doors.uploads.edge import TusEdge
from mediatheque.runtime import Runtime, database_url, end_with_parent, open_runtime
from mediatheque.telemetry.logs import configure_logs
from mediatheque.telemetry.metrics import begin, record_bytes, record_request

DOORS: tuple[Door, ...] = (
    jobs_errors.DOOR,  # before medias, whose prefix has theirs in it
    medias_errors.DOOR,
    events_errors.DOOR,
    files_errors.DOOR,
    transfers_errors.DOOR,
    sync_errors.DOOR,
    recordings_errors.DOOR,
    uploads_errors.DOOR,
    library_errors.DOOR,
    system_errors.DOOR,
    console_errors.DOOR,
    health.DOOR,
)

_STOPS = (signal.SIGINT, signal.SIGTERM)
_DOCS_ASSETS = "/docs/assets"
_DOCS_TYPES = {".js": "text/javascript", ".css": "text/css"}
_SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css", "swagger-ui-standalone-preset.js")


class _Application(Litestar):
    """Without the framework's plugin for pydantic, which it adds wherever that is installed.

    None of our routes needs it, and it takes 6 MB and a twentieth of a second in every process.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def create_app() -> Observe:
    """Return the application of one web process, with the settings of its environment."""
    settings = read_settings(os.environ)
    configure_logs(settings.log_format, settings.log_level)
    begin()
    application = build_app(open_runtime(settings))
    # All this stays. To look through it for garbage would hold every request up, by 80 ms.
    gc.collect()
    gc.freeze()
    return application


def build_app(runtime: Runtime) -> Observe:
    """Return the application that serves ``runtime``; it closes it when it stops."""
    settings = runtime.settings
    bodies = BodyReader(
        idle_timeout=settings.idle_timeout,
        limit=settings.max_upload_size,
        turns=LOCAL_TURNS if runtime.local else REMOTE_TURNS,
    )
    guard = OriginGuard(settings.cors_origins, settings.public_url)

    # The framework runs a hook that is not async in a thread of its own, at every request.
    async def check_origin(request: AnyRequest) -> None:
        method, sent = request.scope["method"], request.scope["headers"]
        host, origin = field_value(sent, b"host") or "", field_value(sent, b"origin")
        guard.check(method, host, origin)
        if method == "GET" and request.route_handler.opt.get("acts"):
            headers = request.headers
            purpose = headers.get("sec-purpose") or headers.get("purpose")
            guard.check_acting_get(
                host,
                origin,
                headers.get("sec-fetch-site"),
                purpose=purpose,
                agent=headers.get("user-agent", ""),
            )

    cors = _cors(settings)
    application = _Application(
        route_handlers=[
            medias.router,
            medias.prefixed_router,
            jobs.router,
            jobs.prefixed_router,
            events.router,
            files.router,
            transfers.router,
            sync.router,
            recordings.router,
            uploads.router,
            library.router,
            system.router,
            health.router,
            console.router,
            docs_asset,
        ],
        dependencies=_dependencies(runtime, bodies),
        before_request=check_origin,
        exception_handlers={Exception: error_handler(DOORS)},
        lifespan=[lambda _: _background(runtime)],
        cors_config=cors,
        openapi_config=_openapi(),
        # Every body is read in pieces under the limits of doors.http.bodies.
        request_max_body_size=None,
        # Errors are logged by their handler, requests by Observe.
        logging_config=None,
    )
    edge = TusEdge(PageOptions(application, cors))
    return Observe(edge, record=_record, count=record_bytes)


def _dependencies(runtime: Runtime, bodies: BodyReader) -> dict[str, Provide]:
    """Return what routes may ask for, by name.

    Each asks for the one before: for several at once the framework begins a group of tasks, at
    every request.
    """

    def give_bodies(services: GivenServices) -> BodyReader:
        del services
        return bodies

    def give_settings(bodies: GivenBodies) -> Settings:
        del bodies
        return runtime.settings

    return {
        "services": Provide(lambda: runtime.services, sync_to_thread=False),
        "bodies": Provide(give_bodies, sync_to_thread=False),
        "settings": Provide(give_settings, sync_to_thread=False),
    }


def _record(method: str, route: str, status: int, seconds: float) -> None:
    record_request(_door_of(route), method, status, seconds)


@functools.cache  # there are as many as routes
def _door_of(route: str) -> str:
    return find_door(DOORS, route).name


@contextlib.asynccontextmanager
async def _background(runtime: Runtime) -> AsyncIterator[None]:
    """Run what goes on beside requests; begin and close the runtime."""
    runtime.begin()
    told = runtime.services.events
    notices = Notices(database_url(runtime.settings))
    await notices.subscribe(CHANNEL, told.hear, reconnected=told.catch_up)
    await notices.subscribe(intakes.CHANNEL, runtime.services.intake.hear)
    runtime.services.intake.keep_while(lambda: notices.connected)
    library_changes = runtime.services.library_changes
    await notices.subscribe(
        changes.REMOVED_CHANNEL,
        lambda _: library_changes.tell(),
        reconnected=library_changes.tell,
    )
    _when_stopping(told.stop, library_changes.stop, runtime.services.intake.stop)
    tasks = [asyncio.create_task(notices.run())]
    started_by = multiprocessing.parent_process()
    if started_by is not None and started_by.pid is not None:
        tasks.append(asyncio.create_task(end_with_parent(started_by.pid)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runtime.services.intake.close()
        await runtime.close()


def _when_stopping(*tell: Callable[[], None]) -> None:
    """Call each of ``tell`` as soon as this process is told to stop.

    The server hears that as well, and then only waits for the answers that are under way: those
    that never end by themselves must be told.
    """
    loop = asyncio.get_running_loop()

    def hear(number: int, _: object) -> None:
        # Whoever tells all processes, as a terminal and systemd do, tells this one twice: the
        # supervisor does, too. A server that hears it a third time stands still.
        for each in _STOPS:
            signal.signal(each, signal.SIG_IGN)
        loop.call_soon_threadsafe(
            functools.partial(tell_all, number, server_knows=loop.is_running())
        )

    def tell_all(number: int, *, server_knows: bool) -> None:
        for one in tell:
            one()
        if not server_knows:  # it came between the runs in which the server starts and serves
            signal.signal(number, lambda *_: None)
            signal.raise_signal(number)
            signal.signal(number, signal.SIG_IGN)

    for each in _STOPS:
        # The loop learns of signals by other means, so that its own handlers are not replaced.
        signal.signal(each, hear)


def _cors(settings: Settings) -> CORSConfig | None:
    if not settings.cors_origins:
        return None
    return CORSConfig(
        allow_origins=list(settings.cors_origins),
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=[
            "ETag",
            "Content-Range",
            "Content-Disposition",
            "X-Request-Id",
            CHUNK_INDEX,
            *sorted({*tus_headers.EXPOSED, *resumption_headers.EXPOSED}),
        ],
        max_age=600,
    )


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Mediatheque",
        version=__version__,
        description="Receives media, keeps it safely in any object store, and gives it back.",
        path="/docs",
        render_plugins=[
            SwaggerRenderPlugin(
                path="/",
                favicon='<link rel="icon" href="data:,">',
                js_url=f"{_DOCS_ASSETS}/{_SWAGGER[0]}",
                css_url=f"{_DOCS_ASSETS}/{_SWAGGER[1]}",
                standalone_preset_js_url=f"{_DOCS_ASSETS}/{_SWAGGER[2]}",
            ),
        ],
    )


@get(f"{_DOCS_ASSETS}/{{name:str}}", include_in_schema=False)
async def docs_asset(name: str) -> File:
    """Serve an asset of /docs from the installation, so that it works offline."""
    if name not in _SWAGGER:
        raise NotFoundError("There is nothing at this address.")
    path = Path(litestar_offline_docs.__file__).parent / "static" / name
    return File(path, content_disposition_type="inline", media_type=_DOCS_TYPES[path.suffix])
