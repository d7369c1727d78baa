"""Shared values, the gains of belonging and the belonging index, against plain folds."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from oracles import belonging as oracle
from pipeline import Lab
from settled import declare, deliver

from streams.communities.settings import Acts, Community, Value

pytestmark = pytest.mark.connected

HOUSE = "house"
LEXICON = {"slowness": ("slow", "慢"), "craft": ("hand made",)}
ACTS = {"slowness": [("ritual", "tea")], "craft": [("product", "cup"), ("place", "kiln")]}
TEXTS = [
    "slow days",
    "慢一点?",
    "hand made cups",
    "I need help",
    "how to fire it",
    "thanks!",
    "谢谢",
    "hello",
    "so slow, thanks",
]
WATERMARK = datetime(2024, 10, 3, tzinfo=UTC)
ZONE = ZoneInfo("America/Los_Angeles")
MEMBERS = ["ann", "bo", "cy", "dee", "eve", "flo", "gus", "hal", "robot"]

Event = dict[str, Any]


def history() -> list[Event]:
    """Nine months of eight members and a bot: talk, answers, tea on Sundays, cups bought together."""
    chance = random.Random(11)
    events: list[Event] = []
    for number in range(500):
        at = datetime(2024, 1, 5, tzinfo=UTC) + timedelta(minutes=chance.randrange(270 * 1440))
        member = chance.choice(MEMBERS)
        event: Event = {
            "event_id": f"e{number}",
            "platform": "chat",
            "community_id": HOUSE,
            "member_id": member,
            "occurred_at": at.isoformat(),
        }
        if member == "robot":
            event["actor_kind"] = "bot"
        kind = chance.random()
        if kind < 0.6:
            event |= {"type": "message", "text": chance.choice(TEXTS)}
            if chance.random() < 0.2:
                event["mentions"] = chance.sample([*MEMBERS, "nobody"], chance.randrange(1, 3))
            asked = [each for each in events if each["type"] == "message"]
            if asked and chance.random() < 0.5:
                target = chance.choice(asked)
                # Within a minute of others, but never at the same instant.
                after = timedelta(hours=chance.randrange(1, 40), milliseconds=number)
                event["occurred_at"] = (datetime.fromisoformat(target["occurred_at"]) + after).isoformat()
                event["reply_to"] = target["event_id"]
        elif kind < 0.8:
            event |= {"type": "check_in", "ritual": "tea", "place": chance.choice(["", "kiln"])}
        else:
            event |= {
                "type": "order",
                "order_id": f"o{number // 3}",
                "amount": "1",
                "currency": "CNY",
                "product_id": "cup",
            }
            event |= {"kind": chance.choice(["standard", "group_buy"]), "status": chance.choice(["paid", "cancelled"])}
        events.append(event)
    return events


@pytest.fixture(scope="module")
def house(lab: Lab) -> Lab:
    values = {
        "slowness": Value(terms=LEXICON["slowness"], acts=Acts(rituals=("tea",))),
        "craft": Value(terms=LEXICON["craft"], acts=Acts(products=("cup",), places=("kiln",))),
    }
    declare(lab, HOUSE, Community(zone=ZONE.key, values=values))
    deliver(lab, history(), WATERMARK)
    return lab


def rows(lab: Lab, columns: str, view: str) -> list[tuple[Any, ...]]:
    return lab.warehouse.rows(f"SELECT {columns} FROM {{db}}.{view} WHERE community_id = '{HOUSE}'")


def test_values_are_spoken_of_and_acted_on_as_the_plain_fold_says(house: Lab) -> None:
    columns = "month, value, messages, talk_share, talkers, actors, talked_then_acted, talk_to_act"
    actual = rows(house, columns, "shared_values")
    expected = oracle.shared_values(history(), LEXICON, ACTS, ZONE)
    assert expected == {row[:2]: oracle.Shared(*row[2:7]) for row in actual}
    for row in actual:
        assert row[7] == (row[6] / row[4] if row[4] else None)
    assert 0 < sum(shared.talked_then_acted for shared in expected.values()) < sum(s.talkers for s in expected.values())


def test_gains_are_those_of_the_plain_fold(house: Lab) -> None:
    columns = ", ".join(("month", *oracle.Gains._fields))
    expected = oracle.gains(history(), ZONE)
    assert expected == {row[0]: oracle.Gains(*row[1:]) for row in rows(house, columns, "belonging_gains")}
    assert (
        0 < sum(month.support_answered for month in expected.values()) < sum(m.support_asked for m in expected.values())
    )


def test_who_thanks_whom_as_the_plain_fold_says(house: Lab) -> None:
    actual = rows(house, "month, giver_id, receiver_id, thanks", "thanks")
    expected = oracle.thanks(history(), ZONE)
    assert expected == {row[:3]: row[3] for row in actual}
    assert len(expected) == len(actual)


def test_thanks_are_told_apart_within_a_minute(lab: Lab) -> None:
    """In one minute ann answers bo twice, thanks cy and mentions dee, thanks nobody, and answers eve."""
    world = f"{lab.world()}busy"
    said = [
        ("bo", "00:00", {"text": "one"}),
        ("cy", "00:00", {"text": "two"}),
        ("dee", "00:00", {"text": "three"}),
        ("eve", "00:00", {"text": "four"}),
        ("ann", "01:01", {"text": "hello", "reply_to": "e0"}),
        ("ann", "01:02", {"text": "thanks", "reply_to": "e1", "mentions": ["dee", "ann", "nobody"]}),
        ("ann", "01:03", {"text": "thank you all"}),
        ("ann", "01:04", {"text": "hello", "reply_to": "e0"}),
        ("ann", "01:05", {"text": "hello", "reply_to": "e3"}),
        ("bo", "02:00", {"text": "thanks, cy", "mentions": ["cy"], "reply_to": "e1"}),
        ("bo", "03:00", {"text": "thanks", "reply_to": "e0"}),
    ]
    events = [
        {
            "event_id": f"e{number}",
            "type": "message",
            "platform": "chat",
            "community_id": world,
            "member_id": member,
            "occurred_at": f"2026-03-02T00:{at}Z",
            **rest,
        }
        for number, (member, at, rest) in enumerate(said)
    ]
    deliver(lab, events)
    march = date(2026, 3, 1)
    found = lab.warehouse.rows(
        f"SELECT month, giver_id, receiver_id, thanks FROM {{db}}.thanks WHERE community_id = '{world}'"
    )
    expected = {(march, "ann", "cy", 1), (march, "ann", "dee", 1), (march, "bo", "cy", 1)}
    assert expected == set(found) == {(*key, number) for key, number in oracle.thanks(events).items()}


def test_who_gives_and_who_receives_as_the_plain_fold_says(house: Lab) -> None:
    actual = rows(house, "month, member_id, given, received, balance", "give_and_receive")
    assert oracle.give_and_receive(history(), ZONE) == {row[:2]: row[2:4] for row in actual}
    for _, _, given, received, balance in actual:
        assert balance == pytest.approx((given - received) / (given + received))


def test_the_belonging_index_is_the_mean_of_what_is_shown(house: Lab) -> None:
    shown = rows(house, "month, component, value, percentile", "belonging_components")
    series: dict[str, dict[date, float]] = defaultdict(dict)
    for month, component, value, _ in shown:
        series[component][month] = value
    assert {"returning", "contributing", "turnout", "habit", "answered", "talk_to_act"} == set(series)
    # The month that is not over is not there.
    assert date(2024, 9, 1) == max(month for month, *_ in shown)
    engaged: dict[date, set[str]] = defaultdict(set)
    wrote: dict[date, set[str]] = defaultdict(set)
    for fact in oracle.humans(history()):
        engaged[oracle.month_of(fact, ZONE)].add(fact["member_id"])
        if fact["type"] == "message":
            wrote[oracle.month_of(fact, ZONE)].add(fact["member_id"])
    values = oracle.shared_values(history(), LEXICON, ACTS, ZONE)
    for month, gains in oracle.gains(history(), ZONE).items():
        before = (month - timedelta(days=1)).replace(day=1)
        talked = [shared for (when, _), shared in values.items() if when == month]
        expected = (
            len(engaged[month] & engaged[before]) / len(engaged[month]),
            len(wrote[month]) / len(engaged[month]),
            (gains.support_answered + gains.knowledge_answered) / (gains.support_asked + gains.knowledge_asked),
            sum(each.talked_then_acted for each in talked) / sum(each.talkers for each in talked),
        )
        names = ("returning", "contributing", "answered", "talk_to_act")
        if month <= date(2024, 9, 1):
            assert expected == pytest.approx(tuple(series[name][month] for name in names))
    standing: dict[date, list[float]] = defaultdict(list)
    for month, component, _, percentile in shown:
        expected_rank = oracle.percentile([series[component][m] for m in sorted(series[component]) if m <= month])
        assert expected_rank == (percentile if percentile is None else pytest.approx(percentile))
        if percentile is not None:
            standing[month].append(percentile)
    means = {month: (sum(ranks) / len(ranks), len(ranks)) for month, ranks in standing.items()}
    index = rows(house, "month, belonging, components", "belonging_index")
    assert {month: pytest.approx(mean) for month, mean in means.items()} == {row[0]: row[1:] for row in index}
