"""Streaks: by hand, late at night, over holidays, repaired by late events, and on generated lives."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from oracle import Event, event_time
from oracles.streaks import Streak, Streaks, streaks
from pipeline import Lab, Log

pytestmark = pytest.mark.connected

RECEIVED_MS = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)
SHANGHAI = ZoneInfo("Asia/Shanghai")
ids = count()


def message(community: str, member: str, at: datetime) -> Event:
    return {
        "event_id": f"e{next(ids)}",
        "type": "message",
        "platform": "wechat",
        "community_id": community,
        "member_id": member,
        "occurred_at": at.isoformat(),
        "text": "早",
    }


def publish(lab: Lab, events: Iterable[Event]) -> list[Event]:
    """Events through the pipeline, in one go."""
    log, events = Log(), list(events)
    for event in events:
        key = f"{event['community_id']}/{event['member_id']}".encode()
        log.append(lab.topic(event["type"]), key, json.dumps(event).encode(), RECEIVED_MS)
    lab.drain(log)
    return events


def shown(lab: Lab, where: str, unit: str = "day") -> Streaks:
    """Streaks as the views have them."""
    view = "streaks" if unit == "day" else "streaks_week"
    rows = lab.warehouse.rows(
        f"SELECT community_id, member_id, first_{unit}, last_{unit}, {unit}s, frozen_{unit}s, alive "
        f"FROM {{db}}.{view} WHERE {where} ORDER BY community_id, member_id, first_{unit}"
    )
    found: Streaks = {}
    for community, member, *streak, alive in rows:
        found.setdefault((community, member), []).append(Streak(*streak, bool(alive)))
    return found


def days(community: str, member: str, *days: int, hour: int = 12) -> list[Event]:
    """Messages at noon (or another hour), UTC, of days of January 2026, whose first is a Thursday."""
    return [message(community, member, datetime(2026, 1, day, hour, 30, tzinfo=UTC)) for day in days]


def rules(lab: Lab, community: str, *, grace: int = 3, freeze: int = 1, holidays: Iterable[date] = ()) -> None:
    lab.warehouse.command(
        "INSERT INTO {store}.streak_rules (community_id, grace_hours, freeze_days, version) "
        f"VALUES ('{community}', {grace}, {freeze}, 1)"
    )
    for day in holidays:
        lab.warehouse.command(
            f"INSERT INTO {{store}}.holidays (community_id, day, name, version) VALUES ('{community}', '{day}', 'x', 1)"
        )


def january(first: int, last: int, kept: int, frozen: int, alive: bool = False) -> Streak:
    return Streak(date(2026, 1, first), date(2026, 1, last), kept, frozen, alive)


def test_streaks_worked_out_by_hand(lab: Lab) -> None:
    community = f"{lab.world()}hand"
    publish(
        lab,
        [
            *days(community, "ann", 1, 2, 3, 5, 6, 9, 10),  # one missing day is forgiven, two are not
            *days(community, "bo", 1, 2),
            # Half past midnight: of the 5th, and it saves the 4th; the 1st saves no 31 December.
            *days(community, "cy", 1, 2, 3, 5, hour=0),
            *days(community, "di", 8),
        ],
    )
    assert {
        "ann": [january(1, 6, 5, 1), january(9, 10, 2, 0, alive=True)],
        "bo": [january(1, 2, 2, 0)],
        "cy": [january(1, 5, 5, 0)],
        # The 9th is missing, and the 10th is not over.
        "di": [january(8, 8, 1, 0, alive=True)],
    } == {member: found for (_, member), found in shown(lab, f"community_id = '{community}'").items()}
    # The week of Monday 29 December, and that of 5 January, which is going on.
    first, second = date(2025, 12, 29), date(2026, 1, 5)
    assert {
        "ann": [Streak(first, second, 2, 0, True)],
        "bo": [Streak(first, first, 1, 0, True)],
        "cy": [Streak(first, second, 2, 0, True)],
        "di": [Streak(second, second, 1, 0, True)],
    } == {member: found for (_, member), found in shown(lab, f"community_id = '{community}'", "week").items()}


def test_a_late_event_repairs_a_streak_that_was_broken(lab: Lab) -> None:
    community = f"{lab.world()}late"
    where = f"community_id = '{community}'"
    publish(lab, days(community, "ann", 1, 2, 5, 6))
    assert [january(1, 2, 2, 0), january(5, 6, 2, 0, alive=True)] == shown(lab, where)[community, "ann"]
    publish(lab, days(community, "ann", 3))
    assert [january(1, 6, 5, 1, alive=True)] == shown(lab, where)[community, "ann"]


def test_holidays_are_not_missing(lab: Lab) -> None:
    community = f"{lab.world()}feast"
    where = f"community_id = '{community}'"
    holidays = [date(2026, 1, day) for day in (3, 4, 5, 15)]
    rules(lab, community, freeze=0, holidays=holidays)
    publish(lab, days(community, "ann", 1, 2, 6, 7, 9, 21))
    assert [january(1, 7, 4, 3), january(9, 9, 1, 0), january(21, 21, 1, 0, alive=True)] == shown(lab, where)[
        community, "ann"
    ]
    # The holiday of the 15th excuses the week of the 12th.
    assert [Streak(date(2025, 12, 29), date(2026, 1, 19), 3, 1, True)] == shown(lab, where, "week")[community, "ann"]


def test_the_night_is_that_of_the_community(lab: Lab) -> None:
    community = f"{lab.world()}shanghai"
    lab.warehouse.command(
        f"INSERT INTO {{store}}.communities (community_id, zone, version) VALUES ('{community}', 'Asia/Shanghai', 1)"
    )
    lab.warehouse.command(
        "INSERT INTO {store}.zone_offsets (zone, from_utc, offset_s, version) VALUES ('Asia/Shanghai', 0, 28800, 1)"
    )
    # 17:30 UTC is half past one of the next day in Shanghai: the 2nd and the 4th, which saves the 3rd.
    events = publish(lab, [*days(community, "ann", 1, 3, hour=17), *days(community, "ann", 5)])
    expected = [january(2, 5, 4, 0, alive=True)]
    where = f"community_id = '{community}'"
    oracle = streaks(events, {community: date(2026, 1, 5)}, local=lambda event: event_time(event).astimezone(SHANGHAI))
    assert expected == oracle[community, "ann"]
    # Half past four is no night any more: the 3rd stays missing.
    publish(lab, days(community, "bo", 1, 3, hour=20))
    assert [january(2, 4, 2, 1, alive=True)] == shown(lab, where)[community, "bo"]
    assert expected == shown(lab, where)[community, "ann"]


def test_an_occurrence_on_a_holiday_may_be_missed_and_no_other(lab: Lab) -> None:
    community = f"{lab.world()}ritual"
    rules(lab, community, holidays=[date(2026, 1, 2)])
    visits = {"ann": (1, 3, 5), "bo": (1, 2, 3, 4, 5), "cy": (1, 3, 4)}
    publish(
        lab,
        [
            event | {"type": "check_in", "ritual": "晨读"}
            for member, of_member in visits.items()
            for event in days(community, member, *of_member)
        ],
    )
    assert [
        ("ann", date(2026, 1, 1), date(2026, 1, 3), 2, 0),
        ("ann", date(2026, 1, 5), date(2026, 1, 5), 1, 1),
        ("bo", date(2026, 1, 1), date(2026, 1, 5), 5, 1),
        # The 5th is not over.
        ("cy", date(2026, 1, 1), date(2026, 1, 4), 3, 1),
    ] == lab.warehouse.rows(
        "SELECT member_id, first_day, last_day, occurrences, alive FROM {db}.streaks_ritual "
        f"WHERE community_id = '{community}' ORDER BY member_id, first_day"
    )
