"""The golden bytes of proto/vectors, as parameters of tests."""

import dataclasses
import json
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / "proto" / "vectors"


def load(name: str) -> list[dict]:
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def good(name: str):
    rows = [row for row in load(name) if "malformed" not in row]
    return pytest.mark.parametrize("row", rows, ids=_label)


def malformed(name: str):
    rows = [row for row in load(name) if "malformed" in row]
    return pytest.mark.parametrize("row", rows, ids=_label)


def described(frame) -> dict:
    """A frame as the vectors write it: its type and fields, bytes in hexadecimal."""
    fields = {field.name: getattr(frame, field.name) for field in dataclasses.fields(frame)}
    return {"type": type(frame).__name__} | {name: _plain(value) for name, value in fields.items()}


def _plain(value):
    if isinstance(value, bytes):
        return value.hex()
    return described(value) if dataclasses.is_dataclass(value) else value


def _label(row: dict) -> str:
    return row.get("name") or f"{row['type']} {row['hex'] or 'nothing'}"
