"""Decoding a batch: times that are not believed, and what tells two versions of one event apart."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pipeline import Record

from streams.processors.block import Batch, BatchDecoder, Decoded, assemble
from streams.settings import IngestSettings
from streams.topics import ALL, by_name

NOW = datetime(2024, 3, 10, 12, 0, 30, 250_000, tzinfo=UTC)
MINUTE = NOW.replace(second=0, microsecond=0)
TOPIC = by_name["message"].topic("t.")


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def record(offset: int = 0, received: int | None = None, headers: Any = (), **fields: Any) -> Record:
    event = {
        "event_id": f"e{offset}",
        "type": "message",
        "platform": "wechat",
        "community_id": "tea",
        "member_id": "ann",
        "occurred_at": NOW.isoformat(),
        "text": "hello",
    } | fields
    value = json.dumps({name: value for name, value in event.items() if value is not None}).encode()
    return Record(TOPIC, 0, offset, ms(NOW) if received is None else received, b"k", value, headers)


def decode(*records: Record, **limits: Any) -> Decoded:
    decoder = BatchDecoder({family.topic("t."): family for family in ALL}, IngestSettings(**limits))
    return decoder.decode(Batch(TOPIC, 0, records), ms(NOW))


def column(decoded: Decoded, name: str) -> list[Any]:
    facts = assemble([decoded]).facts
    assert facts is not None
    return facts[name].to_pylist()


def ahead(**delta: float) -> str:
    return (NOW + timedelta(**delta)).isoformat()


def test_an_event_a_little_ahead_is_believed() -> None:
    decoded = decode(record(occurred_at=ahead(seconds=300)))
    assert ([0], [NOW + timedelta(seconds=300)]) == (column(decoded, "clock_skewed"), column(decoded, "event_time"))


def test_an_event_further_ahead_is_flagged_and_goes_by_the_minute_it_was_received() -> None:
    decoded = decode(record(occurred_at=ahead(seconds=301)))
    assert ([1], [MINUTE], [MINUTE]) == tuple(
        column(decoded, name) for name in ("clock_skewed", "event_time", "minute")
    )
    assert [NOW + timedelta(seconds=301)] == column(decoded, "occurred_at")
    assert [ms(MINUTE)] == decoded.event_ms.tolist()


def test_an_event_days_ahead_is_flagged_until_it_is_absurd() -> None:
    decoded = decode(record(0, occurred_at=ahead(days=366)), record(1, occurred_at=ahead(days=366, milliseconds=1)))
    assert ["e0"] == column(decoded, "event_id")
    assert [(1, "absurd_time", "occurred_at")] == [(d.offset, d.reason, d.field) for d in decoded.dead_letters]


def test_the_earliest_year_is_taken_and_the_ms_before_it_is_not() -> None:
    decoded = decode(record(0, occurred_at="1990-01-01T00:00:00Z"), record(1, occurred_at="1989-12-31T23:59:59.999Z"))
    assert ["e0"] == column(decoded, "event_id")
    assert ["absurd_time"] == [letter.reason for letter in decoded.dead_letters]
    assert "ingest.earliest_year" in decoded.dead_letters[0].detail


@pytest.mark.parametrize("timestamp", [-1, 0, 1, ms(NOW) + 86_400_000, 1 << 60])
def test_a_record_timestamp_that_cannot_be_is_replaced_by_the_clock(timestamp: int) -> None:
    decoded = decode(record(received=timestamp), record(1, received=timestamp, occurred_at=ahead(hours=1)))
    assert [NOW.replace(microsecond=250_000)] * 2 == column(decoded, "received_at")
    assert ([0, 1], []) == (column(decoded, "clock_skewed"), decoded.dead_letters)


def test_rejects_of_the_decoder_and_of_the_clock_come_in_the_order_of_the_records() -> None:
    bad = Record(TOPIC, 0, 1, ms(NOW), None, b"{", ())
    decoded = decode(record(0, occurred_at="1970-01-01T00:00:00Z"), bad, record(2), record(3, type="gossip"))
    assert [(0, "absurd_time"), (1, "invalid_json"), (3, "unknown_type")] == [
        (letter.offset, letter.reason) for letter in decoded.dead_letters
    ]
    assert [2] == column(decoded, "offset")


def test_what_a_cloud_event_says_in_its_headers_belongs_to_its_version() -> None:
    def cloud(offset: int, time: datetime, trace: bytes) -> Record:
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", b"e1"),
            ("ce_time", time.isoformat().encode()),
            ("ce_type", b"community.message.v1"),
            ("ce_source", b"//wechat/tea"),
            ("trace", trace),
        ]
        envelope = dict.fromkeys(("event_id", "occurred_at", "type"))
        return record(offset, headers=headers, **envelope)

    decoded = decode(cloud(0, NOW, b"1"), cloud(1, NOW - timedelta(seconds=1), b"1"), cloud(2, NOW, b"2"))
    assert [] == decoded.dead_letters
    first, other, again = column(decoded, "version")
    assert first == again != other


def test_a_block_has_no_nulls_whatever_families_are_in_it() -> None:
    decoder = BatchDecoder({family.topic("t."): family for family in ALL}, IngestSettings())
    check_in = {"event_id": "c", "type": "check_in", "platform": "p", "community_id": "tea", "member_id": "m"}
    value = json.dumps(check_in | {"occurred_at": NOW.isoformat()}).encode()
    other = by_name["check_in"].topic("t.")
    batches = [Batch(TOPIC, 0, [record()]), Batch(other, 0, [Record(other, 0, 0, ms(NOW), None, value, ())])]
    block = assemble([decoder.decode(batch, ms(NOW)) for batch in batches])
    assert block.facts is not None
    assert 0 == sum(column.null_count for column in block.facts.columns)
    assert (2, {"tea": {ms(MINUTE) // 1000}}) == (block.records, block.minutes)


def test_batches_of_one_topic_in_a_block_keep_their_partitions_and_their_order() -> None:
    decoder = BatchDecoder({family.topic("t."): family for family in ALL}, IngestSettings())
    other = by_name["check_in"].topic("t.")
    batches = [
        Batch(TOPIC, 1, [record(7)]),
        Batch(other, 0, [record(3, type="check_in", text=None)]),
        Batch(TOPIC, 0, [record(5)]),
        Batch(TOPIC, 1, [record(8)]),
    ]
    block = assemble([decoder.decode(batch, ms(NOW)) for batch in batches])
    assert block.facts is not None
    rows = zip(*(block.facts[name].to_pylist() for name in ("topic", "partition", "offset")), strict=True)
    expected = [(other, 0, 3), (TOPIC, 1, 7), (TOPIC, 0, 5), (TOPIC, 1, 8)]
    assert expected == list(rows)
    assert [each[:2] for each in expected] == [part.receipt.partition for part in block.decoded]
