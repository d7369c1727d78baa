"""What a rejected record becomes: headers, ids that are guessed, rows of the table."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from streams.dead_letters import DeadLetter, dead_letter, dead_letter_headers, to_arrow
from streams.topics import Rejected

FAULT = Rejected("invalid_field", "Input should be a valid string", "text")
AT_MS = 1_767_225_600_123


def letter(**changes: object) -> DeadLetter:
    values: dict[str, object] = {
        "topic": "community.messages.v1",
        "partition": 3,
        "offset": 42,
        "timestamp_ms": AT_MS,
        "key": b"c1/m1",
        "value": b'{"event_id":"e1","text":7}',
        "headers": [("trace", b"\xff\x00"), ("trace", b"2")],
        "rejected": FAULT,
    }
    return dead_letter(**(values | changes))  # type: ignore[arg-type]


def test_the_original_headers_come_first_then_those_of_kafka_connect() -> None:
    assert [
        ("trace", b"\xff\x00"),
        ("trace", b"2"),
        ("__connect.errors.topic", b"community.messages.v1"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"42"),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.exception.class.name", b"streams.topics.errors.Rejected.invalid_field"),
        ("__connect.errors.exception.message", b"invalid_field: text: Input should be a valid string"),
    ] == dead_letter_headers(letter())


def test_a_record_delivered_again_is_the_same_dead_letter() -> None:
    assert letter().record_id == letter(rejected=Rejected("too_large", "in another version of the code")).record_id


@pytest.mark.parametrize(
    "other", [{"offset": 43}, {"partition": 4}, {"topic": "t"}, {"timestamp_ms": AT_MS + 1}, {"value": b"{}"}]
)
def test_another_record_is_another_dead_letter(other: dict[str, object]) -> None:
    assert letter().record_id != letter(**other).record_id


@pytest.mark.parametrize(
    ("changes", "community", "event"),
    [
        ({}, "c1", "e1"),
        ({"key": None, "value": b'{"community_id" : "c2", "event_id":"e2", broken'}, "c2", "e2"),
        ({"key": b"no slash", "value": b"\xff\xfe"}, "", ""),
        ({"key": None, "value": None}, "", ""),
        ({"key": b"\xff/m", "headers": [("ce_id", b"from-header")]}, "\ufffd", "from-header"),
        ({"key": b"c" * 500 + b"/m", "value": b""}, "c" * 128, ""),
    ],
)
def test_community_and_event_are_guessed_where_the_record_tells(
    changes: dict[str, object], community: str, event: str
) -> None:
    guessed = letter(**changes)

    assert (community, event) == (guessed.community_id, guessed.event_id)


@pytest.mark.parametrize("timestamp_ms", [-1, 0, 10**18, 253_402_300_800_000])
def test_an_absurd_timestamp_becomes_1970(timestamp_ms: int) -> None:
    assert datetime(1970, 1, 1, tzinfo=UTC) == letter(timestamp_ms=timestamp_ms).received_at


def test_rows_hold_the_bytes_unchanged_and_tell_nothing_from_empty() -> None:
    table = to_arrow([letter(value=b"\xff\x00", key=None), letter(value=None, key=b"", headers=[])])

    assert [
        (None, b"\xff\x00", 1, 0, ["trace", "trace"], [b"\xff\x00", b"2"]),
        (b"", b"", 0, 1, [], []),
    ] == [
        (row["key"] or None if row["key_is_null"] else row["key"], row["value"], *rest(row))
        for row in table.to_pylist()
    ]
    assert datetime.fromtimestamp(AT_MS / 1000, UTC) == table["received_at"][0].as_py()


def rest(row: dict[str, object]) -> tuple[object, ...]:
    return row["key_is_null"], row["value_is_null"], row["header_names"], row["header_values"]


def test_no_letters_are_an_empty_table() -> None:
    assert 0 == to_arrow([]).num_rows
    assert isinstance(to_arrow([]), pa.Table)


def test_thousands_are_written_quickly() -> None:
    letters = [letter(offset=n) for n in range(5000)]
    started = time.process_time()

    assert 5000 == to_arrow(letters).num_rows

    assert time.process_time() - started < 1
