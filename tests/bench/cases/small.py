"""How many small JSON answers leave in a second."""

from tests.bench import library, load, server
from tests.bench.client import connection
from tests.bench.outcome import Outcome, Rate
from tests.bench.plan import Plan
from tests.bench.source import MIB, random_source

_TARGET_PER_SECOND = 2000
_NAME = "small.bin"
_TARGETS = {
    "GET /medias/info/{resource}": f"/medias/info/{_NAME}",
    "GET /api/file?pageSize=1": "/api/file?pageSize=1",
}


def run(plan: Plan) -> list[Outcome]:
    """Ask a catalog that holds one file; what is measured is a request's way through it all."""
    with (
        random_source(plan.directory, MIB) as source,
        server.running(plan.directory / "small") as service,
    ):
        with connection(service.address) as client:
            library.post_media(client, source.cut(0, MIB), _NAME)
            library.verify(client, source.cut(0, MIB), _NAME)
        outcomes: list[Outcome] = []
        for what, target in _TARGETS.items():
            load.apply(plan.wrk, service.address, target)
            loads = [load.apply(plan.wrk, service.address, target) for _ in range(plan.rounds)]
            outcomes.append(
                Rate(
                    what=what,
                    generator="wrk" if plan.wrk else "generator of the harness",
                    per_second=tuple(one.per_second for one in loads),
                    p99_milliseconds=tuple(one.p99_milliseconds for one in loads),
                    target_per_second=_TARGET_PER_SECOND,
                )
            )
    return outcomes
