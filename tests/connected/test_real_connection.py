"""Connection on public traces of real communities: equal to loops over their facts, and what is known of them shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from math import sqrt
from statistics import fmean, median

import pytest
from compared import come_to
from replays import Replays

from streams.clickhouse import Warehouse

pytestmark = [pytest.mark.connected, pytest.mark.real_data]

ENDS = datetime(2023, 9, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def warehouse(replays: Replays) -> Warehouse:
    """All of the traces, read to their ends."""
    for name in ("gitter_livechat", "irc_duraspace", "checkins_gowalla_nyc", "stackexchange_bicycles_meta"):
        replays(name)
    found = replays.lab.warehouse
    come_to(found, ENDS)
    return found


def trend(values: list[float]) -> tuple[float, float]:
    """Kendall's tau of a series with time, and how many standard deviations it is from that of a shuffled one.

    The test of Mann and Kendall: no assumption about how values are distributed, only that none depends on the last.
    """
    n = len(values)
    score = sum((b > a) - (b < a) for i, a in enumerate(values) for b in values[i + 1 :])
    ties = sum(t * (t - 1) * (2 * t + 5) for t in Counter(values).values())
    deviation = sqrt((n * (n - 1) * (2 * n + 5) - ties) / 18)
    return score / (n * (n - 1) / 2), (score - (score > 0) + (score < 0)) / deviation


def test_the_trend_test_knows_up_down_and_neither() -> None:
    assert (1.0, -1.0) == (trend([1, 2, 3, 4])[0], trend([4, 3, 2, 1])[0])
    assert abs(trend([1, 3, 2, 3, 1, 2, 2])[1]) < 1


@pytest.mark.parametrize("community", ["gitter-docker", "gitter-appium", "gitter-gitter", "duraspace"])
def test_the_rooms_that_declined_are_seen_to_decline(warehouse: Warehouse, community: str) -> None:
    # Windows of 28 days that do not overlap, from the first full one to the last in which anybody spoke.
    rows = warehouse.rows(
        "SELECT mau FROM {db}.active_members WHERE community_id = {community:String} AND mau > 0 "
        "QUALIFY modulo(day - min(day) OVER (), 28) = 27 ORDER BY day",
        {"community": community},
    )
    tau, deviations = trend([mau for (mau,) in rows])
    # By chance one community in a million would fall so far.
    assert tau < -0.4 and deviations < -4.9, (len(rows), tau, deviations)


def test_the_season_of_the_week_shows_in_check_ins(warehouse: Warehouse) -> None:
    rows = warehouse.rows(
        "SELECT day, engaged FROM {db}.presence_day "
        "WHERE community_id = 'gowalla-nyc' AND day BETWEEN '2010-07-05' AND '2010-10-10' ORDER BY day"
    )
    days, engaged = zip(*rows, strict=True)
    assert (98, 1) == (len(days), days[0].isoweekday())
    # Each day against the week around it, so that growth does not count.
    against = {days[i]: engaged[i] / fmean(engaged[i - 3 : i + 4]) for i in range(3, len(days) - 3)}
    by_weekday = defaultdict(list)
    for day, ratio in against.items():
        by_weekday[day.isoweekday()].append(ratio)
    season = {weekday: median(ratios) for weekday, ratios in by_weekday.items()}
    assert (1, 6) == (min(season, key=season.__getitem__), max(season, key=season.__getitem__))
    assert season[6] / season[1] > 1.1
    # Days a week apart are alike, more than days at any other distance of up to six.
    ratios = list(against.values())
    alike = {lag: correlation(ratios, lag) for lag in range(1, 8)}
    assert 7 == max(alike, key=alike.__getitem__)


def correlation(values: list[float], lag: int) -> float:
    """Autocorrelation."""
    mean = fmean(values)
    spread = sum((value - mean) ** 2 for value in values)
    return sum((a - mean) * (b - mean) for a, b in zip(values, values[lag:], strict=False)) / spread
