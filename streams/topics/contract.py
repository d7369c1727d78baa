"""The contract as documents: one JSON Schema a family, one AsyncAPI 3 document, and what would break in a new version.

The documents are generated from the models and committed under docs/contract; a test compares the two. They are for
whoever publishes: what they allow is taken. The pipeline takes a little more (null for an optional field, CloudEvents).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from streams.topics import ALL
from streams.topics.event import SCHEMA_VERSION
from streams.topics.family import Family
from streams.topics.internal import DEAD_LETTERS, Internal

Schema: TypeAlias = Mapping[str, Any]

# What AsyncAPI tools read; nothing newer is needed.
DIALECT = "http://json-schema.org/draft-07/schema#"
KAFKA_BINDING = "0.5.0"
PREFIX = "community."
PARTITIONS = 4
"""Topic prefix and partitions as they are when the settings say nothing else."""

_DEAD_LETTER_HEADERS = {
    "topic": "Topic the record was read from",
    "partition": "Partition it was read from",
    "offset": "Its offset there",
    "stage": "Step that refused it",
    "exception.class.name": "Reason, after its last dot: streams.topics.errors.Rejected.invalid_field",
    "exception.message": "What was wrong, for a person",
}


def schema(family: Family) -> dict[str, Any]:
    """JSON Schema of the events of a family."""
    generated = family.model.model_json_schema()
    return {
        "$schema": DIALECT,
        "$id": f"{family.name}.v{SCHEMA_VERSION}.json",
        "title": generated.pop("title"),
        "description": generated.pop("description"),
        **generated,
    }


def asyncapi(prefix: str = PREFIX, partitions: int = PARTITIONS) -> dict[str, Any]:
    """AsyncAPI 3.0 document of the topics platforms publish to, and of the dead letters that come back."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Community events",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": (
                "Events of communities, one flat JSON object each: the envelope and the fields of its family. "
                "Unknown fields are kept, unknown schema versions are dead letters. Plain JSON, and CloudEvents 1.0 in "
                "binary and structured mode, are read."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {
            **{family.name: _channel(family, prefix, partitions, _first_line(family)) for family in ALL},
            DEAD_LETTERS.name: _channel(DEAD_LETTERS, prefix, partitions, DEAD_LETTERS.description),
        },
        "operations": {
            **{f"receive_{family.name}": _operation("receive", family.name, prefix) for family in ALL},
            f"send_{DEAD_LETTERS.name}": _operation("send", DEAD_LETTERS.name, prefix),
        },
        "components": {
            "messages": {**{family.name: _message(family) for family in ALL}, DEAD_LETTERS.name: _dead_letter()},
            "messageTraits": {"cloudevents": _cloudevents()},
        },
    }


def documents() -> dict[str, str]:
    """Every document by its path under docs/contract."""
    files = {f"schemas/{family.name}.json": schema(family) for family in ALL} | {"asyncapi.json": asyncapi()}
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in files.items()}


