"""From decoded events to the columns of facts; pure.

A column is built at once for all events of a family: one list and one Arrow array, never one row at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
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
LOW = pa.dictionary(pa.int32(), pa.string())
"""A `LowCardinality(String)` column: sent as codes and a dictionary, which the engine takes as they are."""

COLUMNS: dict[str, pa.DataType] = {
    "event_id": pa.string(),
    "community_id": LOW,
    "platform": LOW,
    "member_id": pa.string(),
    "actor_kind": LOW,
    "schema_version": pa.uint16(),
    "text": pa.string(),
    "conversation_id": pa.string(),
    "reply_to": pa.string(),
    "mentions": STRINGS,
    "language": LOW,
    "action": LOW,
    "target_id": pa.string(),
    "target_member_id": pa.string(),
    "reaction": LOW,
    "ritual": LOW,
    "place": pa.string(),
    "mode": LOW,
    "order_id": pa.string(),
    "order_kind": LOW,
    "order_status": LOW,
    "product_id": pa.string(),
    "demand_id": pa.string(),
    "amount": MONEY,
    "currency": LOW,
    "rating": pa.float32(),
    "inviter_id": pa.string(),
    "invitee_id": pa.string(),
    "role": LOW,
    "stage": LOW,
    "linked_platform": LOW,
    "linked_account_id": pa.string(),
    "flagged_kind": LOW,
    "reason": pa.string(),
}
"""Columns of `events` that come straight from a field of the contract."""

STAMPED = ("type", "occurred_at", "sent_at")
"""Contract fields whose columns are computed for the whole batch."""

Int64s = np.ndarray[Any, np.dtype[np.int64]]
UInt64s = np.ndarray[Any, np.dtype[np.uint64]]

STAMP_COLUMNS: dict[str, pa.DataType] = {
    "type": LOW,
    "occurred_at": MILLISECOND,
    "event_time": MILLISECOND,
    "minute": SECOND,
    "sent_at": MILLISECOND,
    "received_at": MILLISECOND,
    "clock_skewed": pa.uint8(),
    "item_product_id": STRINGS,
    "item_quantity": pa.list_(pa.uint32()),
    "item_unit_price": pa.list_(MONEY),
    "extra": pa.string(),
    "event_key": pa.uint64(),
    "version": pa.uint64(),
    "topic": LOW,
    "partition": pa.uint32(),
    "offset": pa.int64(),
}
"""Columns of `events` that are computed."""

TYPES = COLUMNS | STAMP_COLUMNS

_HASH_BITS = 21
_SENT_LIMIT = 1 << 42


@dataclass(frozen=True, slots=True)
class Stamps:
    """What Kafka and the clock check say of events of one topic: arrays of one length, times in epoch ms."""

    topic: str
    partitions: np.ndarray[Any, np.dtype[np.uint32]]
    offsets: Int64s
    occurred_ms: Int64s
    received_ms: Int64s
    skewed: np.ndarray[Any, np.dtype[np.bool_]]
    """The event's own time is not believed: it is bucketed by its receive time."""
    content_hashes: UInt64s

    @property
    def event_ms(self) -> Int64s:
        """The time that decides the bucket.

        Receive times are cut to the minute: an event that is received twice in one minute has the same time both times.
        """
        return np.where(self.skewed, self.received_ms // 60_000 * 60_000, self.occurred_ms)

    @staticmethod
    def joined(parts: Sequence[Stamps]) -> Stamps:
        """Those of several batches of one topic, one after another."""
        names = [each.name for each in fields(Stamps) if each.name != "topic"]
        return Stamps(
            parts[0].topic, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        )


def content_hashes(contents: Sequence[bytes]) -> UInt64s:
    """xxh3-64 of each content."""
    return np.fromiter(map(xxhash.xxh3_64_intdigest, contents), np.uint64, len(contents))


def versions(sent_ms: Int64s, content_hashes: UInt64s) -> UInt64s:
    """Which version of an event wins: the latest `sent_at`, then the content's hash. Never the order of arrival.

    Even numbers: the odd one after each is free for the row that takes a beaten version out of its minute.
    """
    sent = np.clip(sent_ms, 0, _SENT_LIMIT - 1).astype(np.uint64) << np.uint64(_HASH_BITS + 1)
    return sent | (content_hashes >> np.uint64(64 - _HASH_BITS) << np.uint64(1))


def to_ms(times: Sequence[datetime]) -> Int64s:
    """Epoch milliseconds of aware datetimes; digits past the millisecond are cut off."""
    seconds = np.fromiter(map(datetime.timestamp, times), np.float64, len(times))
    # Microseconds of some centuries fit a float exactly; Arrow takes half as long again.
    milliseconds: Int64s = np.rint(seconds * 1e6).astype(np.int64) // 1000
    return milliseconds


def fact_table(family: Family, events: Sequence[Any], stamps: Stamps) -> pa.Table:
    """Columns of `events` for decoded events of one family, in the order of `events`; text columns are plain here."""
    columns: dict[str, pa.Array] = {}
    extra = list(map(attrgetter("extra"), events))
    for field in family.model.model_fields:
        column = family.columns.get(field, field)
        if column in STAMPED:
            continue
        if field == "items":
            columns |= _item_columns([event.items or () for event in events])
        elif column in COLUMNS:
            columns[column] = column_of(list(map(attrgetter(field), events)), COLUMNS[column])
        else:
            extra = [_with_extra(text, field, getattr(event, field)) for text, event in zip(extra, events, strict=True)]

    count = len(events)
    sent_at = list(map(attrgetter("sent_at"), events))
    # What no publisher stated is one and the same object in every event.
    stated = len(set(map(id, sent_at))) > 1
    sent = to_ms(sent_at) if stated else np.full(count, to_ms(sent_at[:1])[0])
    keys = (key_of(event.community_id, event.event_id) for event in events)
    columns |= {
        "type": constant(family.name, count),
        "occurred_at": pa.array(stamps.occurred_ms).cast(MILLISECOND),
        "event_time": pa.array(stamps.event_ms).cast(MILLISECOND),
        "minute": pa.array(stamps.event_ms // 60_000 * 60).cast(SECOND),
        "sent_at": pa.array(sent).cast(MILLISECOND),
        "received_at": pa.array(stamps.received_ms).cast(MILLISECOND),
        "clock_skewed": pa.array(stamps.skewed.astype(np.uint8)),
        "extra": column_of(extra, pa.string()),
        "event_key": pa.array(np.fromiter(keys, np.uint64, count)),
        "version": pa.array(versions(sent, stamps.content_hashes)),
        "topic": constant(stamps.topic, count),
        "partition": pa.array(stamps.partitions),
        "offset": pa.array(stamps.offsets),
    }
    return pa.table(columns)


def key_of(community_id: str, event_id: str) -> int:
    """Hash that an event is found by, whichever minute it is in: xxh3-64."""
    return xxhash.xxh3_64_intdigest(f"{community_id}\0{event_id}".encode())


def column_of(values: list[Any], kind: pa.DataType) -> pa.Array:
    """An Arrow array of one field's values; money comes as decimal text and is never a float on the way."""
    sent = pa.string() if kind in (LOW, MONEY) else kind
    # A default is one object in every event: to see that takes a fiftieth of a conversion.
    same = bool(values) and values[0] is values[-1] and values.count(values[0]) == len(values)
    column = pa.repeat(pa.scalar(values[0], sent), len(values)) if same else pa.array(values, sent)
    return column.cast(MONEY) if kind == MONEY else column


def united(tables: Sequence[pa.Table]) -> pa.Table:
    """One table of facts of several families, without nulls: a column that a family lacks holds the type's default.

    Nulls would double what the engine spends on an insert, and so would low-cardinality columns sent as plain text.
    """
    present = {name for table in tables for name in table.schema.names}
    columns, arrays = [], []
    for name, kind in TYPES.items():
        if name not in present:
            continue
        chunks = [
            table[name].chunk(0) if name in table.schema.names else default_column(kind, table.num_rows)
            for table in tables
        ]
        column = pa.concat_arrays(chunks)
        arrays.append(column.dictionary_encode() if kind == LOW else column)
        columns.append(pa.field(name, kind, nullable=False))
    return pa.table(arrays, pa.schema(columns))


def default_column(kind: pa.DataType, count: int) -> pa.Array:
    """What a column holds for events whose family does not have it."""
    if kind in (LOW, pa.string()):
        return constant("", count)
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], kind.value_type))
    zero = pa.array(np.zeros(count, np.int64))
    return zero.cast(pa.decimal128(19, 0)).cast(kind) if kind == MONEY else zero.cast(kind)


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


def minutes_of(facts: pa.Table) -> dict[str, set[int]]:
    """Community -> the minutes its facts fall into, epoch seconds."""
    communities = facts["community_id"].combine_chunks()
    codes = np.asarray(communities.indices).astype(np.int64)
    minutes = np.asarray(facts["minute"].cast(pa.int64()))
    pairs = np.unique(codes << 40 | minutes)
    names = communities.dictionary.to_pylist()
    of_pair = pairs >> 40
    starts = np.flatnonzero(np.diff(of_pair, prepend=-1))
    groups = np.split(pairs & ((1 << 40) - 1), starts[1:])
    return {names[of_pair[start]]: set(group.tolist()) for start, group in zip(starts, groups, strict=True)}
