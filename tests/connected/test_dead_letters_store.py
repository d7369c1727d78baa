"""Dead letters in the real table and on the real broker: listed, shown, published again unchanged, put aside."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from streams.clickhouse import Warehouse
from streams.commands.dlq import app, moment
from streams.commands.problems import Refused
from streams.dead_letters import (
    DeadLetter,
    Filter,
    Listed,
    Outcome,
    dead_letter,
    dead_letter_headers,
    discard,
    fetch,
    list_dead_letters,
    replay,
    to_arrow,
)
from streams.kafka import LARGEST_RECORD, read_to_end
from streams.kafka_topics import apply_topics
from streams.publisher import DeliveryFailed, RawProducer, Undelivered
from streams.settings import Settings
from streams.topics import Rejected
from streams.topics.internal import DEAD_LETTERS

pytestmark = pytest.mark.connected

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
ANY = Filter(limit=1000)
NASTY = b'\xff\x00\xfe{"event_id":"e\t1"}\x1b[31m'


def letter(settings: Settings, n: int, **changes: Any) -> DeadLetter:
    values: dict[str, Any] = {
        "topic": f"{settings.kafka.topic_prefix}messages.v1",
        "partition": 0,
        "offset": n,
        "timestamp_ms": 1_767_225_600_000 + n,
        "key": b"c1/m%d" % n,
        "value": b'{"event_id":"e%d"' % n,
        "headers": [("trace", b"\xff\x00"), ("trace", b"2")],
        "rejected": Rejected("invalid_json", "the bytes end too early"),
    }
    return dead_letter(**(values | changes))


def store(warehouse: Warehouse, *letters: DeadLetter) -> None:
    warehouse.insert("{store}.dead_letters", to_arrow(letters))


def ids(listed: list[Listed]) -> set[str]:
    return {each.record_id for each in listed}


def statuses(warehouse: Warehouse) -> dict[int, str]:
    return {each.offset: each.status for each in list_dead_letters(warehouse, ANY)}


def test_bytes_come_back_from_the_table_as_they_were(settings: Settings, warehouse: Warehouse) -> None:
    letters = [
        letter(settings, 1, value=NASTY, key=b"\xff/\x00"),
        letter(settings, 2, value=None, key=None, headers=[]),
        letter(settings, 3, value=b"", key=b""),
        letter(settings, 4, value=bytes(range(256)) * 4096, headers=[("", b""), ("x", b"'\\\x00")]),
    ]
    store(warehouse, *letters)

    fetched = dict(fetch(warehouse, [each.record_id for each in letters]))

    assert {each.record_id: each for each in letters} == fetched


def test_a_record_rejected_again_on_redelivery_is_one_dead_letter_and_keeps_its_status(
    settings: Settings, warehouse: Warehouse
) -> None:
    store(warehouse, letter(settings, 1))
    store(warehouse, letter(settings, 1))
    [one] = list_dead_letters(warehouse, ANY)
    discard(warehouse, [one], NOW)

    store(warehouse, letter(settings, 1))

    [again] = list_dead_letters(warehouse, ANY)
    assert ("discarded", NOW) == (again.status, again.status_at)


def test_the_view_shows_any_bytes_as_text_without_final(settings: Settings, warehouse: Warehouse) -> None:
    store(warehouse, letter(settings, 1, value=NASTY, key=b"\xff/m"), letter(settings, 2, value=b"x" * 10_000))
    store(warehouse, letter(settings, 1, value=NASTY, key=b"\xff/m"))

    rows = warehouse.query("SELECT key, value, value_bytes, status, headers FROM {db}.dead_letters ORDER BY offset")

    assert [
        ("\ufffd/m", '\ufffd\x00\ufffd{"event_id":"e\t1"}\x1b[31m', len(NASTY), "open"),
        ("c1/m2", "x" * 4096, 10_000, "open"),
    ] == [(row["key"], row["value"], row["value_bytes"], row["status"]) for row in rows]
    assert [("trace", "\ufffd\x00"), ("trace", "2")] == [tuple(pair) for pair in rows[0]["headers"]]


def test_a_filter_finds_what_it_names(settings: Settings, warehouse: Warehouse) -> None:
    orders = f"{settings.kafka.topic_prefix}orders.v1"
    letters = [
        letter(settings, 1),
        letter(settings, 2, topic=orders),
        letter(settings, 3, rejected=Rejected("absurd_time", "before 1990", "occurred_at")),
    ]
    store(warehouse, *letters)
    by_offset = {each.offset: each.record_id for each in letters}

    def found(chosen: Filter) -> set[int]:
        return {each.offset for each in list_dead_letters(warehouse, chosen)}

    assert {1, 2, 3} == found(ANY)
    assert {2} == found(Filter(topic=orders))
    assert {3} == found(Filter(reason="absurd_time"))
    assert {1, 3} == found(Filter(ids=(by_offset[1], by_offset[3][:8])))
    assert set() == found(Filter(status="replayed"))
    assert 2 == len(found(Filter(limit=2)))
    assert {1, 2, 3} == found(Filter(since=datetime.now(UTC) - timedelta(minutes=5)))
    assert set() == found(Filter(since=datetime.now(UTC) + timedelta(minutes=5)))


class Sent:
    """A broker that takes everything until it is told to fail."""

    def __init__(self) -> None:
        self.records: list[tuple[Any, ...]] = []
        self.well = True

    def send(self, topic: str, value: bytes | None, key: bytes | None, headers: Any) -> None:
        self.records.append((topic, value, key, tuple(headers)))

    def flush(self) -> None:
        if not self.well:
            raise DeliveryFailed(1, [Undelivered("t", "k", "gone")])


def test_replay_sends_each_open_letter_once_and_never_again_unless_forced(
    settings: Settings, warehouse: Warehouse
) -> None:
    store(warehouse, letter(settings, 1, value=NASTY), letter(settings, 2))
    sent = Sent()

    first = replay(warehouse, sent, list_dead_letters(warehouse, ANY), NOW)
    second = replay(warehouse, sent, list_dead_letters(warehouse, ANY), NOW)
    forced = replay(
        warehouse, sent, list_dead_letters(warehouse, Filter(ids=(letter(settings, 2).record_id,))), NOW, force=True
    )

    assert (Outcome(2, 0), Outcome(0, 2), Outcome(1, 0)) == (first, second, forced)
    headers = (("trace", b"\xff\x00"), ("trace", b"2"))
    topic = f"{settings.kafka.topic_prefix}messages.v1"
    assert [
        (topic, NASTY, b"c1/m1", headers),
        (topic, b'{"event_id":"e2"', b"c1/m2", headers),
        (topic, b'{"event_id":"e2"', b"c1/m2", headers),
    ] == sent.records
    assert {1: "replayed", 2: "replayed"} == statuses(warehouse)


def test_thousands_are_replayed_and_discarded(settings: Settings, warehouse: Warehouse) -> None:
    store(warehouse, *(letter(settings, n) for n in range(2500)))
    listed = list_dead_letters(warehouse, Filter(limit=10_000))
    sent = Sent()

    assert Outcome(1500, 0) == replay(warehouse, sent, listed[:1500], NOW)
    assert Outcome(1000, 0) == discard(warehouse, listed[1500:], NOW)

    assert 1500 == len(set(sent.records))
    assert {"replayed": 1500, "discarded": 1000} == Counter(
        each.status for each in list_dead_letters(warehouse, Filter(limit=10_000))
    )


def test_letters_that_were_not_delivered_stay_open(settings: Settings, warehouse: Warehouse) -> None:
    store(warehouse, letter(settings, 1), letter(settings, 2))
    sent = Sent()
    sent.well = False

    with pytest.raises(DeliveryFailed):
        replay(warehouse, sent, list_dead_letters(warehouse, ANY), NOW)

    assert {1: "open", 2: "open"} == statuses(warehouse)


def test_discarded_letters_are_not_replayed(settings: Settings, warehouse: Warehouse) -> None:
    store(warehouse, letter(settings, 1), letter(settings, 2))
    assert Outcome(1, 0) == discard(
        warehouse, list_dead_letters(warehouse, Filter(ids=(letter(settings, 1).record_id,))), NOW
    )
    sent = Sent()

    assert Outcome(1, 1) == replay(warehouse, sent, list_dead_letters(warehouse, ANY), NOW)

    assert [b"c1/m2"] == [key for _, _, key, _ in sent.records]
    assert {1: "discarded", 2: "replayed"} == statuses(warehouse)


def test_through_the_broker_and_back_nothing_is_changed(settings: Settings, warehouse: Warehouse) -> None:
    """A large broken record: onto the dead letter topic, into the table, and back to where it came from."""
    apply_topics(settings.kafka)
    origin = f"{settings.kafka.topic_prefix}messages.v1"
    dead = letter(settings, 7, value=NASTY + b"x" * 900_000)
    with RawProducer(settings.kafka, max_record_bytes=LARGEST_RECORD) as producer:
        topic = DEAD_LETTERS.topic(settings.kafka.topic_prefix)
        producer.send(topic, dead.value, dead.key, dead_letter_headers(dead))
        store(warehouse, dead)
        replay(warehouse, producer, list_dead_letters(warehouse, ANY), NOW)

    [on_topic] = read_to_end(settings.kafka, [topic])
    [back] = read_to_end(settings.kafka, [origin])
    assert (dead.key, dead.value) == (on_topic.key, on_topic.value)
    assert b"7" == dict(on_topic.headers)["__connect.errors.offset"]
    assert (dead.key, dead.value, dead.headers) == (back.key, back.value, back.headers)


def test_a_ten_megabyte_record_fits_the_dead_letter_topic(settings: Settings) -> None:
    apply_topics(settings.kafka)
    topic = DEAD_LETTERS.topic(settings.kafka.topic_prefix)
    value = b'{"event_id":"' + b"x" * (10 << 20)
    with RawProducer(settings.kafka, max_record_bytes=LARGEST_RECORD, compression=None) as producer:
        producer.send(topic, value, b"k")

    [record] = read_to_end(settings.kafka, [topic])
    assert value == record.value


def run(settings: Settings, *arguments: str) -> Any:
    environment = {
        "STREAMS_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "STREAMS_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "STREAMS_WAREHOUSE__URL": settings.warehouse.url,
        "STREAMS_WAREHOUSE__DATABASE": settings.warehouse.database,
    }
    streams = typer.Typer()
    streams.add_typer(app, name="dlq")
    return CliRunner().invoke(streams, ["dlq", *arguments], env=environment)


def test_the_commands_list_show_replay_and_discard(settings: Settings, warehouse: Warehouse) -> None:
    apply_topics(settings.kafka)
    wanted = letter(settings, 1, value=NASTY)
    store(warehouse, wanted, letter(settings, 2), letter(settings, 3))

    listed = run(settings, "list", "--topic", "message", "--json")
    table = run(settings, "list")
    shown = run(settings, "show", wanted.record_id[:10])
    as_json = run(settings, "show", wanted.record_id, "--json")
    raw = run(settings, "show", wanted.record_id, "--raw")
    one = run(settings, "replay", wanted.record_id[:12])
    again = run(settings, "replay", wanted.record_id[:12], "--json")
    rest = run(settings, "discard", "--reason", "invalid_json", "--yes")
    empty = run(settings, "list")

    assert {1, 2, 3} == {each["offset"] for each in json.loads(listed.stdout)}
    assert wanted.record_id[:12] in table.stdout
    assert "invalid_json: the bytes end too early" in table.stdout
    assert "\x1b" not in table.stdout + shown.stdout
    assert "partition 0, offset 1" in shown.stdout
    assert NASTY == base64.b64decode(json.loads(as_json.stdout)["value_base64"])
    assert NASTY == raw.stdout_bytes
    assert "1 published again\n" == one.stdout
    assert {"replayed": 0, "skipped": 1} == json.loads(again.stdout)
    assert "2 discarded\n" == rest.stdout
    assert "No dead letters match.\n" == empty.stdout
    assert {1: "replayed", 2: "discarded", 3: "discarded"} == statuses(warehouse)
    [back] = read_to_end(settings.kafka, [f"{settings.kafka.topic_prefix}messages.v1"])
    assert NASTY == back.value


def test_many_are_not_touched_without_a_yes(settings: Settings, warehouse: Warehouse) -> None:
    store(warehouse, letter(settings, 1), letter(settings, 2))

    result = run(settings, "discard")

    assert isinstance(result.exception, Refused)
    assert "discard 2 dead letters: invalid_json?" == result.exception.problem.what
    assert {1: "open", 2: "open"} == statuses(warehouse)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list", "xyz"], "'xyz' is no id"),
        (["list", "--since", "soon"], "'soon' is no time"),
        (["list", "--status", "lost"], "'lost' is no status"),
        (["show", "abcdef012345"], "no dead letter has such an id"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_hint(settings: Settings, arguments: list[str], says: str) -> None:
    result = run(settings, *arguments)

    assert says in str(result.exception)
    assert result.exception.problem.next


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T08:30+08:00", datetime(2026, 1, 31, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_an_age_or_a_time(text: str, expected: datetime) -> None:
    assert expected == moment(text, NOW)
