"""The ladder on a public trace: a channel that declined."""

from __future__ import annotations

import pytest
from replays import Replays

from streams.clickhouse import Warehouse

pytestmark = [pytest.mark.connected, pytest.mark.real_data]


@pytest.fixture(scope="module")
def warehouse(replays: Replays) -> Warehouse:
    replays("irc_duraspace")
    return replays.lab.warehouse


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
