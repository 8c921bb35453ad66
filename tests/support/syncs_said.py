"""Answers of door 2, for servers that follow a script."""

import json
from typing import Any

from tests.support.scripted import json_answer

NOTHING = {"files": 0, "bytes": 0}


def tally(files: int, size: int = 0) -> dict[str, int]:
    """Return a number of files with their bytes."""
    return {"files": files, "bytes": size}


def plan(**more: Any) -> dict[str, Any]:
    """Return a plan with nothing in it but what is given."""
    actions = dict.fromkeys(("upload", "copy", "update", "delete", "skip"), NOTHING)
    return {**actions, "foreign": 0, "objects": 0, "ignored": 0, "empty": False, **more}


def sync(**more: Any) -> dict[str, Any]:
    """Return a sync that ended well and had nothing to do, save for what is given."""
    return {
        "id": 7,
        "progress": "100%",
        "status": "success",
        "source": "",
        "dest": "mybucket",
        "storage_url": None,
        "job": "job-of-7",
        "phase": "deleting",
        "wait": 0,
        "dry_run": False,
        "verify": False,
        "force": False,
        "watch": False,
        "as_planned": None,
        "backup_prefix": None,
        "plan": plan(),
        "done": NOTHING,
        "failed": 0,
        "rounds": 0,
        "error": None,
        "created_at": "2026-01-31T12:00:00Z",
        "started_at": "2026-01-31T12:00:00Z",
        "finished_at": "2026-01-31T12:00:02Z",
        **more,
    }


def running(**more: Any) -> dict[str, Any]:
    """Return a sync that has work to do, save for what is given."""
    under_way = {"status": "running", "progress": "0%", "phase": "uploading", "finished_at": None}
    return sync(**{**under_way, **more})


def operation(action: str, key: str, **more: Any) -> dict[str, Any]:
    """Return one operation of a plan."""
    rest = {"size": 1, "bytes": 0, "state": "pending", "error": None, "copy_from": None}
    return {"action": action, "key": key, **rest, **more}


def says(value: Any) -> bytes:
    """Write an answer with this value."""
    return json_answer(json.dumps(value))


def page(*operations: dict[str, Any], after: str | None = None) -> bytes:
    """Write an answer with a page of operations."""
    link = after and f"http://elsewhere/sync/operations?id=7&limit=2&after={after}"
    return says({"operations": operations, "next": link})
