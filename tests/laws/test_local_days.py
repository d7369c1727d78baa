"""Days of members are days of the community's zone: of 23, 24 or 25 hours, at offsets of whole hours or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from folds import check, local_day
from histories import Delivery, send
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline import Lab, Log

from streams.aggregates.local import DAY, LocalTime
from streams.communities.rows import TABLES
from streams.communities.settings import Community
from streams.communities.zones import in_force, in_whole_hours, offsets_of
from streams.reconcile import reconcile, restate

ODD = {
    "America/New_York": datetime(2024, 3, 10, 7, tzinfo=UTC),  # a day of 23 hours
    "Europe/London": datetime(2024, 10, 27, 1, tzinfo=UTC),  # a day of 25 hours
    "Asia/Shanghai": datetime(2023, 12, 31, 16, tzinfo=UTC),  # the local new year
    "Asia/Kolkata": datetime(2024, 3, 9, 18, 30, tzinfo=UTC),  # midnight within an hour of UTC
    "Australia/Lord_Howe": datetime(2024, 4, 6, 15, tzinfo=UTC),  # clocks go back by half an hour
    "America/St_Johns": datetime(2010, 11, 7, 2, 31, tzinfo=UTC),  # one minute of a day, then 59 of the day before
    "Pacific/Apia": datetime(2011, 12, 30, 10, tzinfo=UTC),  # a day that never was
    "UTC": datetime(2024, 2, 29, tzinfo=UTC),
}
"""A moment in each zone about which days are odd."""

ZONES = sorted({*ODD, "America/Sao_Paulo", *sorted(available_timezones())[::40]})
zones = st.sampled_from(ZONES)
moments = st.integers(
    int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2037, 12, 31, tzinfo=UTC).timestamp())
)


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


@settings(deadline=None)
@given(zones, moments)
def test_offsets_are_those_of_the_time_zone_database(zone: str, moment: int) -> None:
    [*_, now] = [each for each in offsets_of(zone) if each.from_utc <= moment]
    assert at(moment).astimezone(ZoneInfo(zone)).utcoffset() == timedelta(seconds=now.offset_s)
    assert [now, *[each for each in offsets_of(zone) if moment < each.from_utc < moment + DAY]] == list(
        in_force(offsets_of(zone), moment, moment + DAY)
    )


@settings(deadline=None, max_examples=200)
@given(zones, st.sets(moments, min_size=1, max_size=5))
def test_every_moment_of_an_hour_is_in_one_of_the_days_of_the_hour(zone: str, seconds: set[int]) -> None:
    check_days_of_hours(zone, {second - second % 3600 for second in seconds})


@pytest.mark.parametrize("zone", ODD)
def test_the_hours_about_an_odd_day_are_in_its_days(zone: str) -> None:
    odd = int(ODD[zone].timestamp())
    for step in range(-30, 30):
        check_days_of_hours(zone, {odd - odd % 3600 + step * 3600})


def check_days_of_hours(zone: str, hours: set[int]) -> None:
    time = LocalTime({"tea": zone}, {zone: offsets_of(zone)})
    days = time.days_of({"tea": hours, "utc": hours})
    told = {int(local_day(at(hour + minute * 60), zone).timestamp()) for hour in hours for minute in range(60)}
    assert told == days["tea"]
    assert {hour - hour % DAY for hour in hours} == days["utc"]
    back = time.hours_of(days)
    assert hours <= set(back["tea"])
    assert days["tea"] <= time.days_of(back)["tea"]


@pytest.mark.connected
def test_the_engine_tells_the_same_days(lab: Lab) -> None:
    moments = [second for year in (1995, 2011, 2024) for second in _around_changes(year)]
    places = {f"in {zone}": zone for zone in ZONES}
    time = LocalTime(places, {zone: offsets_of(zone) for zone in [*ZONES, "Asia/Tokyo"]}, "Asia/Tokyo")
    names = [*places, "elsewhere"]
    rows = lab.warehouse.rows(
        f"SELECT community_id, at, {time.day('at', min(moments), max(moments) + 1)} FROM (SELECT arrayJoin({names}) "
        f"AS community_id, toDateTime(arrayJoin({moments}), 'UTC') AS at)"
    )
    assert len(names) * len(moments) == len(rows)
    assert [] == [
        (name, moment, day) for name, moment, day in rows if local_day(moment, places.get(name, "Asia/Tokyo")) != day
    ]


def _around_changes(year: int) -> list[int]:
    """Moments about every hour of the days on which clocks change, in the places where that is oddest."""
    start, end = (int(datetime(each, 1, 1, tzinfo=UTC).timestamp()) for each in (year, year + 1))
    changes = [
        change.from_utc
        for zone in ("America/New_York", "America/St_Johns", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia")
        for change in in_force(offsets_of(zone), start, end)[1:]
    ]
    return sorted({change + step * 1800 - 60 for change in changes for step in range(-60, 60)})


def test_an_hour_is_broken_where_an_offset_or_a_change_is_not_of_whole_hours() -> None:
    def broken(zone: str, year: int) -> bool:
        start = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
        return not in_whole_hours(in_force(offsets_of(zone), start, start + 365 * DAY))

    assert not any(broken(zone, 2024) for zone in ("UTC", "America/New_York", "Asia/Shanghai", "Pacific/Kiritimati"))
    assert all(broken(zone, 2024) for zone in ("Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"))
    # Singapore's half hour ended in 1982: what happens now does not pay for it.
    assert [True, False] == [broken("Asia/Singapore", year) for year in (1980, 2024)]


def set_zones(lab: Lab, zones: dict[str, str]) -> None:
    """Give communities their zones, without telling anybody."""
    settings = {community: Community(zone=zone) for community, zone in zones.items()}
    for table in TABLES:
        if table.name in ("communities", "zone_offsets"):
            lab.warehouse.insert(f"{{store}}.{table.name}", table.filled(settings, 1))


def events_about(moment: datetime, community: str) -> list[Delivery]:
    """Messages of two members every forty minutes and a millisecond before, for a day before and after a moment."""
    made = []
    for step in range(-80, 80):
        occurred = moment + timedelta(minutes=40 * (step // 2), milliseconds=-(step % 2))
        event = {
            "event_id": f"{step}",
            "type": "message",
            "platform": "wechat",
            "community_id": community,
            "member_id": "ann" if step % 3 else "bo",
            "occurred_at": occurred.isoformat(),
            "text": "",
        }
        made.append(Delivery("message", event, b"", int(moment.timestamp() * 1000) + 10**8))
    return made


@pytest.mark.connected
def test_members_have_the_days_of_their_communities(lab: Lab) -> None:
    log, world = Log(), lab.world()
    zone_of = {f"{world}{zone}": zone for zone in ODD}
    set_zones(lab, zone_of)
    history = [each for zone, moment in ODD.items() for each in events_about(moment, zone)]
    prefix = lab.settings.kafka.topic_prefix
    worker = lab.worker(log)
    # Some come late, when the days are there; in the end one of each community, so that a day is computed alone.
    last = [each for each in history if each.event and each.event["event_id"] == "-40"]
    late = [each for each in history[::5] if each not in last]
    for part in ([each for each in history if each not in [*late, *last]], late, last):
        send(part, log, prefix, world)
        lab.run(worker.drain())
    oracle = send(history, Log(), prefix, world)
    check(lab.warehouse, oracle, world, zone_of=zone_of.__getitem__)
    assert [] == reconcile(lab.warehouse, settle_s=0)
    for table in ("member_day", "member_hour"):
        lab.warehouse.command(f"TRUNCATE TABLE {{store}}.{table}")
    restate(lab.settings, lab.warehouse)
    check(lab.warehouse, oracle, world, zone_of=zone_of.__getitem__)
    assert [] == reconcile(lab.warehouse, settle_s=0)
