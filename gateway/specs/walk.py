"""Finds what is compiled in a spec, each with its place, so that a finding has a line."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from gateway.specs.expressions import Document, Expression, Source, Template

Place = tuple[str | int, ...]
Compiled = Expression | Template | Document | Source


def compiled(value: object, place: Place = ()) -> Iterator[tuple[Place, Compiled]]:
    """Everything that is compiled at and below a value, with the names that the file has for its place."""
    match value:
        case Expression() | Template() | Document() | Source():
            yield place, value
        case BaseModel():
            for name, field in type(value).model_fields.items():
                yield from compiled(getattr(value, name), (*place, field.alias or name))
        case Mapping():
            for name, one in value.items():
                yield from compiled(one, (*place, name))
        case tuple() | list():
            for number, one in enumerate(value):
                yield from compiled(one, (*place, number))
        case _:
            return


def expressions(value: object, place: Place = ()) -> Iterator[tuple[Place, Expression]]:
    """Every expression at and below a value, those in templates among them."""
    for at, found in compiled(value, place):
        match found:
            case Expression():
                yield at, found
            case Template():
                yield from ((at, one) for one in found.expressions())
            case Document():
                for inner, template in found.templates():
                    yield from (((*at, *inner), one) for one in template.expressions())
            case Source():
                pass
