"""Reading an event where every fault is named: the models decide, and whatever they raise becomes one `Rejected`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from math import isfinite
from types import NoneType
from typing import TypeAlias

from pydantic import ValidationError
from pydantic_core import from_json

from streams.topics.errors import Rejected
from streams.topics.event import SCHEMA_VERSION, Contract, Event
from streams.topics.family import Family

Container: TypeAlias = dict[str, object] | list[object] | tuple[object, ...]

HARMLESS = frozenset({int, bool, NoneType, datetime})

MAX_DEPTH = 32
"""An event needs three levels; unknown fields may bring some of their own."""


def read_object(value: bytes) -> dict[str, object]:
    """The JSON object that `value` is, of duplicate names the last. Raises Rejected."""
    try:
        value.decode()
    except UnicodeDecodeError as e:
        raise Rejected("invalid_utf8", f"{e.reason} at byte {e.start}") from None
    if value.startswith(b"\xef\xbb\xbf"):
        raise Rejected("invalid_json", "starts with a byte order mark, which JSON does not have")
    try:
        document = from_json(value, allow_inf_nan=False)
    except (ValueError, RecursionError) as e:
        if isinstance(e, RecursionError) or "recursion limit" in str(e):
            raise Rejected("too_deep", f"nested deeper than {MAX_DEPTH} levels") from None
        raise Rejected("invalid_json", str(e)) from None
    except MemoryError:
        raise Rejected("invalid_json", "the JSON could not be held in memory") from None
    if not isinstance(document, dict):
        raise Rejected("invalid_json", "the JSON is no object")
    return document


def check_contents(obj: dict[str, object]) -> None:
    """Refuse, anywhere in `obj`: nesting that is too deep, NUL, text that has no UTF-8, and what JSON cannot hold."""
    level: list[tuple[str, Container]] = [("", obj)]
    for _ in range(MAX_DEPTH):
        deeper: list[tuple[str, Container]] = []
        for path, container in level:
            for name, value in _members(path, container):
                if type(value) in HARMLESS:
                    continue
                if isinstance(value, str):
                    _check_text(path, name, value)
                elif isinstance(value, dict | list | tuple):
                    deeper.append((_join(path, name), value))
                elif not isinstance(value, float):
                    detail = f"is a {type(value).__name__}, which JSON cannot hold"
                    raise Rejected("invalid_field", detail, _join(path, name))
                elif not isfinite(value):
                    raise Rejected("invalid_field", "is beyond the range of doubles", _join(path, name))
        if not deeper:
            return
        level = deeper
    raise Rejected("too_deep", f"nested deeper than {MAX_DEPTH} levels")


def _members(path: str, container: Container) -> Iterable[tuple[object, object]]:
    """Name or place, and value, of what is in a container; names are checked first."""
    if not isinstance(container, dict):
        return enumerate(container)
    for name in container:
        if not isinstance(name, str):
            raise Rejected("invalid_field", "the name of a field in it is no text", path)
        _check_text(path, "", name)
    return container.items()


def _join(path: str, name: object) -> str:
    return f"{path}.{name}".strip(".")


def validate(family: Family, obj: dict[str, object]) -> Event:
    """The event of `family` that `obj` is, whose contents are checked already.

    Raises Rejected with the first fault; versions are judged before fields.
    """
    version = obj.get("schema_version")
    if type(version) is int and version != SCHEMA_VERSION:
        raise Rejected("unknown_version", f"the contract has version {SCHEMA_VERSION} only", "schema_version")
    try:
        return family.model.model_validate(obj)
    except ValidationError as e:
        first = e.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Rejected("invalid_field", first["msg"].removeprefix("Value error, "), field) from None


def extra_of(event: Event) -> str:
    """The fields the contract does not know as one JSON object with sorted names, "" when there are none.

    Unknown fields of list elements are found at their place: `{"items":[{},{"colour":"red"}]}`. Numbers are written as
    a double holds them. Raises Rejected for what JSON cannot hold.
    """
    unknown = _unknown(event)
    return json_text(unknown) if unknown else ""


def json_text(unknown: dict[str, object]) -> str:
    """Unknown fields as JSON, names sorted. Raises Rejected for what JSON cannot hold."""
    try:
        return json.dumps(unknown, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    except (ValueError, TypeError):
        raise Rejected("invalid_field", "an unknown field holds what JSON cannot") from None


def _unknown(model: Contract) -> dict[str, object]:
    found: dict[str, object] = dict(model.model_extra or {})
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, tuple) and value and isinstance(value[0], Contract):
            elements = [_unknown(element) for element in value]
            if any(elements):
                found[name] = elements
    return found


def _check_text(path: str, name: object, text: str) -> None:
    if text.isascii():
        if "\x00" in text:
            raise Rejected("invalid_field", "holds a NUL character", _join(path, name))
        return
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise Rejected("invalid_utf8", "holds half of a surrogate pair", _join(path, name)) from None
    if b"\x00" in encoded:
        raise Rejected("invalid_field", "holds a NUL character", _join(path, name))
