"""Every metric, by name. All web processes write to one folder, so that any of them can answer.

Import this module only after ``prepare_metrics`` has set the folder: the library decides at
import how it counts.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
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
    """Count one answered request."""
    REQUESTS.labels(door, method, str(status)).inc()
    REQUEST_SECONDS.labels(door).observe(seconds)


def render_metrics() -> bytes:
    """Return the metrics of all processes in the Prometheus text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
