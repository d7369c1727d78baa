"""Rituals: what is inferred from when people come together, against a plain fold and what is known of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from compared import come_to
from conftest import required
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles import rituals as oracle
from pipeline import Lab
from settled import declare, deliver

from streams.communities.settings import Community
from streams.traces import TRACES

pytestmark = pytest.mark.connected

NEW_YORK = ZoneInfo("America/New_York")
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

Event = dict[str, Any]
Rituals = dict[tuple[date, str], oracle.Inferred]


def stored(lab: Lab, community: str) -> Rituals:
    rows = lab.warehouse.rows(
        "SELECT month, ritual, from_hour, hours, dates, held, attendance, expected, chance "
        "FROM {db}.inferred_rituals WHERE community_id = {c:String}",
        {"c": community},
    )
    assert len(rows) == len({row[:2] for row in rows})
    return {row[:2]: oracle.Inferred(*row[2:]) for row in rows}


def same(expected: Rituals, actual: Rituals) -> None:
    """Equal but for the last digits of what is not whole."""
    assert expected.keys() == actual.keys()
    for key, ritual in expected.items():
        assert ritual[:4] == actual[key][:4]
        assert ritual[4:] == pytest.approx(actual[key][4:], rel=1e-6)


def hours(community: str, meetings: Iterable[tuple[datetime, int]]) -> Iterator[Event]:
    """A message of each of the first `count` members in each hour; in `meetings` an hour stands once."""
    for start, count in meetings:
        for number in range(count):
            yield {
                "event_id": f"{start:%Y%m%d%H}-{number}",
                "type": "message",
                "platform": "chat",
                "community_id": community,
                "member_id": f"m{number}",
                "occurred_at": (start + timedelta(minutes=number)).isoformat(),
                "text": "",
            }


@pytest.fixture(scope="module")
def channel() -> list[Event]:
    """What people wrote in a real channel in nine years."""
    required(DATA.is_dir(), f"the public data ({DATA})")
    return [event for event in TRACES["irc_duraspace"].events(DATA) if event["type"] == "message"]


@pytest.mark.real_data
def test_the_weekly_meeting_of_a_real_channel_is_inferred(lab: Lab, channel: list[Event]) -> None:
    """Its developers met on Wednesdays at 20:00 UTC; from 2014 on ever fewer came."""
    deliver(lab, channel)
    actual = stored(lab, "duraspace")
    same(oracle.inferred(oracle.attendance(channel)), actual)
    meeting = {month for month, ritual in actual if ritual == "Wednesday 20:00"}
    years = [(date(2009, 10, 1) + timedelta(days=31 * n)).replace(day=1) for n in range(59)]
    assert set() == set(years) - meeting
    others = sorted({ritual for _, ritual in actual if ritual != "Wednesday 20:00"})
    # The first weeks, when it was the second hour that filled; and a meeting of committers that lasted for half a year.
    assert ["Thursday 13:00", "Thursday 14:00", "Wednesday 15:00", "Wednesday 21:00"] == others
    assert 7 == sum(ritual != "Wednesday 20:00" for _, ritual in actual)
    assert max(month for month in meeting) < date(2017, 3, 1)


@pytest.mark.real_data
@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_hours_in_another_order_hold_no_ritual(lab: Lab, channel: list[Event], seed: int) -> None:
    """Two busy years of the channel, their days shuffled and their hours turned: as many meetings, but no rhythm."""
    world, chance = lab.world(), random.Random(seed)
    year = [event for event in channel if "2011" <= event["occurred_at"] < "2013"]
    days = [date(2011, 1, 1) + timedelta(days=n) for n in range(731)]
    to = dict(zip(days, chance.sample(days, len(days)), strict=True))
    turn = {day: chance.randrange(24) for day in days}
    moved = []
    for event in year:
        at = datetime.fromisoformat(event["occurred_at"].replace("Z", "+00:00"))
        there = datetime.combine(to[at.date()], at.time(), UTC).replace(hour=(at.hour + turn[at.date()]) % 24)
        moved.append(event | {"community_id": f"{world}duraspace", "occurred_at": there.isoformat()})
    assert len(oracle.attendance(year)) == len(oracle.attendance(moved))
    deliver(lab, moved)
    assert {} == stored(lab, f"{world}duraspace")


def test_daily_weekly_and_monthly_rituals_are_told_apart(lab: Lab) -> None:
    """Four people every morning at 7; six on Tuesdays at 19 and 20, seven of them at 20; five on first Fridays at 18;
    five on the 15th at 12; and one who writes at 10 on most days.
    """
    world = lab.world()
    meetings: dict[datetime, int] = {}
    for n in range(366):
        day = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=n)
        meetings[day.replace(hour=7)] = 4
        if n % 3:
            meetings[day.replace(hour=10)] = 1
        if day.isoweekday() == 2:
            meetings[day.replace(hour=19)], meetings[day.replace(hour=20)] = 6, 7
        if day.isoweekday() == 5 and day.day <= 7:
            meetings[day.replace(hour=18)] = 5
        if day.day == 15:
            meetings[day.replace(hour=12)] = 5
    events = list(hours(f"{world}choir", meetings.items()))
    deliver(lab, events)
    actual = stored(lab, f"{world}choir")
    same(oracle.inferred(oracle.attendance(events)), actual)
    december = {ritual: numbers[:5] for (month, ritual), numbers in actual.items() if month == date(2024, 12, 1)}
    assert {
        "daily 07:00": (7, 1, 61, 61, 4.0),
        "Tuesday 20:00": (19, 2, 27, 27, 7.0),
        "first Friday 18:00": (18, 1, 12, 12, 5.0),
        "day 15 12:00": (12, 1, 12, 12, 5.0),
    } == december
    # A weekly meeting shows after four weeks of a quiet community, a monthly one after five months.
    assert [date(2024, 1, 1), date(2024, 5, 1), date(2024, 5, 1)] == [
        min(month for month, ritual in actual if ritual.startswith(name)) for name in ("Tuesday", "first", "day")
    ]


def met_in_new_york(lab: Lab, community: str, starts: Iterable[datetime]) -> oracle.Attendance:
    """Five members meet at each of these hours of the local clock."""
    declare(lab, community, Community(zone="America/New_York"))
    events = list(hours(community, [(start.astimezone(UTC), 5) for start in starts]))
    deliver(lab, events)
    return oracle.attendance(events, NEW_YORK)


def test_the_clock_of_a_ritual_is_that_of_its_community(lab: Lab) -> None:
    """Fridays at 19:00 in New York, from winter into summer and back: at 23:00 and at 24:00 UTC."""
    dance = f"{lab.world()}dance"
    fridays = [datetime(2024, 1, 5, 19, tzinfo=NEW_YORK) + timedelta(weeks=n) for n in range(52)]
    there = met_in_new_york(lab, dance, fridays)
    actual = stored(lab, dance)
    same(oracle.inferred(there), actual)
    assert {"Friday 19:00"} == {ritual for _, ritual in actual}
    assert 12 == len(actual)


def test_a_month_begins_by_the_clock_of_the_community(lab: Lab) -> None:
    """Every morning at 7 in New York until 28 February: at 02:00 UTC on the first of March it is still that day."""
    run = f"{lab.world()}run"
    there = met_in_new_york(lab, run, [datetime(2026, 2, 1, 7, tzinfo=NEW_YORK) + timedelta(days=n) for n in range(28)])
    try:
        for moment, months in (
            (datetime(2026, 3, 1, 2, tzinfo=UTC), [date(2026, 2, 1)]),
            (datetime(2026, 3, 1, 6, tzinfo=UTC), [date(2026, 2, 1), date(2026, 3, 1)]),
        ):
            come_to(lab.warehouse, moment)
            actual = stored(lab, run)
            same(oracle.inferred(there, moment.astimezone(NEW_YORK).date()), actual)
            assert months == sorted(month for month, _ in actual)
    finally:
        lab.warehouse.command("TRUNCATE TABLE {store}.progress")


def test_before_anything_came_no_community_is_in_the_future(lab: Lab) -> None:
    """The date in the west at the first moment there is: before the first date there is, which would wrap around."""
    west = f"{lab.world()}west"
    declare(lab, west, Community(zone="America/New_York"))
    sql = "SELECT today FROM {db}.community_today WHERE community_id = {c:String}"
    assert [(date(1970, 1, 1),)] == lab.warehouse.rows(sql, {"c": west})


def test_busy_evenings_and_weekends_are_no_ritual(lab: Lab) -> None:
    """What every community does, more of it on Saturdays: its profile, and nothing above it."""
    world, chance = lab.world(), random.Random(5)
    meetings: dict[datetime, int] = {}
    for n in range(200):
        day = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=n)
        for hour in range(24):
            busy = (1 + 4 * (17 <= hour <= 22)) * (3 if day.isoweekday() == 6 else 1)
            meetings[day.replace(hour=hour)] = sum(chance.random() < 0.5 for _ in range(2 * busy))
    deliver(lab, hours(f"{world}bar", meetings.items()))
    assert {} == stored(lab, f"{world}bar")


@st.composite
def clubs(draw: st.DrawFn) -> dict[datetime, int]:
    """How many came in each hour: some appointments that are kept more or less often, and some noise."""
    first = date(2023, 6, 1) + timedelta(days=draw(st.integers(0, 60)))
    length = draw(st.integers(20, 300))
    chance = random.Random(draw(st.integers(0, 1 << 32)))
    appointments = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["day", "week", "month", "nth"]),
                st.integers(0, 6),
                st.integers(0, 23),
                st.integers(3, 8),
                st.sampled_from([0.4, 0.6, 0.9, 1.0]),
            ),
            max_size=4,
        )
    )
    noise = draw(st.sampled_from([0.0, 0.02, 0.2]))
    meetings: dict[datetime, int] = {}
    for day in (first + timedelta(days=n) for n in range(length)):
        for hour in range(24):
            count = chance.randrange(1, 5) if chance.random() < noise else 0
            for cadence, number, at, heads, kept in appointments:
                due = cadence == "day" or number == (day.weekday() if cadence != "month" else day.day)
                due = due and (cadence != "nth" or day.day <= 7)
                if due and at == hour and chance.random() < kept:
                    count = max(count, heads)
            meetings[datetime(day.year, day.month, day.day, hour, tzinfo=UTC)] = count
    return meetings


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(clubs(), min_size=3, max_size=3))
def test_inferred_rituals_are_those_of_the_plain_fold(lab: Lab, told: list[dict[datetime, int]]) -> None:
    """Three communities side by side."""
    world = lab.world()
    events = {f"{world}club{n}": list(hours(f"{world}club{n}", club.items())) for n, club in enumerate(told)}
    deliver(lab, [event for of_club in events.values() for event in of_club])
    for club, of_club in events.items():
        same(oracle.inferred(oracle.attendance(of_club)), stored(lab, club))
