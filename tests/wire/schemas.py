"""Whether an event has the schemas of `proto/events`: as much of JSON Schema 2020-12 as those use, and no more."""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "proto" / "events"
_TYPES = {"string": str, "integer": int, "object": dict, "array": list, "null": type(None)}
_KEYWORDS = {
    *("$schema", "$id", "title", "description", "type", "properties", "required", "additionalProperties"),
    *("pattern", "const", "enum", "items", "maxLength", "minItems", "minProperties", "minimum", "maximum"),
}


def schema(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.v1.json").read_text(encoding="utf-8"))


def faults(event: dict) -> list[str]:
    """What is wrong with an event, its attributes and its data; nothing if it has its schemas."""
    found = list(_faults(schema("event"), event, ""))
    name = re.fullmatch(r"urn:ticketsync:event:([a-z_]+):v1", event["dataschema"])[1]
    if event["type"] != f"ticketsync.ticket.{name}.v1" or event["id"] != event["position"]:
        found += [] if found else ["its attributes disagree"]
    return found + list(_faults(schema(name), event["data"], "data."))


def _faults(rules, value, where):
    assert rules.keys() <= _KEYWORDS, "this check knows every keyword that is used"
    at = where.rstrip(".")
    types = rules.get("type", list(_TYPES))
    types = [types] if isinstance(types, str) else types
    if not any(isinstance(value, _TYPES[each]) and not isinstance(value, bool) for each in types):
        yield f"{at}: is no {' or '.join(types)}"
        return
    if "const" in rules and value != rules["const"]:
        yield f"{at}: is not {rules['const']}"
    if "enum" in rules and value not in rules["enum"]:
        yield f"{at}: is none of {rules['enum']}"
    if isinstance(value, str):
        if not re.search(rules.get("pattern", ""), value):
            yield f"{at}: does not match {rules['pattern']}"
        if len(value) > rules.get("maxLength", len(value)):
            yield f"{at}: is too long"
    if isinstance(value, int) and not rules.get("minimum", value) <= value <= rules.get("maximum", value):
        yield f"{at}: is out of bounds"
    if isinstance(value, list):
        if len(value) < rules.get("minItems", 0):
            yield f"{at}: has too few items"
        for index, each in enumerate(value):
            yield from _faults(rules.get("items", {}), each, f"{where}{index}.")
    if isinstance(value, dict):
        yield from _faults_of_object(rules, value, where)


def _faults_of_object(rules, value, where):
    if len(value) < rules.get("minProperties", 0):
        yield f"{where.rstrip('.')}: has too few properties"
    for name in rules.get("required", []):
        if name not in value:
            yield f"{where}{name}: is missing"
    for name, each in value.items():
        of_name = rules.get("properties", {}).get(name, rules.get("additionalProperties", {}))
        if of_name is False:
            yield f"{where}{name}: is not known"
        else:
            yield from _faults(of_name, each, f"{where}{name}.")
