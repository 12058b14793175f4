"""A file of an operator's as a tree that remembers its lines. Knows no file format."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, whole number, truth value or nothing; `float` stands for every number that is not a plain integer."""

    line: int
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping as written: its keys may repeat, and need not be texts."""

    line: int
    entries: tuple[tuple["Node", "Node"], ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that was refused already, such as an alias; nobody complains about it again."""

    line: int


Node = Scalar | Sequence | Table | Broken
