"""Dead letters: records that could not become facts, kept byte for byte, to be looked at, replayed or discarded."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pyarrow as pa
import xxhash

from streams.topics.errors import Rejected

if TYPE_CHECKING:
    from streams.clickhouse import Warehouse

Status = Literal["open", "replayed", "discarded"]

# Kafka Connect's names, which existing tools read (org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter).
CONNECT = "__connect.errors."
STAGE = "VALUE_CONVERTER"

_EPOCH = datetime.fromtimestamp(0, UTC)
_GLIMPSE_BYTES = 300
_GUESS_BYTES = 64 << 10
_BATCH_BYTES = 32 << 20
# Their ids travel in the URL of a statement, which proxies and the embedded warehouse bound at 8 KB.
_BATCH_RECORDS = 100
_EVENT_ID = re.compile(rb'"event_id"\s*:\s*"([^"\\\x00]{1,128})"')
_COMMUNITY_ID = re.compile(rb'"community_id"\s*:\s*"([^"\\\x00]{1,128})"')


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A rejected record: its origin, why it was rejected, its bytes; `received_at` is its Kafka timestamp, aware."""

    topic: str
    partition: int
    offset: int
    received_at: datetime
    reason: str
    detail: str
    field: str = ""
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def record_id(self) -> str:
        """xxh3-128, in hex, of origin, timestamp and value: equal after redelivery, not in a topic created anew."""
        origin = f"{self.topic}\0{self.partition}\0{self.offset}\0{_milliseconds(self.received_at)}\0"
        digest = xxhash.xxh3_128(origin.encode())
        digest.update(self.value or b"")
        return digest.hexdigest()

    @property
    def community_id(self) -> str:
        """The community, guessed from the key (`community/member`), else from the value; empty when neither tells."""
        key, slash, _ = (self.key or b"").partition(b"/")
        return key.decode("utf-8", "replace")[:128] if slash else self._found(_COMMUNITY_ID)

    @property
    def event_id(self) -> str:
        """The publisher's id, guessed from the CloudEvents header, else from the value; empty when neither tells."""
        for name, value in self.headers:
            if name == "ce_id":
                return value.decode("utf-8", "replace")[:128]
        return self._found(_EVENT_ID)

    def _found(self, pattern: re.Pattern[bytes]) -> str:
        match = pattern.search(self.value or b"", 0, _GUESS_BYTES)
        return match.group(1).decode("utf-8", "replace") if match else ""


def dead_letter(
    topic: str,
    partition: int,
    offset: int,
    timestamp_ms: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    rejected: Rejected,
) -> DeadLetter:
    """The dead letter of a record as a Kafka client hands it over; an absurd timestamp becomes 1970."""
    try:
        received_at = datetime.fromtimestamp(timestamp_ms / 1000, UTC) if timestamp_ms > 0 else _EPOCH
    except (OverflowError, ValueError, OSError):
        received_at = _EPOCH
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        # ClickHouse keeps times in ms until 2299.
        received_at=received_at if received_at.year < 2299 else _EPOCH,
        reason=rejected.reason,
        detail=rejected.detail,
        field=rejected.field,
        key=None if key is None else bytes(key),
        value=None if value is None else bytes(value),
        headers=tuple((name, bytes(text or b"")) for name, text in headers),
    )


def dead_letter_headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """Headers for the dead letter topic: the original ones, then Kafka Connect's about origin and reason."""
    message = str(Rejected(letter.reason, letter.detail, letter.field))
    return [
        *letter.headers,
        (f"{CONNECT}topic", letter.topic.encode()),
        (f"{CONNECT}partition", str(letter.partition).encode()),
        (f"{CONNECT}offset", str(letter.offset).encode()),
        (f"{CONNECT}stage", STAGE.encode()),
        (f"{CONNECT}exception.class.name", f"streams.topics.errors.Rejected.{letter.reason}".encode()),
        (f"{CONNECT}exception.message", message.encode("utf-8", "replace")),
    ]


_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.uint32()),
        ("offset", pa.int64()),
        ("received_at", pa.timestamp("ms", "UTC")),
        ("reason", pa.string()),
        ("field", pa.string()),
        ("detail", pa.string()),
        ("key", pa.binary()),
        ("value", pa.large_binary()),
        ("key_is_null", pa.uint8()),
        ("value_is_null", pa.uint8()),
        ("header_names", pa.list_(pa.string())),
        ("header_values", pa.list_(pa.binary())),
        ("community_id", pa.string()),
        ("event_id", pa.string()),
    ]
)


