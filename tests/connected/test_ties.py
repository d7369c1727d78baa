"""Ties and responses: by hand on the known-answer community, and held against the oracle on made-up histories."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import known_answer as known
import pytest
from oracle import Event
from oracles import ties as oracle
from pipeline import Lab, Log, Worker
from settled import declare

from streams.aggregates import ALL
from streams.communities.settings import Community

pytestmark = pytest.mark.connected

RECEIVED_MS = int(datetime(2026, 3, 5, tzinfo=UTC).timestamp() * 1000)
[TIES] = [aggregate for aggregate in ALL if aggregate.name == "tie_minute"]


def publish(lab: Lab, worker: Worker, log: Log, events: Collection[Event]) -> None:
    for event in events:
        key = f"{event['community_id']}/{event['member_id']}".encode()
        log.append(lab.topic(event["type"]), key, json.dumps(event).encode(), RECEIVED_MS)
    lab.run(worker.drain())


@pytest.fixture(scope="module")
def tea(lab: Lab) -> Lab:
    log = Log()
    publish(lab, lab.worker(log), log, known.EVENTS)
    return lab


def rows(lab: Lab, view: str, at: datetime, columns: str, world: str = "") -> list[tuple[Any, ...]]:
    where = f"startsWith(community_id, '{world}')" if world else f"community_id IN ('{known.TEA}', '{known.POT}')"
    return lab.warehouse.rows(
        f"SELECT community_id, {columns} FROM {{db}}.{view}_at(at = '{at:%Y-%m-%d %H:%M:%S}') WHERE {where}"
    )


def ties(lab: Lab, at: datetime, world: str = "") -> dict[oracle.Pair, oracle.Tie]:
    columns = "replies, mentions, reactions, occurrences, first_at, last_at, idle_months, strength"
    found = rows(lab, "ties", at, f"member_id, other_id, {columns}", world)
    assert len(found) == len({row[:3] for row in found})
    return {row[:3]: oracle.Tie(*row[3:]) for row in found}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


END = at("2026-03-05T00:00:00")


def test_the_ties_of_the_tea_house_are_what_was_worked_out_by_hand(tea: Lab) -> None:
    # ann and bo both read at dawn on Monday (bo at 09:59:59.999); bo answered e02 and mentioned ann; ann liked e04.
    # cy liked e15 on Tuesday. helper is a bot, and reached nobody anyway.
    read = at("2026-03-02T09:59:59.999")
    expected = {
        (known.TEA, "bo", "ann"): (1, 1, 0, 1, at("2026-03-02T00:00:59.999"), read, 0, 10.0 + 5 + 2),
        (known.TEA, "ann", "bo"): (0, 0, 1, 1, at("2026-03-02T00:01:00.500"), read, 0, 1.0 + 2),
        (known.TEA, "cy", "bo"): (0, 0, 1, 0, at("2026-03-03T12:20:59"), at("2026-03-03T12:20:59"), 0, 1.0),
    }
    assert expected == ties(tea, END)


def test_a_tie_loses_a_tenth_for_every_thirty_days_in_which_nothing_happens(tea: Lab) -> None:
    last = at("2026-03-02T09:59:59.999")
    pair = (known.TEA, "bo", "ann")
    for days, months in ((29, 0), (31, 1), (61, 2)):
        tie = ties(tea, last + timedelta(days=days))[pair]
        assert (months, pytest.approx(17 * 0.9**months)) == (tie.idle_months, tie.strength)


def test_before_it_happened_nobody_knows_of_it(tea: Lab) -> None:
    assert {(known.TEA, "bo", "ann"), (known.TEA, "ann", "bo")} == ties(tea, at("2026-03-02T08:00:00")).keys()
    assert {} == ties(tea, at("2026-03-01T23:00:00"))


def test_reach_and_network_by_hand(tea: Lab) -> None:
    found = {row[1]: row[2:] for row in rows(tea, "reach", END, "member_id, ties, mutual, given, received, reach")}
    expected = {"ann": (1, 1, 3.0, 17.0, 20.0), "bo": (2, 1, 17.0, 4.0, 21.0), "cy": (1, 0, 1.0, 0.0, 1.0)}
    assert expected == found
    # ann-bo and bo-cy of three possible pairs; of three acted ties two go both ways; bo alone has 21 of 42.
    # The pottery has one member, and nobody to be tied to.
    columns = "members, pairs, density, reciprocity, absence_factor"
    assert [
        (known.POT, 1, 0, None, None, 0),
        (known.TEA, 3, 2, pytest.approx(2 / 3), pytest.approx(2 / 3), 1),
    ] == sorted(rows(tea, "network", END, columns))


def test_newcomers_by_hand(tea: Lab) -> None:
    found = set(rows(tea, "newcomer_ties", END, "member_id, first_engaged_at, ties, complete"))
    assert {
        (known.TEA, "ann", at("2026-03-02T00:00:30"), 1, 0),
        (known.TEA, "bo", at("2026-03-02T00:00:59.999"), 2, 0),
        (known.TEA, "cy", at("2026-03-02T23:59:59"), 1, 0),
        (known.POT, "ann", at("2026-03-02T00:00:00"), 0, 0),
    } == found


def test_fifty_at_an_occurrence_know_each_other_and_fifty_one_are_a_crowd(lab: Lab) -> None:
    log, world = Log(), lab.world()
    worker = lab.worker(log)
    events = [
        {
            "event_id": f"{ritual} {number}",
            "type": "check_in",
            "platform": "wechat",
            "community_id": f"{world}choir",
            "member_id": f"m{number}",
            "occurred_at": f"2026-03-02T{hour}:00:00Z",
            "ritual": ritual,
        }
        for ritual, hour, present in (("rehearsal", "18", 50), ("concert", "20", 51))
        for number in range(present)
    ]
    publish(lab, worker, log, events)
    found = ties(lab, END, world)
    assert (50 * 49, {1}) == (len(found), {tie.occurrences for tie in found.values()})


def test_an_occurrence_is_on_a_day_of_the_community(lab: Lab) -> None:
    """Midnight is at 18:30 UTC: ann and bo sing on one day of India, cy and dee on the next; not on those of UTC."""
    log, world = Log(), lab.world()
    declare(lab, f"{world}choir", Community(zone="Asia/Kolkata"))
    sang = (("ann", "02T18:00"), ("bo", "02T18:29"), ("cy", "02T18:30"), ("dee", "03T18:29"))
    events = [
        {
            "event_id": member,
            "type": "check_in",
            "platform": "wechat",
            "community_id": f"{world}choir",
            "member_id": member,
            "occurred_at": f"2026-03-{moment}:00Z",
            "ritual": "rehearsal",
        }
        for member, moment in sang
    ]
    publish(lab, lab.worker(log), log, events)
    assert {("ann", "bo"), ("bo", "ann"), ("cy", "dee"), ("dee", "cy")} == {pair[1:] for pair in ties(lab, END, world)}


def test_the_network_is_of_ninety_times_twenty_four_hours(lab: Lab) -> None:
    """In Shanghai 16:30 UTC is the next day already; what happened then counts at once, and 90 days later no more."""
    log, world = Log(), lab.world()
    declare(lab, f"{world}choir", Community(zone="Asia/Shanghai"))
    said = {
        "event_id": "e1",
        "type": "message",
        "platform": "wechat",
        "community_id": f"{world}choir",
        "member_id": "ann",
        "occurred_at": "2026-03-02T16:30:00Z",
        "text": "hello",
    }
    publish(lab, lab.worker(log), log, [said])
    for moment, members in (("2026-03-02T16:30:59", [1]), ("2026-05-31T16:29:59", [1]), ("2026-05-31T16:30:00", [])):
        assert members == [row[1] for row in rows(lab, "network", at(moment), "members", world)]


def test_responses_by_hand(tea: Lab) -> None:
    # bo answered e02 after 29.999 s. A bot's message (e06) asks nothing. e21 is 17 hours old at the end of Wednesday.
    found = {
        row[1:]
        for row in rows(tea, "first_response", END, "message_id, member_id, seconds, state")
        if row[0] == known.TEA
    }
    assert {
        ("e02", "ann", 29.999, "answered"),
        ("e04", "bo", None, "unanswered"),
        ("e12", "cy", None, "unanswered"),
        ("e11", "ann", None, "unanswered"),
        ("e15", "bo", None, "unanswered"),
        ("e21", "ann", None, "open"),
    } == found


def test_nothing_that_is_asked_is_left_out_of_a_percentile(tea: Lab) -> None:
    """As of the watermark, which these tests put to the end of Wednesday."""
    tea.warehouse.command(
        "INSERT INTO {store}.progress SELECT 'x', 0, toDateTime64('2026-03-05 00:00:00', 3, 'UTC'), 1, 0, now64(3)"
    )
    columns = "asked, answered, late, unanswered, open, p50_s, p90_s"
    days = tea.warehouse.rows(
        f"SELECT day, {columns} FROM {{db}}.first_response_day WHERE community_id = 'tea-house' ORDER BY day"
    )
    assert [
        (at("2026-03-02").date(), 3, 1, 0, 2, 0, None, None),
        (at("2026-03-03").date(), 2, 0, 0, 2, 0, None, None),
        (at("2026-03-04").date(), 1, 0, 0, 0, 1, None, None),
    ] == days
    [week] = tea.warehouse.rows(f"SELECT {columns} FROM {{db}}.first_response_week WHERE community_id = 'tea-house'")
    assert (6, 1, 0, 4, 1, None, None) == week
    assert ties(tea, END) == {
        row[:3]: oracle.Tie(*row[3:11])
        for row in tea.warehouse.rows("SELECT * FROM {db}.ties WHERE community_id = 'tea-house'")
    }
