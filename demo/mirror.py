"""A folder mirrored into a bucket: planned, done, changed, done again, and compared."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.doors import Step, answered, expect, recorder
from demo.service import RunningService

_BUCKET = "demo-mirror"
_BACKUPS = ".backups"


def through_sync(service: RunningService, samples: Path) -> Iterator[Step]:
    """Mirror a folder; then move, change and delete files in it, and mirror it again."""
    folder = service.uploads / "demo"
    shutil.copytree(samples, folder)
    done = recorder(folder.name, "sync")
    mirror = service.buckets / _BUCKET

    def sync(**more: str) -> Any:
        parameters = {"source": folder.name, "dest": _BUCKET, **more}
        headers = {"Prefer": "wait=120"}
        ended = answered(service.http.get("/sync", params=parameters, headers=headers))
        expect(ended["status"] == "success", f"the sync ended: {ended['status']}")
        return ended

    def plan() -> str:
        planned = sync(dry_run="1")
        expect(not mirror.exists(), "a dry run did something")
        return _told(planned)

    def change() -> str:
        first, second, third = sorted(folder.iterdir())[:3]
        first.rename(folder / "moved")
        second.write_bytes(second.read_bytes() + b"changed")
        third.unlink()
        ended = sync(backup_prefix=_BACKUPS)
        saved = mirror / _BACKUPS / third.name
        expect(_same(saved, samples / third.name), "the deleted file was not kept")
        return _told(ended)

    def compare() -> str:
        names = {path.name for path in folder.iterdir()}
        found = {path.name for path in mirror.iterdir() if path.is_file()}
        expect(found == names, "the bucket has other names than the folder")
        expect(
            all(_same(mirror / name, folder / name) for name in names),
            "the bucket has other bytes than the folder",
        )
        return f"{len(names)} files, same bytes"

    yield done("dry run", plan)
    yield done("sync", lambda: _told(sync()))
    yield done("compare", compare)
    yield done("move, change, delete, sync", change)
    yield done("compare", compare)


def _told(sync: Any) -> str:
    counts = {action: sync["plan"][action]["files"] for action in ("upload", "copy", "update")}
    counts["delete"] = sync["plan"]["delete"]["files"]
    return " ".join(f"{action} {count}" for action, count in counts.items() if count)


def _same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()
