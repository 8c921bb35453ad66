"""What a sync would do, shown before it does it, and the question whether it may."""

import sys
from dataclasses import dataclass
from typing import TextIO

from mediatheque.cli.asking import ask, can_ask
from mediatheque.cli.exits import Exit
from mediatheque.cli.output import Rows, amount, printable
from mediatheque.cli.sync_options import Wanted
from mediatheque.cli.sync_progress import failures, run_to_end
from mediatheque.cli.units import shown_bytes
from mediatheque.client import AsyncClient, Sync, SyncOperation, SyncPlan, Tally

_NAMES_SHOWN = 20
_ANSWER_SECONDS = 1

_NONE = Tally(0, 0)
_NO_PLAN = SyncPlan(
    upload=_NONE,
    copy=_NONE,
    update=_NONE,
    delete=_NONE,
    skip=_NONE,
    foreign=0,
    objects=0,
    ignored=0,
    empty=False,
)


@dataclass(frozen=True, slots=True)
class Preview:
    """A dry run that ended, and its plan: nothing to do, when it ended before it had one.

    ``named`` are the first operations that overwrite or delete, ``failed`` the first of those that
    cannot be done.
    """

    sync: Sync
    plan: SyncPlan
    named: tuple[SyncOperation, ...]
    failed: tuple[SyncOperation, ...]

    @property
    def deletes(self) -> bool:
        """Whether something would be deleted."""
        return self.plan.delete.files > 0 or self.plan.empty

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self.plan.operations and not self.plan.empty


async def preview(client: AsyncClient, wanted: Wanted) -> Preview:
    """Let the server plan a sync and do nothing; return what it found out."""
    # Most plans are made in less than a second.
    starting = client.syncs.start(**wanted, dry_run=True, prefer_wait=_ANSWER_SECONDS)
    sync = await run_to_end(client, starting)
    plan = sync.plan or _NO_PLAN
    named = [
        operation
        for action, tally in (("update", plan.update), ("delete", plan.delete))
        if tally.files
        async for operation in client.syncs.operations(sync.id, action=action, limit=_NAMES_SHOWN)
    ]
    return Preview(sync, plan, tuple(named), await failures(client, sync))


def show(preview: Preview, file: TextIO) -> None:
    """Print what would be done: in numbers, and by name what would be overwritten or deleted."""
    plan = preview.plan
    rows = Rows("action", "files", "bytes", right=("files", "bytes"), file=file)
    for action, tally in (
        ("upload", plan.upload),
        ("copy", plan.copy),
        ("update", plan.update),
        ("delete", plan.delete),
        ("unchanged", plan.skip),
    ):
        if tally.files:
            rows.add(action, str(tally.files), amount(tally.bytes, file))
    rows.flush()
    names = Rows("action", "name", file=file)
    for operation in preview.named:
        names.add(operation.action, operation.key)
    names.flush()
    for remark in _remarks(preview):
        print(remark, file=sys.stderr)


def _remarks(preview: Preview) -> list[str]:
    plan, sync = preview.plan, preview.sync
    remarks = []
    more = plan.update.files + plan.delete.files - len(preview.named)
    if more:
        remarks.append(f"… and {more} more")
    if plan.ignored:
        remarks.append(f"Left out, as they are links, pipes or devices: {plan.ignored}.")
    if plan.foreign:
        remarks.append(
            f"{plan.foreign} of the deletions are of objects that the service did not upload: it "
            "leaves these alone, unless its MEDIATHEQUE_SYNC_DELETE_UNOWNED is on."
        )
    if plan.empty:
        remarks.append(
            f"There is no file in {printable(sync.source) or 'the uploads'}: the bucket "
            f"{printable(sync.dest)} itself goes away, unless it keeps backups."
        )
    return remarks


def confirm(preview: Preview) -> None:
    """Ask whether what would be deleted may be; end the command when it may not."""
    deletion = _deletion(preview)
    if not can_ask():
        sys.exit(
            Exit.REFUSED.because(f"This would {deletion}. Nothing was done. If it may: --yes.")
        )
    if ask(f"{deletion[0].upper()}{deletion[1:]}? [y/N] ").lower() not in {"y", "yes"}:
        sys.exit(Exit.REFUSED.because("Nothing was done."))


def _deletion(preview: Preview) -> str:
    delete, bucket = preview.plan.delete, printable(preview.sync.dest)
    if not delete.files:
        return f"remove the bucket {bucket}, if there is one"
    objects = "1 object" if delete.files == 1 else f"{delete.files} objects"
    text = f"delete {objects} ({shown_bytes(delete.bytes)}) from the bucket {bucket}"
    return f"{text}, and the bucket itself" if preview.plan.empty else text
