"""A run for machines (JSON) and for people (Markdown)."""

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.machine import Machine
from tests.bench.outcome import (
    BenchError,
    Bound,
    Comparison,
    Figure,
    Latency,
    Memory,
    Outcome,
    Race,
    Rate,
    median_cpu,
    median_wall,
    min_wall,
)
from tests.bench.probe import Usage

_BEGIN = "<!-- bench:begin -->"
_END = "<!-- bench:end -->"
_NOT_MEASURED = "not measured"
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a run found out. ``missing`` names the programs that this machine lacks."""

    started: datetime
    machine: Machine
    rounds: int
    missing: tuple[str, ...]
    outcomes: tuple[Outcome, ...]


def write_json(report: Report, directory: Path) -> Path:
    """Write a report as ``<UTC time>.json`` into ``directory``; return the file."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{report.started:%Y%m%dT%H%M%SZ}.json"
    document = {
        "started": report.started.isoformat(),
        "machine": asdict(report.machine),
        "rounds": report.rounds,
        "missing": report.missing,
        "outcomes": [_plain(outcome) for outcome in report.outcomes],
    }
    file.write_text(json.dumps(document, indent=2) + "\n")
    return file


def markdown(report: Report) -> str:
    """Render a report as tables, one for each kind of outcome that it has."""
    tables = [
        _comparisons([one for one in report.outcomes if isinstance(one, Comparison)]),
        _memory([one for one in report.outcomes if isinstance(one, Memory)]),
        _latencies([one for one in report.outcomes if isinstance(one, Latency)]),
        _rates([one for one in report.outcomes if isinstance(one, Rate)]),
        _races([one for one in report.outcomes if isinstance(one, Race)]),
        *_figures([one for one in report.outcomes if isinstance(one, Figure)]),
    ]
    return "\n\n".join([_heading(report), *(table for table in tables if table)])


def write_docs(report: Report, page: Path) -> None:
    """Replace what stands between the two markers of a Markdown page by this report.

    :raises BenchError: the page has not each marker once, in order.
    """
    text = page.read_text()
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end) or _BEGIN in rest or _END in after:
        raise BenchError(f"{page} must hold {_BEGIN} and {_END}, once each")
    page.write_text(f"{before}{_BEGIN}\n{markdown(report)}\n{_END}{after}")


