"""Ties and responses: by hand on the known-answer community, and held against the oracle on made-up histories."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import known_answer as known
import pytest
from folds import folded, stored, together
from histories import Delivery, send
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import Event, Oracle
from oracles import ties as oracle
from oracles.corrections import corrected
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


def zone_of(community: str) -> ZoneInfo:
    """Two of three communities have settings, and a zone of their own."""
    number = int(community.removesuffix(".tea")[-1])
    return ZoneInfo(("UTC", "Asia/Kolkata", "America/New_York")[number % 3])


def check(lab: Lab, world: str, truth: Oracle, moment: datetime) -> None:
    """Every view of this file says of a world what the oracle says."""
    time_of = truth.time_of
    facts = corrected(truth.facts.values(), time_of)
    found = oracle.ties(facts, moment, time_of, zone_of)
    assert_equal(found, ties(lab, moment, world))
    reached = rows(lab, "reach", moment, "member_id, ties, mutual, given, received, reach", world)
    assert_equal(oracle.reach(found), {row[:2]: oracle.Reach(*row[2:]) for row in reached})
    columns = "members, pairs, density, reciprocity, absence_factor"
    networks = rows(lab, "network", moment, columns, world)
    assert_equal(
        oracle.network(facts, moment, time_of, zone_of), {row[0]: oracle.Network(*row[1:]) for row in networks}
    )
    newcomers = rows(lab, "newcomer_ties", moment, "member_id, first_engaged_at, ties, complete", world)
    assert_equal(oracle.newcomers(facts, moment, time_of, zone_of), {row[:2]: row[2:] for row in newcomers})
    columns = "message_id, member_id, asked_at, first_reply_at, seconds, state"
    responses = rows(lab, "first_response", moment, columns, world)
    assert_equal(oracle.responses(facts, moment, time_of), {row[:2]: oracle.Response(*row[2:]) for row in responses})


def assert_equal(expected: dict[Any, Any], actual: dict[Any, Any]) -> None:
    """Equal but for the last digits of floats; says only what differs."""
    differing = {
        key: (expected.get(key), actual.get(key))
        for key in expected.keys() | actual.keys()
        if key not in expected or key not in actual or close(expected[key]) != tuple(actual[key])
    }
    assert {} == differing


def close(numbers: Any) -> Any:
    """The same tuple, its floats as approximations."""
    return tuple(pytest.approx(each) if isinstance(each, float) else each for each in numbers)


NOON = at("2024-03-10T12:00:00")
MEMBERS = ("ann", "bo", "cy", "曹", "helper")


def conversation(random: Random) -> list[Delivery]:
    """What members say to each other over some weeks, in any order of arrival; some of it twice, or edited."""
    count = random.randint(8, 40)
    said = []
    for number in range(count):
        member, family = (
            random.choice(MEMBERS),
            random.choice(["message", "message", "message", "reaction", "check_in"]),
        )
        hours = random.choice([0, 1, 2, 7, 8, 17, 18, 23, 24, 25, 24 * 20, 24 * 50, 24 * 100])
        past_ms = random.choice([random.randrange(3_600_000), -1, 0, 12])
        event: Event = {
            "event_id": f"e{number}",
            "type": family,
            "platform": "wechat",
            "community_id": "tea",
            "member_id": member,
            "occurred_at": (NOON - timedelta(hours=hours) + timedelta(milliseconds=past_ms)).isoformat(),
            "actor_kind": "bot" if member == "helper" else "human",
        }
        named = f"e{random.randint(0, count)}"  # the last of them never comes
        if family == "message":
            event |= {"text": "hello", "mentions": random.choices([*MEMBERS, "nobody"], k=random.randint(0, 2))}
            if random.random() < 0.6:
                event["reply_to"] = named
        elif family == "reaction":
            event |= {"target_id": named, "reaction": "👍", "action": random.choice(["add", "add", "remove"])}
        else:
            event["ritual"] = random.choice(["dawn", "dusk", ""])
        said.append(Delivery(family, event, b"", RECEIVED_MS))
    for delivery in random.choices(said, k=4):
        assert delivery.event is not None
        event = delivery.event | {
            "member_id": random.choice(MEMBERS),
            "actor_kind": "human",
            "sent_at": NOON.isoformat(),
        }
        said.append(Delivery(delivery.family, event, b"", RECEIVED_MS))
    random.shuffle(said)
    return said


@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.generate],  # shrinking takes minutes on a real engine
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 1 << 32),
    moment=st.sampled_from([NOON - timedelta(hours=1, minutes=30), NOON, NOON + timedelta(days=40)]),
)
def test_every_view_says_what_the_oracle_says(lab: Lab, seed: int, moment: datetime) -> None:
    random = Random(seed)
    said = [conversation(random) for _ in range(5)]
    log = Log()
    worker = lab.worker(log)
    prefix = f"x{lab.world()}"
    worlds = [f"{prefix}{number}." for number in range(len(said))]
    for world in worlds:
        if zone_of(f"{world}tea").key != "UTC":
            declare(lab, f"{world}tea", Community(zone=zone_of(f"{world}tea").key))
    # In two parts, so that some of what is named comes after those who name it were recomputed.
    for half in (slice(0, 8), slice(8, None)):
        for world, each in zip(worlds, said, strict=True):
            send(each[half], log, lab.settings.kafka.topic_prefix, world)
        lab.run(worker.drain())
    truth = together(
        send(each, Log(), lab.settings.kafka.topic_prefix, w) for w, each in zip(worlds, said, strict=True)
    )
    assert folded(TIES, truth) == {
        key: row for key, row in stored(lab.warehouse, TIES, []).items() if key[0].startswith(prefix)
    }
    check(lab, prefix, truth, moment)


def test_whom_a_reply_reached_is_said_by_the_event_wherever_it_has_moved_and_whoever_wrote_it_last(lab: Lab) -> None:
    """It is looked for near the reply first; what is found there may be an old version, or have left."""
    log, worker = Log(), None
    world = lab.world()
    times = {
        "moves": NOON - timedelta(minutes=30),
        "changes hands": NOON - timedelta(minutes=20),
        "far": NOON - timedelta(days=90),
    }

    def say(event_id: str, member: str, at: datetime, **fields: Any) -> Delivery:
        event = {
            "event_id": event_id,
            "type": "message",
            "platform": "wechat",
            "community_id": "tea",
            "member_id": member,
        }
        return Delivery("message", event | {"occurred_at": at.isoformat(), "text": "", **fields}, b"", RECEIVED_MS)

    said = [say(name, "ann", at) for name, at in times.items()]
    said += [say(f"to {name}", "bo", NOON, reply_to=name) for name in (*times, "erased", "hidden")]
    said += [say("erased", "gus", NOON - timedelta(minutes=5)), say("hidden", "ann", NOON - timedelta(minutes=4))]
    moved = NOON - timedelta(days=40)
    later = [
        say("moves", "ann", moved, sent_at=NOON.isoformat()),
        say("changes hands", "cy", times["changes hands"], sent_at=NOON.isoformat()),
    ]
    for action, what in (("erase", {"target_member_id": "gus"}), ("hide", {"target_id": "hidden"})):
        event = say(action, "mod", NOON, type="moderation", action=action, **what).event
        assert event is not None
        later.append(Delivery("moderation", {k: v for k, v in event.items() if k != "text"}, b"", RECEIVED_MS))
    # At last the minute of the replies alone: what has left the time just before it is looked for elsewhere.
    for part in (said, later, [say("one more", "bo", NOON)]):
        send(part, log, lab.settings.kafka.topic_prefix, world)
        worker = worker or lab.worker(log)
        lab.run(worker.drain())
    rows = lab.warehouse.rows(
        "SELECT other_id, subject_id, subject_at FROM {store}.tie_minute FINAL "
        "WHERE community_id = {name:String} AND kind = 'reply' ORDER BY subject_id",
        {"name": f"{world}tea"},
    )
    expected = [
        ("cy", "changes hands", times["changes hands"]),
        ("", "erased", datetime.fromtimestamp(0, UTC)),
        ("ann", "far", times["far"]),
        ("", "hidden", datetime.fromtimestamp(0, UTC)),
        ("ann", "moves", moved),
    ]
    assert expected == rows
