"""Rolling windows of generated histories, moments and events on the borders of all five windows: equal to the fold."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from folds import corrected_oracle, in_world, together
from histories import Delivery, events, rfc3339, send
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import CONTRIBUTING, ENGAGED, Oracle, Rolling, bucket
from pipeline import Lab, Log

from streams.clickhouse import Warehouse
from streams.sql_files import views

pytestmark = pytest.mark.connected

WINDOWS = {
    "5m": timedelta(minutes=5),
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "28d": timedelta(days=28),
}
MINUTE = timedelta(minutes=1)

moments = st.one_of(
    st.sampled_from(
        [
            datetime(2024, 3, 1, tzinfo=UTC),
            datetime(2024, 3, 1, 23, 59, 59, tzinfo=UTC),
            datetime(2024, 1, 1, 0, 59, tzinfo=UTC),
            datetime(2024, 2, 29, 1, 0, 30, tzinfo=UTC),
        ]
    ),
    st.integers(0, 40 * 86_400).map(lambda s: datetime(2024, 1, 20, tzinfo=UTC) + timedelta(seconds=s)),
)


@st.composite
def around(draw: st.DrawFn, moment: datetime) -> datetime:
    """A time at the edge of a window that ends with a moment, or anywhere in the longest one."""
    until = bucket(moment, "minute") + MINUTE
    edge = until - draw(st.sampled_from([timedelta(0), *WINDOWS.values()]))
    grain = draw(st.sampled_from([None, "hour", "day"]))
    if grain:
        edge = bucket(edge, grain) + draw(st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=1)]))
    near = draw(st.sampled_from([timedelta(0), timedelta(milliseconds=-1), MINUTE, -MINUTE, timedelta(minutes=30)]))
    anywhere = until - timedelta(seconds=draw(st.integers(0, 29 * 86_400)))
    return draw(st.sampled_from([edge + near, edge + near, anywhere]))


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[datetime], list[list[Delivery]]]:
    """Moments, and several worlds of events around them."""
    asked = draw(st.lists(moments, min_size=1, max_size=5))
    received_ms = int((max(asked) + timedelta(days=60)).timestamp() * 1000)
    worlds = []
    for _ in range(3):
        made = []
        for event in draw(st.lists(events(ids=30), min_size=15, max_size=40)):
            at = draw(around(draw(st.sampled_from(asked))))
            made.append(Delivery(event["type"], event | {"occurred_at": rfc3339(at, 0)}, b"", received_ms))
        worlds.append(made)
    return asked, worlds


def by_segment(oracle: Oracle, at: datetime, window: timedelta) -> dict[tuple[str, str, str], Rolling]:
    """The oracle's rolling numbers of each family and platform alone."""
    parts: dict[tuple[str, str], dict[Any, Any]] = defaultdict(dict)
    for key, fact in oracle.facts.items():
        parts[fact["type"], fact["platform"]][key] = fact
    return {
        (community, *segment): numbers
        for segment, facts in parts.items()
        for community, numbers in Oracle(facts, oracle.time_of).rolling(at, window).items()
    }


def ask(lab: Lab, view: str, keys: Iterable[str], at: datetime, worlds: Iterable[str]) -> dict[str, dict[Any, Rolling]]:
    """Window -> key -> numbers."""
    names = list(keys)
    rows = lab.warehouse.rows(
        f"SELECT window, {', '.join(names)}, events, members, engaged_members, contributing_members "
        f"FROM {{db}}.{view}(at = '{at:%Y-%m-%d %H:%M:%S}') WHERE {in_world(*worlds)}"
    )
    found: dict[str, dict[Any, Rolling]] = {name: {} for name in WINDOWS}
    for window, *row in rows:
        key = row[0] if len(names) == 1 else tuple(row[: len(names)])
        assert key not in found[window]
        found[window][key] = Rolling(*row[len(names) :])
    return found


@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes on a real engine
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(life=lives())
def test_rolling_views_equal_the_fold_at_any_moment(
    lab: Lab, life: tuple[list[datetime], list[list[Delivery]]]
) -> None:
    moments, told = life
    log, worlds, prefix = Log(), [lab.world() for _ in told], lab.settings.kafka.topic_prefix
    sent = [send(deliveries, log, prefix, world) for world, deliveries in zip(worlds, told, strict=True)]
    oracle = corrected_oracle(together(sent))
    lab.drain(log)
    for at in moments:
        total = ask(lab, "activity_rolling_at", ["community_id"], at, worlds)
        parts = ask(lab, "activity_rolling_by_segment_at", ["community_id", "family", "platform"], at, worlds)
        for name, window in WINDOWS.items():
            assert oracle.rolling(at, window) == total[name], (at, name)
            assert by_segment(oracle, at, window) == parts[name], (at, name)


@pytest.mark.parametrize("name", ["activity_rolling", "activity_rolling_by_segment"])
def test_the_view_of_now_is_the_view_of_a_moment_asked_at_now(name: str, warehouse: Warehouse) -> None:
    warehouse.command(
        "INSERT INTO {store}.activity_minute "
        "(community_id, start, family, platform, actor_kind, events, members, version) "
        "SELECT 'tea', toStartOfMinute(now('UTC')) - 60 * number, 'message', 'wechat', 'human', 1, "
        "uniqExactState(toString(number)), 1 FROM numbers(60) GROUP BY number"
    )
    before = datetime.now(UTC).replace(microsecond=0)
    now = warehouse.rows(f"SELECT * FROM {{db}}.{name} ORDER BY ALL")
    [at] = {moment for row in now for moment in row if isinstance(moment, datetime)}
    assert before <= at <= datetime.now(UTC)
    assert now == warehouse.rows(f"SELECT * FROM {{db}}.{name}_at(at = '{at:%F %T}') ORDER BY ALL")
    assert {"5m", "1h"} <= {row[1] for row in now}


def test_the_families_that_engage_and_contribute_are_those_of_the_oracle() -> None:
    text = dict(views())["060_activity_rolling_at.sql"]
    listed = [frozenset(re.findall(r"'(\w+)'", group)) for group in re.findall(r"family IN \(([^)]*)\)", text)]
    assert [ENGAGED, CONTRIBUTING] == listed
