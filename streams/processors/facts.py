"""From decoded events to the columns of facts; pure.

A column is built at once for all events of a family: one list and one Arrow array, never one row at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import xxhash

from streams.topics import Family

MILLISECOND = pa.timestamp("ms", "UTC")
SECOND = pa.timestamp("s", "UTC")
MONEY = pa.decimal128(18, 4)
STRINGS = pa.list_(pa.string())

COLUMNS: dict[str, pa.DataType] = {
    "event_id": pa.string(),
    "community_id": pa.string(),
    "platform": pa.string(),
    "member_id": pa.string(),
    "actor_kind": pa.string(),
    "schema_version": pa.uint16(),
    "text": pa.string(),
    "conversation_id": pa.string(),
    "reply_to": pa.string(),
    "mentions": STRINGS,
    "language": pa.string(),
    "action": pa.string(),
    "target_id": pa.string(),
    "target_member_id": pa.string(),
    "reaction": pa.string(),
    "ritual": pa.string(),
    "place": pa.string(),
    "mode": pa.string(),
    "order_id": pa.string(),
    "order_kind": pa.string(),
    "order_status": pa.string(),
    "product_id": pa.string(),
    "demand_id": pa.string(),
    "amount": MONEY,
    "currency": pa.string(),
    "rating": pa.float32(),
    "inviter_id": pa.string(),
    "invitee_id": pa.string(),
    "role": pa.string(),
    "stage": pa.string(),
    "linked_platform": pa.string(),
    "linked_account_id": pa.string(),
    "flagged_kind": pa.string(),
    "reason": pa.string(),
}
"""Columns of `events` that come straight from a field of the contract."""

STAMPED = ("type", "occurred_at", "sent_at")
"""Contract fields whose columns are computed for the whole batch."""

Int64s = np.ndarray[Any, np.dtype[np.int64]]
UInt64s = np.ndarray[Any, np.dtype[np.uint64]]

_HASH_BITS = 21
_SENT_LIMIT = 1 << 42


@dataclass(frozen=True, slots=True)
class Stamps:
    """What Kafka and the clock check say of the events of one batch: arrays of one length, times in epoch ms."""

    topic: str
    partition: int
    offsets: Int64s
    occurred_ms: Int64s
    received_ms: Int64s
    skewed: np.ndarray[Any, np.dtype[np.bool_]]
    """The event's own time is not believed: it is bucketed by its receive time."""
    contents: Sequence[bytes]

    @property
    def event_ms(self) -> Int64s:
        """The time that decides the bucket."""
        return np.where(self.skewed, self.received_ms, self.occurred_ms)


def versions(sent_ms: Int64s, content_hashes: UInt64s) -> UInt64s:
    """Which version of an event wins: the latest `sent_at`, then the content's hash. Never the order of arrival.

    Even numbers: the odd one after each is free for the row that takes a beaten version out of its minute.
    """
    sent = np.clip(sent_ms, 0, _SENT_LIMIT - 1).astype(np.uint64) << np.uint64(_HASH_BITS + 1)
    return sent | (content_hashes >> np.uint64(64 - _HASH_BITS) << np.uint64(1))


def to_ms(times: Sequence[Any]) -> Int64s:
    """Epoch milliseconds of aware datetimes; digits past the millisecond are cut off, None becomes 0."""
    return np.asarray(pa.array(times, pa.timestamp("us", "UTC")).cast(pa.int64()).fill_null(0)) // 1000


def fact_table(family: Family, events: Sequence[Any], stamps: Stamps) -> pa.Table:
    """Columns of `events` for decoded events of one family, in the order of `events`."""
    columns: dict[str, pa.Array] = {}
    extra = [event.extra for event in events]
    for field in family.model.model_fields:
        column = family.columns.get(field, field)
        if column in STAMPED:
            continue
        if field == "items":
            columns |= _item_columns([event.items or () for event in events])
        elif column in COLUMNS:
            columns[column] = column_of([getattr(event, field) for event in events], COLUMNS[column])
        else:
            extra = [_with_extra(text, field, getattr(event, field)) for text, event in zip(extra, events, strict=True)]

    count = len(events)
    sent = to_ms([event.sent_at for event in events])
    digest = xxhash.xxh3_64_intdigest
    contents = np.fromiter((digest(content) for content in stamps.contents), np.uint64, count)
    keys = (digest(f"{event.community_id}\0{event.event_id}".encode()) for event in events)
    columns |= {
        "type": constant(family.name, count),
        "occurred_at": pa.array(stamps.occurred_ms).cast(MILLISECOND),
        "event_time": pa.array(stamps.event_ms).cast(MILLISECOND),
        "minute": pa.array(stamps.event_ms // 60_000 * 60).cast(SECOND),
        "sent_at": pa.array(sent).cast(MILLISECOND),
        "received_at": pa.array(stamps.received_ms).cast(MILLISECOND),
        "clock_skewed": pa.array(stamps.skewed.astype(np.uint8)),
        "extra": pa.array(extra, pa.string()),
        "event_key": pa.array(np.fromiter(keys, np.uint64, count)),
        "version": pa.array(versions(sent, contents)),
        "topic": constant(stamps.topic, count),
        "partition": pa.array(np.full(count, stamps.partition, np.uint32)),
        "offset": pa.array(stamps.offsets),
    }
    return pa.table(columns)


def column_of(values: list[Any], kind: pa.DataType) -> pa.Array:
    """An Arrow array of one field's values; money comes as decimal text and is never a float on the way."""
    return pa.array(values, pa.string()).cast(MONEY) if kind == MONEY else pa.array(values, kind)


def constant(value: str, count: int) -> pa.Array:
    """One string, `count` times."""
    return pa.repeat(pa.scalar(value, pa.string()), count)


def _item_columns(items: Sequence[Sequence[Any]]) -> dict[str, pa.Array]:
    lengths = np.fromiter(map(len, items), np.int32, len(items))
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
    flat = [item for row in items for item in row]

    def lists(values: list[Any], kind: pa.DataType) -> pa.Array:
        return pa.ListArray.from_arrays(offsets, column_of(values, kind))

    return {
        "item_product_id": lists([item.product_id for item in flat], pa.string()),
        "item_quantity": lists([item.quantity for item in flat], pa.uint32()),
        "item_unit_price": lists([item.unit_price or "0" for item in flat], MONEY),
    }


def _with_extra(text: str, field: str, value: Any) -> str:
    """A contract field that has no column of its own is kept beside the fields the contract does not know."""
    if value is None:
        return text
    kept = msgspec.json.decode(text) if text else {}
    return msgspec.json.encode({**kept, field: value}).decode()
