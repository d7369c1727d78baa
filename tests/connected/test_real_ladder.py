"""The ladder and streaks on public traces of real communities: equal to walks through their days, one day at a time."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import pytest
from oracle import Event
from oracles.ladder import Evidence, Member, Stay, ladder
from oracles.streaks import Streak, streaks
from replays import DATA, Replays

from streams.clickhouse import Warehouse
from streams.traces import TRACES

pytestmark = [pytest.mark.connected, pytest.mark.real_data]

FORUM = "bicycles-meta"


@pytest.fixture(scope="module")
def warehouse(replays: Replays) -> Warehouse:
    """The forum and the channel."""
    for name in ("stackexchange_bicycles_meta", "irc_duraspace"):
        replays(name)
    return replays.lab.warehouse


@pytest.fixture(scope="module")
def facts() -> list[Event]:
    """What the people of the forum did."""
    events = TRACES["stackexchange_bicycles_meta"].events(DATA)
    return [event for event in events if event.get("actor_kind", "human") == "human"]


def today(warehouse: Warehouse) -> date:
    """The last day of the forum that is known."""
    [(day,)] = warehouse.rows(
        "SELECT greatest((SELECT today FROM {db}.community_today WHERE community_id = 'bicycles-meta'), max(day)) "
        "FROM {db}.member_activity WHERE community_id = 'bicycles-meta'"
    )
    assert isinstance(day, date)
    return day


def test_members_of_a_forum_climbed_as_the_oracle_says(warehouse: Warehouse, facts: list[Event]) -> None:
    expected = ladder(facts, {FORUM: today(warehouse)})
    found: dict[Member, list[Stay]] = defaultdict(list)
    for community, member, *stay, present, active, contributions, built in warehouse.rows(
        "SELECT community_id, member_id, level, rank, since, until, from_level, direction, judged_level, "
        "present_days, active_days, contributions, hosted_or_cocreated "
        "FROM {db}.ladder_history WHERE community_id = 'bicycles-meta' ORDER BY member_id, since"
    ):
        found[community, member].append(Stay(*stay, Evidence(present, active, contributions, built)))
    assert expected == found
    assert {"visitor", "participant", "regular", "contributor"} <= {s.level for stays in found.values() for s in stays}


def test_members_of_a_forum_had_the_streaks_of_the_oracle(warehouse: Warehouse, facts: list[Event]) -> None:
    expected = streaks(facts, {FORUM: today(warehouse)})
    found: dict[Member, list[Streak]] = defaultdict(list)
    for community, member, *streak, alive in warehouse.rows(
        "SELECT community_id, member_id, first_day, last_day, days, frozen_days, alive "
        "FROM {db}.streaks WHERE community_id = 'bicycles-meta' ORDER BY member_id, first_day"
    ):
        found[community, member].append(Streak(*streak, bool(alive)))
    assert expected == found


def test_a_channel_that_declined_lost_those_who_carried_it(warehouse: Warehouse) -> None:
    years = dict(
        warehouse.rows(
            "SELECT toYear(week), sum(members) / 52 FROM {db}.ladder_week "
            "WHERE community_id = 'duraspace' AND rank >= 3 GROUP BY 1"
        )
    )
    # Regulars and above in a mean week, at its height and near its end.
    height, end = (sum(years[year] for year in range(first, first + 3)) / 3 for first in (2010, 2015))
    assert height > 6 and end < height / 2, years
    assert 2018 not in years
