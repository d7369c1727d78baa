"""Events as CloudEvents 1.0 over Kafka: binary mode (`ce_` headers, plain data) and structured mode (one JSON
envelope).

`id` is the event_id, `time` occurred_at, `type` is `community.<family>.v<schema_version>`, `source` is
`//<platform>/<community_id>` with percent-encoding, `subject` the member_id. The extension attributes platform,
communityid, memberid, actorkind and senttime win over source and subject; fields that are present in the data win
over attributes.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import TypeAlias
from urllib.parse import quote, unquote

from streams.topics.errors import Rejected
from streams.topics.event import Event
from streams.topics.family import Family
from streams.topics.validate import read_object

Headers: TypeAlias = Sequence[tuple[str, bytes]]

STRUCTURED = "application/cloudevents+json"
REQUIRED = tuple(name for name, field in Event.model_fields.items() if field.is_required())
FIELD_OF_ATTRIBUTE: Mapping[str, str] = {
    "id": "event_id",
    "time": "occurred_at",
    "subject": "member_id",
    # What comes later wins.
    "platform": "platform",
    "communityid": "community_id",
    "memberid": "member_id",
    "actorkind": "actor_kind",
    "senttime": "sent_at",
}
OF_THE_ENVELOPE = {
    *FIELD_OF_ATTRIBUTE,
    "type",
    "source",
    "specversion",
    "datacontenttype",
    "dataschema",
    "data",
    "data_base64",
}
_TYPE = re.compile(r"community\.([a-z_]+)\.v([0-9]{1,5})")
_SOURCE = re.compile(r"//([^/?#]+)/([^/?#]+)")


def flatten(document: dict[str, object], headers: Headers, family: Family) -> dict[str, object]:
    """The flat contract object of a record whose JSON value is `document`.

    A value that has all required fields of the envelope is returned as it is, and so is one that is no CloudEvent.
    Attributes the contract does not know stay as unknown fields. Raises Rejected.
    """
    if all(name in document for name in REQUIRED):
        return document
    carried = _carried(headers)
    if carried.get("content-type", "").partition(";")[0].strip().lower() == STRUCTURED or (
        # Files and some bridges lose the headers; the envelope is plain to see.
        "specversion" in document and "source" in document and "id" in document
    ):
        attributes = {name: value for name, value in document.items() if value is not None}
        data = _data(document)
    elif "ce_specversion" in carried:
        attributes = {name.removeprefix("ce_"): value for name, value in carried.items() if name.startswith("ce_")}
        data = document
    else:
        return document
    if attributes.get("specversion") != "1.0":
        raise Rejected("unknown_version", "CloudEvents of version 1.0 are read", "specversion")
    unknown = {
        name: value
        for name, value in attributes.items()
        if name not in OF_THE_ENVELOPE and name not in family.model.model_fields
    }
    return unknown | _envelope(attributes, data) | data


def binary_headers(event: Event) -> list[tuple[str, bytes]]:
    """The headers that make the record of a contract event a CloudEvent in binary mode, whatever its value repeats."""
    stated = event.model_dump(mode="json", include={"occurred_at", "sent_at"})
    attributes = {
        "specversion": "1.0",
        "id": event.event_id,
        "type": f"community.{event.type}.v{event.schema_version}",
        "source": f"//{quote(event.platform, safe='')}/{quote(event.community_id, safe='')}",
        "subject": event.member_id,
        "time": stated["occurred_at"],
        "platform": event.platform,
        "communityid": event.community_id,
        "memberid": event.member_id,
        "actorkind": event.actor_kind,
    }
    if "sent_at" in event.model_fields_set:
        attributes["senttime"] = stated["sent_at"]
    return [("content-type", b"application/json"), *((f"ce_{k}", v.encode()) for k, v in attributes.items())]


def _carried(headers: Headers) -> dict[str, str]:
    """The headers that CloudEvents uses, as text."""
    carried: dict[str, str] = {}
    for name, value in headers or ():
        name = name.lower()
        if name == "content-type" or name.startswith("ce_"):
            try:
                carried[name] = (value or b"").decode()
            except UnicodeDecodeError:
                raise Rejected("invalid_utf8", "the header is not UTF-8", name) from None
    return carried


def _data(document: Mapping[str, object]) -> dict[str, object]:
    """The data of a structured event."""
    data = document.get("data", {})
    encoded = document.get("data_base64")
    if isinstance(encoded, str):
        try:
            data = read_object(b64decode(encoded, validate=True))
        except ValueError:
            raise Rejected("invalid_field", "is not base64", "data_base64") from None
    if not isinstance(data, dict):
        raise Rejected("invalid_field", "the data of a CloudEvent must be a JSON object", "data")
    return data


def _envelope(attributes: Mapping[str, object], data: Mapping[str, object]) -> dict[str, object]:
    """The envelope fields that the attributes state."""
    fields: dict[str, object] = {}
    kind = attributes.get("type")
    if isinstance(kind, str) and (named := _TYPE.fullmatch(kind)):
        fields |= {"type": named[1], "schema_version": int(named[2])}
    elif "type" not in data:
        raise Rejected("unknown_type", "the type of a CloudEvent must look like community.message.v1", "type")
    source = attributes.get("source")
    if isinstance(source, str) and (parts := _SOURCE.fullmatch(source)):
        fields |= {"platform": unquote(parts[1]), "community_id": unquote(parts[2])}
    for attribute, field in FIELD_OF_ATTRIBUTE.items():
        if attribute in attributes:
            fields[field] = attributes[attribute]
    return fields
