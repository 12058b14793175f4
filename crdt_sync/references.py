"""Secrets by reference: a secret never stands in a setting. `env:NAME` or `file:PATH` says where it is."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from crdt_sync.errors import Malformed


def _source(reference: object) -> object:
    if not isinstance(reference, str):
        return reference
    scheme, _, place = reference.partition(":")
    if scheme == "env" and place:
        return lambda: _from_environment(place)
    if scheme == "file" and place:
        return lambda: _from_file(Path(place))
    raise ValueError("a secret is given by reference: env:NAME or file:PATH")


def _from_environment(name: str) -> str:
    value = os.environ.get(name)  # noqa: TID251 - the setting is the reference, and this is what it refers to
    if not value:
        raise Malformed(f"The secret env:{name} is not set.", code="secret", advice=f"Set {name} in the environment.")
    return value


def _from_file(path: Path) -> str:
    try:
        value = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        value = ""
    if not value:
        raise Malformed(f"The secret file:{path} holds nothing that can be read.", code="secret", advice="Write it.")
    return value


Secret = Annotated[Callable[[], str], BeforeValidator(_source)]
"""A function that reads the secret; raises `Malformed` (code `secret`) where there is none. Code may hand in one."""
