"""The inputs that the fuzzer found worth keeping: a file for each decoder, one input a line, in hexadecimal."""

from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).with_name("corpus")


def path_of(name: str) -> Path:
    """Where the inputs of a decoder are."""
    return FOLDER / f"{name.replace(' ', '-')}.txt"


def kept(name: str) -> list[bytes]:
    """Return the inputs of a decoder; none if the fuzzer was never run for it."""
    path = path_of(name)
    return [bytes.fromhex(line) for line in path.read_text("ascii").splitlines()] if path.exists() else []


def keep(name: str, inputs: Iterable[bytes]) -> None:
    """Write the inputs of a decoder, the shortest first."""
    lines = [data.hex() for data in sorted(set(inputs), key=lambda data: (len(data), data))]
    path_of(name).write_text("".join(f"{line}\n" for line in lines), "ascii")
