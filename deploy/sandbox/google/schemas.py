"""Google's own description of the API, as shipped with its client, and a check against it."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

NATIVE: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


@cache
def document() -> dict[str, Any]:
    """Return the discovery document of Calendar v3."""
    place = files("googleapiclient") / "discovery_cache" / "documents" / "calendar.v3.json"
    found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


@cache
def methods() -> dict[str, dict[str, Any]]:
    """Return every method of the API by its dotted id."""
    return dict(_methods(document()))


def _methods(resource: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for method in resource.get("methods", {}).values():
        yield method["id"], method
    for child in resource.get("resources", {}).values():
        yield from _methods(child)


def problems(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    """Yield what in `value` Google's description does not allow; null passes, it means absent."""
    if value is None:
        return
    if "$ref" in schema:
        yield from problems(value, document()["schemas"][schema["$ref"]], where)
    elif schema["type"] == "object":
        yield from _object_problems(value, schema, where)
    elif schema["type"] == "array":
        yield from _array_problems(value, schema, where)
    elif schema["type"] != "any":
        yield from _plain_problems(value, schema, where)


def _object_problems(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"Invalid value at '{where}': an object is expected."
        return
    known: dict[str, Any] = schema.get("properties", {})
    rest: Any = schema.get("additionalProperties")
    for name, item in value.items():
        if name in known or rest:
            yield from problems(item, known.get(name, rest), f"{where}.{name}")
        else:
            unknown = f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}'"
            yield f"{unknown}: Cannot find field."


def _array_problems(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"Invalid value at '{where}': a list is expected."
        return
    for index, item in enumerate(value):
        yield from problems(item, schema["items"], f"{where}[{index}]")


def _plain_problems(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    kind = schema["type"]
    swapped = isinstance(value, bool) and kind != "boolean"
    if swapped or not isinstance(value, NATIVE[kind]):
        yield f"Invalid value at '{where}' (TYPE_{kind.upper()}), {json.dumps(value)}"
    elif schema.get("format") == "int64" and not str(value).lstrip("-").isdigit():
        yield f"Invalid value at '{where}' (TYPE_INT64), {json.dumps(value)}"