def export(directory: Path) -> list[Path]:
    """Write every document below `directory`; returns the paths."""
    written = []
    for name, text in documents().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def stale(directory: Path) -> list[str]:
    """What in `directory` is not as the models say, one line a file; empty when all is."""
    wanted = documents()
    there = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*.json")}
    lines = [f"{name} is missing" for name in wanted if name not in there]
    lines += [f"{name} belongs to no family" for name in there if name not in wanted]
    lines += [
        f"{name} differs from the models"
        for name, path in there.items()
        if name in wanted and path.read_text(encoding="utf-8") != wanted[name]
    ]
    return sorted(lines)


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What in `new` would refuse or change an event that `old` allows: one sentence each, with the field's path.

    Breaking are: a field removed (or renamed), newly required, or with another default; a type, enum, limit, pattern or
    format that allows less. Adding optional fields and allowing more are not.
    """
    return list(_broken("", old, new, old, new))


def _broken(path: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    at = path or "the event"
    yield from _narrowed(at, old, new)
    if "default" in old and ("default" not in new or _differ(new["default"], old["default"])):
        yield f"{at}: the default was {json.dumps(old['default'])} and is {json.dumps(new.get('default'))}"

    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        field = f"{path}.{name}" if path else name
        if name not in after:
            yield f"{field}: removed"
        else:
            yield from _broken(field, before[name], after[name], old_root, new_root)
    for name in new.get("required", []):
        if name not in old.get("required", []):
            yield f"{path}.{name}: newly required" if path else f"{name}: newly required"
    if old.get("additionalProperties", True) is not False and new.get("additionalProperties", True) is False:
        yield f"{at}: unknown fields are no longer allowed"

    if "items" in new:
        yield from _broken(f"{path}[]", old.get("items", {}), new["items"], old_root, new_root)
    if "anyOf" in new:
        for branch in old.get("anyOf", [old]):
            if all(any(_broken(path, branch, choice, old_root, new_root)) for choice in new["anyOf"]):
                yield f"{at}: one of its forms is no longer allowed"


def _narrowed(at: str, old: Schema, new: Schema) -> Iterator[str]:
    allowed, types = _types(old), _types(new)
    if types is not None and (allowed is None or not allowed <= types):
        yield f"{at}: the type was {_words(allowed)} and is {_words(types)}"
    values, enum = _values(old), _values(new)
    if enum is not None:
        lost = [value for value in values if value not in enum] if values is not None else None
        if lost is None:
            yield f"{at}: only {json.dumps(enum)} are allowed"
        elif lost:
            yield f"{at}: {', '.join(map(json.dumps, lost))} no longer allowed"
    for keyword in ("minLength", "minimum", "exclusiveMinimum", "minItems"):
        if keyword in new and _out_of(old, keyword, new[keyword], lower=True):
            yield f"{at}: {keyword} was {old.get(keyword, 'not set')} and is {new[keyword]}"
    for keyword in ("maxLength", "maximum", "exclusiveMaximum", "maxItems"):
        if keyword in new and _out_of(old, keyword, new[keyword], lower=False):
            yield f"{at}: {keyword} was {old.get(keyword, 'not set')} and is {new[keyword]}"
    for keyword in ("pattern", "format", "multipleOf", "uniqueItems", "contentEncoding"):
        if keyword in new and new[keyword] != old.get(keyword):
            yield f"{at}: {keyword} was {old.get(keyword, 'not set')} and is {new[keyword]}"


def _out_of(old: Schema, keyword: str, limit: float, *, lower: bool) -> bool:
    """Whether `limit` cuts off what the old schema allowed; minLength 0 and limits beside an enum cut off nothing."""
    if keyword not in old:
        return not (keyword in ("minLength", "minItems") and limit == 0) and _values(old) is None
    return bool(limit > old[keyword] if lower else limit < old[keyword])


def _types(one: Schema) -> set[str] | None:
    """Types a schema allows, None for any; a number may be an integer."""
    kind = one.get("type")
    if kind is None:
        return None
    types = {kind} if isinstance(kind, str) else set(kind)
    return types | {"integer"} if "number" in types else types


def _values(one: Schema) -> list[Any] | None:
    """Values a schema allows, None for any."""
    if "const" in one:
        return [one["const"]]
    return list(one["enum"]) if "enum" in one else None


def _words(types: set[str] | None) -> str:
    return " or ".join(sorted(types)) if types is not None else "any"


def _differ(left: Any, right: Any) -> bool:
    return json.dumps(left, sort_keys=True) != json.dumps(right, sort_keys=True)


def _resolved(one: Schema, root: Schema) -> Schema:
    """The schema a local reference stands for, with what is said beside the reference."""
    while "$ref" in one:
        target: Any = root
        for part in one["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        one = {**target, **{k: v for k, v in one.items() if k != "$ref"}}
    return one


def _first_line(family: Family) -> str:
    return (family.model.__doc__ or "").partition("\n")[0]


def _channel(topic: Family | Internal, prefix: str, partitions: int, description: str) -> dict[str, Any]:
    return {
        "address": topic.topic(prefix),
        "description": description,
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.topic(prefix),
                "partitions": topic.partitions or partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": int(topic.retention.total_seconds()) * 1000,
                },
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operation(action: str, name: str, prefix: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": f"The pipeline {'reads' if action == 'receive' else 'writes'} {name.replace('_', ' ')} records",
        "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
    }


def _message(family: Family) -> dict[str, Any]:
    return {
        "name": family.name,
        "title": family.model.__name__,
        "summary": _first_line(family),
        "contentType": "application/json",
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-07",
            "schema": {"$ref": f"./schemas/{family.name}.json"},
        },
        "bindings": {"kafka": _key("<community_id>/<member_id>: one member's events stay in order")},
        "traits": [{"$ref": "#/components/messageTraits/cloudevents"}],
    }


def _dead_letter() -> dict[str, Any]:
    return {
        "name": DEAD_LETTERS.name,
        "title": "Dead letter",
        "summary": DEAD_LETTERS.description,
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "properties": {
                f"__connect.errors.{name}": {"type": "string", "description": description}
                for name, description in _DEAD_LETTER_HEADERS.items()
            },
        },
        "payload": {"description": "The value of the rejected record, byte for byte"},
        "bindings": {"kafka": _key("The key of the rejected record")},
    }


def _key(description: str) -> dict[str, Any]:
    return {"key": {"type": "string", "description": description}, "bindingVersion": KAFKA_BINDING}


def _cloudevents() -> dict[str, Any]:
    attributes = {
        "specversion": "1.0",
        "id": "event_id",
        "type": f"community.<family>.v{SCHEMA_VERSION}",
        "source": "//<platform>/<community_id>",
        "subject": "member_id",
        "time": "occurred_at",
    }
    return {
        "name": "cloudevents",
        "summary": "Optional: CloudEvents 1.0 in binary mode. Fields in the value win over attributes",
        "headers": {
            "type": "object",
            "properties": {
                f"ce_{name}": {"type": "string", "description": description} for name, description in attributes.items()
            },
        },
    }
