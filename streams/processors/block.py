"""A block: the facts, dead letters and invalidations of some micro-batches, ready to be written; pure.

Every record of a batch ends in exactly one place: a fact or a dead letter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from streams.dead_letters import DeadLetter, dead_letter
from streams.processors.facts import Int64s, Stamps, content_hashes, fact_table, minutes_of, to_ms, united
from streams.settings import IngestSettings
from streams.topics import Family
from streams.topics.decode import Decoder
from streams.topics.errors import Rejected

DAY_MS = 86_400_000


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record as it was fetched; `timestamp` in ms since the epoch, headers are (name, bytes) pairs."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True)
class Batch:
    """Contiguous records of one partition, and what acknowledges them."""

    topic: str
    partition: int
    records: Sequence[Record]
    token: Any = None

    @cached_property
    def bytes(self) -> int:
        """Bytes of all values."""
        return sum(len(record.value) for record in self.records if record.value)

    @property
    def receipt(self) -> Receipt:
        """What to keep of it; a batch is never empty."""
        first, last = self.records[0], self.records[-1]
        return Receipt(
            (self.topic, self.partition), len(self.records), self.bytes, first.timestamp, last.offset + 1, self.token
        )


class Receipt(NamedTuple):
    """What is kept of a batch once its records are decoded: what to count, and what to acknowledge in the end."""

    partition: tuple[str, int]
    """Topic and number."""
    records: int
    bytes: int
    received_ms: int
    """Kafka timestamp of the first record."""
    next_offset: int
    token: Any


@dataclass(frozen=True, slots=True)
class Decoded:
    """One batch, decoded: its events, their times (epoch ms) and stamps, and what was rejected."""

    receipt: Receipt
    family: Family
    events: Sequence[Any]
    stamps: Stamps | None
    """None when there are no events, or when they are in a block."""
    event_ms: Int64s
    dead_letters: list[DeadLetter]


@dataclass(slots=True)
class Block:
    """What one write stores, publishes and acknowledges."""

    decoded: list[Decoded]
    """In the order of the rows; their events are the facts of the block."""
    facts: pa.Table | None
    dead_letters: list[DeadLetter]
    minutes: dict[str, set[int]]
    """Community -> starts of minutes (epoch s) that its facts touch."""
    replaced: dict[str, set[int]] = field(default_factory=dict)
    """Those of them in which a fact took the place of another, or left: a key may have vanished there."""
    corrections: dict[str, set[str]] = field(default_factory=dict)
    """Community -> ids of the identity and moderation events that its facts brought, changed or took away."""

    @property
    def records(self) -> int:
        """Records behind this block."""
        return sum(part.receipt.records for part in self.decoded)

    @property
    def bytes(self) -> int:
        """Bytes of their values."""
        return sum(part.receipt.bytes for part in self.decoded)

    @property
    def oldest_received_ms(self) -> int:
        """Kafka timestamp of the oldest record, 0 when there is none."""
        return min((part.receipt.received_ms for part in self.decoded), default=0)


class BatchDecoder:
    """Decodes batches of every family; holds one decoder a family and no other state."""

    def __init__(self, families: Mapping[str, Family], settings: IngestSettings) -> None:
        self.families = families
        self.settings = settings
        self.earliest_ms = int(datetime(settings.earliest_year, 1, 1, tzinfo=UTC).timestamp() * 1000)
        self.decoders = {topic: Decoder(family, settings.max_record_bytes) for topic, family in families.items()}

    def decode(self, batch: Batch, now_ms: int) -> Decoded:
        """Decode one batch. `now_ms` stands in for a record that carries no usable Kafka timestamp."""
        limits, family = self.settings, self.families[batch.topic]
        records = batch.records
        events: list[Any]
        events, rejects = self.decoders[batch.topic].decode_batch(
            [record.value for record in records],
            [record.headers for record in records] if any(record.headers for record in records) else (),
        )
        rejected: dict[int, Rejected] = dict(rejects)
        valid = [index for index, event in enumerate(events) if event is not None]
        occurred = to_ms([events[index].occurred_at for index in valid])
        received = np.fromiter((records[index].timestamp for index in valid), np.int64, len(valid))
        future_ms = int(limits.max_future_skew_s * 1000)
        believable = (received >= self.earliest_ms) & (received <= now_ms + future_ms)
        received = np.where(believable, received, now_ms)
        ahead = occurred - received
        absurd = (occurred < self.earliest_ms) | (ahead > limits.max_future_days * DAY_MS)
        if absurd.any():
            for position in np.flatnonzero(absurd).tolist():
                rejected[valid[position]] = absurd_time(events[valid[position]].occurred_at, limits)
            keep = ~absurd
            valid = [index for index, good in zip(valid, keep.tolist(), strict=True) if good]
            occurred, received, ahead = occurred[keep], received[keep], ahead[keep]
        dead = [letter_of(records[index], rejected[index]) for index in sorted(rejected)]
        if not valid:
            return Decoded(batch.receipt, family, (), None, occurred, dead)
        stamps = Stamps(
            batch.topic,
            np.full(len(valid), batch.partition, np.uint32),
            np.fromiter((records[index].offset for index in valid), np.int64, len(valid)),
            occurred,
            received,
            ahead > future_ms,
            content_hashes([content_of(records[index]) for index in valid]),
        )
        kept = [events[index] for index in valid]
        return Decoded(batch.receipt, family, kept, stamps, stamps.event_ms, dead)


def content_of(record: Record) -> bytes:
    """What tells two versions of an event apart: the value, and what a CloudEvent says in its headers."""
    value = record.value or b""
    if not record.headers:
        return value
    said = sorted((name.encode(), content or b"") for name, content in record.headers if name.startswith("ce_"))
    return b"\0".join([value, *(part for header in said for part in header)])


def absurd_time(occurred: Any, limits: IngestSettings) -> Rejected:
    """The rejection of a time that no clock skew explains."""
    if occurred.year < limits.earliest_year:
        why = f"{occurred.isoformat()} is before {limits.earliest_year}, the earliest year taken (ingest.earliest_year)"
    else:
        why = f"{occurred.isoformat()} is more than {limits.max_future_days:g} days ahead (ingest.max_future_days)"
    return Rejected("absurd_time", why, "occurred_at")


def letter_of(record: Record, reject: Rejected) -> DeadLetter:
    """The dead letter of a record."""
    return dead_letter(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        record.headers,
        reject,
    )


def assemble(decoded: Sequence[Decoded]) -> Block:
    """One block of several decoded batches: a single table of facts over all families.

    Columns are made once a topic: to make some fifty of them takes as long for ten events as for some thousands.
    """
    ordered = sorted(decoded, key=topic_of)  # a stable sort: each partition keeps its order
    tables = []
    for _, parts in groupby(ordered, topic_of):
        filled = [(part, part.stamps) for part in parts if part.stamps is not None]
        if filled:
            events = [event for part, _ in filled for event in part.events]
            tables.append(fact_table(filled[0][0].family, events, Stamps.joined([stamps for _, stamps in filled])))
    facts = united(tables) if tables else None
    letters = [letter for part in ordered for letter in part.dead_letters]
    kept = [replace(part, events=(), stamps=None) for part in ordered]
    return Block(kept, facts, letters, minutes_of(facts) if facts is not None else {})


def topic_of(part: Decoded) -> str:
    """The topic that a batch came from."""
    return part.receipt.partition[0]