def _plain(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome with what follows from it, so that readers need not compute it again."""
    derived: dict[str, Any] = {"kind": type(outcome).__name__.lower(), "met": outcome.met}
    if isinstance(outcome, Comparison):
        derived |= {"ratio": outcome.ratio, "ratio_of_minima": outcome.ratio_of_minima}
    elif isinstance(outcome, Latency):
        derived |= {"median": outcome.median, "p95": outcome.p95}
    elif isinstance(outcome, Rate | Figure):
        derived |= {"median": outcome.median}
    return derived | asdict(outcome)


def _heading(report: Report) -> str:
    machine = report.machine
    said = (
        f"Measured on {report.started:%Y-%m-%d} in {report.rounds} rounds: {machine.cores} cores "
        f"({machine.cpu}), {machine.memory_bytes / _GIB:.0f} GiB of memory, {machine.kernel}, "
        f"{machine.file_system} on {machine.disk}, Python {machine.python}."
    )
    if report.missing:
        said += f" Missing on this machine: {', '.join(report.missing)}."
    return said


def _comparisons(outcomes: Sequence[Comparison]) -> str:
    return _table(
        "Beside a peer",
        "What | Seconds | CPU s | RSS / PSS MB | Peer | Its seconds | Its CPU s | Ratio | Target",
        [
            [
                one.what,
                _seconds(one.ours),
                _cpu(one.ours),
                _megabytes(one.ours),
                one.peer_name,
                _seconds(one.peer),
                _cpu(one.peer),
                _ratio(one),
                _target(f"≤ {one.target_ratio:g}", met=one.met),
            ]
            for one in outcomes
        ],
    )


def _memory(outcomes: Sequence[Memory]) -> str:
    return _table(
        "Memory",
        "What | Idle RSS MB | Peak RSS MB | Peak PSS MB | Seconds | CPU s | Target RSS",
        [
            [
                one.what,
                f"{one.idle_rss_bytes / 1e6:.0f}",
                f"{one.usage.peak_rss_bytes / 1e6:.0f}",
                f"{one.usage.peak_pss_bytes / 1e6:.0f}",
                f"{one.usage.wall_seconds:.1f}",
                f"{one.usage.cpu_seconds:.1f}",
                _target(f"< {one.target_bytes / 1e6:.0f} MB", met=one.met),
            ]
            for one in outcomes
        ],
    )


def _latencies(outcomes: Sequence[Latency]) -> str:
    return _table(
        "Lists",
        "Request | Median ms | p95 ms | Target",
        [
            [
                f"`{one.what}`",
                f"{one.median:.1f}",
                f"{one.p95:.1f}",
                "none"
                if one.target_milliseconds is None
                else _target(f"< {one.target_milliseconds:.3g} ms", met=one.met),
            ]
            for one in outcomes
        ],
    )


def _rates(outcomes: Sequence[Rate]) -> str:
    return _table(
        "Small answers",
        "Request | Answers/s, median (least) | p99 ms | Measured by | Target",
        [
            [
                f"`{one.what}`",
                f"{one.median:.0f} ({min(one.per_second):.0f})",
                f"{statistics.median(one.p99_milliseconds):.1f}",
                one.generator,
                _target(f"≥ {one.target_per_second:g}", met=one.met),
            ]
            for one in outcomes
        ],
    )


def _races(outcomes: Sequence[Race]) -> str:
    return _table(
        "Transfers to one store",
        "What | By | Seconds | CPU s | Peak MB | Targets",
        [
            [
                "" if number else one.what,
                name,
                _seconds(runs),
                _cpu(runs),
                f"{max(run.peak_unmapped_bytes for run in runs) / 1e6:.0f}",
                "" if number else "; ".join(_bound(bound) for bound in one.bounds),
            ]
            for one in outcomes
            for number, (name, runs) in enumerate(one.runs.items())
        ],
    )


def _figures(outcomes: Sequence[Figure]) -> Iterator[str]:
    """Render a table for each subject."""
    for subject in dict.fromkeys(one.subject for one in outcomes):
        yield _table(
            subject,
            "What | Median (least to most) | Target",
            [
                [
                    one.what,
                    _spread(one),
                    _figure_target(one),
                ]
                for one in outcomes
                if one.subject == subject
            ],
        )


def _figure_target(one: Figure) -> str:
    if one.at_least is not None:
        return _target(f"≥ {one.at_least:g} {one.unit}", met=one.met)
    if one.at_most is not None:
        return _target(f"≤ {one.at_most:g} {one.unit}", met=one.met)
    return "none"


def _table(title: str, head: str, rows: Iterable[Sequence[str]]) -> str:
    """Return a titled Markdown table, or nothing for no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    rule = "|".join("---" for _ in head.split(" | "))
    return "\n".join([f"### {title}", "", f"| {head} |", f"|{rule}|", *lines])


def _seconds(runs: Sequence[Usage]) -> str:
    if not runs:
        return _NOT_MEASURED
    return f"{median_wall(runs):.2f} ({min_wall(runs):.2f})"


def _cpu(runs: Sequence[Usage]) -> str:
    if not runs:
        return _NOT_MEASURED
    return f"{median_cpu(runs):.2f}"


def _megabytes(runs: Sequence[Usage]) -> str:
    rss = max(run.peak_rss_bytes for run in runs) / 1e6
    pss = max(run.peak_pss_bytes for run in runs) / 1e6
    return f"{rss:.0f} / {pss:.0f}"


def _ratio(one: Comparison) -> str:
    if one.ratio is None or one.ratio_of_minima is None:
        return _NOT_MEASURED
    return f"{one.ratio:.2f} ({one.ratio_of_minima:.2f})"


def _spread(one: Figure) -> str:
    said = _number(one.median)
    if len(one.values) > 1:
        said += f" ({_number(min(one.values))} to {_number(max(one.values))})"
    return f"{said} {one.unit}"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _bound(one: Bound) -> str:
    said = f"{one.what} ≤ {one.at_most:g}"
    if one.value is None:
        return f"{said}: {_NOT_MEASURED}"
    return f"{_target(said, met=one.met)} ({one.value:.3g})"


def _target(text: str, *, met: bool | None) -> str:
    if met is None:
        return text
    return f"{text}, met" if met else f"**{text}, missed**"