def to_arrow(letters: Sequence[DeadLetter]) -> pa.Table:
    """Rows for `{store}.dead_letters`; status and times of the warehouse come from the table's defaults."""
    columns: list[list[Any]] = [
        [each.record_id for each in letters],
        [each.topic for each in letters],
        [each.partition for each in letters],
        [each.offset for each in letters],
        [each.received_at for each in letters],
        [each.reason for each in letters],
        [each.field for each in letters],
        [each.detail for each in letters],
        [each.key or b"" for each in letters],
        [each.value or b"" for each in letters],
        [int(each.key is None) for each in letters],
        [int(each.value is None) for each in letters],
        [[name for name, _ in each.headers] for each in letters],
        [[value for _, value in each.headers] for each in letters],
        [each.community_id for each in letters],
        [each.event_id for each in letters],
    ]
    return pa.Table.from_arrays(
        [pa.array(c, field.type) for c, field in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA
    )


@dataclass(frozen=True)
class Filter:
    """Which dead letters are meant; ids may be cut to their beginning, `since` (aware) is when they were stored."""

    ids: tuple[str, ...] = ()
    topic: str = ""
    reason: str = ""
    status: Status | Literal[""] = ""
    since: datetime = _EPOCH
    limit: int = 100


@dataclass(frozen=True)
class Listed:
    """One line of a listing; `glimpse` is the beginning of the value as text, `value_bytes` its whole size."""

    record_id: str
    topic: str
    partition: int
    offset: int
    received_at: datetime
    reason: str
    field: str
    detail: str
    community_id: str
    event_id: str
    ingested_at: datetime
    status: Status
    status_at: datetime
    value_bytes: int
    glimpse: str


@cache
def _sql(name: str) -> str:
    from streams.sql_files import sql_root

    return (sql_root() / "dead_letters" / name).read_text()


def list_dead_letters(warehouse: Warehouse, chosen: Filter) -> list[Listed]:
    """Dead letters that match, newest first."""
    rows = warehouse.query(
        _sql("list.sql"),
        {
            "ids": list(chosen.ids),
            "topic": chosen.topic,
            "reason": chosen.reason,
            "status": chosen.status,
            "since_ms": _milliseconds(chosen.since),
            "limit": chosen.limit,
            "glimpse": _GLIMPSE_BYTES,
        },
    )
    return [Listed(**row) for row in rows]


def fetch(warehouse: Warehouse, ids: Sequence[str]) -> list[tuple[str, DeadLetter]]:
    """Dead letters whole, with their full ids, in the order of their origin. Holds all their bytes in memory."""
    return [(row["record_id"], _letter(row)) for row in warehouse.query(_sql("fetch.sql"), {"ids": list(ids)})]


def _letter(row: dict[str, Any]) -> DeadLetter:
    decode = base64.b64decode
    return DeadLetter(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        received_at=row["received_at"],
        reason=row["reason"],
        detail=row["detail"],
        field=row["field"],
        key=None if row["key_is_null"] else decode(row["key_base64"]),
        value=None if row["value_is_null"] else decode(row["value_base64"]),
        headers=tuple(zip(row["header_names"], map(decode, row["header_values_base64"]), strict=True)),
    )


class Sender(Protocol):
    """Where replayed records go: `streams.publisher.RawProducer`."""

    def send(self, topic: str, value: bytes | None, key: bytes | None, headers: Sequence[tuple[str, bytes]]) -> None:
        """Hand over one record."""

    def flush(self) -> None:
        """Return when all of them are delivered; raise when one is not."""


@dataclass(frozen=True)
class Outcome:
    """What was done: `changed` records got the new status, `skipped` had one already."""

    changed: int
    skipped: int


def replay(
    warehouse: Warehouse, sender: Sender, letters: Sequence[Listed], now: datetime, *, force: bool = False
) -> Outcome:
    """Publish dead letters again as they were, to the topic they came from, and mark them replayed.

    Only open ones, unless `force`. A record is marked once it is delivered: a crash between the two sends it again next
    time, which facts do not mind. What is rejected again becomes a dead letter of its own, at its new offset.
    """
    meant = [each for each in letters if force or each.status == "open"]
    for batch in _batches(meant):
        for _, letter in fetch(warehouse, [each.record_id for each in batch]):
            sender.send(letter.topic, letter.value, letter.key, letter.headers)
        sender.flush()
        mark(warehouse, batch, "replayed", now)
    return Outcome(len(meant), len(letters) - len(meant))


def discard(warehouse: Warehouse, letters: Sequence[Listed], now: datetime) -> Outcome:
    """Mark open dead letters discarded; they stay readable until they expire."""
    meant = [each for each in letters if each.status == "open"]
    for start in range(0, len(meant), _BATCH_RECORDS):
        mark(warehouse, meant[start : start + _BATCH_RECORDS], "discarded", now)
    return Outcome(len(meant), len(letters) - len(meant))


def mark(warehouse: Warehouse, letters: Sequence[Listed], status: Status, now: datetime) -> None:
    """Set the status as of `now` (aware)."""
    ids = [each.record_id for each in letters]
    warehouse.command(_sql("mark.sql"), {"ids": ids, "status": status, "at_ms": _milliseconds(now)})


def _batches(letters: Sequence[Listed]) -> Iterator[list[Listed]]:
    """Pieces that fit into memory together."""
    batch: list[Listed] = []
    size = 0
    for each in letters:
        if batch and (len(batch) >= _BATCH_RECORDS or size + each.value_bytes > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.value_bytes
    if batch:
        yield batch


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
