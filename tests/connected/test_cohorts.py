"""What views by segment withhold: counts of fewer members than the smallest cohort, and nothing else."""

from __future__ import annotations

import pytest
from pipeline import Lab

from streams.settings import MetricsSettings

pytestmark = pytest.mark.connected

DAY = "2026-03-02"
# Family -> number of members who were active in it on the day, each with two events.
SEGMENTS = {"message": 7, "reaction": 5, "check_in": 4, "membership": 6, "review": 1}


@pytest.fixture(scope="module")
def choir(lab: Lab) -> Lab:
    """A community with a segment on each side of the limit, in the tables of every grain."""
    for grain in ("minute", "hour", "day"):
        for family, members in SEGMENTS.items():
            lab.warehouse.command(
                f"INSERT INTO {{store}}.activity_{grain} "
                "(community_id, start, family, platform, actor_kind, events, members, version) "
                f"SELECT 'choir', '{DAY} 00:00:00', '{family}', 'discord', 'human', {2 * members}, "
                f"uniqExactState(toString(number)), 1 FROM numbers({members})"
            )
    return lab


@pytest.fixture(scope="module")
def by_default(choir: Lab) -> Lab:
    """The views as they are when the settings say nothing."""
    choir.remake_views(MetricsSettings())
    return choir


def asked(lab: Lab, view: str) -> dict[str, tuple[int | None, ...]]:
    """Family -> events and members, and what else the view counts of them."""
    more = ", engaged_members, contributing_members" if "rolling" in view else ""
    condition = " AND window = '24h'" if "rolling" in view else ""
    rows = lab.warehouse.rows(
        f"SELECT family, events, members{more} FROM {{db}}.{view} WHERE community_id = 'choir'{condition}"
    )
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("grain", ["minute", "hour", "day"])
def test_counts_below_the_smallest_cohort_are_withheld_and_events_are_not(by_default: Lab, grain: str) -> None:
    assert {
        "message": (14, 7),
        "reaction": (10, 5),
        "check_in": (8, None),
        "membership": (12, 6),
        "review": (2, None),
    } == asked(by_default, f"activity_{grain}_by_segment")


def test_rolling_counts_are_withheld_each_by_itself_and_none_of_nobody(by_default: Lab) -> None:
    assert {
        "message": (14, 7, 7, 7),
        "reaction": (10, 5, 5, 0),
        "check_in": (8, None, None, 0),
        "membership": (12, 6, 0, 0),
        "review": (2, None, None, None),
    } == asked(by_default, f"activity_rolling_by_segment_at(at = '{DAY} 12:00:00')")


def test_totals_of_a_small_community_are_shown(by_default: Lab) -> None:
    by_default.warehouse.command(
        "INSERT INTO {store}.activity_day "
        "(community_id, start, family, platform, actor_kind, events, members, version) "
        f"SELECT 'duo', '{DAY}', 'message', 'discord', 'human', 2, uniqExactState(toString(number)), 1 FROM numbers(2)"
    )
    assert [(2, 2)] == by_default.warehouse.rows(
        "SELECT events, members FROM {db}.activity_day WHERE community_id = 'duo'"
    )


def test_nothing_is_withheld_when_the_smallest_cohort_is_one(by_default: Lab) -> None:
    by_default.remake_views(MetricsSettings(smallest_cohort=1))
    assert {family: (2 * members, members) for family, members in SEGMENTS.items()} == asked(
        by_default, "activity_day_by_segment"
    )
    by_default.remake_views(MetricsSettings())


def test_segments_of_few_members_are_withheld_and_of_few_members_no_breadth_is_told(by_default: Lab) -> None:
    # The band: five members on discord, one on forum. The quartet: four, on two platforms.
    for community, platforms in {"band": "dddddf", "quartet": "ddff"}.items():
        for number, platform in enumerate(platforms):
            by_default.warehouse.command(
                "INSERT INTO {store}.member_day "
                "(community_id, start, member_id, family, platform, actor_kind, events, first_at, last_at, version) "
                f"VALUES ('{community}', '{DAY}', '{number}', 'message', '{platform}', 'human', 2, '{DAY}', '{DAY}', 1)"
            )
            by_default.warehouse.command(
                "INSERT INTO {store}.activity_day (community_id, start, family, platform, actor_kind, events, version) "
                f"VALUES ('{community}', '{DAY}', 'message', '{platform}', 'human', 2, 1)"
            )
    moment = f"(at = '{DAY} 12:00:00', days = 28)"
    assert [("band", "d", 5), ("band", "f", None), ("quartet", "d", None), ("quartet", "f", None)] == (
        by_default.warehouse.rows(
            f"SELECT community_id, platform, members FROM {{db}}.engaged_by_segment_at{moment} ORDER BY ALL"
        )
    )
    [band, quartet] = by_default.warehouse.rows(
        f"SELECT community_id, round(breadth, 6), modal_share, segments, members FROM {{db}}.breadth_at{moment} "
        "ORDER BY community_id"
    )
    # exp(5/6 ln 6/5 + 1/6 ln 6) = 6 / 5^(5/6).
    assert ("band", round(6 / 5 ** (5 / 6), 6), 5 / 6, 2, 6) == band
    assert ("quartet", None, None, None, 4) == quartet
