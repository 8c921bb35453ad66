"""Writes docs/reference/settings.md: ``python -m scripts.settings_reference``."""

from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from mediatheque.config import FILE_VARIABLE, Settings, describe, environment_variable

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"

_INTRODUCTION = f"""\
# Settings

<!-- Written by scripts/settings_reference.py; change src/mediatheque/config.py instead. -->

A setting is given by its environment variable, or by its name in a TOML file that \
`{FILE_VARIABLE}` names. The environment wins over the file, and an empty variable counts as \
unset. Sizes are in bytes, durations in seconds. `mediatheque config` prints the settings in \
effect, secrets masked; a setting that cannot be used stops every command with exit code 2 and a \
sentence that names it. Settings are read once, at the start.

```toml
# /etc/mediatheque.toml, used with {FILE_VARIABLE}=/etc/mediatheque.toml
data_dir = "/srv/mediatheque"
port = 8080
cors_origins = ["https://app.example.org"]
```

The folders in lists are separated by colons in the environment, other texts by commas.

| Setting | Environment variable | Type | Default | Meaning |
|---|---|---|---|---|
"""
# Defaults that depend on the machine.
_COMPUTED = {
    "data_dir": "`$XDG_DATA_HOME/mediatheque`, else `~/.local/share/mediatheque`",
    "workers": "one per core, at most 4",
    "processing_at_once": "one per core but one, at least 1",
}
_LIMITS = {
    "min_length": " of at least {} characters",
    "ge": ", at least {}",
    "le": ", at most {}",
}
_PLAIN_TYPES: dict[Any, str] = {
    str: "text",
    int: "integer",
    bool: "`true` or `false`",
    Path: "folder",
}


def render() -> str:
    """Return the page, with one row per setting in the order of ``Settings``."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = [_row(field, hints[field.name]) for field in msgspec.structs.fields(Settings)]
    return _INTRODUCTION + "".join(rows)


def _row(field: msgspec.structs.FieldInfo, hint: Any) -> str:
    name = field.name
    default = _COMPUTED.get(name) or _default(field.default)
    cells = (f"`{name}`", f"`{environment_variable(name)}`", _type(hint), default)
    return f"| {' | '.join(cells)} | {describe(hint).description} |\n"


def _default(value: Any) -> str:
    if value is None:
        return "not set"
    if value == ():
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(hint: Any) -> str:
    """Return a type as people say it, with its unit and its limits."""
    if get_origin(hint) is Annotated:
        inner, *metas = get_args(hint)
        return _type(inner) + _limits([meta for meta in metas if isinstance(meta, Meta)])
    if get_origin(hint) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(hint))
    if get_origin(hint) in {Union, UnionType}:
        return _type(next(part for part in get_args(hint) if part is not NoneType))
    if get_origin(hint) is tuple:
        return f"list of {_type(get_args(hint)[0])}s"
    return _PLAIN_TYPES[hint]


def _limits(metas: list[Meta]) -> str:
    """Return what limits a value; where two speak of the same, the later one counts."""
    said: dict[str, Any] = {}
    for meta in metas:
        said |= {name: value for name in _LIMITS if (value := getattr(meta, name)) is not None}
        said |= meta.extra or {}
    unit = f" of {said['unit']}" if "unit" in said else ""
    return unit + "".join(text.format(said[n]) for n, text in _LIMITS.items() if n in said)


if __name__ == "__main__":
    PAGE.write_text(render())
