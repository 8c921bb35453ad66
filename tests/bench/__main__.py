"""Run the benchmark: ``python -m tests.bench --help``."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import load, nginx, peers, report
from tests.bench.cases import CASES
from tests.bench.machine import describe
from tests.bench.outcome import BenchError, Outcome
from tests.bench.plan import Plan
from tests.bench.source import MIB

_CHECKOUT = Path(__file__).resolve().parents[2]
_RESULTS = _CHECKOUT / "bench-results"
_PAGE = _CHECKOUT / "docs" / "explanation" / "performance.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, keep the JSON. Return 0, or 1 when a run is worth nothing.

    A missed target is a result like any other and does not fail the run.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.write_docs and set(chosen.only) != set(CASES):
        parser.error("--write-docs replaces every table, so it does not go with --only")
    started = datetime.now(UTC)
    nginx_program, wrk_program = nginx.find(), load.find()
    ffmpeg = shutil.which("ffmpeg")
    programs = {"nginx with http_dav_module": nginx_program, "wrk": wrk_program, "ffmpeg": ffmpeg}
    transfer_peers = {}
    if {"transfers", "sync", "resumable"} & set(chosen.only):
        transfer_peers = peers.install()
        programs |= {name: transfer_peers.get(name) for name in peers.NAMES}
    missing = tuple(name for name, program in programs.items() if program is None)
    for name in missing:
        _say(f"{name} is missing (Debian: apt-get install nginx wrk ffmpeg; others: PyPI)")
    chosen.directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=chosen.directory) as directory:
        plan = Plan(
            directory=Path(directory),
            rounds=chosen.rounds,
            size=chosen.size * MIB,
            rows=chosen.rows,
            nginx=nginx_program,
            wrk=wrk_program,
            ffmpeg=ffmpeg,
            peers=transfer_peers,
        )
        try:
            outcomes = _run(chosen.only, plan)
        except BenchError as error:
            _say(f"The benchmark failed. {error}")
            return 1
        machine = describe(plan.directory)
    found = report.Report(started, machine, chosen.rounds, missing, tuple(outcomes))
    print(report.markdown(found))
    _say(f"\nWritten to {report.write_json(found, _RESULTS)}")
    if chosen.write_docs:
        report.write_docs(found, _PAGE)
        _say(f"and to {_PAGE}")
    return 0


def _run(names: Sequence[str], plan: Plan) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for name in names:
        _say(f"{name} …")
        outcomes += CASES[name](plan)
    return outcomes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure the service beside its peers, and check every byte that moved.",
    )
    parser.add_argument(
        "--only",
        type=_case_names,
        default=list(CASES),
        metavar="NAME,…",
        help=f"run these cases only: {', '.join(CASES)}",
    )
    parser.add_argument("--rounds", type=_positive, default=5, help="turns each (default: 5)")
    parser.add_argument(
        "--size", type=_positive, default=1024, metavar="MiB", help="big file (default: 1024)"
    )
    parser.add_argument(
        "--rows", type=_positive, default=1_000_000, help="length of the list (default: 1000000)"
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=_CHECKOUT / "build",
        help="folder on the disk to measure; used for temporary files (default: build)",
    )
    parser.add_argument(
        "--write-docs", action="store_true", help=f"put the tables into {_PAGE.name} as well"
    )
    return parser


def _case_names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise argparse.ArgumentTypeError(f"no case is called {unknown[0]!r}")
    return names


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
