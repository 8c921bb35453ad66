"""``mediatheque config``: the settings in effect."""

import os

import msgspec

from mediatheque.config import masked, read_settings, unknown_variables


def config() -> None:
    """Print the settings in effect as TOML, secrets masked."""
    print(msgspec.toml.encode(masked(read_settings(os.environ))).decode(), end="")
    for name in unknown_variables(os.environ):
        print(f"# {name} is set, but there is no such setting")
