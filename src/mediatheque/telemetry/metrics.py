"""Every metric, by name. All web processes write to one folder, so that any of them can answer.

Import this module only after ``prepare_metrics`` has set the folder: the library decides at
import how it counts.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REQUESTS = Counter(
    "mediatheque_http_requests_total",
    "Requests answered, by door, method and status.",
    ["door", "method", "status"],
)
REQUEST_SECONDS = Histogram(
    "mediatheque_http_request_seconds",
    "Seconds from the first byte of a request to the last of its answer.",
    ["door"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600),
)
HTTP_RECEIVED_BYTES = Counter(
    "mediatheque_http_request_body_bytes_total", "Bytes of the bodies of requests, as they came in."
)
HTTP_SENT_BYTES = Counter(
    "mediatheque_http_response_body_bytes_total",
    "Bytes of the bodies of answers; of a file that the server sends by itself when it begins.",
)
STARTED = Gauge(
    "mediatheque_start_timestamp_seconds",
    "When the web processes began to count, in Unix seconds.",
    # Other processes, which never set it, must not count as the year 1970.
    multiprocess_mode="mostrecent",
)
RECEIVED_BYTES = Counter(
    "mediatheque_received_bytes_total", "Bytes of media that were received and made durable."
)
UPLOADS = Counter(
    "mediatheque_uploads_total",
    "Uploads that ended, by how: kept, discarded.",
    ["outcome"],
)
JOBS = Counter(
    "mediatheque_job_runs_total",
    "Runs of jobs that ended, by class and by the status they left the job in.",
    ["job_class", "status"],
)
JANITOR_REMOVED = Counter(
    "mediatheque_janitor_removed_total",
    "Leftovers that the janitor removed, by kind: uploads, objects, unfinished.",
    ["kind"],
)
JANITOR_LAST_RUN = Gauge(
    "mediatheque_janitor_last_run_timestamp_seconds",
    "When the janitor last finished a round, in Unix seconds.",
    multiprocess_mode="max",
)


def record_request(door: str, method: str, status: int, seconds: float) -> None:
    """Count one answered request. All but ``seconds`` are from bounded sets."""
    count, duration = _of_requests(door, method, status)
    count.inc()
    duration.observe(seconds)


@cache
def _of_requests(door: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(door, method, str(status)), REQUEST_SECONDS.labels(door)


def begin() -> None:
    """Note when counting began, unless an earlier web process has done so."""
    if throughput().started_at is None:
        STARTED.set_to_current_time()


def record_bytes(received: int, sent: int) -> None:
    """Count bytes of bodies that passed."""
    if received:
        HTTP_RECEIVED_BYTES.inc(received)
    if sent:
        HTTP_SENT_BYTES.inc(sent)


@dataclass(frozen=True, slots=True)
class Throughput:
    """What all web processes of this machine have counted since ``started_at`` (Unix seconds)."""

    received_bytes: int
    sent_bytes: int
    requests: int
    started_at: float | None


def throughput() -> Throughput:
    """Return what passed through the web processes. Reads files: blocks for milliseconds."""
    totals: dict[str, float] = defaultdict(float)
    for metric in _registry().collect():
        for sample in metric.samples:
            totals[sample.name] += sample.value
    return Throughput(
        received_bytes=int(totals["mediatheque_http_request_body_bytes_total"]),
        sent_bytes=int(totals["mediatheque_http_response_body_bytes_total"]),
        requests=int(totals["mediatheque_http_requests_total"]),
        started_at=totals["mediatheque_start_timestamp_seconds"] or None,
    )


def render_metrics() -> bytes:
    """Return the metrics of all processes in the Prometheus text format."""
    return generate_latest(_registry())


class _WebProcesses:
    """Collects what all web processes have counted; a collector of the library."""

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of all processes together.

        The library does not get over a file without bytes. One has none while it is being made, and
        never any if its process was killed then.
        """
        files = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("*.db")
        whole = [str(file) for file in files if file.stat().st_size]
        return MultiProcessCollector.merge(whole)  # type: ignore[no-untyped-call,no-any-return]


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_WebProcesses())
    return registry
