"""Occurrences of rituals: who came, of how many, out of habit, and for whom; by hand and against a plain fold."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from oracle import event_time
from oracles import rituals as oracle
from oracles.corrections import corrected
from pipeline import Lab
from settled import declare, deliver

from streams.communities.settings import Community, Ritual

pytestmark = pytest.mark.connected

SHANGHAI = ZoneInfo("Asia/Shanghai")
TODAY = date(2024, 3, 20)
WATERMARK = datetime(2024, 3, 20, 1, tzinfo=UTC)
CLUB = "club"

Event = dict[str, Any]


def event(number: int, family: str, member: str, at: datetime, **rest: Any) -> Event:
    return {
        "event_id": f"e{number}",
        "type": family,
        "platform": "chat",
        "community_id": CLUB,
        "member_id": member,
        "occurred_at": at.isoformat(),
        **rest,
    }


def history() -> list[Event]:
    """Eleven weeks: reading on Tuesdays at 7 in Shanghai, Monday in UTC; a walk now and then; Fridays at 20."""
    chance = random.Random(3)
    acts: list[tuple[str, str, datetime, dict[str, Any]]] = []
    for week in range(11):
        tuesday = datetime(2024, 1, 2, 7, tzinfo=SHANGHAI) + timedelta(weeks=week)
        for minute, member in enumerate(["ann", "bo", "cy", "dee", "eve"]):
            # Nobody reads in the sixth week, from the eighth on only ann and bo, and in the last one ann is ill.
            if week != 5 and (week < 7 or member in ("ann", "bo")) and (week, member) != (10, "ann"):
                acts.append(("check_in", member, tuesday + timedelta(minutes=minute), {"ritual": "reading"}))
            if chance.random() < 0.3:
                acts.append(("check_in", member, tuesday + timedelta(days=2, minutes=9 - minute), {"ritual": "walk"}))
            if chance.random() < 0.9:
                acts.append(("message", member, tuesday + timedelta(days=3, hours=13, minutes=minute), {"text": ""}))
        acts.append(("reaction", f"guest{week}", tuesday + timedelta(days=1), {"target_id": "e0", "reaction": "x"}))
        acts.append(("check_in", "robot", tuesday, {"ritual": "reading", "actor_kind": "bot"}))
    return [event(number, family, member, at, **rest) for number, (family, member, at, rest) in enumerate(acts)]


@pytest.fixture(scope="module")
def club(lab: Lab) -> Lab:
    reading = Ritual.model_validate({"every": "week", "weekdays": ("tuesday",), "at": "07:00", "host_id": "ann"})
    declare(lab, CLUB, Community(zone="Asia/Shanghai", rituals={"reading": reading}))
    deliver(lab, history(), WATERMARK)
    return lab


def stored(lab: Lab) -> dict[tuple[str, str, date], oracle.Occurrence]:
    rows = lab.warehouse.rows(
        "SELECT source, ritual, day, attendees, eligible, regulars, habit_rate, host_id, turnout, settled "
        f"FROM {{db}}.ritual_occurrences WHERE community_id = '{CLUB}'"
    )
    assert len(rows) == len({row[:3] for row in rows})
    for row in rows:
        assert row[8] == pytest.approx(row[3] / row[4])
        assert row[9] == (row[2] < TODAY)
    return {row[:3]: oracle.Occurrence(*row[3:8]) for row in rows}


def test_turnout_and_habits_of_a_declared_ritual_by_hand(club: Lab) -> None:
    reading = {day: numbers for (source, _, day), numbers in stored(club).items() if source == "declared"}
    assert [date(2024, 1, 2) + timedelta(weeks=n) for n in range(12)][:11] == sorted(reading)[:11]
    # The fourth: all five have come to all four. The sixth: nobody came. The seventh: it does not break the habit.
    assert (5, 5) == reading[date(2024, 1, 23)][0::2][:2]
    assert (0, None, None, "") == tuple(reading[date(2024, 2, 6)][n] for n in (0, 2, 3, 4))
    assert (5, 5, 1.0, "ann") == tuple(reading[date(2024, 2, 13)][n] for n in (0, 2, 3, 4))
    # The eighth: two came; the last four are weeks 4, 5, 7 and 8: all five still came to three of them.
    assert (2, 5, 1.0) == reading[date(2024, 2, 20)][0:1] + reading[date(2024, 2, 20)][2:4]
    # The ninth: weeks 5, 7, 8, 9: only ann and bo have three.
    assert (2, 2, 0.4) == reading[date(2024, 2, 27)][0:1] + reading[date(2024, 2, 27)][2:4]
    # Eligible: the five, and a guest of each of the four weeks so far.
    assert 8 == reading[date(2024, 1, 23)].eligible


def test_how_much_a_ritual_hangs_on_its_host(club: Lab) -> None:
    [reading] = club.warehouse.rows(
        "SELECT occurrences, hosts, main_host, host_dependence, absence_factor, attendees_with_main, "
        "attendees_without_main FROM {db}.ritual_hosts WHERE community_id = 'club' AND source = 'declared'"
    )
    assert (10, 2, "ann", 0.9, 1, pytest.approx((6 * 5 + 3 * 2) / 9), 1.0) == reading


def test_messages_in_its_conversation_take_part_while_a_ritual_lasts(lab: Lab) -> None:
    """Tuesdays 7:00 to 7:45 in Calcutta, which is 1:30 UTC; the host is known by an account of hers."""
    said = {"every": "week", "weekdays": ("tuesday",), "at": "07:00", "duration_minutes": 45, "host_id": "anna"}
    reading = Ritual.model_validate(said | {"conversation_id": "nook"})
    declare(lab, "nookers", Community(zone="Asia/Kolkata", rituals={"reading": reading}))
    tuesday = datetime(2024, 3, 5, 7, tzinfo=ZoneInfo("Asia/Kolkata"))
    link = {"action": "link", "linked_platform": "chat", "linked_account_id": "anna"}
    acts = [
        ("identity", "ann", -7 * 1440, link),
        ("check_in", "bo", 90, {"ritual": "reading"}),
        *(
            ("message", member, minutes, {"text": "", "conversation_id": room})
            for member, minutes, room in (
                ("early", -1, "nook"),
                ("anna", 0, "nook"),
                ("flo", 40, "nook"),
                ("flo", 44, "nook"),
                ("late", 45, "nook"),
                ("elsewhere", 5, "hall"),
                ("another day", 1440, "nook"),
                ("flo", 7 * 1440 + 1, "nook"),
            )
        ),
    ]
    events = [
        event(number, family, member, tuesday + timedelta(minutes=minutes, seconds=59), **rest)
        | {"community_id": "nookers"}
        for number, (family, member, minutes, rest) in enumerate(acts)
    ]
    deliver(lab, events)
    came = lab.warehouse.rows(
        "SELECT day, member_id FROM {db}.ritual_check_ins WHERE community_id = 'nookers' ORDER BY ALL"
    )
    first, second = date(2024, 3, 5), date(2024, 3, 12)
    assert [(first, "ann"), (first, "bo"), (first, "flo"), (second, "flo")] == came
    rows = lab.warehouse.rows(
        "SELECT source, ritual, day, attendees, eligible, regulars, habit_rate, host_id "
        "FROM {db}.ritual_occurrences WHERE community_id = 'nookers' AND source = 'declared'"
    )
    declared = {"reading": oracle.Declared(lambda day: day.weekday() == 1, "ann", "nook", range(420, 465))}
    facts = corrected(events, event_time)
    assert oracle.occurrences(facts, declared, {}, TODAY, ZoneInfo("Asia/Kolkata")) == {
        row[:3]: oracle.Occurrence(*row[3:]) for row in rows
    }
    assert [(first, 3, "ann"), (second, 1, "flo"), (date(2024, 3, 19), 0, "")] == sorted(
        (row[2], row[3], row[7]) for row in rows
    )


def test_a_host_of_exactly_half_is_enough(lab: Lab) -> None:
    """Two members open a walk in turns, four times."""
    walks = [
        event(number, "check_in", "ab"[number % 2], datetime(2024, 3, 1 + number, tzinfo=UTC), ritual="walk")
        for number in range(4)
    ]
    deliver(lab, [walk | {"community_id": "duo"} for walk in walks])
    assert [(4, 2, "a", 0.5, 1)] == lab.warehouse.rows(
        "SELECT occurrences, hosts, main_host, host_dependence, absence_factor "
        "FROM {db}.ritual_hosts WHERE community_id = 'duo'"
    )
