"""What a sample says and what it came to, compared: each difference by its path, and no more than that."""

import json
from collections.abc import Iterator, Mapping

_SHOWN_MAX = 80  # characters of a value: a line is for reading


def differences(wanted: object, came: object, path: str) -> Iterator[str]:
    """Where two values of JSON differ, from the outside to the inside, each as a sentence."""
    match wanted, came:
        case Mapping(), Mapping():
            for name in dict.fromkeys([*wanted, *came]):
                yield from differences(wanted.get(name), came.get(name), f"{path}.{name}")
        case (list() | tuple(), list() | tuple()) if len(wanted) == len(came):
            for number, (one, other) in enumerate(zip(wanted, came, strict=True)):
                yield from differences(one, other, f"{path}[{number}]")
        case (list() | tuple(), list() | tuple()):
            yield f"{path}: expected {len(wanted)}, came to {len(came)} of them."
        case _ if wanted != came:
            yield f"{path}: expected {_shown(wanted)}, came to {_shown(came)}."


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
