"""Start the service on its embedded defaults and put files through every door.

``python -m demo [FILE …]`` exits 0 when every byte came back as it went in, else 1 with a reason.
"""

import itertools
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo.doors import Step, through_files, through_medias, through_transfers
from demo.mirror import through_sync
from demo.recording import through_recordings
from demo.resuming import through_uploads
from demo.samples import make_samples
from demo.service import DemoError, running

_BUILD = Path(__file__).parent.parent / "build"


def main(arguments: list[str]) -> int:
    """Run the demo on its own samples and on the files named by ``arguments``."""
    console = Console()
    given = [Path(argument).expanduser() for argument in arguments]
    missing = [str(path) for path in given if not path.is_file()]
    if missing:
        console.print(f"[red]No such file:[/red] {', '.join(missing)}")
        return 1
    _BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-", dir=_BUILD) as folder:
        started = time.monotonic()
        try:
            samples = Path(folder) / "samples"
            sources = [*make_samples(samples), *given]
            with running(Path(folder) / "data", samples) as service:
                console.print(f"The service answers at {service.url} (embedded PostgreSQL, folder)")
                steps = [
                    step
                    for source in sources
                    for step in (*through_medias(service, source), *through_files(service, source))
                ]
                steps += through_transfers(service, samples)
                steps += through_sync(service, samples)
                steps += through_recordings(service)
                steps += through_uploads(service)
        except DemoError as error:
            console.print(f"[red]The demo failed:[/red] {error}")
            return 1
    console.print(_table(steps))
    seconds = time.monotonic() - started
    console.print(f"{len(sources)} files, {len(steps)} steps, every byte checked, {seconds:.1f} s")
    return 0


def _table(steps: list[Step]) -> Table:
    """One line per file and door; what each step said stands in their order."""
    table = Table(title="What was done")
    for heading in ("file", "door", "steps", "results"):
        table.add_column(heading, overflow="fold")
    table.add_column("ms", justify="right")
    for (file, door), group in itertools.groupby(steps, key=lambda step: (step.file, step.door)):
        done = list(group)
        results = ", ".join(dict.fromkeys(step.result for step in done if step.result))
        milliseconds = sum(step.seconds for step in done) * 1000
        table.add_row(
            file, door, ", ".join(step.what for step in done), results, f"{milliseconds:.0f}"
        )
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
