"""Reconcile and restate on the real engine: every kind of damage is found, named and repaired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from folds import check
from histories import NOW, Delivery, rfc3339, send
from oracle import Oracle
from pipeline import Lab, Log

from streams.aggregates import ALL
from streams.reconcile import moment, reconcile, restate, slices

pytestmark = pytest.mark.connected

TEA = "tea"
RECEIVED_MS = int(NOW.timestamp() * 1000)
DAY = NOW.replace(hour=0)


def message(event_id: str, minutes: float, member_id: str = "ann", sent_s: int = 0) -> Delivery:
    event = {
        "event_id": event_id,
        "type": "message",
        "platform": "wechat",
        "community_id": TEA,
        "member_id": member_id,
        "occurred_at": rfc3339(NOW - timedelta(minutes=minutes), 0),
        "sent_at": rfc3339(NOW + timedelta(seconds=sent_s), 0),
        "text": "thanks",
    }
    return Delivery("message", event, b"", RECEIVED_MS)


EVENTS = [message("a", 1), message("b", 2, "bo"), message("c", 90), message("d", 3 * 1440), message("e", 400 * 1440)]


CORRECTED = ("linked_accounts", "member_standing", "hidden_events")
STORED = ("events", "event_keys", "corrections", *CORRECTED, *(aggregate.name for aggregate in ALL))


def correction(family: str, **fields: str) -> Delivery:
    event = message(f"{family}-{'-'.join(fields.values())}", 30).event
    assert event is not None
    del event["text"]
    return Delivery(family, event | {"type": family} | fields, b"", RECEIVED_MS)


CORRECTIONS = [
    correction("identity", action="link", linked_platform="wechat", linked_account_id="bo"),
    correction("moderation", action="flag", target_member_id="bo", flagged_kind="staff"),
    correction("moderation", action="hide", target_id="c"),
]


@pytest.fixture
def tea(lab: Lab) -> Iterator[tuple[Lab, str, Oracle]]:
    """A world of a few messages, all recomputed, in a warehouse in which nothing else is."""
    for table in STORED:
        lab.warehouse.command(f"TRUNCATE TABLE {{store}}.{table}")
    log, world = Log(), lab.world()
    oracle = send(EVENTS, log, lab.settings.kafka.topic_prefix, world)
    lab.drain(log)
    yield lab, world, oracle


Tea = tuple[Lab, str, Oracle]


def test_nothing_differs_after_an_undisturbed_run(tea: Tea) -> None:
    lab, world, oracle = tea
    check(lab.warehouse, oracle, world)
    assert [] == reconcile(lab.warehouse, settle_s=0)


def test_a_missing_row_a_row_too_many_and_a_wrong_number_are_found_and_repaired(tea: Tea) -> None:
    """In every aggregate: each is held against the facts, whatever is wrong with those it is made of."""
    lab, world, oracle = tea
    for aggregate in ALL:
        table = f"{{store}}.{aggregate.name}"
        first = f"AS t FINAL WHERE t.start = (SELECT min(start) FROM {table})"
        last = f"AS t FINAL WHERE t.start = (SELECT max(start) FROM {table})"
        for damage in (
            f"SELECT * REPLACE (version + 1 AS version, 1 AS is_deleted) FROM {table} {first}",
            f"SELECT * REPLACE (version + 1 AS version, events + 1 AS events) FROM {table} {last}",
            f"SELECT * REPLACE (start - 86400 AS start) FROM {table} {last}",
        ):
            lab.warehouse.command(f"INSERT INTO {table} {damage}")

    differences = reconcile(lab.warehouse, settle_s=0)
    for aggregate in ALL:
        found = [each for each in differences if each.aggregate == aggregate.name]
        missing = [each for each in found if each.stored is None]
        surplus = [each for each in found if each.recomputed is None]
        wrong = [each for each in found if each.stored and each.recomputed]
        start = aggregate.start_of(int((NOW - timedelta(minutes=400 * 1440)).timestamp()))
        assert [datetime.fromtimestamp(start, UTC)] == [each.key["start"] for each in missing], aggregate.name
        assert len(surplus) >= 1, aggregate.name
        assert {1} == {(each.stored or {})["events"] - (each.recomputed or {})["events"] for each in wrong}

    restate(lab.settings, lab.warehouse)
    assert [] == reconcile(lab.warehouse, settle_s=0)
    check(lab.warehouse, oracle, world)


def test_a_set_with_another_member_of_the_same_size_is_found(tea: Tea) -> None:
    lab, _, _ = tea
    lab.warehouse.command(
        "INSERT INTO {store}.activity_day SELECT * REPLACE (version + 1 AS version, "
        "arrayReduce('uniqExactState', ['nobody']) AS members) FROM {store}.activity_day FINAL "
        "WHERE start = (SELECT min(start) FROM {store}.activity_day)"
    )
    [difference] = reconcile(lab.warehouse, settle_s=0)
    assert ("activity_day", {"events": 1, "members": 1}) == (difference.aggregate, difference.stored)


def test_a_sign_whose_text_is_forgotten_is_no_difference(tea: Tea) -> None:
    lab, _, _ = tea
    thanks = "FROM {store}.sign_hour FINAL WHERE kind = 'thanks'"
    [(before,)] = lab.warehouse.rows(f"SELECT count() {thanks}")
    lab.warehouse.command(
        "INSERT INTO {store}.events SELECT * REPLACE ('' AS text, now64(3) - INTERVAL 401 DAY AS ingested_at, "
        "version + 1 AS version) FROM {store}.events FINAL WHERE event_id = 'd'"
    )
    assert [] == reconcile(lab.warehouse, settle_s=0)
    assert [(before,)] == lab.warehouse.rows(f"SELECT count() {thanks}")
    # Where the text is still there, and of what is not read from it, everything is held against the facts.
    lab.warehouse.command(
        f"INSERT INTO {{store}}.sign_hour SELECT * REPLACE (version + 1 AS version, 7 AS events) {thanks}"
    )
    lab.warehouse.command(
        "INSERT INTO {store}.sign_hour SELECT * REPLACE ('place' AS kind) FROM {store}.sign_hour FINAL "
        "WHERE start = (SELECT toStartOfHour(any(minute)) FROM {store}.events WHERE event_id = 'd')"
    )
    assert before == len(reconcile(lab.warehouse, settle_s=0))


@pytest.mark.parametrize("days", [0, 40, 400])
def test_an_event_that_lives_twice_is_found_and_repaired_however_far_apart(tea: Tea, days: int) -> None:
    lab, world, oracle = tea
    lab.warehouse.command(
        "INSERT INTO {store}.events SELECT * REPLACE (minute - 60 - 86400 * {days:Int32} AS minute, "
        "event_time - 60 - 86400 * {days:Int32} AS event_time, version - 2 AS version) "
        "FROM {store}.events FINAL WHERE event_id = 'a'",
        {"days": days},
    )
    key = {"community_id": f"{world}{TEA}", "event_id": "a"}
    twice = [each for each in reconcile(lab.warehouse, settle_s=0) if each.aggregate == "events"]
    assert [(key, {"live": 2}, {"live": 1})] == [(each.key, each.stored, each.recomputed) for each in twice]
    narrow = reconcile(lab.warehouse, NOW - timedelta(minutes=5), NOW, settle_s=0)
    assert [key] == [each.key for each in narrow if each.aggregate == "events"]

    restate(lab.settings, lab.warehouse)
    assert [] == reconcile(lab.warehouse, settle_s=0)
    check(lab.warehouse, oracle, world)


def test_only_the_range_that_was_asked_for_is_looked_at_and_repaired(tea: Tea) -> None:
    lab, _, _ = tea
    lab.warehouse.command(
        "INSERT INTO {store}.activity_minute SELECT * REPLACE (version + 1 AS version, events + 1 AS events) "
        "FROM {store}.activity_minute FINAL"
    )
    assert {"activity_minute"} == {each.aggregate for each in reconcile(lab.warehouse, settle_s=0)}
    today = reconcile(lab.warehouse, DAY, settle_s=0)
    before = reconcile(lab.warehouse, None, DAY, settle_s=0)
    assert (3, 2) == (len(today), len(before))
    # The last minute, whichever second of it is named.
    at = NOW - timedelta(minutes=1)
    assert 1 == len(reconcile(lab.warehouse, at + timedelta(seconds=30), at + timedelta(seconds=31), settle_s=0))

    restate(lab.settings, lab.warehouse, start=DAY)
    assert before == reconcile(lab.warehouse, settle_s=0)
    restate(lab.settings, lab.warehouse, end=DAY, communities=["another"])
    assert before == reconcile(lab.warehouse, settle_s=0)
    restate(lab.settings, lab.warehouse, end=DAY)
    assert [] == reconcile(lab.warehouse, settle_s=0)


def test_restate_makes_every_number_from_facts_alone(tea: Tea) -> None:
    lab, world, oracle = tea
    for aggregate in ALL:
        lab.warehouse.command(f"TRUNCATE TABLE {{store}}.{aggregate.name}")
    assert reconcile(lab.warehouse, settle_s=0)
    # Buckets: 5 minutes (twice), 4 hours (three times), 3 days (twice).
    assert 2 * 5 + 3 * 4 + 2 * 3 == restate(lab.settings, lab.warehouse)
    check(lab.warehouse, oracle, world)


def test_small_statements_find_and_repair_the_same(tea: Tea, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, world, oracle = tea
    monkeypatch.setattr("streams.reconcile.SLICE_ROWS", 1)
    monkeypatch.setattr("streams.reconcile.KEYS_AT_ONCE", 2)
    # A month is a slice: today's and three days ago share one or two of them, 400 days ago is another.
    assert len(list(slices(lab.warehouse, None, None))) in (2, 3)
    lab.warehouse.command(
        "INSERT INTO {store}.events SELECT * REPLACE (minute - 86400 * 200 AS minute, version - 2 AS version) "
        "FROM {store}.events FINAL"
    )
    twice = [each.key["event_id"] for each in reconcile(lab.warehouse, settle_s=0) if each.aggregate == "events"]
    assert ["a", "b", "c", "d", "e"] == sorted(twice)
    restate(lab.settings, lab.warehouse)
    assert [] == reconcile(lab.warehouse, settle_s=0)
    check(lab.warehouse, oracle, world)


def test_a_bucket_that_catches_up_meanwhile_is_not_reported(tea: Tea) -> None:
    lab, world, _ = tea
    log = Log()
    send([message("f", 5)], log, lab.settings.kafka.topic_prefix, world)
    worker = lab.worker(log)
    lab.run(worker.take_in())
    behind = reconcile(lab.warehouse, settle_s=0)
    assert {aggregate.name for aggregate in ALL} == {each.aggregate for each in behind}
    lab.run(worker.drain())
    assert [] == reconcile(lab.warehouse, settle_s=0)


def test_an_empty_warehouse_has_nothing_that_differs(tea: Tea) -> None:
    lab, _, _ = tea
    for table in STORED:
        lab.warehouse.command(f"TRUNCATE TABLE {{store}}.{table}")
    assert [] == reconcile(lab.warehouse, settle_s=0)
    assert 0 == restate(lab.settings, lab.warehouse)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T08:00:30+08:00", datetime(2026, 3, 2, 0, 0, 30, tzinfo=UTC)),
        ("2026-03-02T00:00:30Z", datetime(2026, 3, 2, 0, 0, 30, tzinfo=UTC)),
    ],
)
def test_moments_are_utc_unless_they_say_otherwise(text: str, expected: datetime) -> None:
    assert expected == moment(text)


def test_who_is_who_and_who_counts_is_held_against_the_facts_and_repaired(tea: Tea) -> None:
    lab, world, _ = tea
    log = Log()
    oracle = send([*EVENTS, *CORRECTIONS], log, lab.settings.kafka.topic_prefix, world)
    lab.drain(log)
    check(lab.warehouse, oracle, world)
    assert [] == reconcile(lab.warehouse, settle_s=0)

    lab.warehouse.command("TRUNCATE TABLE {store}.corrections")
    for table in CORRECTED:
        lab.warehouse.command(
            f"INSERT INTO {{store}}.{table} "
            f"SELECT * REPLACE ('{world}pot' AS community_id) FROM {{store}}.{table} FINAL"
        )
        lab.warehouse.command(
            f"INSERT INTO {{store}}.{table} SELECT * REPLACE (version + 1 AS version, 1 AS is_deleted) "
            f"FROM {{store}}.{table} FINAL WHERE community_id = '{world}{TEA}'"
        )
    differences = reconcile(lab.warehouse, settle_s=0)
    for table in CORRECTED:
        found = [each for each in differences if each.aggregate == table]
        sides = {(each.key["community_id"], each.stored is None, each.recomputed is None) for each in found}
        assert {(f"{world}{TEA}", True, False), (f"{world}pot", False, True)} == sides, table

    restate(lab.settings, lab.warehouse)
    assert [] == reconcile(lab.warehouse, settle_s=0)
    check(lab.warehouse, oracle, world)
    # The copies are there again: what comes next is folded with what came before.
    more = correction("moderation", action="restore", target_id="c")
    send([more], log, lab.settings.kafka.topic_prefix, world)
    lab.drain(log)
    check(lab.warehouse, send([*EVENTS, *CORRECTIONS, more], Log(), lab.settings.kafka.topic_prefix, world), world)
