"""The one rule for times in events: an RFC 3339 text with a zone, read as an aware `datetime`.

Read are `T`, `t` or a space between date and time, any number of fraction digits, and `Z`, `z`, `+08:00` or `+0800`
as the zone; the offset is kept. A fraction is rounded to the nearest microsecond. Not read: a time without a zone, a
leap second (`:60`), hour 24, an offset of 24 hours or more, or anything that is not text. The fast decoder and the
models call the same parser, so they cannot disagree.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ZonedTime = Annotated[datetime, msgspec.Meta(tz=True)]

PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])$"
)
"""The shape of such a text, for readers that have no RFC 3339 parser; it does not know the length of the months."""


def read_instant(value: object) -> datetime:
    """Return `value` as an aware datetime; an aware datetime is taken as its ISO text.

    Raises ValueError for anything the rule of this module does not read.
    """
    text = value.isoformat() if isinstance(value, datetime) else value
    if isinstance(text, str):
        try:
            read: datetime = msgspec.convert(text, ZonedTime)
        except (msgspec.ValidationError, UnicodeEncodeError):
            pass
        else:
            return read
    raise ValueError("must be an RFC 3339 time with a zone, such as 2026-01-31T08:30:00+08:00")


def instant_text(value: datetime) -> str:
    """The RFC 3339 text of an aware datetime, `Z` for UTC."""
    return value.isoformat().replace("+00:00", "Z")


Instant = Annotated[
    datetime,
    PlainValidator(read_instant),
    PlainSerializer(instant_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": PATTERN}),
]
